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
    pair_columns: torch.Tensor
    """int64 ``(P, A)``: attribute value slots, or the number of reserved slots where the offer lacks one."""
    possible: torch.Tensor
    taken: torch.Tensor
    """float32 ``(P,)``."""
    weight: torch.Tensor
    """float32 ``(B,)``: relative to the running mean."""
    match_event: torch.Tensor
    match_column: torch.Tensor
    match_slot: torch.Tensor
    match_attribute: torch.Tensor
    """int64 ``(M,)``: which attribute, of which task."""
    tasks: tuple[int, ...]
    """Task slots among the pairs, ascending; that of the default task where there is no pair."""
    offer_task: torch.Tensor
    value_task: torch.Tensor
    """int64, task slots by offer slot and by value slot."""
    ts: np.ndarray
    blocks: tuple[tuple[str, slice], ...]
    """The rows of the hidden activations that are events, by the task whose trunk computed them (one trunk: "")."""

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

        columns = offers.columns[batch.pair_slot]
        columns = np.where(columns < 0, offers.values.capacity, columns)
        index, attribute = _matching(matches, batch.rows)
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
            pair_columns=put(columns),
            possible=put(batch.possible),
            taken=put(batch.taken.astype(np.float32)),
            weight=put(weight),
            match_event=put(batch.row_event[index]),
            match_column=put(matches[batch.rows[index], attribute]),
            match_slot=put(batch.row_slot[index]),
            match_attribute=put(attribute),
            tasks=offers.present_tasks(batch.pair_slot),
            offer_task=put(offers.task_of_offer),
            value_task=put(offers.task_of_value),
            ts=batch.ts,
            blocks=(("", slice(0, len(batch))),),
        )


def _matching(matches: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which of the rows match (their places) and by which slot, ascending; in blocks, for rows may be many."""
    found = [np.nonzero(matches[rows[first : first + _ROWS]] >= 0) for first in range(0, max(1, len(rows)), _ROWS)]
    index = np.concatenate([place + number * _ROWS for number, (place, _) in enumerate(found)])
    return index, np.concatenate([slot for _, slot in found])
