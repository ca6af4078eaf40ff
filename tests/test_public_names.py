"""What others may import is written down: a name that goes, comes or changes is a decision, not an accident."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest

import stream

# Rooms whose names other rooms and other people's programs rely on.
PINNED = {
    "stream": {
        *("Interaction", "Learner", "LearnerSettings", "Predictions", "Schema", "Version"),
        *("__version__", "decode_interaction", "parse_version"),
    },
    "stream.errors": {
        *("AlreadyRunning", "BrokerUnavailable", "CheckpointCorrupt", "CheckpointError", "CheckpointMissing"),
        *("CheckpointFormat", "DirectoryLost"),
        *("ConfigurationError", "DeadLetterBurst", "Fenced", "InvalidInteraction", "InvalidRecord", "InvalidVersion"),
        *(
            "LogError",
            "NonFinite",
            "OffsetOutOfRange",
            "PublishError",
            "RejectionOpen",
            "SchemaRejected",
            "StreamError",
        ),
        *("TopicMadeAnew", "VersionDamaged"),
    },
    "stream.settings": {"Section", "WrongSetting", "section", "setting"},
    "stream.observe": {"CompositeObserver", "Observer", "Poll", "Start", "Step"},
    "stream.testing": {
        *("METHOD_CHECKS", "Clock", "MemoryCommitLog", "MemoryLog", "MemorySchemaSource", "MemorySource"),
        *("check_method", "check_part", "check_source"),
    },
    "stream.report": {"BatchReport", "MixtureReport", "ModelReport", "SchemaReport", "SlotCount", "WarmupReport"},
}
EXIT_CODES = {
    "StreamError": 1,
    "ConfigurationError": 2,
    "CheckpointError": 3,
    "LogError": 4,
    "Fenced": 5,
    "AlreadyRunning": 6,
    "NonFinite": 7,
    "DeadLetterBurst": 8,
}


def module_names() -> list[str]:
    found = pkgutil.walk_packages(stream.__path__, "stream.")
    return ["stream", *sorted(module.name for module in found if not module.name.endswith("__main__"))]


@pytest.mark.parametrize("module", sorted(PINNED))
def test_the_public_names_of_a_room_are_these(module: str) -> None:
    assert set(importlib.import_module(module).__all__) == PINNED[module]


def test_exit_codes_are_these() -> None:
    errors = importlib.import_module("stream.errors")
    assert {name: getattr(errors, name).exit_code for name in EXIT_CODES} == EXIT_CODES


@pytest.mark.parametrize("name", module_names())
def test_a_module_says_what_it_is_for_and_offers_only_what_it_has(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, "a module begins with a sentence"
    offered = getattr(module, "__all__", [])
    assert len(set(offered)) == len(offered)
    for public in offered:
        value = getattr(module, public)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__doc__, f"{public} is public and says nothing"
