"""Where the pairs of a step have their cells, found plainly: whole arrays at a time, in numpy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stream.network.cells import Cells
from stream.network.frame import Frame
from stream.network.places import NOTHING, Called, Places

__all__ = ["called", "look_up"]

_BLOCK = 1 << 20
"""Uses, or rows, in hand at a time: an event may have very many input values."""
_NONE = np.zeros(0, dtype=np.int32)


def look_up(frame: Frame, key_offer: Cells, key_value: Cells, wide: Cells) -> Places:
    """Return where the frame's pairs, values and uses have their cells."""
    a = frame.arrays
    columns = frame.columns[a.pair_slot]
    size = max(1, frame.values)
    wanted = (a.pair_event[:, None] * size + columns)[columns >= 0]
    values, first, inverse = np.unique(wanted, return_index=True, return_inverse=True)
    pair, attribute = np.nonzero(columns >= 0)
    pair_value = np.full(columns.shape, -1, dtype=np.int32)
    pair_value[columns >= 0] = inverse
    event, column = values // size, values % size
    match_row, match_slot, match_column = _matches(frame)
    matched = a.row_event[match_row] * size + match_column
    at = np.minimum(np.searchsorted(values, matched), max(0, len(values) - 1))
    shown = values[at] == matched if len(values) else np.zeros(len(matched), dtype=bool)
    seen = np.unique(matched)
    uses = list(_uses(wide, frame, event, column))
    use_row, use_value, use_cell = (
        np.concatenate([_NONE, *(use[part] for use in uses)]).astype(np.int32) for part in range(3)
    )
    return Places(
        pair_value=pair_value,
        value_event=event,
        value_column=column,
        value_pair=pair[first],
        value_attribute=attribute[first],
        value_offsets=np.searchsorted(event, np.arange(frame.events + 1)),
        offer_cell=key_offer.find(key_offer.name(a.entity[a.pair_event], a.pair_slot)),
        value_cell=key_value.find(key_value.name(a.entity[event], column)),
        use_row=use_row,
        use_value=use_value,
        use_cell=use_cell,
        match_row=match_row[shown],
        match_slot=match_slot[shown],
        match_value=at[shown],
        seen_event=seen // size,
        seen_column=seen % size,
        seen_cell=key_value.find(key_value.name(a.entity[seen // size], seen % size)),
        begun=(NOTHING, NOTHING),
    )


def _matches(frame: Frame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each match's place among the rows, its match slot and its column."""
    rows = frame.arrays.rows
    found = [np.nonzero(frame.matches[rows[first : first + _BLOCK]] >= 0) for first in range(0, len(rows), _BLOCK)]
    place = np.concatenate([_NONE, *(row + number * _BLOCK for number, (row, _) in enumerate(found))]).astype(np.int64)
    slot = np.concatenate([_NONE, *(slot for _, slot in found)]).astype(np.int64)
    return place, slot, frame.matches[rows[place], slot]


def _uses(
    wide: Cells, frame: Frame, event: np.ndarray, column: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield row, value and cell of the wide cells that there are, event by event and in blocks of rows."""
    a, offsets = frame.arrays, np.searchsorted(event, np.arange(frame.events + 1))
    for one in range(frame.events):
        values = np.arange(offsets[one], offsets[one + 1])
        if not len(values):
            continue
        block = max(1, _BLOCK // len(values))
        for first in range(a.row_offsets[one], a.row_offsets[one + 1], block):
            place = np.arange(first, min(first + block, a.row_offsets[one + 1]))
            row, value = np.repeat(place, len(values)), np.tile(values, len(place))
            cell = wide.find(wide.name(a.rows[row] + 1, column[value]))
            there = cell >= 0
            yield row[there], value[there], cell[there]


def called(
    frame: Frame,
    places: Places,
    key_offer: Cells,
    key_value: Cells,
    wide: Cells,
    now: int,
) -> tuple[Called, Called, Called]:
    """Return what the frame's outcomes call for and has no cell: key x offer, key x value, uses; all met are seen."""
    for cells, met in (
        (key_offer, places.offer_cell),
        (key_value, places.value_cell),
        (key_value, places.seen_cell),
        (wide, places.use_cell),
    ):
        cells.seen[met[met >= 0]] = now
    a = frame.arrays
    calls = (a.taken > 0) | a.listed[a.pair_event]
    pair = np.flatnonzero(calls & (places.offer_cell < 0))
    by_offer = _called(key_offer, a.entity[a.pair_event[pair]], a.pair_slot[pair])
    shown = _values(places, calls)
    shown = shown[places.value_cell[shown] < 0]
    seen = np.flatnonzero(places.seen_cell < 0)
    rows = np.concatenate([a.entity[places.value_event[shown]], a.entity[places.seen_event[seen]]])
    by_value = _called(key_value, rows, np.concatenate([places.value_column[shown], places.seen_column[seen]]))
    value = _values(places, a.taken > 0)
    event = places.value_event[value]
    number = a.row_offsets[event + 1] - a.row_offsets[event]
    row = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number - a.row_offsets[event], number)
    value = np.repeat(value, number)
    names = wide.name(a.rows[row] + 1, places.value_column[value])
    new = wide.find(names) < 0
    return by_offer, by_value, Called(names[new], row[new].astype(np.int32), value[new].astype(np.int32))


def _values(places: Places, calls: np.ndarray) -> np.ndarray:
    """Return the values of the offers of some pairs."""
    found = np.unique(places.pair_value[calls])
    return found[found >= 0].astype(np.int64)


def _called(cells: Cells, rows: np.ndarray, columns: np.ndarray) -> Called:
    keyed = rows > 0
    rows, columns = rows[keyed], columns[keyed]
    return Called(cells.name(rows, columns), rows, columns)
