"""Whatever dies or breaks, answers go on from the last good version, and nothing half-written is ever loaded."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from stream.publish.pointer import read_pointer
from stream.testing.streams import events
from tests.serving.conftest import trained
from tests.serving.publishing import Publishing, Server, serving

pytestmark = pytest.mark.xdist_group("serving")

QUESTION = {"features": {"price": 3.0}, "key": "k1"}


def test_a_killed_scorer_starts_again_where_the_pointer_is(tmp_path: Path) -> None:
    learner = trained(64)
    publishing = Publishing(tmp_path, learner)
    publishing.publish()
    with serving(tmp_path) as server:
        before = server.ask(QUESTION)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
    learner.learn(learner.encode(events(16, 2)))
    version = publishing.publish()
    publishing.close()
    with serving(tmp_path) as server:
        after = server.ask(QUESTION)
        assert after["model_version"] == version > before["model_version"]
        assert [(one["offer"], one["probability"]) for one in after["offers"]] == learner.recommend(QUESTION)


PUBLISHER = """
import sys
from pathlib import Path
from stream.testing.streams import events
from tests.serving.conftest import trained
from tests.serving.publishing import Publishing
learner = trained(64)
publishing = Publishing(Path(sys.argv[1]), learner)
number = 0
while True:
    number += 1
    print(publishing.publish(), flush=True)
    learner.learn(learner.encode(events(16, number)))
"""


def test_a_publisher_killed_amid_its_writing_leaves_the_last_good_version(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    for kill in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", PUBLISHER, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=root
        ) as publisher:
            assert publisher.stdout is not None
            for _ in range(3 + kill):
                assert publisher.stdout.readline()
            time.sleep(0.003 * kill)
            publisher.kill()
    pointer = read_pointer(tmp_path)
    assert pointer is not None
    with serving(tmp_path) as server:
        assert server.ask(QUESTION)["model_version"] == pointer.version
        assert server.http.get("/readyz").json()["trouble"] is None


def version_of(server: Server) -> int:
    return int(server.ask(QUESTION)["model_version"])


def test_damaged_files_are_not_taken_and_the_next_good_version_is(tmp_path: Path) -> None:
    learner = trained(64)
    publishing = Publishing(tmp_path / "versions", learner)
    first = publishing.publish()
    shutil.copytree(tmp_path / "versions", tmp_path / "served")
    with serving(tmp_path / "served") as server:
        assert version_of(server) == first
        for damage in ("cut", "flipped", "gone"):
            learner.learn(learner.encode(events(16, ord(damage[0]))))
            number = publishing.publish()
            files = sorted((tmp_path / "versions").glob(f"*-{number:012d}.*"))
            assert len(files) == 2
            for path in files:
                whole = path.read_bytes()
                if damage == "cut":
                    (tmp_path / "served" / path.name).write_bytes(whole[: len(whole) // 2])
                elif damage == "flipped":
                    (tmp_path / "served" / path.name).write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
            place_pointer(tmp_path)
            deadline = time.monotonic() + 30
            while server.http.get("/readyz").json()["trouble"] is None:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            assert version_of(server) == first
            for path in files:  # the disk is mended
                shutil.copyfile(path, tmp_path / "served" / path.name)
            place_pointer(tmp_path)
            server.wait_for(number)
            assert version_of(server) == number
            assert server.http.get("/readyz").json()["trouble"] is None
            first = number
        (tmp_path / "served" / "current.json").write_text("{")
        time.sleep(0.3)
        assert version_of(server) == first
        (tmp_path / "served" / "current.json").unlink()
        time.sleep(0.3)
        assert version_of(server) == first
    publishing.close()


def place_pointer(tmp_path: Path) -> None:
    """Move the pointer of the served copy to where the publisher's is, as one replacement."""
    temporary = tmp_path / "served" / "pointer.tmp"
    shutil.copyfile(tmp_path / "versions" / "current.json", temporary)
    temporary.replace(tmp_path / "served" / "current.json")


def test_the_scorer_writes_nothing(tmp_path: Path) -> None:
    learner = trained(64)
    publishing = Publishing(tmp_path, learner)
    publishing.publish()
    publishing.close()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    tmp_path.chmod(0o555)
    try:
        with serving(tmp_path) as server:
            for _ in range(20):
                server.ask(QUESTION)
    finally:
        tmp_path.chmod(0o755)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_heads_and_bodies_that_do_not_come_are_not_waited_for(tmp_path: Path) -> None:
    publishing = Publishing(tmp_path, trained(32))
    publishing.publish()
    publishing.close()
    with serving(tmp_path, "--set", "serve.request_seconds=0.5") as server:
        host, port = server.url.removeprefix("http://").split(":")

        def said(sent: bytes) -> bytes:
            with socket.create_connection((host, int(port)), timeout=20) as connection:
                connection.sendall(sent)
                found = b""
                try:
                    while piece := connection.recv(4096):
                        found += piece
                except ConnectionResetError:  # it hung up with bytes of ours unread
                    pass
            return found

        head = b"POST /v1/recommend HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        assert said(b"") == b""  # nothing at all
        assert said(head) == b""  # a head without end
        assert b" 408 " in said(head + b"Content-Length: 100\r\n\r\n{").partition(b"\r\n")[0]
        assert b" 200 " not in said(head + b"X: " + b"y" * 300_000)
        assert b" 400 " in said(b"nonsense\r\n\r\n").partition(b"\r\n")[0]
        assert server.ask(QUESTION)["offers"]


def test_more_connections_than_allowed_are_told_so(tmp_path: Path) -> None:
    publishing = Publishing(tmp_path, trained(32))
    publishing.publish()
    publishing.close()
    with serving(tmp_path, "--set", "serve.max_connections=3") as server:
        server.ask(QUESTION)
        clients = [httpx.Client(base_url=server.url, timeout=30) for _ in range(6)]
        statuses = [client.post("/v1/recommend", json=QUESTION).status_code for client in clients]
        for client in clients:
            client.close()
        assert 503 in statuses
        assert 200 in statuses
        deadline = time.monotonic() + 30
        while server.http.post("/v1/recommend", json=QUESTION).status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_answers_are_json_that_any_reader_reads(server: Server) -> None:
    text = server.http.post("/v1/recommend", json={**QUESTION, "why": True}).text
    assert json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
