"""What the service asks of a log: records by offset, a schema topic read to its end, and one atomic commit.

Kafka, the embedded log and plain files all stand behind these protocols, so the service has one path for all of them.

**Every offset here is a next offset**: that of the first record *not yet* consumed, never that of the last one
consumed. `seek({0: 7})` makes the record at offset 7 the next one of partition 0; `positions() == end_offsets()`
says that nothing is left to read; a commit of `{0: 7}` says that everything below 7 is dealt with. Offsets rise
within a partition and may have gaps: on Kafka a transaction's marker, an aborted record or retention takes an offset
that no record is ever read at. So code counts records, compares positions, and never waits for a certain offset to
arrive (quixio/quix-streams#1017 waits for ever on that).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Commit", "CommitLog", "DeadLetter", "InteractionSource", "Record", "SchemaSource"]

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it lies in the log: bytes, not yet decoded, and where it came from.

    `timestamp_ms` is the record's own time (Unix ms; Kafka: when it was sent), `None` if the log keeps none
    (plain files).
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int | None
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that cannot be used: the original bytes, where they came from, and why.

    Attributes:
        reason: why, as a short snake_case code.
        topic, partition, offset: where the record lies.
        key, value: its bytes; None if it has none, or if they were left out.
        message: why, as a sentence, of bounded length (`stream.log.letter.bounded_sentence`).
        learner: name of the learner that could not use it.
        ts_ms: when that was, wall-clock Unix ms.
        resent: how often the same interaction had died before and was sent again.
        topic_id: which topic of that name it was, if the log tells topics from those made anew.
        key_bytes: size of a key that was left out, since the topic of the dead letters does not take it.
        value_bytes, value_sha256: size and SHA-256 (hex) of a value that was left out.
    """

    reason: str
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    message: str = ""
    learner: str = ""
    ts_ms: int = 0
    resent: int = 0
    topic_id: str | None = None
    key_bytes: int | None = None
    value_bytes: int | None = None
    value_sha256: str | None = None

    @property
    def origin(self) -> tuple[str, str | None, int, int]:
        """The record that it is about: topic, the topic's id, partition and offset."""
        return self.topic, self.topic_id, self.partition, self.offset


@dataclass(frozen=True, slots=True)
class Commit:
    """What the log remembers of the newest checkpoint: its number and digest, and the offsets from which it goes on.

    `offsets` maps each interaction partition to its next offset; `schema_offset` is that of the schema topic.
    """

    number: int
    digest: str
    offsets: Mapping[int, int]
    schema_offset: int


class InteractionSource(Protocol):
    """Interactions by partition, committed records only, in offset order within each partition.

    All partitions are assigned from construction on. Nothing may be polled before the first `seek`: there is no
    default position, so a forgotten seek is an error instead of silent loss.
    """

    @property
    def source_name(self) -> str:
        """Say what kind of log this is, as the summary prints it: "apache-kafka 4.3.0", "embedded-log" or "files"."""
        ...

    @property
    def topic(self) -> str:
        """Name the topic, for dead letters and messages; for files, the file's name."""
        ...

    @property
    def topic_id(self) -> str | None:
        """Say which topic of that name it is: one made anew has another id. None if the log has no ids."""
        ...

    def digest_before(self, offsets: Mapping[int, int]) -> str | None:
        """Return a digest of all records before these offsets, by which a file that was changed there is seen.

        None if records never change once they are there: on Kafka and in the embedded log. Empty if one of the
        offsets does not exist.
        """
        ...

    def partitions(self) -> list[int]:
        """Return all partition numbers, ascending, as they were at construction."""
        ...

    def seek(self, offsets: Mapping[int, int]) -> None:
        """Make `offsets[p]` the next offset of each partition `p` named; forget what was fetched for it.

        Raises `OffsetOutOfRange` if an offset lies below the beginning or beyond the end of its partition; then
        nothing moved.
        """
        ...

    def poll(self, max_records: int, timeout_seconds: float) -> list[Record]:
        """Return up to `max_records` records, waiting up to `timeout_seconds` for the first; an empty list when none
        came.

        Several partitions may be mixed in one answer; within each, offsets rise. Paused partitions are left alone.
        Raises `OffsetOutOfRange` when retention has deleted the next record meanwhile, `LogError` when the log cannot
        be read.
        """
        ...

    def positions(self) -> dict[int, int]:
        """Return the next offset that `poll` would ask for, transaction markers already passed skipped."""
        ...

    def beginning_offsets(self) -> dict[int, int]:
        """Return the first offset that still exists in each partition."""
        ...

    def end_offsets(self) -> dict[int, int]:
        """Return, asked now, the offset after the last committed record of each partition.

        A partition has been read to its end when its position has reached this. Raises `LogError` when the topic was
        deleted since construction, `TopicMadeAnew` when it was made anew, and `LogError` when it has got more
        partitions: keys moved and a restart has to take in the new ones.
        """
        ...

    def lag(self) -> dict[int, int]:
        """Return, without asking, the distance from each position to the end that `end_offsets` found last.

        It is at least the number of committed records that were there then and are left; an open transaction is none.
        """
        ...

    def offsets_for_time(self, timestamp_ms: int) -> dict[int, int]:
        """Return each partition's first offset with a record timestamp of `timestamp_ms` or later, else its end."""
        ...

    def pause(self, partitions: Sequence[int]) -> None:
        """Stop returning records of these partitions; their positions stay and nothing already fetched is lost."""
        ...

    def resume(self, partitions: Sequence[int]) -> None:
        """Undo `pause`."""
        ...

    def close(self) -> None:
        """Release connections and files; a second call does nothing."""
        ...


class SchemaSource(Protocol):
    """The schema topic: one partition, read on demand up to its end."""

    @property
    def topic(self) -> str:
        """Name the topic, for dead letters and messages."""
        ...

    @property
    def topic_id(self) -> str | None:
        """Say which topic of that name it is: one made anew has another id. None if the log has no ids."""
        ...

    def seek(self, offset: int) -> None:
        """Make `offset` the next offset. Raises `OffsetOutOfRange` if it does not exist."""
        ...

    def digest_before(self, offset: int) -> str | None:
        """Return a digest of all records before this offset; see `InteractionSource.digest_before`."""
        ...

    def read_to_end(self, timeout_seconds: float) -> list[Record]:
        """Ask for the end offset now and return every record from the position up to it, perhaps none.

        The end is asked for in this call: what was published before the call is in the answer. Done when the
        *position* has reached that end, so trailing transaction markers cannot block it. Raises `LogError` when it is
        not reached within `timeout_seconds`; what was read until then is not lost but the start of the next answer.
        """
        ...

    def position(self) -> int:
        """Return the next offset."""
        ...

    def beginning_offset(self) -> int:
        """Return the first offset that still exists."""
        ...

    def end_offset(self) -> int:
        """Return, asked now, the offset after the last committed record."""
        ...

    def close(self) -> None:
        """Release connections and files; a second call does nothing."""
        ...


class CommitLog(Protocol):
    """Where checkpoints become official: one atomic step publishes dead letters and moves the offsets.

    Use: `newest` to see whether a start can succeed, `fence` once at start, `resumed` once if an older checkpoint than
    the one it names is restored, then `commit` after each checkpoint file is on disk under its temporary name and
    before it is renamed.
    """

    def newest(self, wait: bool = False) -> Commit | None:
        """Return the newest commit, or `None` before the first, and leave an earlier holder alone.

        A commit that is on its way may be missing from the answer; with `wait` it is waited for, and `LogError` is
        raised if that takes longer than the bound (its holder may have died half-way: only `fence` ends that).
        """
        ...

    def fence(self) -> Commit | None:
        """Take over from every earlier holder of this name and return the newest commit, or `None` before the first.

        From here on a `commit` of an earlier holder raises `Fenced` and changes nothing; one that it left open is
        rolled back.
        """
        ...

    def resumed(self, commit: Commit) -> None:
        """Say that the learner goes on from this older checkpoint's offsets instead of those that `fence` returned.

        Dead letters that were published after it are then not published twice.
        """
        ...

    def commit(self, commit: Commit, dead_letters: Sequence[DeadLetter]) -> None:
        """Publish the dead letters and record the commit, both or neither.

        Returns once both are durable. A learner that has had nothing to learn should commit its last commit again once
        a day: Kafka forgets offsets and transactional ids that nobody has touched for a week. Raises `Fenced` when a
        newer holder has taken over, `TopicMadeAnew` when the offsets are of a topic that is not there any more,
        `LogError` when the log stayed out of reach for longer than the bound; in both
        cases stop without renaming: whether this commit counts is what the next start's `fence` says.
        """
        ...

    def close(self) -> None:
        """Release connections and files without committing; a second call does nothing."""
        ...
