"""The tree of errors carries the exit codes that the README lists."""

from __future__ import annotations

import stream.errors
from stream.errors import StreamError


def test_each_error_has_the_exit_code_of_its_branch() -> None:
    codes = {name: getattr(stream.errors, name).exit_code for name in stream.errors.__all__}
    assert codes == {
        "StreamError": 1,
        "InvalidRecord": 1,
        "InvalidInteraction": 1,
        "InvalidVersion": 1,
        "SchemaRejected": 1,
        "ConfigurationError": 2,
        "CheckpointError": 3,
        "CheckpointCorrupt": 3,
        "CheckpointFormat": 3,
        "CheckpointMissing": 3,
        "DirectoryLost": 3,
        "LogError": 4,
        "OffsetOutOfRange": 4,
        "TopicMadeAnew": 4,
        "BrokerUnavailable": 4,
        "Fenced": 5,
        "AlreadyRunning": 6,
        "NonFinite": 7,
        "DeadLetterBurst": 8,
        "RejectionOpen": 9,
        "PublishError": 11,
        "VersionDamaged": 11,
    }


def test_one_except_clause_catches_all_of_them() -> None:
    assert all(issubclass(getattr(stream.errors, name), StreamError) for name in stream.errors.__all__)
