"""The rows of a batch's categorical values: nearly all are found in one pass, the unusual are looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, repeat
from operator import call
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.encoding.kept_name import LONGEST, kept_name
from stream.encoding.loops import in_order
from stream.encoding.plan import Plan, RowOf
from stream.encoding.values import MISTYPED, Mistyped, boolean_value, categorical_value, multi_values
from stream.encoding.vocabulary import Vocabulary

__all__ = ["Rows"]

_NONE = -1
_UNREADABLE = object()
_LISTS = frozenset({list, type(None)})


class Rows:
    """The active rows of B events, event after event and by feature within one: ``(N,)`` each array."""

    def __init__(self, values: Sequence[dict[str, Any]], keys: Sequence[str | None], plan: Plan) -> None:
        self._plan = plan
        self._unseen: list[tuple[int, int, str]] = []
        self.mistyped = 0
        """Values of a type that their feature's kind does not take."""
        self.present = 0
        """Values that are there, and not null."""
        single = self._single(values, keys)
        counts, elements = self._lists(values)
        size = single.size + counts.size + len(elements)
        rows, events, slots = (np.empty(size, dtype=np.int64) for _ in range(3))
        weights = np.empty(size, dtype=np.float32)
        number = in_order(
            *(single, counts, elements, plan.place_of, plan.slot_of, plan.list_missing, plan.list_rare),
            *(rows, events, slots, weights),
        )
        self.rows, self.row_event, self.row_slot = rows[:number], events[:number], slots[:number]
        self.row_weight = weights[:number]

    @property
    def unseen(self) -> list[tuple[int, str]]:
        """(categorical slot, value) of each sighting that read as rare, by feature and by event within one."""
        order = {slot: place for place, slot in enumerate(self._plan.slot_of.tolist())}
        self._unseen.sort(key=lambda entry: (order[entry[1]], entry[0]))
        return [(slot, value) for _, slot, value in self._unseen]

    # -- features with one value, and the key --------------------------------------------------------------------

    def _single(self, values: Sequence[dict[str, Any]], keys: Sequence[str | None]) -> NDArray[np.int64]:
        """Return the row ``(B, S)`` of each; the key's is the last, -1 for an anonymous event."""
        plan, events, width = self._plan, len(values), len(self._plan.single)
        flat: list[Any] = list(chain.from_iterable([map(event.get, plan.single) for event in values]))
        found = _found(flat, lambda: plan.row_of * events)
        self.present += len(flat) - flat.count(None)
        for place, vocabulary in enumerate(plan.single_of):
            if vocabulary.shortened:
                for at in range(place, len(flat), width):
                    if type(flat[at]) is str and len(flat[at]) > LONGEST:
                        found[at] = _NONE
        where = np.flatnonzero(found < 0)
        if len(where):
            found[where] = plan.single_missing[where % width]
            for at in where.tolist():
                value = flat[at]
                if value is not None:
                    found[at] = self._read(value, at // width, at % width)
        if plan.key is None:
            return found.reshape(events, width)
        single = np.empty((events, width + 1), dtype=np.int64)
        single[:, :width] = found.reshape(events, width)
        single[:, width] = self._keys(keys, plan.key)
        return single

    def _read(self, value: object, event: int, place: int) -> int:
        """Return the row of a value that has none as it is."""
        vocabulary = self._plan.single_of[place]
        if type(value) is str and len(value) <= LONGEST and not self._plan.is_boolean[place]:
            self._unseen.append((event, self._plan.single_slot[place], value))
            return vocabulary.rare
        text = _boolean_text(value) if self._plan.is_boolean[place] else categorical_value(value)
        if text is None or text is MISTYPED:
            self.mistyped += text is MISTYPED
            return vocabulary.missing
        assert not isinstance(text, Mistyped)
        return self._row(kept_name(text), event, self._plan.single_slot[place], vocabulary)

    def _row(self, text: str, event: int, slot: int, vocabulary: Vocabulary) -> int:
        row = vocabulary.row_of.get(text)
        if row is None:
            self._unseen.append((event, slot, text))
            return vocabulary.rare
        return row

    def _keys(self, keys: Sequence[str | None], vocabulary: Vocabulary) -> NDArray[np.int64]:
        rows = np.fromiter(map(vocabulary.row_of.get, keys, repeat(_NONE)), np.int64, len(keys))  # type: ignore[arg-type]
        slot = int(self._plan.slot_of[-1])
        for event in np.flatnonzero(rows < 0).tolist():
            key = keys[event]
            if key is not None:
                rows[event] = self._row(key, event, slot, vocabulary)
        return rows

    # -- features with lists ----------------------------------------------------------------------------------------

    def _lists(self, values: Sequence[dict[str, Any]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return how many elements ``(B, L)`` each has, -1 where it is missing, and the rows of all elements."""
        plan, events, width = self._plan, len(values), len(self._plan.lists)
        if not width:
            return np.empty((events, 0), dtype=np.int64), np.empty(0, dtype=np.int64)
        flat: list[Any] = list(chain.from_iterable([map(event.get, plan.lists) for event in values]))
        missing = flat.count(None)
        self.present += len(flat) - missing
        if not _LISTS.issuperset(map(type, flat)):
            flat = [[each] if type(each) is str else each for each in flat]
        wrong = [] if _LISTS.issuperset(map(type, flat)) else [at for at, each in enumerate(flat) if not _is_list(each)]
        if wrong:
            self.mistyped += len(wrong)
            missing += len(wrong)
            flat = [each if _is_list(each) else None for each in flat]
        sizes = list(map(len, [each or () for each in flat] if missing else flat))
        elements: list[Any] = list(chain.from_iterable(filter(None, flat)))
        found = _found(elements, lambda: chain.from_iterable(map(repeat, plan.list_row_of * events, sizes)))
        if any(vocabulary.shortened for vocabulary in plan.lists_of):
            found[[at for at, item in enumerate(elements) if type(item) is str and len(item) > LONGEST]] = _NONE
        where = np.flatnonzero(found < 0)
        counts = np.array(sizes, dtype=np.int64)
        if len(where):
            found = self._read_lists(flat, counts, found, where)
        if missing:
            counts[[at for at, each in enumerate(flat) if each is None]] = _NONE
        return counts.reshape(events, width), found

    def _read_lists(
        self,
        flat: list[list[Any] | None],
        counts: NDArray[np.int64],
        found: NDArray[np.int64],
        where: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """Read each list with an element that has no row as it is, ``where`` in ``found``; return the rows of all.

        A list that is of a wrong type turns into None, and one that gets shorter gets another of the ``counts``.
        """
        plan, width = self._plan, len(self._plan.lists)
        ends = np.cumsum(counts)
        starts = ends - counts
        pieces: list[tuple[int, int, list[int]]] = []
        for at in dict.fromkeys(np.searchsorted(ends, where, side="right").tolist()):
            items = multi_values(flat[at])
            if items is None or items is MISTYPED:
                self.mistyped += 1
                flat[at], counts[at], rows = None, 0, []
            else:
                assert not isinstance(items, Mistyped)
                vocabulary, slot = plan.lists_of[at % width], plan.list_slot[at % width]
                rows = [self._row(kept_name(item), at // width, slot, vocabulary) for item in items]
            if len(rows) == ends[at] - starts[at]:
                found[starts[at] : ends[at]] = rows
            else:
                counts[at] = len(rows)
                pieces.append((int(starts[at]), int(ends[at]), rows))
        if not pieces:
            return found
        parts, done = [], 0
        for start, end, rows in pieces:
            parts += [found[done:start], np.array(rows, dtype=np.int64)]
            done = end
        return np.concatenate([*parts, found[done:]])


def _is_list(value: object) -> bool:
    return value is None or type(value) is list


def _found(values: list[Any], row_of: Callable[[], Iterable[RowOf]]) -> NDArray[np.int64]:
    """Return the row of each value by what stands for it in ``row_of``, -1 where it has none."""
    try:
        return np.fromiter(map(call, row_of(), values, repeat(_NONE)), np.int64, len(values))
    except TypeError:  # a list or an object where one value should be
        plain = [value if value is None or isinstance(value, str | int | float) else _UNREADABLE for value in values]
        return np.fromiter(map(call, row_of(), plain, repeat(_NONE)), np.int64, len(values))


def _boolean_text(value: object) -> str | Mistyped | None:
    read = boolean_value(value)
    return ("true" if read else "false") if isinstance(read, bool) else read
