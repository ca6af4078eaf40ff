"""The one tree of errors: what can go wrong, told apart by what has to be done about it.

Every error carries the exit code with which a command ends when the error reaches its top, so that a supervisor can
tell a wrong setting (do not restart) from a broker that is away (do). Its message says what was wrong, where, and
what to do.
"""

from __future__ import annotations

from typing import ClassVar

from stream.records.reasons import DeadLetterReason, RejectionReason, VersionFault

__all__ = [
    "AlreadyRunning",
    "BrokerUnavailable",
    "CheckpointCorrupt",
    "CheckpointError",
    "CheckpointFormat",
    "CheckpointMissing",
    "ConfigurationError",
    "DeadLetterBurst",
    "DirectoryLost",
    "Fenced",
    "InvalidInteraction",
    "InvalidRecord",
    "InvalidVersion",
    "LogError",
    "NonFinite",
    "OffsetOutOfRange",
    "PublishError",
    "RejectionOpen",
    "SchemaRejected",
    "StreamError",
    "TopicMadeAnew",
    "VersionDamaged",
]


class StreamError(Exception):
    """Anything that this package raises on purpose; the other errors derive from it."""

    exit_code: ClassVar[int] = 1


class ConfigurationError(StreamError):
    """A setting or an argument is wrong; the message names it. Starting again without a change will not help."""

    exit_code: ClassVar[int] = 2


class InvalidRecord(StreamError):
    """A record's value breaks the contract: it becomes a dead letter, and the stream goes on.

    Args:
        reason: which fault it is, of those in `stream.records.reasons`.
        message: the same for people: the field, what was wrong with it, what to do.
    """

    def __init__(self, reason: DeadLetterReason | RejectionReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class InvalidInteraction(InvalidRecord):
    """A value of the topic `interactions` is not an interaction."""

    reason: DeadLetterReason

    def __init__(self, reason: DeadLetterReason, message: str) -> None:
        super().__init__(reason, message)


class InvalidVersion(InvalidRecord):
    """A value of the topic `feature-schema` is not a schema version.

    `version` and `ts` are what could still be read of the record (None if nothing could), so that the rejection
    can be reported under its number, at its place in order.
    """

    reason: RejectionReason

    def __init__(
        self, reason: RejectionReason, message: str, version: int | None = None, ts: int | None = None
    ) -> None:
        super().__init__(reason, message)
        self.version = version
        self.ts = ts


class SchemaRejected(StreamError):
    """A well-formed schema version that cannot be applied to the schema in force, which stays as it was.

    Args:
        reason: which fault it is, of those in `stream.records.reasons`.
        message: the version, the change and the name, what was wrong, what to publish instead.
    """

    def __init__(self, reason: VersionFault, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class CheckpointError(StreamError):
    """A checkpoint could not be written or restored."""

    exit_code: ClassVar[int] = 3


class CheckpointCorrupt(CheckpointError):
    """A checkpoint's bytes are not those that were written."""


class CheckpointFormat(CheckpointError):
    """A checkpoint is whole, and of a format that this program does not read: none is passed over for that."""


class DirectoryLost(CheckpointError):
    """The checkpoint directory is not the one that was locked any more: it was deleted or replaced."""


class CheckpointMissing(CheckpointError):
    """The last commit names a checkpoint that is not in this directory; another machine may hold it."""


class LogError(StreamError):
    """The log (Kafka, the embedded log or a file) could not be read or written."""

    exit_code: ClassVar[int] = 4


class OffsetOutOfRange(LogError):
    """The offset to go on from is not in the log any more; retention has deleted it."""


class TopicMadeAnew(LogError):
    """A topic was deleted and made anew under its name, so that the offsets of before mean nothing in it."""


class BrokerUnavailable(LogError):
    """No broker answered within the bound."""


class Fenced(StreamError):
    """A newer learner of the same name took over; this one can publish no checkpoint and has to leave."""

    exit_code: ClassVar[int] = 5


class AlreadyRunning(StreamError):
    """Another process of this machine holds the lock on the checkpoint directory."""

    exit_code: ClassVar[int] = 6


class NonFinite(StreamError):
    """The loss or a weight is NaN or infinite; nothing of it was checkpointed."""

    exit_code: ClassVar[int] = 7


class DeadLetterBurst(StreamError):
    """So many records in a row were invalid that the fault is likelier in the setting than in the records."""

    exit_code: ClassVar[int] = 8


class RejectionOpen(StreamError):
    """A finite pass has ended, and its last schema version was rejected: what needed that version was not learned."""

    exit_code: ClassVar[int] = 9


class PublishError(StreamError):
    """A model version could not be published, read, promoted or rolled back."""

    exit_code: ClassVar[int] = 11


class VersionDamaged(PublishError):
    """The files of a model version are not, byte for byte, those that were published."""
