"""Reading the embedded log: the same offsets, seeks and pauses as on Kafka."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from stream.errors import ConfigurationError, LogError, OffsetOutOfRange
from stream.log.embedded import EmbeddedTopic, PartitionReader
from stream.log.protocol import Record

__all__ = ["EmbeddedInteractionSource", "EmbeddedSchemaSource"]

_LOOK_SECONDS = 0.02


class EmbeddedInteractionSource:
    """An `InteractionSource` over a topic of the embedded log; a partition's beginning is always offset 0.

    Args:
        directory: the log's directory.
        topic: the topic, which has to exist.
        monotonic_seconds, sleep: the clock that bounds a waiting `poll`.
    """

    source_name = "embedded-log"

    def __init__(
        self,
        directory: Path,
        topic: str,
        monotonic_seconds: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        opened = EmbeddedTopic(directory, topic)
        self.topic = topic
        self.topic_id = opened.id
        self._opened = opened
        self._readers = {partition: PartitionReader(opened, partition) for partition in opened.partitions}
        self._unsought = set(self._readers)
        self._paused: set[int] = set()
        self._first = 0
        self._monotonic_seconds = monotonic_seconds
        self._sleep = sleep

    def digest_before(self, offsets: Mapping[int, int]) -> None:
        """Say that records never change here: the topic's id is enough."""

    def partitions(self) -> list[int]:
        """Return all partition numbers, ascending."""
        return list(self._readers)

    def seek(self, offsets: Mapping[int, int]) -> None:
        """Make these the next offsets; raises `OffsetOutOfRange`, before anything moved, if one does not exist."""
        for partition, offset in offsets.items():
            _require_in_range(self.topic, partition, offset, self._readers[partition].end())
        for partition, offset in offsets.items():
            self._readers[partition].seek(offset)
            self._unsought.discard(partition)

    def poll(self, max_records: int, timeout_seconds: float) -> list[Record]:
        """Return up to `max_records` records, waiting up to `timeout_seconds` for the first."""
        if self._unsought:
            raise LogError(f"{self.topic}: partitions {sorted(self._unsought)} were polled before any seek.")
        deadline = self._monotonic_seconds() + timeout_seconds
        while True:
            records = self._read(max_records)
            left = deadline - self._monotonic_seconds()
            if records or left <= 0:
                return records
            self._sleep(min(left, _LOOK_SECONDS))

    def positions(self) -> dict[int, int]:
        """Return the next offset of each partition."""
        return {partition: reader.offset for partition, reader in self._readers.items()}

    def beginning_offsets(self) -> dict[int, int]:
        """Return 0 for each partition: nothing is ever deleted."""
        return dict.fromkeys(self._readers, 0)

    def end_offsets(self) -> dict[int, int]:
        """Return the offset after the last finished line of each partition, if the topic is still the same."""
        self._opened.check()
        return {partition: reader.end() for partition, reader in self._readers.items()}

    def lag(self) -> dict[int, int]:
        """Return the number of records left in each partition; to look is cheap here."""
        return {partition: reader.end() - reader.offset for partition, reader in self._readers.items()}

    def offsets_for_time(self, timestamp_ms: int) -> dict[int, int]:
        """Return each partition's first offset with a record timestamp of `timestamp_ms` or later, else its end."""
        return {partition: reader.first_at(timestamp_ms) for partition, reader in self._readers.items()}

    def pause(self, partitions: Sequence[int]) -> None:
        """Stop returning records of these partitions."""
        self._paused.update(partitions)

    def resume(self, partitions: Sequence[int]) -> None:
        """Undo `pause`."""
        self._paused.difference_update(partitions)

    def close(self) -> None:
        """Close the files."""
        for reader in self._readers.values():
            reader.close()

    def _read(self, max_records: int) -> list[Record]:
        """Read, another partition first each time, so that a full one cannot starve the others."""
        readers = [reader for partition, reader in self._readers.items() if partition not in self._paused]
        self._first = (self._first + 1) % max(1, len(readers))
        records: list[Record] = []
        for reader in (*readers[self._first :], *readers[: self._first]):
            if len(records) < max_records:
                records += reader.read(max_records - len(records))
        return records


class EmbeddedSchemaSource:
    """A `SchemaSource` over a topic of the embedded log, which has to have one partition."""

    def __init__(self, directory: Path, topic: str) -> None:
        opened = EmbeddedTopic(directory, topic)
        if len(opened.partitions) != 1:
            raise ConfigurationError(f"The schema topic {topic} has {len(opened.partitions)} partitions; it needs one.")
        self.topic = topic
        self.topic_id = opened.id
        self._opened = opened
        self._reader = PartitionReader(opened, 0)

    def seek(self, offset: int) -> None:
        """Make `offset` the next one; raises `OffsetOutOfRange` if it does not exist."""
        _require_in_range(self.topic, 0, offset, self._reader.end())
        self._reader.seek(offset)

    def digest_before(self, offset: int) -> None:
        """Say that records never change here: the topic's id is enough."""

    def read_to_end(self, timeout_seconds: float) -> list[Record]:
        """Return every record from the position up to the end as it is now; the time is not needed here.

        Raises `TopicMadeAnew`, or `LogError` if the topic is gone.
        """
        self._opened.check()
        return self._reader.read(self._reader.end() - self._reader.offset)

    def position(self) -> int:
        """Return the next offset."""
        return self._reader.offset

    def beginning_offset(self) -> int:
        """Return 0: nothing is ever deleted."""
        return 0

    def end_offset(self) -> int:
        """Return the offset after the last finished line."""
        return self._reader.end()

    def close(self) -> None:
        """Close the file."""
        self._reader.close()


def _require_in_range(topic: str, partition: int, offset: int, end: int) -> None:
    if not 0 <= offset <= end:
        raise OffsetOutOfRange(
            f"{topic}, partition {partition}: offset {offset} is not between 0 and the end {end}. "
            "Was the log replaced? See the setting that says what to do about lost offsets."
        )
