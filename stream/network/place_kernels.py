"""Where the pairs of a step have their cells, found by one compiled pass over its events."""

from __future__ import annotations

from typing import Any

import numpy as np

from stream.compiler.jit import compiled
from stream.network.cell_kernels import cell_of
from stream.network.cells import Cells
from stream.network.frame import Frame
from stream.network.places import NOTHING, Called, Places
from stream.network.room import Room

__all__ = ["called", "find_again", "look_up"]

Array = np.ndarray[Any, Any]

_HALF = np.int64(32)


def look_up(frame: Frame, key_offer: Cells, key_value: Cells, wide: Cells, room: Room, stamps: np.ndarray) -> Places:
    """Return the same as :func:`stream.network.cell_places.look_up`; ``stamps`` ``(values, 2)`` are scratch."""
    a = frame.arrays
    pairs, attributes = len(a.pair_slot), frame.columns.shape[1]
    most, matches = pairs * attributes, len(a.rows) * frame.matches.shape[1]

    def array(name: str, *shape: int) -> np.ndarray:
        return room.array(name, shape, np.int32)

    pair_value, offer_cell = array("pair_value", pairs, attributes), array("offer_cell", pairs)
    value = tuple(array(f"value_{name}", most) for name in ("event", "column", "cell", "pair", "attribute"))
    value_offsets = array("value_offsets", frame.events + 1)
    match = tuple(array(f"match_{name}", matches) for name in ("row", "slot", "value"))
    seen = tuple(array(f"seen_{name}", matches) for name in ("event", "column", "cell"))
    wanted = max(8 * len(a.rows), min(room.held("use_row"), 256 * len(a.rows)))
    while True:
        use = tuple(array(f"use_{name}", wanted) for name in ("row", "value", "cell"))
        values, uses, matched, sighted = _look_up(
            a.pair_offsets,
            a.pair_slot,
            frame.columns,
            a.entity,
            a.row_offsets,
            a.rows,
            frame.matches,
            *(_arrays(registry) for registry in (key_offer, key_value, wide)),
            wide.direct,
            stamps,
            room.array("lives", (most,), np.int64),
            pair_value,
            value_offsets,
            offer_cell,
            value,
            use,
            match,
            seen,
        )
        if uses <= wanted:
            break
        wanted = uses
    return Places(
        pair_value=pair_value,
        value_event=value[0][:values],
        value_column=value[1][:values],
        value_offsets=value_offsets,
        offer_cell=offer_cell,
        value_cell=value[2][:values],
        value_pair=value[3][:values],
        value_attribute=value[4][:values],
        use_row=use[0][:uses],
        use_value=use[1][:uses],
        use_cell=use[2][:uses],
        match_row=match[0][:matched],
        match_slot=match[1][:matched],
        match_value=match[2][:matched],
        seen_event=seen[0][:sighted],
        seen_column=seen[1][:sighted],
        seen_cell=seen[2][:sighted],
        begun=(NOTHING, NOTHING),
    )


def called(
    frame: Frame,
    places: Places,
    key_offer: Cells,
    key_value: Cells,
    wide: Cells,
    room: Room,
    now: int,
) -> tuple[Called, Called, Called]:
    """Return the same as :func:`stream.network.cell_places.called`."""
    a = frame.arrays

    def lists(name: str, size: int) -> tuple[np.ndarray, ...]:
        return room.array(f"{name}_names", (size,), np.int64), *(
            room.array(f"{name}_{part}", (size,), np.int32) for part in ("rows", "columns")
        )

    values = len(places.value_column)
    by_offer, by_value = lists("called_offer", len(a.pair_slot)), lists("called_value", values + len(places.seen_cell))
    wanted = 4 * len(a.rows)
    while True:
        by_use = lists("called_use", wanted)
        offers, shown, uses = _called(
            a.pair_offsets,
            a.pair_slot,
            places.pair_value,
            places.value_column,
            places.value_offsets,
            places.offer_cell,
            places.value_cell,
            (places.seen_event, places.seen_column, places.seen_cell),
            places.use_cell,
            a.entity,
            a.row_offsets,
            a.rows,
            a.taken,
            a.listed,
            now,
            *(_arrays(registry) for registry in (key_offer, key_value, wide)),
            (key_offer.seen, key_value.seen, wide.seen),
            room.array("calls", (values,), np.uint8),
            by_offer,
            by_value,
            by_use,
        )
        if uses <= wanted:
            break
        wanted = uses
    found = ((by_offer, offers), (by_value, shown), (by_use, uses))
    first, second, third = (Called(*(array[:number] for array in arrays)) for arrays, number in found)
    return first, second, third


def find_again(cells: Cells, event: np.ndarray, column: np.ndarray, frame: Frame, found: np.ndarray) -> None:
    """Look up anew what had no cell, by key and column."""
    _find_again(*_arrays(cells), frame.arrays.entity, event, column, found)


def _arrays(cells: Cells) -> tuple[np.ndarray, ...]:
    return cells.index, cells.names, cells.row_lives, cells.column_lives


@compiled
def _look_up(
    pair_offsets: Array,
    pair_slot: Array,
    columns: Array,
    entity: Array,
    row_offsets: Array,
    rows: Array,
    matches: Array,
    key_offer: tuple[Array, Array, Array, Array],
    key_value: tuple[Array, Array, Array, Array],
    wide: tuple[Array, Array, Array, Array],
    direct: Array,
    stamps: Array,
    lives: Array,
    pair_value: Array,
    value_offsets: Array,
    offer_cell: Array,
    value: tuple[Array, Array, Array, Array, Array],
    use: tuple[Array, Array, Array],
    match: tuple[Array, Array, Array],
    seen: tuple[Array, Array, Array],
) -> tuple[int, int, int, int]:
    """Fill everything; return how many values, uses (also those that found no room), matches and sightings there are.

    ``lives`` is scratch: the values' numbers among the columns of input values.
    ``stamps`` ``(values, 2)`` hold by column the event and one that met it last, among pairs and among inputs. They
    are cleared on the way out, at the places that were used.
    """
    attributes = columns.shape[1]
    values = uses = matched = sighted = 0
    value_offsets[0] = 0
    for event in range(len(entity)):
        key = entity[event]
        begin = values
        owner = key_offer[2][key] << _HALF
        valuer = key_value[2][key] << _HALF
        for pair in range(pair_offsets[event], pair_offsets[event + 1]):
            slot = pair_slot[pair]
            offer_cell[pair] = cell_of(key_offer[0], key_offer[1], owner | key_offer[3][slot]) if key > 0 else -1
            for attribute in range(attributes):
                column = columns[slot, attribute]
                if column < 0:
                    pair_value[pair, attribute] = -1
                    continue
                if stamps[column, 0] == 0:
                    stamps[column, 0] = values + 1
                    value[0][values] = event
                    value[1][values] = column
                    lives[values] = wide[3][column]
                    value[2][values] = (
                        cell_of(key_value[0], key_value[1], valuer | key_value[3][column]) if key > 0 else -1
                    )
                    value[3][values] = pair
                    value[4][values] = attribute
                    values += 1
                pair_value[pair, attribute] = stamps[column, 0] - 1
        first_seen = sighted
        for place in range(row_offsets[event], row_offsets[event + 1]):
            row = rows[place]
            line = wide[2][row + 1] << _HALF
            for one in range(begin, values):
                if len(direct):
                    cell = direct[row + 1, value[1][one]] - 1
                    if cell >= 0 and wide[1][cell] != line | lives[one]:
                        cell = -1
                else:
                    cell = cell_of(wide[0], wide[1], line | lives[one])
                if cell >= 0:
                    if uses < len(use[0]):
                        use[0][uses] = place
                        use[1][uses] = one
                        use[2][uses] = cell
                    uses += 1
            for slot in range(matches.shape[1]):
                column = matches[row, slot]
                if column < 0:
                    continue
                if stamps[column, 0] != 0:
                    match[0][matched] = place
                    match[1][matched] = slot
                    match[2][matched] = stamps[column, 0] - 1
                    matched += 1
                if stamps[column, 1] == 0:
                    stamps[column, 1] = 1
                    seen[0][sighted] = event
                    seen[1][sighted] = column
                    seen[2][sighted] = (
                        cell_of(key_value[0], key_value[1], valuer | key_value[3][column]) if key > 0 else -1
                    )
                    sighted += 1
        for one in range(begin, values):
            stamps[value[1][one], 0] = 0
        for one in range(first_seen, sighted):
            stamps[seen[1][one], 1] = 0
        value_offsets[event + 1] = values
    return values, uses, matched, sighted


@compiled
def _called(
    pair_offsets: Array,
    pair_slot: Array,
    pair_value: Array,
    value_column: Array,
    value_offsets: Array,
    offer_cell: Array,
    value_cell: Array,
    seen: tuple[Array, Array, Array],
    use_cell: Array,
    entity: Array,
    row_offsets: Array,
    rows: Array,
    taken: Array,
    listed: Array,
    now: int,
    key_offer: tuple[Array, Array, Array, Array],
    key_value: tuple[Array, Array, Array, Array],
    wide: tuple[Array, Array, Array, Array],
    clocks: tuple[Array, Array, Array],
    calls: Array,
    by_offer: tuple[Array, Array, Array],
    by_value: tuple[Array, Array, Array],
    by_use: tuple[Array, Array, Array],
) -> tuple[int, int, int]:
    """Fill the lists (names, rows and columns each); return how long they are. ``calls`` ``(V,)`` is scratch."""
    offers = values = uses = 0
    calls[:] = 0
    for event in range(len(entity)):
        key = entity[event]
        owner, valuer = key_offer[2][key] << _HALF, key_value[2][key] << _HALF
        for pair in range(pair_offsets[event], pair_offsets[event + 1]):
            cell = offer_cell[pair]
            asked = taken[pair] > 0.0 or listed[event]
            if cell >= 0:
                clocks[0][cell] = now
            elif key > 0 and asked:
                by_offer[0][offers] = owner | key_offer[3][pair_slot[pair]]
                by_offer[1][offers] = key
                by_offer[2][offers] = pair_slot[pair]
                offers += 1
            if not asked:
                continue
            for attribute in range(pair_value.shape[1]):
                value = pair_value[pair, attribute]
                if value >= 0:
                    calls[value] |= 3 if taken[pair] > 0.0 else 1
        for value in range(value_offsets[event], value_offsets[event + 1]):
            column = value_column[value]
            if value_cell[value] >= 0:
                clocks[1][value_cell[value]] = now
            elif key > 0 and calls[value]:
                by_value[0][values] = valuer | key_value[3][column]
                by_value[1][values] = key
                by_value[2][values] = column
                values += 1
            if calls[value] < 2:
                continue
            for place in range(row_offsets[event], row_offsets[event + 1]):
                name = wide[2][rows[place] + 1] << _HALF | wide[3][column]
                if cell_of(wide[0], wide[1], name) < 0:
                    if uses < len(by_use[0]):
                        by_use[0][uses] = name
                        by_use[1][uses] = place
                        by_use[2][uses] = value
                    uses += 1
    for one in range(len(seen[0])):
        key = entity[seen[0][one]]
        if seen[2][one] >= 0:
            clocks[1][seen[2][one]] = now
        elif key > 0:
            by_value[0][values] = key_value[2][key] << _HALF | key_value[3][seen[1][one]]
            by_value[1][values] = key
            by_value[2][values] = seen[1][one]
            values += 1
    for cell in use_cell:
        clocks[2][cell] = now
    return offers, values, uses


@compiled
def _find_again(
    index: Array,
    held: Array,
    row_lives: Array,
    column_lives: Array,
    entity: Array,
    event: Array,
    column: Array,
    found: Array,
) -> None:
    for one in range(len(found)):
        key = entity[event[one]]
        if found[one] < 0 and key > 0:
            found[one] = cell_of(index, held, row_lives[key] << _HALF | column_lives[column[one]])
