"""What of the features a batch is encoded by, looked up once for many batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.encoding.vocabulary import Vocabulary
from stream.schema import Kind

__all__ = ["Plan", "RowOf"]

RowOf = Callable[[Any, int], int]
"""Takes a value and what to return for one that has no row."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The features by how they are read; it holds until one is added, removed or renamed."""

    known: frozenset[str]
    numeric: tuple[str | None, ...]
    """Names by slot; None for a free one."""
    free: NDArray[np.int64]
    """The free slots among them."""
    single: tuple[str, ...]
    """Names of the features with one value, numeric ones left out."""
    single_of: tuple[Vocabulary, ...]
    """Their vocabularies; the key's is one more, if it is an input."""
    single_slot: tuple[int, ...]
    is_boolean: tuple[bool, ...]
    row_of: tuple[RowOf, ...]
    """Of each of these what finds a value's row: of a boolean's by True and False, which are the numbers 1 and 0."""
    single_missing: NDArray[np.int64]
    key: Vocabulary | None
    lists: tuple[str, ...]
    """Names of the features with lists."""
    lists_of: tuple[Vocabulary, ...]
    list_slot: tuple[int, ...]
    list_row_of: tuple[RowOf, ...]
    list_missing: NDArray[np.int64]
    list_rare: NDArray[np.int64]
    place_of: NDArray[np.int64]
    """Of each feature in order, and the key, its place: see `stream.encoding.loops.in_order`."""
    slot_of: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        kinds: Mapping[str, Kind],
        numeric: tuple[str | None, ...],
        slots: Mapping[str, int],
        vocabularies: Mapping[int, Vocabulary],
        key_slot: int | None,
    ) -> Plan:
        """Look up features by their `kinds`, in that order, with their categorical `slots`."""
        others = [name for name, kind in kinds.items() if kind is not Kind.NUMERIC]
        single = [name for name in others if kinds[name] is not Kind.MULTI_CATEGORICAL]
        lists = [name for name in others if kinds[name] is Kind.MULTI_CATEGORICAL]
        place = {name: at for at, name in enumerate(single)} | {name: -1 - at for at, name in enumerate(lists)}
        single_of = [vocabularies[slots[name]] for name in single]
        lists_of = [vocabularies[slots[name]] for name in lists]
        key = None if key_slot is None else vocabularies[key_slot]
        return cls(
            known=frozenset(kinds),
            numeric=numeric,
            free=np.array([slot for slot, name in enumerate(numeric) if name is None], dtype=np.int64),
            single=tuple(single),
            single_of=tuple(single_of),
            single_slot=tuple(slots[name] for name in single),
            is_boolean=tuple(kinds[name] is Kind.BOOLEAN for name in single),
            row_of=tuple(
                _by_truth(vocabulary) if kinds[name] is Kind.BOOLEAN else _by_text(vocabulary)
                for name, vocabulary in zip(single, single_of, strict=True)
            ),
            single_missing=np.array([vocabulary.missing for vocabulary in single_of], dtype=np.int64),
            key=key,
            lists=tuple(lists),
            lists_of=tuple(lists_of),
            list_slot=tuple(slots[name] for name in lists),
            list_row_of=tuple(map(_by_text, lists_of)),
            list_missing=np.array([vocabulary.missing for vocabulary in lists_of], dtype=np.int64),
            list_rare=np.array([vocabulary.rare for vocabulary in lists_of], dtype=np.int64),
            place_of=np.array(
                [*(place[name] for name in others), *([] if key is None else [len(single)])], dtype=np.int64
            ),
            slot_of=np.array([*(slots[name] for name in others), *([] if key is None else [key_slot])], dtype=np.int64),
        )


def _by_truth(vocabulary: Vocabulary) -> RowOf:
    row_of = vocabulary.row_of.get
    return {True: row_of("true", -1), False: row_of("false", -1), None: vocabulary.missing}.get


def _by_text(vocabulary: Vocabulary) -> RowOf:
    if type(vocabulary.row_of) is dict:  # no value but a string is in it
        return vocabulary.row_of.get
    row_of = vocabulary.row_of.get
    return lambda value, none: row_of(value, none) if type(value) is str else none
