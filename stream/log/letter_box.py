"""Where dead letters lie, read as one: a topic of Kafka, the files of an embedded log's learners, or one file.

What was sent again is remembered by a *mark*: which record it was, by topic, the topic's id, partition and offset. On
Kafka marks lie among the dead letters themselves (a record with the one header `resent_of`, which readers of dead
letters pass over for it lacks theirs), so that record and mark are written in one transaction; in the embedded log they
lie in `dead-letters.resent.jsonl`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from stream.errors import ConfigurationError, LogError
from stream.log.file_commit import letter_in
from stream.log.letter import letter_of
from stream.log.protocol import DeadLetter

if TYPE_CHECKING:
    from stream.log.connection import Connection
    from stream.settings.root import Settings

__all__ = [
    "MARK_HEADER",
    "EmbeddedLetters",
    "FileLetters",
    "KafkaLetters",
    "Kept",
    "LetterBox",
    "Origin",
    "Sent",
    "letter_box",
    "letters_of",
    "mark_of",
    "marked",
]

Origin = tuple[str, str | None, int, int]
"""Which record a dead letter is about: its topic, the topic's id, partition and offset."""

MARK_HEADER = "resent_of"


@dataclass(frozen=True, slots=True)
class Kept:
    """A dead letter and its place among the others, by which it is asked for: `0:17`, `stream:3`."""

    place: str
    letter: DeadLetter


@dataclass(frozen=True, slots=True)
class Sent:
    """A mark: the record of this origin was sent again."""

    origin: Origin


class LetterBox(Protocol):
    """Dead letters, oldest first within each part of the box."""

    @property
    def name(self) -> str:
        """Say what this is, for people."""
        ...

    def entries(self) -> Iterator[Kept | Sent | None]:
        """Yield all that is there: letters, marks, and None for what somebody else put there.

        Raises `LogError` if it cannot be read.
        """
        ...


class KafkaLetters:
    """The topic of the dead letters on Kafka."""

    def __init__(self, connection: Connection, topic: str) -> None:
        self.name = f"{topic} at {connection.where}"
        self._connection = connection
        self._topic = topic

    def entries(self) -> Iterator[Kept | Sent | None]:
        """Yield what is committed to the topic now."""
        from stream.log.kafka_source import every_record

        for record in every_record(self._connection, self._topic):
            letter = letter_of(record)
            if letter is not None:
                yield Kept(f"{record.partition}:{record.offset}", letter)
            else:
                yield marked(dict(record.headers).get(MARK_HEADER, b""))


class FileLetters:
    """A file of dead letters, as a replay writes it; of such nothing can be sent again."""

    def __init__(self, path: Path, learner: str = "") -> None:
        self.name = str(path)
        self._path = path
        self._prefix = f"{learner}:" if learner else ""

    def entries(self) -> Iterator[Kept | Sent | None]:
        """Yield what the lines hold; their places are the numbers of the lines, from 1."""
        try:
            with self._path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    letter = letter_in(line)
                    yield None if letter is None else Kept(f"{self._prefix}{number}", letter)
        except OSError as error:
            raise LogError(f"{self._path} cannot be read: {error.strerror}; see its path and rights.") from error


class EmbeddedLetters:
    """The dead letters of all learners of an embedded log, and the marks beside them."""

    def __init__(self, directory: Path, file: str) -> None:
        self.name = f"the embedded log in {directory}"
        self.marks_path = directory / "dead-letters.resent.jsonl"
        self._directory = directory
        self._file = file

    def entries(self) -> Iterator[Kept | Sent | None]:
        """Yield the letters, learner by learner, then the marks."""
        for path in sorted((self._directory / "learners").glob(f"*/{self._file}")):
            yield from FileLetters(path, path.relative_to(self._directory / "learners").parts[0]).entries()
        if self.marks_path.exists():
            yield from map(marked, self.marks_path.read_bytes().splitlines())


def letter_box(settings: Settings, file: Path | None = None) -> LetterBox:
    """Return the box that the settings speak of, or a file of dead letters in its place.

    Raises `ConfigurationError` if a setting stands in the way.
    """
    if file is not None:
        return FileLetters(file)
    if settings.log.directory:
        if Path(settings.dead_letters.file).is_absolute():
            raise ConfigurationError(
                f"dead_letters.file = {settings.dead_letters.file} is one file outside the log; name it with --file."
            )
        return EmbeddedLetters(Path(settings.log.directory), settings.dead_letters.file)
    from stream.log.connection import Connection

    return KafkaLetters(Connection(settings.kafka), settings.topics.dead_letters)


def mark_of(letter: DeadLetter) -> bytes:
    """Return the mark that says that this letter's record was sent again, as JSON."""
    topic, topic_id, partition, offset = letter.origin
    held = {"topic": topic, "topic_id": topic_id, "partition": partition, "offset": offset}
    return json.dumps(held).encode()


def marked(content: bytes) -> Sent | None:
    """Return what a mark says, None if it is none."""
    try:
        held: Mapping[str, Any] = json.loads(content)
        return Sent((str(held["topic"]), held["topic_id"], int(held["partition"]), int(held["offset"])))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def letters_of(entries: Iterable[Kept | Sent | None]) -> Iterator[Kept]:
    """Yield the letters alone."""
    return (entry for entry in entries if isinstance(entry, Kept))
