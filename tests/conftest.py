"""What tests of several rooms share."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator

import pytest

from stream.broker import LocalBroker
from stream.errors import BrokerUnavailable
from stream.log.connection import Connection
from stream.log.settings import KafkaSettings, TopicSettings
from stream.log.topics import create_topics, wanted_topics
from tests.require_all import pytest_make_collect_report, pytest_runtest_makereport

__all__ = ["pytest_make_collect_report", "pytest_runtest_makereport"]  # pytest finds its hooks here

_numbers = itertools.count(1)


def pytest_configure() -> None:
    """Let no setting of the developer's own environment reach a test."""
    for name in [name for name in os.environ if name.startswith("STREAM_") and name != "STREAM_REQUIRE_ALL"]:
        del os.environ[name]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together what shares a broker or a fixture: one worker has all that needs Kafka, one a room's data."""
    needs = {item.path for item in items if "kafka_broker" in getattr(item, "fixturenames", ())}
    for item in items:
        group = "kafka" if item.path in needs else "data" if item.path.parent.name == "data" else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def kafka_broker() -> Iterator[LocalBroker]:
    """A real Apache Kafka for the whole session; its tests are skipped where none can be had."""
    broker = LocalBroker()
    try:
        broker.start()
    except BrokerUnavailable as error:
        pytest.skip(f"no Apache Kafka: {error}")
    try:
        yield broker
    finally:
        broker.stop()


@pytest.fixture
def kafka(kafka_broker: LocalBroker) -> Connection:
    """A connection to the broker."""
    return Connection(KafkaSettings(bootstrap_servers=(kafka_broker.bootstrap_servers,)))


@pytest.fixture
def fresh_topics(kafka: Connection) -> Callable[[int], TopicSettings]:
    """Create the three topics under names that no other test has, the interactions in so many partitions."""

    def create(partitions: int = 1) -> TopicSettings:
        number = next(_numbers)
        names = TopicSettings(f"interactions-{number}", f"feature-schema-{number}", f"dead-letters-{number}")
        create_topics(kafka, wanted_topics(names, partitions))
        return names

    return create
