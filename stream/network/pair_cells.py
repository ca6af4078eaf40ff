"""The three registries of cells; a step looks each of its cells up once, and lets those begin that it calls for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch

from stream.network import cell_places
from stream.network.cells import Cells
from stream.network.frame import Frame
from stream.network.places import Begun, Called, Places
from stream.network.room import Room
from stream.network.settings import NetworkSettings, OptimiserSettings
from stream.state.tree import Tree

__all__ = ["KEY_OFFER", "KEY_VALUE", "PairCells"]

KEY_OFFER = ("taken", "expected")
KEY_VALUE = ("taken", "expected", "taken_recent", "expected_recent", "last", "seen", "ts")
"""What is counted of a cell; `ts` is the time at which what is recent stands."""


class Counts(Protocol):
    """What the cells ask of the running counts."""

    def start(self, places: Places) -> None:
        """Give the cells that began what their keys would have taken so far."""


class PairCells:
    """The registries key x offer, key x value and input value x attribute value.

    A cell begins when the key takes the offer (one with that value), or is shown it in a list of names; one of an input
    value when an event that has it takes such an offer. Before that it weighs nothing.
    """

    compiled = False

    def __init__(self, network: NetworkSettings, optimiser: OptimiserSettings, device: torch.device) -> None:
        def cells(rate: float, counts: int, *, direct: bool = False) -> Cells:
            return Cells(
                capacity=network.pair_cells,
                counts=counts,
                rate=rate,
                prior=optimiser.accumulator,
                device=device,
                direct=direct,
            )

        self.key_offer = cells(optimiser.entity_rate, len(KEY_OFFER))
        self.key_value = cells(optimiser.entity_rate, len(KEY_VALUE))
        self.wide = cells(optimiser.wide_rate, 0, direct=True)
        self.clock = 0
        """Steps so far: when a cell was seen last."""
        self._room = Room()
        self._stamps = np.zeros((0, 2), dtype=np.int64)
        self._frame: Frame | None = None
        self._places: Places | None = None
        self._begun = False
        self.counts: Counts | None = None
        """What knows how much a key would have taken by now."""

    def registries(self) -> Iterator[tuple[str, Cells]]:
        """Yield each registry with its name."""
        yield "key_offer", self.key_offer
        yield "key_value", self.key_value
        yield "wide", self.wide

    def use_loops(self) -> None:
        """Find and begin cells by compiled loops from now on."""
        self.compiled = True
        for _, cells in self.registries():
            cells.use_loops()

    def take_evictions(self) -> int:
        """Return how many cells were given up since this was asked last."""
        found = 0
        for _, cells in self.registries():
            found, cells.evictions = found + cells.evictions, 0
        return found

    # -- a step ---------------------------------------------------------------------------------------------------

    def places(self, frame: Frame) -> Places:
        """Return where the frame's pairs have their cells; asked again of the same frame, the same."""
        if self._frame is not frame or self._places is None:
            self._places = self._looked_up(frame)
            self._frame, self._begun = frame, False
        return self._places

    def forget(self) -> None:
        """Look everything up anew, because names have changed."""
        self._frame = self._places = None

    def _looked_up(self, frame: Frame) -> Places:
        registries = self.key_offer, self.key_value, self.wide
        if self.compiled:
            from stream.network import place_kernels

            if len(self._stamps) < len(self.key_value.column_lives):
                self._stamps = np.zeros((len(self.key_value.column_lives), 2), dtype=np.int64)
            return place_kernels.look_up(frame, *registries, self._room, self._stamps)
        return cell_places.look_up(frame, *registries)

    def begin(self, frame: Frame, *, warming_up: bool) -> Places:
        """Let the cells begin that the frame's outcomes call for, once they were predicted; return all places.

        A key's cell that begins is that of all the step's events; one of an input value, of those that called for it.
        """
        places = self.places(frame)
        if self._begun:
            return places
        assert self.counts is not None
        self._begun = True
        self.clock += 1
        by_offer, by_value, by_use = self._called(frame, places)
        if len(by_offer.names):
            begun, moved = self.key_offer.begin(by_offer.names, self.clock, may_evict=not warming_up)
            _move(moved, places.offer_cell)
            self._find_again(self.key_offer, frame.arrays.pair_event, frame.arrays.pair_slot, frame, places.offer_cell)
            places.begun = _those(begun, by_offer), places.begun[1]
        if len(by_value.names):
            begun, moved = self.key_value.begin(by_value.names, self.clock, may_evict=not warming_up)
            for column, event, cells in (
                (places.value_column, places.value_event, places.value_cell),
                (places.seen_column, places.seen_event, places.seen_cell),
            ):
                _move(moved, cells)
                self._find_again(self.key_value, event, column, frame, cells)
            places.begun = places.begun[0], _those(begun, by_value)
        self.counts.start(places)
        if len(by_use.names):
            begun, moved = self.wide.begin(by_use.names, self.clock, may_evict=not warming_up)
            _move(moved, places.use_cell)
            got = begun >= 0
            places.use_row = np.concatenate([places.use_row, by_use.rows[got]])
            places.use_value = np.concatenate([places.use_value, by_use.columns[got]])
            places.use_cell = np.concatenate([places.use_cell, begun[got]])
            rows, columns = frame.arrays.rows[by_use.rows[got]] + 1, places.value_column[by_use.columns[got]]
            self.wide.note(rows, columns, begun[got])
        return places

    def _called(self, frame: Frame, places: Places) -> tuple[Called, Called, Called]:
        registries = self.key_offer, self.key_value, self.wide
        if self.compiled:
            from stream.network import place_kernels

            return place_kernels.called(frame, places, *registries, self._room, self.clock)
        return cell_places.called(frame, places, *registries, self.clock)

    def _find_again(self, cells: Cells, event: np.ndarray, column: np.ndarray, frame: Frame, found: np.ndarray) -> None:
        """Look up anew what had no cell."""
        if self.compiled:
            from stream.network import place_kernels

            place_kernels.find_again(cells, event, column, frame, found)
            return
        missing = np.flatnonzero(found < 0)
        found[missing] = cells.find(cells.name(frame.arrays.entity[event[missing]], column[missing]))

    # -- state ----------------------------------------------------------------------------------------------------

    def state(self) -> Tree:
        """Return the clock; each registry has a state of its own."""
        return {"clock": self.clock, **{name: cells.state() for name, cells in self.registries()}}

    def restore(self, tree: Tree) -> None:
        """Take back what `state` returned."""
        self.clock = int(tree["clock"])
        for name, cells in self.registries():
            cells.restore(tree[name])
        self.forget()


def _move(moved: np.ndarray | None, found: np.ndarray) -> None:
    """Say of cells found earlier where they are now."""
    if moved is not None and len(moved):
        found[:] = np.where(found >= 0, moved[np.maximum(found, 0)], -1)


def _those(cells: np.ndarray, called: Called) -> Begun:
    there = cells >= 0
    return Begun(cells[there], called.rows[there], called.columns[there])
