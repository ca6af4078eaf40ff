"""What became of the records that could not be used, said at the end of a pass over files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice

from stream.log.protocol import DeadLetter

__all__ = ["dead_letter_lines"]

_MOST_LINES = 10


def dead_letter_lines(letters: Iterable[DeadLetter], kept_in: str | None) -> Iterator[str]:
    """Yield a heading and, for each reason, its number and the sentence of its first; nothing if there is none.

    Args:
        letters: all of them, in order; read once.
        kept_in: the file that they lie in; None if they are not kept.
    """
    counts: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], DeadLetter] = {}
    for letter in letters:
        group = letter.topic, letter.reason
        counts[group] += 1
        first.setdefault(group, letter)
    if not counts:
        return
    where = f"they lie in {kept_in}" if kept_in else "they are not kept: give --dead-letters FILE or --checkpoint DIR"
    yield f"{counts.total():,} dead letters (records that could not be used); {where}"
    for group, number in islice(counts.most_common(), _MOST_LINES):
        letter = first[group]
        yield f"  {number:,} {letter.reason}, the first at place {letter.offset} of {letter.topic}: {letter.message}"
    if len(counts) > _MOST_LINES:
        yield f"  and {len(counts) - _MOST_LINES} reasons more"
