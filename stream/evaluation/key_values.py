"""Counts by (key, value) in flat arrays: found by hashing, given up in the order of their last touch; compiled.

An entry is a row of `entry`, its count beside it in `count`. Entries of a key are linked in the order of touch,
keys with entries too, and the entries of a value among themselves. `table` (a power of two, at most half full) holds
the number of an entry or -1. `keys` and `values` say where each list begins. Every list ends with -1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stream.compiler.jit import compiled_exactly

__all__ = [
    "EMPTIED_KEYS",
    "EMPTIED_VALUES",
    "ENTRY_COLUMNS",
    "EVICTED",
    "FIRST",
    "KEY_COLUMNS",
    "META",
    "OLDEST",
    "PAIRS",
    "USED",
    "VALUE",
    "evict",
    "fill_table",
    "found_at",
    "in_order",
    "new_meta",
    "remove_value",
    "take",
]

Array = np.ndarray[Any, Any]

KEY, VALUE, BEFORE, AFTER, VALUE_BEFORE, VALUE_AFTER = range(6)
ENTRY_COLUMNS = 6
"""Of an entry: whose it is, its neighbours in its key's list and in its value's."""
FIRST, LAST, OLDER, NEWER = range(4)
KEY_COLUMNS = 4
"""Of a key: its longest and its last touched entry, and its neighbours among the keys."""
PAIRS, FREE, USED, OLDEST, NEWEST, EVICTED, EMPTIED_KEYS, EMPTIED_VALUES = range(8)
META = 8
"""Of all: entries in use; the first free one, and how many rows were ever used; the longest and the last touched key;
how many entries were given up; how many keys and values have lost their last entry since somebody asked."""


def new_meta() -> Array:
    """Return the figures of an empty table."""
    meta = np.zeros(META, dtype=np.int64)
    meta[FREE] = meta[OLDEST] = meta[NEWEST] = -1
    return meta


@compiled_exactly
def found_at(key: int, value: int, entry: Array, table: Array) -> int:
    """Return the place in `table` at which an entry stands, or would stand."""
    mask = len(table) - 1
    mixed = key * 2654435761 + value * 2246822519
    place = (mixed ^ (mixed >> 17)) & mask
    while True:
        found = table[place]
        if found < 0 or (entry[found, KEY] == key and entry[found, VALUE] == value):
            return place
        place = (place + 1) & mask


@compiled_exactly
def fill_table(used: int, count: Array, entry: Array, table: Array) -> None:
    """Enter every entry in use in an empty table."""
    for number in range(used):
        if count[number] > 0:
            table[found_at(entry[number, KEY], entry[number, VALUE], entry, table)] = number


@compiled_exactly
def _take_out(place: int, entry: Array, table: Array) -> None:
    """Empty a place of the table; what was pushed beyond it moves up, so that it is still found."""
    mask = len(table) - 1
    hole = at = place
    while True:
        at = (at + 1) & mask
        number = table[at]
        if number < 0:
            break
        mixed = entry[number, KEY] * 2654435761 + entry[number, VALUE] * 2246822519
        home = (mixed ^ (mixed >> 17)) & mask
        if ((at - home) & mask) >= ((at - hole) & mask):
            table[hole] = number
            hole = at
    table[hole] = -1


@compiled_exactly
def _unlink_key(key: int, keys: Array, meta: Array) -> None:
    older, newer = keys[key, OLDER], keys[key, NEWER]
    if older < 0:
        meta[OLDEST] = newer
    else:
        keys[older, NEWER] = newer
    if newer < 0:
        meta[NEWEST] = older
    else:
        keys[newer, OLDER] = older


@compiled_exactly
def _link_key(key: int, keys: Array, meta: Array) -> None:
    """Make a key the last touched one."""
    newest = meta[NEWEST]
    keys[key, OLDER], keys[key, NEWER] = newest, -1
    if newest < 0:
        meta[OLDEST] = key
    else:
        keys[newest, NEWER] = key
    meta[NEWEST] = key


@compiled_exactly
def _unlink(number: int, entry: Array, keys: Array) -> None:
    """Take an entry out of its key's list."""
    key, before, after = entry[number, KEY], entry[number, BEFORE], entry[number, AFTER]
    if before < 0:
        keys[key, FIRST] = after
    else:
        entry[before, AFTER] = after
    if after < 0:
        keys[key, LAST] = before
    else:
        entry[after, BEFORE] = before


@compiled_exactly
def _link(number: int, entry: Array, keys: Array) -> None:
    """Make an entry the last touched one of its key."""
    key = entry[number, KEY]
    last = keys[key, LAST]
    entry[number, BEFORE], entry[number, AFTER] = last, -1
    if last < 0:
        keys[key, FIRST] = number
    else:
        entry[last, AFTER] = number
    keys[key, LAST] = number


@compiled_exactly
def _drop(
    number: int,
    entry: Array,
    count: Array,
    table: Array,
    keys: Array,
    values: Array,
    meta: Array,
    emptied_keys: Array,
    emptied_values: Array,
) -> None:
    """Give up an entry; note whether it was the last one of its key, and of its value."""
    key, value = entry[number, KEY], entry[number, VALUE]
    _take_out(found_at(key, value, entry, table), entry, table)
    _unlink(number, entry, keys)
    if keys[key, FIRST] < 0:
        _unlink_key(key, keys, meta)
        emptied_keys[meta[EMPTIED_KEYS]] = key
        meta[EMPTIED_KEYS] += 1
    before, after = entry[number, VALUE_BEFORE], entry[number, VALUE_AFTER]
    if after >= 0:
        entry[after, VALUE_BEFORE] = before
    if before >= 0:
        entry[before, VALUE_AFTER] = after
    else:
        values[value] = after
        if after < 0:
            emptied_values[meta[EMPTIED_VALUES]] = value
            meta[EMPTIED_VALUES] += 1
    count[number] = 0
    entry[number, AFTER] = meta[FREE]
    meta[FREE] = number
    meta[PAIRS] -= 1


@compiled_exactly
def take(
    key: int, value: int, entry: Array, count: Array, table: Array, keys: Array, values: Array, meta: Array
) -> None:
    """Count once more what a key took, and touch both; there has to be room for one more entry."""
    if keys[key, FIRST] >= 0:
        _unlink_key(key, keys, meta)
    _link_key(key, keys, meta)
    place = found_at(key, value, entry, table)
    number = table[place]
    if number >= 0:
        _unlink(number, entry, keys)
        _link(number, entry, keys)
        count[number] += 1
        return
    if meta[FREE] >= 0:
        number = meta[FREE]
        meta[FREE] = entry[number, AFTER]
    else:
        number = meta[USED]
        meta[USED] += 1
    table[place] = number
    entry[number, KEY], entry[number, VALUE] = key, value
    count[number] = 1
    _link(number, entry, keys)
    first = values[value]
    entry[number, VALUE_BEFORE], entry[number, VALUE_AFTER] = -1, first
    if first >= 0:
        entry[first, VALUE_BEFORE] = number
    values[value] = number
    meta[PAIRS] += 1


@compiled_exactly
def evict(
    max_pairs: int,
    entry: Array,
    count: Array,
    table: Array,
    keys: Array,
    values: Array,
    meta: Array,
    emptied_keys: Array,
    emptied_values: Array,
) -> None:
    """Give up the longest touched entries of the longest touched keys until no more than `max_pairs` are left."""
    while meta[PAIRS] > max_pairs:
        oldest = keys[meta[OLDEST], FIRST]
        _drop(oldest, entry, count, table, keys, values, meta, emptied_keys, emptied_values)
        meta[EVICTED] += 1


@compiled_exactly
def remove_value(
    value: int,
    entry: Array,
    count: Array,
    table: Array,
    keys: Array,
    values: Array,
    meta: Array,
    emptied_keys: Array,
    emptied_values: Array,
) -> None:
    """Drop what every key took of a value."""
    while values[value] >= 0:
        _drop(values[value], entry, count, table, keys, values, meta, emptied_keys, emptied_values)


@compiled_exactly
def in_order(entry: Array, keys: Array, meta: Array, key_order: Array, sizes: Array, entry_order: Array) -> int:
    """Fill the keys in order of touch with how many entries each has, and these in theirs; return how many keys."""
    number, at, key = 0, 0, meta[OLDEST]
    while key >= 0:
        begin, of = at, keys[key, FIRST]
        while of >= 0:
            entry_order[at] = of
            at += 1
            of = entry[of, AFTER]
        key_order[number], sizes[number] = key, at - begin
        number += 1
        key = keys[key, NEWER]
    return number
