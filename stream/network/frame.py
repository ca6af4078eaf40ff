"""A batch on the device: the index tensors that every layer shares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from stream.encoding.batch import Batch
from stream.encoding.offers import Offers

__all__ = ["Frame"]

_ROWS = 1 << 14


@dataclass(slots=True)
class Frame:
    """Tensors of one batch: ``B`` events, ``N`` active rows, ``P`` pairs, ``M`` matches, ``A`` attribute slots.

    A *match* is an input value of the event that is also the attribute value of an offer.
    """

    events: int
    numeric: torch.Tensor
    """Standardised, 0 where missing, float32 ``(B, numeric slots)``."""
    missing: torch.Tensor
    """float32 ``(B, numeric slots)``: 1 where a live numeric feature is missing."""
    rows: torch.Tensor
    row_event: torch.Tensor
    row_slot: torch.Tensor
    row_weight: torch.Tensor
    entity: torch.Tensor
    """int64 ``(B,)``: row of the event's key, 0 where the key has none."""
    pair_event: torch.Tensor
    pair_slot: torch.Tensor
    possible: torch.Tensor
    taken: torch.Tensor
    """float32 ``(P,)``."""
    weight: torch.Tensor
    """float32 ``(B,)``: relative to the running mean."""
    tasks: tuple[int, ...]
    """Task slots among the pairs, ascending; that of the default task where there is no pair."""
    offer_task: torch.Tensor
    value_task: torch.Tensor
    """int64, task slots by offer slot and by value slot."""
    ts: np.ndarray
    blocks: tuple[tuple[str, slice], ...]
    """The rows of the hidden activations that are events, by the task whose trunk computed them (one trunk: "")."""
    columns: np.ndarray
    """int64 ``(offer slots, A)``: attribute value slots, -1 where an offer lacks it; not a copy."""
    matches: np.ndarray
    """int64 ``(vocabulary rows, match slots)``: the value slot that a row's value is, or -1; not a copy."""
    values: int
    """Reserved value slots."""
    information: tuple[torch.Tensor, torch.Tensor] | None = None
    """The step's Fisher information by offer slot and by value slot, if the backward pass has it already."""

    _pair_columns: torch.Tensor | None = None
    _matching: tuple[torch.Tensor, torch.Tensor] | None = None

    @property
    def pair_columns(self) -> torch.Tensor:
        """int64 ``(P, A)``: attribute value slots, or the number of reserved slots where the offer lacks one."""
        if self._pair_columns is None:
            columns = self.columns[self.pair_slot.cpu().numpy()]
            columns = np.where(columns < 0, self.values, columns)
            self._pair_columns = torch.from_numpy(columns).to(self.pair_slot.device)
        return self._pair_columns

    @property
    def match_event(self) -> torch.Tensor:
        """int64 ``(M,)``."""
        return self.row_event[self._matches()[0]]

    @property
    def match_slot(self) -> torch.Tensor:
        """int64 ``(M,)``: the categorical slot of the input's feature."""
        return self.row_slot[self._matches()[0]]

    @property
    def match_column(self) -> torch.Tensor:
        """int64 ``(M,)``: the value slot."""
        places, attributes = self._matches()
        found = self.matches[self.rows.cpu().numpy()[places.cpu().numpy()], attributes.cpu().numpy()]
        return torch.from_numpy(found).to(self.rows.device)

    @property
    def match_attribute(self) -> torch.Tensor:
        """int64 ``(M,)``: which attribute, of which task."""
        return self._matches()[1]

    def _matches(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return each match's place among the rows, and its match slot."""
        if self._matching is None:
            places, attributes = _matching(self.matches, self.rows.cpu().numpy())
            device = self.rows.device
            self._matching = torch.from_numpy(places).to(device), torch.from_numpy(attributes).to(device)
        return self._matching

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
        """Put a batch on ``device``; ``matches`` ``(vocabulary rows, match slots)`` holds value slots or -1."""

        def put(array: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(device)

        return cls(
            events=len(batch),
            numeric=put(numeric),
            missing=put(missing),
            rows=put(batch.rows),
            row_event=put(batch.row_event),
            row_slot=put(batch.row_slot),
            row_weight=put(batch.row_weight),
            entity=put(entity),
            pair_event=put(batch.pair_event),
            pair_slot=put(batch.pair_slot),
            possible=put(batch.possible),
            taken=put(batch.taken.astype(np.float32)),
            weight=put(weight),
            tasks=offers.present_tasks(batch.pair_slot),
            offer_task=put(offers.task_of_offer),
            value_task=put(offers.task_of_value),
            ts=batch.ts,
            blocks=(("", slice(0, len(batch))),),
            columns=offers.columns,
            matches=matches,
            values=offers.values.capacity,
        )


def _matching(matches: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which of the rows match (their places) and by which slot, ascending; in blocks, for rows may be many."""
    found = [np.nonzero(matches[rows[first : first + _ROWS]] >= 0) for first in range(0, max(1, len(rows)), _ROWS)]
    index = np.concatenate([place + number * _ROWS for number, (place, _) in enumerate(found)])
    return index, np.concatenate([slot for _, slot in found])
