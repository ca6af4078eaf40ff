"""The three topics as the contract wants them: how they are created, and what is wrong with those that are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kafka.admin import ConfigResource

from stream.errors import LogError
from stream.log.connection import Connection
from stream.log.settings import TopicSettings

__all__ = [
    "HEADERS_BYTES",
    "TopicState",
    "create_topics",
    "describe_topics",
    "largest_record_bytes",
    "wanted_topics",
]

_TOPIC_ALREADY_EXISTS = 36
_DEAD_LETTER_BYTES = 4 << 20
HEADERS_BYTES = 4096
"""What the headers of a dead letter take at most, on top of the record that it is about."""


@dataclass(frozen=True)
class WantedTopic:
    """A topic to be: `partitions` for its creation, `settings` that it is created with and has to keep.

    `takes_from` names a topic whose records it has to take, with headers of ours on top.
    """

    name: str
    partitions: int
    only_one_partition: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    takes_from: str | None = None


@dataclass(frozen=True)
class TopicState:
    """A topic as it is: its partitions (0 if it does not exist) and what is wrong with it, in sentences."""

    name: str
    partitions: int
    faults: list[str]


def wanted_topics(names: TopicSettings, partitions: int) -> list[WantedTopic]:
    """Return what the three topics have to be, the interactions in `partitions` partitions.

    The schema is kept for ever and not compacted, because a new learner reads it from its beginning. Dead letters may
    be larger than Kafka's default, since the headers come on top of a record that may be just within it.
    """
    kept_for_ever = {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete"}
    return [
        WantedTopic(names.interactions, partitions, settings={"cleanup.policy": "delete"}),
        WantedTopic(names.schema, 1, only_one_partition=True, settings=kept_for_ever),
        WantedTopic(
            names.dead_letters,
            1,
            settings={"max.message.bytes": str(_DEAD_LETTER_BYTES)},
            takes_from=names.interactions,
        ),
    ]


def create_topics(connection: Connection, wanted: list[WantedTopic], replication_factor: int = -1) -> list[str]:
    """Create those that are missing, wait until they can be used, and return their names.

    `replication_factor` -1 leaves it to the broker. Raises `LogError` if the cluster refuses.
    """
    request = {
        topic.name: {
            "num_partitions": topic.partitions,
            "replication_factor": replication_factor,
            "configs": dict(topic.settings),
        }
        for topic in wanted
    }
    with connection.administering() as admin:
        answers = admin.create_topics(request, raise_errors=False)["topics"]
        created = [answer["name"] for answer in answers if answer["error_code"] == 0]
        admin.wait_for_topics([topic.name for topic in wanted])
    refused = [answer for answer in answers if answer["error_code"] not in (0, _TOPIC_ALREADY_EXISTS)]
    if refused:
        reasons = "; ".join(f"{answer['name']}: {answer['error_message']}" for answer in refused)
        raise LogError(f"Kafka at {connection.where} refused to create topics ({reasons}).")
    return created


def describe_topics(connection: Connection, wanted: list[WantedTopic]) -> list[TopicState]:
    """Return the state of each topic, with what is wrong with it."""
    names = [topic.name for topic in wanted]
    with connection.administering() as admin:
        found = {topic["name"]: topic for topic in admin.describe_topics(names) if topic["error_code"] == 0}
        resources = [
            ConfigResource("TOPIC", topic.name, dict.fromkeys([*topic.settings, "max.message.bytes"]))
            for topic in wanted
            if topic.name in found
        ]
        described = admin.describe_configs(resources, config_filter="all") if resources else {}
    settings = described.get("topic", {})
    states = [_state(topic, found.get(topic.name), settings.get(topic.name, {})) for topic in wanted]
    for topic, state in zip(wanted, states, strict=True):
        if topic.takes_from is not None and settings.get(topic.name) and settings.get(topic.takes_from):
            taken, may_come = (
                int(settings[name]["max.message.bytes"]["value"]) for name in (topic.name, topic.takes_from)
            )
            if taken < may_come + HEADERS_BYTES and not any("max.message.bytes" in fault for fault in state.faults):
                state.faults.append(
                    f"max.message.bytes is {taken}, and a record of {topic.takes_from} may have {may_come}: "
                    f"it should be at least {may_come + HEADERS_BYTES}"
                )
    return states


def largest_record_bytes(connection: Connection, topics: Sequence[str]) -> dict[str, int]:
    """Return `max.message.bytes` of each topic that exists and whose configuration may be read."""
    asked = [ConfigResource("TOPIC", topic, {"max.message.bytes": None}) for topic in topics]
    with connection.administering() as admin:
        answer: Mapping[str, Any] = admin.describe_configs(asked, config_filter="all")
    found = {topic: answer.get("topic", {}).get(topic, {}).get("max.message.bytes") for topic in topics}
    return {topic: int(bound["value"]) for topic, bound in found.items() if bound is not None}


def _state(topic: WantedTopic, found: Mapping[str, Any] | None, settings: Mapping[str, Any]) -> TopicState:
    if found is None:
        return TopicState(topic.name, 0, ["it does not exist"])
    partitions = len(found["partitions"])
    faults = []
    if topic.only_one_partition and partitions != 1:
        faults.append(f"it has {partitions} partitions and needs exactly one")
    if topic.settings and not settings:
        faults.append("its configuration may not be read; see the ACLs (DescribeConfigs)")
    for name, wanted in topic.settings.items() if settings else ():
        present = settings.get(name, {}).get("value")
        if name == "max.message.bytes":
            if int(present) < int(wanted):
                faults.append(f"{name} is {present} and should be at least {wanted}")
        elif present != wanted:
            faults.append(f"{name} is {present} and has to be {wanted}")
    return TopicState(topic.name, partitions, faults)
