"""docs/security.md holds: its blocks set up a Kafka that refuses all else; what they allow is enough, and needed."""

from __future__ import annotations

import argparse
import itertools
import json
import re
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ResourcePattern,
    ResourceType,
    UserScramCredentialUpsertion,
)
from kafka.errors import KafkaError

from stream.broker import LocalBroker
from stream.cli import main
from stream.errors import BrokerUnavailable, ConfigurationError, LogError, StreamError
from stream.log.connection import Connection, kafka_errors
from stream.log.kafka_commit import KafkaCommitLog
from stream.log.kafka_post import KafkaPost
from stream.log.kafka_schema import KafkaSchemaSource
from stream.log.kafka_source import KafkaInteractionSource, assigned_partitions
from stream.log.protocol import Commit, DeadLetter
from stream.log.publish import next_version, publish_kafka
from stream.log.settings import LogSettings, TopicSettings
from stream.log.topics import create_topics, describe_topics, wanted_topics
from stream.log.writer import writing
from stream.schema import Change, Op
from stream.settings.load import load
from stream.settings.root import Settings
from tests.end_to_end.learners import SMALL

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
pytestmark = [pytest.mark.timeout(400), pytest.mark.slow]
Run = Callable[..., tuple[int, str]]
_numbers = itertools.count()

OPERATIONS = {"Read": "READ", "Write": "WRITE", "DescribeConfigs": "DESCRIBE_CONFIGS"}


def blocks(language: str) -> list[str]:
    """The page's blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def commands(program: str) -> Iterator[argparse.Namespace]:
    """The calls of one of Kafka's programs, as that program reads them."""
    parser = argparse.ArgumentParser(program)
    for flag in ("--add", "--alter", "--standalone"):
        parser.add_argument(flag, action="store_true")
    for option in ("--topic", "--group", "--transactional-id", "--allow-principal", "--entity-type", "--entity-name"):
        parser.add_argument(option)
    for option in ("--bootstrap-server", "--command-config", "--add-config", "--add-scram"):
        parser.add_argument(option)
    parser.add_argument("--operation", action="append")
    for block in blocks("sh"):
        for line in block.splitlines():
            words = shlex.split(line)
            if words[0] == program:
                yield parser.parse_args(words[1:])


def acls() -> list[ACL]:
    """What the page's access list allows."""
    found = []
    for command in commands("kafka-acls.sh"):
        kinds = {
            ResourceType.TOPIC: command.topic,
            ResourceType.GROUP: command.group,
            ResourceType.TRANSACTIONAL_ID: command.transactional_id,
        }
        ((kind, name),) = [(kind, name) for kind, name in kinds.items() if name is not None]
        for operation in command.operation:
            allowed = ACLOperation[OPERATIONS[operation]], ACLPermissionType.ALLOW
            found.append(ACL(command.allow_principal, "*", *allowed, ResourcePattern(kind, name)))
    return found


@contextmanager
def broker_of_the_page(directory: Path) -> Iterator[str]:
    """Run a broker with the page's properties, certificates and first user; yield its address."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    key = load_pem_private_key(certificate.private_key_pem.bytes(), None)
    chain = b"".join(part.bytes() for part in certificate.cert_chain_pems)
    (directory / "broker.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + chain)
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    (text,) = blocks("properties")
    text = text.replace("kafka.example.com:9093", "localhost:{port}").replace(":9094", ":{controller_port}")
    lines = [line for line in text.replace("/etc/kafka", str(directory)).splitlines() if line and line[0] != "#"]
    properties = dict(line.split("=", 1) for line in lines)
    with LocalBroker(properties=properties, format_arguments=_format_arguments()) as broker:
        yield broker.bootstrap_servers.replace("127.0.0.1", "localhost")


def _format_arguments() -> list[str]:
    (line,) = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("kafka-storage.sh")]
    (scram,) = re.findall(r"--add-scram '([^']+)'", line)
    assert "--standalone" in line
    return ["--standalone", f"--add-scram={scram}"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The broker's address and the directory of the certificates; users, topics and access list are there."""
    directory = tmp_path_factory.mktemp("security")
    try:
        with broker_of_the_page(directory) as address:
            with connection(address, directory, "admin").administering() as admin:
                made = [
                    UserScramCredentialUpsertion(
                        command.entity_name, "SCRAM-SHA-512", re.findall(r"password=([^]]+)]", command.add_config)[0]
                    )
                    for command in commands("kafka-configs.sh")
                ]
                assert set(admin.alter_user_scram_credentials(made).values()) == {None}
                assert not admin.create_acls(acls())["failed"]
            create_topics(connection(address, directory, "admin"), wanted_topics(TopicSettings(), 1))
            yield address, directory
    except BrokerUnavailable as error:
        if "Java" in str(error) or "jars" in str(error):
            pytest.skip(f"no Apache Kafka: {error}")
        raise


def settings_text(address: str, directory: Path, user: str) -> str:
    """The page's settings, as one user has them."""
    (text,) = blocks("toml")
    return (
        text.replace("kafka.example.com:9093", address)
        .replace("/etc/kafka", str(directory))
        .replace('"learner"', f'"{user}"')
    )


def connection(address: str, directory: Path, user: str) -> Connection:
    path = directory / f"{user}.toml"
    path.write_text(settings_text(address, directory, user))
    secret = f"kafka.options.sasl_plain_password={user.upper()}-PASSWORD"
    return Connection(load(Settings, path, assignments=[secret]).kafka)


@pytest.fixture
def run(place: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command as a user, by the page's settings and its variable; return the exit code and all that was said."""
    address, directory = place

    def run_one(user: str, *arguments: str) -> tuple[int, str]:
        path = directory / f"{user}.toml"
        path.write_text(settings_text(address, directory, user))
        monkeypatch.setenv("STREAM_KAFKA__OPTIONS__SASL_PLAIN_PASSWORD", f"{user.upper()}-PASSWORD")
        code = main([*arguments, "--config", str(path)])
        said = capfd.readouterr()
        return code, said.out + said.err

    return run_one


NOW_MS = round(time.time() * 1000) - 60_000
CHANGES = [
    {"op": "add_feature", "name": "x", "kind": "numeric"},
    {"op": "add_label", "name": "a"},
    {"op": "add_label", "name": "b"},
]


@pytest.mark.first
def test_what_the_page_allows_is_enough_for_producer_learner_and_publisher(
    run: Run, tmp_path: Path, place: tuple[str, Path]
) -> None:
    interactions = [
        {"id": f"e{index}", "key": "k", "ts": NOW_MS + index, "features": {"x": index % 3}, "labels": ["a"]}
        for index in range(40)
    ]
    lines = [json.dumps(event) for event in interactions] + ["no interaction"]
    (tmp_path / "interactions.jsonl").write_text("\n".join(lines) + "\n")
    (tmp_path / "schema.jsonl").write_text(json.dumps({"version": 1, "ts": NOW_MS, "changes": CHANGES}) + "\n")
    files = ["--interactions", str(tmp_path / "interactions.jsonl"), "--schema", str(tmp_path / "schema.jsonl")]
    code, said = run("producer", "produce", *files)
    assert code == 0, said

    change = json.dumps({"op": "add_label", "name": "c"})
    code, said = run("publisher", "schema", "publish", "--change", change, "--at-once")
    assert code == 0, said

    small = [word for setting in SMALL for word in ("--set", setting)]
    summary = tmp_path / "summary.json"
    where = ["--set", f"checkpoint.directory={tmp_path / 'checkpoints'}", "--summary", str(summary)]
    code, said = run("learner", "run", "--stop-at-end", *small, *where)
    assert code == 0, said
    assert "PASSWORD" not in said
    found = json.loads(summary.read_text())
    assert (found["events_trained"], found["events_dead_lettered"], found["schema_version"]) == (40, 1, 2)

    log = KafkaCommitLog(connection(*place, "learner"), "stream", TopicSettings())
    with closing(log):
        newest = log.fence()
        assert newest is not None
        log.resumed(replace(newest, offsets=dict.fromkeys(newest.offsets, 0)))  # it reads the dead letters


def test_what_the_page_does_not_allow_is_refused(run: Run, tmp_path: Path, place: tuple[str, Path]) -> None:
    code, said = run("publisher", "topics", "--create", "--set", "topics.interactions=another")
    assert code != 0
    assert "uthorization" in said
    producer = connection(*place, "learner").producer()
    with pytest.raises(KafkaError):
        producer.send("interactions", value=b"{}", key=b"k").get(20)
    producer.close(timeout=0)
    other = KafkaCommitLog(connection(*place, "learner"), "another-name", TopicSettings())
    with pytest.raises(ConfigurationError, match="access was refused"):
        other.fence()
    other.close()
    letters = KafkaCommitLog(connection(*place, "producer"), "stream", TopicSettings())
    with pytest.raises(LogError, match="ACLs"):
        letters.fence()
    letters.close()


def as_learner(kafka: Connection) -> None:
    """Do what a learner does with Kafka."""
    topics = TopicSettings()
    with (
        closing(KafkaInteractionSource(kafka, topics.interactions)) as source,
        closing(KafkaSchemaSource(kafka, topics.schema)) as schema,
        closing(KafkaCommitLog(kafka, "stream", topics)) as log,
    ):
        source.seek(source.beginning_offsets())
        source.poll(10, 0.5)
        source.end_offsets()
        schema.read_to_end(kafka.settings.request_seconds)
        log.fence()
        commit = Commit(1, "", {0: 0}, 0)
        log.commit(commit, [DeadLetter("not_json", topics.interactions, 0, 0, b"k", b"v")])
        log.resumed(commit)


def as_producer(kafka: Connection) -> None:
    """Send one of each."""
    with writing(kafka.settings, LogSettings(), TopicSettings()) as writers:
        writers.interactions.send(b"k", b"{}")
        writers.schema.send(None, b"{}")  # a learner rejects it; none is there any more


def as_publisher(kafka: Connection) -> None:
    """Publish one more offer."""
    change = Change(Op.ADD_LABEL, f"z{next(_numbers)}")
    publish_kafka(kafka, TopicSettings().schema, lambda history: next_version(history, [change], 0))


def as_operator(kafka: Connection) -> None:
    """Read what died, and send it again."""
    place = [f"kafka.{name}={value}" for name, value in (("bootstrap_servers", kafka.where),)]
    options = {f"kafka.options.{name}": value for name, value in kafka.settings.options.items()}
    settings = load(Settings, assignments=[*place, *(f"{name}={value}" for name, value in options.items())])
    letters = TopicSettings().dead_letters
    with closing(kafka.consumer()) as consumer, kafka_errors(letters):
        assigned = assigned_partitions(consumer, letters, letters)
        consumer.seek_to_beginning()
        consumer.poll(timeout_ms=500)
        assert assigned
    with closing(KafkaPost(settings)) as post:
        post.send([DeadLetter("not_json", TopicSettings().interactions, 0, 0, b"k", b"v")])


DOING = {"operator": as_operator, "learner": as_learner, "producer": as_producer, "publisher": as_publisher}


def name_of(acl: ACL) -> str:
    return f"{acl.principal}-{acl.operation.name}-{acl.resource_pattern.resource_name}"


NEEDED = [acl for acl in acls() if name_of(acl) != "User:learner-DESCRIBE_CONFIGS-interactions"]  # only for a warning


@pytest.mark.parametrize("left_out", NEEDED, ids=name_of)
def test_nothing_that_the_page_allows_can_be_left_out(place: tuple[str, Path], left_out: ACL) -> None:
    user = left_out.principal.removeprefix("User:")
    with without(place, left_out), pytest.raises((StreamError, KafkaError)) as refused:
        DOING[user](connection(*place, user))
    assert isinstance(refused.value, ConfigurationError) or "ACLs" in str(refused.value)


def test_a_configuration_that_may_not_be_read_is_a_fault_of_the_topic(place: tuple[str, Path]) -> None:
    (left_out,) = [acl for acl in acls() if name_of(acl) == "User:learner-DESCRIBE_CONFIGS-interactions"]
    with without(place, left_out):
        as_learner(connection(*place, "learner"))
        as_operator(connection(*place, "operator"))
        states = describe_topics(connection(*place, "learner"), wanted_topics(TopicSettings(), 1))
    assert "its configuration may not be read; see the ACLs (DescribeConfigs)" in states[0].faults
    assert states[2].faults == []


@contextmanager
def without(place: tuple[str, Path], acl: ACL) -> Iterator[None]:
    """Take an entry off the access list for the block."""
    with connection(*place, "admin").administering() as admin:
        admin.delete_acls([acl])
        try:
            yield
        finally:
            admin.create_acls([acl])
