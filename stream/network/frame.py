"""A batch as the network reads it: its arrays, and the same as tensors on the device for the passes that want these.

The compiled loops and the plain passes read one set of arrays. A gradient step is a slice of its batch's frame: views,
no copies, and no array becomes a tensor before it is asked for.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import numpy as np
import torch

from stream.encoding.batch import Batch
from stream.encoding.offers import Offers

__all__ = ["Arrays", "Frame"]

_ROWS = 1 << 14


@dataclass(slots=True)
class Arrays:
    """`B` events, `N` active rows, `P` pairs."""

    numeric: np.ndarray
    """Standardised, 0 if missing, float32 `(B, numeric slots)`."""
    missing: np.ndarray
    """float32 `(B, numeric slots)`: 1 if a live numeric feature is missing."""
    rows: np.ndarray
    row_event: np.ndarray
    row_slot: np.ndarray
    row_weight: np.ndarray
    row_offsets: np.ndarray
    """int64 `(B + 1,)`: rows of event b are `row_offsets[b]:row_offsets[b + 1]`."""
    entity: np.ndarray
    """int64 `(B,)`: row of the event's key, 0 if the key has none."""
    pair_event: np.ndarray
    pair_slot: np.ndarray
    pair_offsets: np.ndarray
    """The same of pairs."""
    listed: np.ndarray
    """bool `(B,)`: whether the event names what was shown."""
    possible: np.ndarray
    taken: np.ndarray
    """float32 `(P,)`."""
    weight: np.ndarray
    """float32 `(B,)`: relative to the running mean."""
    ts: np.ndarray

    def replace(self, name: str, array: np.ndarray) -> None:
        """Put another array in the place of one; offsets follow."""
        setattr(self, name, array)
        if name.endswith("_event"):
            setattr(self, name.replace("_event", "_offsets"), np.searchsorted(array, np.arange(len(self.ts) + 1)))

    def part(self, start: int, stop: int) -> Arrays:
        """Return the events `start:stop`, as views if they can be."""
        first, last = self.row_offsets[start], self.row_offsets[stop]
        begin, end = self.pair_offsets[start], self.pair_offsets[stop]
        return Arrays(
            numeric=self.numeric[start:stop],
            missing=self.missing[start:stop],
            rows=self.rows[first:last],
            row_event=self.row_event[first:last] - start,
            row_slot=self.row_slot[first:last],
            row_weight=self.row_weight[first:last],
            row_offsets=self.row_offsets[start : stop + 1] - first,
            entity=self.entity[start:stop],
            pair_event=self.pair_event[begin:end] - start,
            pair_slot=self.pair_slot[begin:end],
            pair_offsets=self.pair_offsets[start : stop + 1] - begin,
            listed=self.listed[start:stop],
            possible=self.possible[begin:end],
            taken=self.taken[begin:end],
            weight=self.weight[start:stop],
            ts=self.ts[start:stop],
        )


class _OnDevice:
    """The array of the same name as a tensor on the device, made once it is asked for."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, frame: Frame, owner: type) -> torch.Tensor:
        found = frame._tensors.get(self._name)
        if found is None:
            found = torch.from_numpy(getattr(frame.arrays, self._name)).to(frame.device)
            frame._tensors[self._name] = found
        return found

    def __set__(self, frame: Frame, tensor: torch.Tensor) -> None:
        frame._tensors[self._name] = tensor
        frame.arrays.replace(self._name, tensor.detach().cpu().numpy())


class Frame:
    """A batch, or the events of one gradient step, under the offers and the vocabulary of now.

    A *match* is an input value of the event that is also the attribute value of an offer; there are `M`.
    """

    numeric, missing = _OnDevice(), _OnDevice()
    rows, row_event, row_slot, row_weight = _OnDevice(), _OnDevice(), _OnDevice(), _OnDevice()
    entity = _OnDevice()
    pair_event, pair_slot, possible, taken = _OnDevice(), _OnDevice(), _OnDevice(), _OnDevice()
    weight = _OnDevice()

    def __init__(self, arrays: Arrays, offers: Offers, matches: np.ndarray, device: torch.device) -> None:
        """Put `arrays` beside `matches` `(vocabulary rows, match slots)`, which holds value slots or -1."""
        self.arrays = arrays
        self.device = device
        self.events = len(arrays.ts)
        self.matches = matches
        """int64 `(vocabulary rows, match slots)`: the value slot that a row's value is, or -1; not a copy."""
        self.columns = offers.columns
        """int64 `(offer slots, A)`: attribute value slots, -1 if an offer lacks it; not a copy."""
        self.values = offers.values.capacity
        """Reserved value slots."""
        self.blocks: tuple[tuple[str, slice], ...] = (("", slice(0, self.events)),)
        """The rows of the hidden activations that are events, by the task whose trunk computed them (one trunk: "")."""
        self.information: torch.Tensor | None = None
        """The pairs' Fisher information `(P,)`, if the backward pass has it already."""
        self._offers = offers
        self._tensors: dict[str, torch.Tensor] = {}
        self._tasks: tuple[int, ...] | None = None
        self._matching: tuple[torch.Tensor, torch.Tensor] | None = None

    def __copy__(self) -> Frame:
        other = Frame(copy(self.arrays), self._offers, self.matches, self.device)
        other._tensors = dict(self._tensors)
        other.events, other.blocks = self.events, self.blocks
        other._tasks, other._matching = self._tasks, self._matching
        other.information = self.information
        return other

    @classmethod
    def of(
        cls,
        batch: Batch,
        numeric: np.ndarray,
        missing: np.ndarray,
        weight: np.ndarray,
        entity: np.ndarray,
        matches: np.ndarray,
        offers: Offers,
        device: torch.device,
    ) -> Frame:
        """Return the frame of a whole batch."""
        arrays = Arrays(
            numeric=np.ascontiguousarray(numeric),
            missing=np.ascontiguousarray(missing),
            rows=batch.rows,
            row_event=batch.row_event,
            row_slot=batch.row_slot,
            row_weight=batch.row_weight,
            row_offsets=np.searchsorted(batch.row_event, np.arange(len(batch) + 1)),
            entity=entity,
            pair_event=batch.pair_event,
            pair_slot=batch.pair_slot,
            pair_offsets=batch.offsets,
            listed=batch.listed,
            possible=batch.possible,
            taken=batch.taken.astype(np.float32),
            weight=weight,
            ts=batch.ts,
        )
        return cls(arrays, offers, matches, device)

    def part(self, start: int, stop: int) -> Frame:
        """Return the events `start:stop` as a frame of their own."""
        return Frame(self.arrays.part(start, stop), self._offers, self.matches, self.device)

    def weigh(self, weight: np.ndarray) -> None:
        """Give the events other weights `(B,)`, float32."""
        self.arrays.weight = weight
        self._tensors.pop("weight", None)

    def with_weight(self, weight: torch.Tensor) -> Frame:
        """Return the same events with other weights `(B,)`."""
        other = copy(self)
        other.weight = weight
        return other

    def with_rows(
        self, events: int, pair_event: torch.Tensor, weight: torch.Tensor, blocks: tuple[tuple[str, slice], ...]
    ) -> Frame:
        """Return a frame whose `events` are rows of the hidden activations; its pairs point to them."""
        other = self.with_weight(weight)
        other.pair_event = pair_event
        other.events, other.blocks = events, blocks
        return other

    @property
    def ts(self) -> np.ndarray:
        """Event time, Unix milliseconds, int64 `(B,)`."""
        return self.arrays.ts

    @property
    def tasks(self) -> tuple[int, ...]:
        """Task slots among the pairs, ascending; that of the default task if there is no pair."""
        if self._tasks is None:
            self._tasks = self._offers.present_tasks(self.arrays.pair_slot)
        return self._tasks

    @property
    def offer_task(self) -> torch.Tensor:
        """int64, task slots by offer slot."""
        return torch.from_numpy(self._offers.task_of_offer).to(self.device)

    @property
    def value_task(self) -> torch.Tensor:
        """int64, task slots by value slot."""
        return torch.from_numpy(self._offers.task_of_value).to(self.device)

    @property
    def pair_columns(self) -> torch.Tensor:
        """int64 `(P, A)`: attribute value slots, or the number of reserved slots if the offer lacks one."""
        found = self._tensors.get("pair_columns")
        if found is None:
            columns = self.columns[self.arrays.pair_slot]
            found = torch.from_numpy(np.where(columns < 0, self.values, columns)).to(self.device)
            self._tensors["pair_columns"] = found
        return found

    @property
    def match_event(self) -> torch.Tensor:
        """int64 `(M,)`."""
        return self.row_event[self._matches()[0]]

    @property
    def match_slot(self) -> torch.Tensor:
        """int64 `(M,)`: the categorical slot of the input's feature."""
        return self.row_slot[self._matches()[0]]

    @property
    def match_column(self) -> torch.Tensor:
        """int64 `(M,)`: the value slot."""
        places, attributes = self._matches()
        found = self.matches[self.arrays.rows[places.cpu().numpy()], attributes.cpu().numpy()]
        return torch.from_numpy(found).to(self.device)

    @property
    def match_attribute(self) -> torch.Tensor:
        """int64 `(M,)`: which attribute, of which task."""
        return self._matches()[1]

    def _matches(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return each match's place among the rows, and its match slot."""
        if self._matching is None:
            places, attributes = _matching(self.matches, self.arrays.rows)
            self._matching = torch.from_numpy(places).to(self.device), torch.from_numpy(attributes).to(self.device)
        return self._matching


def _matching(matches: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which of the rows match (their places) and by which slot, ascending; in blocks, because rows may be
    many.
    """
    found = [np.nonzero(matches[rows[first : first + _ROWS]] >= 0) for first in range(0, max(1, len(rows)), _ROWS)]
    index = np.concatenate([place + number * _ROWS for number, (place, _) in enumerate(found)])
    return index, np.concatenate([slot for _, slot in found])
