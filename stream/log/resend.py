"""Sending interactions again that died: which of the dead letters can be, and the sending with its marks.

A record goes to the partition from which it came, with its own key and value, so that it stands behind what its key
has there; if the topic was made anew or has no such partition, to that of its key, as every producer of ours sends
it. Its header `resent` says how often it has died, and becomes that of its next dead letter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from stream.errors import ConfigurationError
from stream.log.letter import size_bytes
from stream.log.letter_box import EmbeddedLetters, KafkaLetters, Kept, LetterBox, Origin, Sent, letters_of, mark_of
from stream.log.protocol import DeadLetter
from stream.log.resent import resent_header, target_partition

if TYPE_CHECKING:
    from stream.settings.root import Settings

__all__ = ["Post", "Selection", "Wanted", "posting", "resend", "select"]

_CHUNK_LETTERS = 500
_CHUNK_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which dead letters are meant; empty collections mean all.

    Attributes:
        reasons, learners, places: of these reasons, of these learners, at these places.
        limit: the first so many of those that can be sent; None for all.
        again: those too that were sent again before.
    """

    reasons: Collection[str] = ()
    learners: Collection[str] = ()
    places: Collection[str] = ()
    limit: int | None = None
    again: bool = False

    def means(self, kept: Kept) -> bool:
        """Say whether this letter is meant, whether or not it can be sent."""
        letter = kept.letter
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (not self.learners or letter.learner in self.learners)
            and (not self.places or kept.place in self.places)
        )


@dataclass(slots=True)
class Selection:
    """What is to be sent, and why the rest of what is meant is not.

    Attributes:
        places: of the letters to be sent, oldest first within each part of the box.
        reasons: how many of them died of what.
        died_before: how many of them had died before.
        left_out: how many letters that are meant stay, by why.
    """

    places: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    died_before: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


class Post(Protocol):
    """Takes interactions to their topic."""

    def takes(self, letter: DeadLetter) -> bool:
        """Say whether the topic takes a record of that size."""
        ...

    def send(self, letters: Sequence[DeadLetter]) -> None:
        """Append the interactions of these letters, each marked as sent again; on Kafka all of that or nothing.

        Raises `LogError`, and `Fenced` if somebody else has begun to send again meanwhile.
        """
        ...


def select(box: LetterBox, topic: str, wanted: Wanted, post: Post) -> Selection:
    """Return what can be sent again of what is meant; `topic` is that of the interactions."""
    selection = Selection()
    sent: set[Origin] = set()
    found: list[tuple[str, Origin, str, int, str]] = []
    for entry in box.entries():
        if isinstance(entry, Sent):
            sent.add(entry.origin)
        elif entry is not None and wanted.means(entry):
            letter = entry.letter
            found.append((entry.place, letter.origin, letter.reason, letter.resent, _hindrance(letter, topic, post)))
    chosen: set[Origin] = set()
    for place, origin, reason, died_before, hindrance in found:
        if not hindrance and origin in sent and not wanted.again:
            hindrance = "sent again before (--again sends them once more)"
        if not hindrance and origin in chosen:
            hindrance = "about the same record as another letter here"
        if not hindrance and wanted.limit is not None and len(selection.places) >= wanted.limit:
            hindrance = "beyond --limit"
        if hindrance:
            selection.left_out[hindrance] += 1
            continue
        chosen.add(origin)
        selection.places.append(place)
        selection.reasons[reason] += 1
        selection.died_before += died_before > 0
    return selection


def resend(
    box: LetterBox, places: Collection[str], post: Post, sent: Callable[[int], None] = lambda count: None
) -> int:
    """Send the letters at these places, oldest first, and return how many; memory is bounded in bytes.

    `sent` is told after each step how many that made.
    """
    wanted = set(places)
    total = 0
    chunk: list[DeadLetter] = []
    chunk_bytes = 0
    for kept in letters_of(box.entries()):
        if kept.place not in wanted:
            continue
        chunk.append(kept.letter)
        chunk_bytes += size_bytes(kept.letter)
        if len(chunk) >= _CHUNK_LETTERS or chunk_bytes >= _CHUNK_BYTES:
            post.send(chunk)
            total += len(chunk)
            sent(total)
            chunk, chunk_bytes = [], 0
    if chunk:
        post.send(chunk)
        total += len(chunk)
        sent(total)
    return total


@contextmanager
def posting(box: LetterBox, settings: Settings) -> Iterator[Post]:
    """Open what sends the letters of this box; nothing is sent, or taken over from anybody, before the first `send`.

    Raises:
        ConfigurationError: the box is a file, which has no topic.
        LogError: a topic does not exist.
    """
    if isinstance(box, EmbeddedLetters):
        yield _EmbeddedPost(box, Path(settings.log.directory), settings.topics.interactions)
    elif isinstance(box, KafkaLetters):
        from stream.log.kafka_post import KafkaPost

        post = KafkaPost(settings)
        try:
            yield post
        finally:
            post.close()
    else:
        raise ConfigurationError(f"{box.name} is a file: its interactions came from no topic. Mend the lines there.")


class _EmbeddedPost:
    def __init__(self, box: EmbeddedLetters, directory: Path, topic: str) -> None:
        from stream.log.embedded import EmbeddedTopic

        self._marks_path = box.marks_path
        self._topic = EmbeddedTopic(directory, topic)

    def takes(self, letter: DeadLetter) -> bool:
        """Say yes: a file takes records of any size."""
        return True

    def send(self, letters: Sequence[DeadLetter]) -> None:
        """Append the records, then the marks; a kill between the two may let a next run send these again."""
        from stream.log.embedded import EmbeddedWriter, append_durably

        writer = EmbeddedWriter(self._topic, flush_records=len(letters) + 1)
        partitions = len(self._topic.partitions)
        with self._topic.locked():
            for letter in letters:
                partition = target_partition(letter, partitions, self._topic.id)
                writer.send(letter.key, letter.value, (resent_header(letter),), partition)
            writer.flush_locked()
            append_durably(self._marks_path, b"".join(mark_of(letter) + b"\n" for letter in letters))


def _hindrance(letter: DeadLetter, topic: str, post: Post) -> str:
    """Return why a letter cannot be sent again, empty if it can."""
    if letter.topic != topic:
        return f"not of the topic {topic} (a schema version is corrected with `stream schema publish`)"
    if letter.value_bytes is not None or letter.key_bytes is not None:
        return "without their value or key, which the topic of the dead letters did not take"
    if letter.value is None:
        return "without any value: the record had none"
    return "" if post.takes(letter) else f"larger than {topic} takes"
