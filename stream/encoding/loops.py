"""The loops that put a batch together: rows in the order of events and features, pairs in that of events; compiled."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from stream.compiler.jit import compiled_exactly

__all__ = ["in_order", "pair_up"]

Array = np.ndarray[Any, Any]

_FEW = 32
"""Elements of a list up to which each is compared with each."""


@compiled_exactly
def _repeats(elements: Array, first: int, last: int, rare: int) -> bool:
    """Say whether a list holds a row twice, other than the one that many values share."""
    if last - first <= _FEW:
        for place in range(first + 1, last):
            row = elements[place]
            for before in range(first, place):
                if elements[before] == row and row != rare:
                    return True
        return False
    ordered = np.sort(elements[first:last])
    twice = False
    for place in range(1, len(ordered)):
        twice = twice or (ordered[place] == ordered[place - 1] and ordered[place] != rare)
    return twice


@compiled_exactly
def in_order(
    single: Array,
    counts: Array,
    elements: Array,
    place_of: Array,
    slot_of: Array,
    missing: Array,
    rare: Array,
    rows: Array,
    row_event: Array,
    row_slot: Array,
    row_weight: Array,
) -> int:
    """Fill the rows of B events, event after event and by feature within one; return how many there are.

    Args:
        single: (B, S) row of each feature with one value, -1 for none.
        counts: (B, L) elements of each feature with a list, -1 if it is missing; `elements` their rows.
        place_of: of each feature in order, its place s among the S, or -1 - l for its place among the L.
        slot_of: of each feature its slot; `missing`, `rare`: (L,) rows of the features with lists.
        rows, row_event, row_slot, row_weight: long enough; a list's rows share a weight of sqrt(n).
    """
    number = at = 0
    for event in range(len(single)):
        for feature in range(len(place_of)):
            place, begin = place_of[feature], number
            if place >= 0:
                row = single[event, place]
                if row >= 0:
                    rows[number] = row
                    number += 1
            else:
                which = -1 - place
                count = counts[event, which]
                if count < 0:
                    rows[number] = missing[which]
                    number += 1
                elif _repeats(elements, at, at + count, rare[which]):
                    for element in range(at, at + count):
                        row = elements[element]
                        found = False
                        for before in range(begin, number):
                            found = found or (rows[before] == row and row != rare[which])
                        if not found:
                            rows[number] = row
                            number += 1
                else:
                    for element in range(at, at + count):
                        rows[number] = elements[element]
                        number += 1
                at += max(count, 0)
            weight = 1.0 / math.sqrt(max(number - begin, 1))
            for place in range(begin, number):
                row_event[place], row_slot[place], row_weight[place] = event, slot_of[feature], weight
    return number


@compiled_exactly
def pair_up(
    shown: Array,
    sizes: Array,
    labels: Array,
    label_sizes: Array,
    event_of: Array,
    slot_of: Array,
    possible: Array,
    taken: Array,
    offsets: Array,
) -> int:
    """Fill the pairs of B events: its `shown` slots, ascending, then labels that are not shown; return how many.

    `shown` and `labels` stand event after event, `sizes` and `label_sizes` (B,) of them each.
    """
    number = first = label = 0
    offsets[0] = 0
    for event in range(len(sizes)):
        begin = number
        for place in range(first, first + sizes[event]):
            event_of[number], slot_of[number] = event, shown[place]
            possible[number], taken[number] = True, False
            number += 1
        first += sizes[event]
        end = number
        for place in range(label, label + label_sizes[event]):
            slot = labels[place]
            low, high = begin, end
            while low < high:
                middle = (low + high) // 2
                if slot_of[middle] < slot:
                    low = middle + 1
                else:
                    high = middle
            if low < end and slot_of[low] == slot:
                taken[low] = True
                continue
            at = number
            while at > end and slot_of[at - 1] > slot:
                at -= 1
            if at > end and slot_of[at - 1] == slot:
                continue
            for later in range(number, at, -1):
                slot_of[later] = slot_of[later - 1]
            slot_of[at] = slot
            event_of[number], possible[number], taken[number] = event, False, True
            number += 1
        label += label_sizes[event]
        offsets[event + 1] = number
    return number
