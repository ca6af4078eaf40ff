"""One event, a row for each task: what the output layer sees if tasks have hidden activations of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import pad

from stream.network.frame import Frame

__all__ = ["TaskRows"]

_BLOCK = 64


@dataclass(frozen=True, slots=True)
class TaskRows:
    """Rows `(T * block, ...)` for `T` tasks and `B` events: task i's row of event b is `i * block + b`.

    A block is a whole number of 64 rows: a matrix product treats its last rows apart, and an event's bits may not
    depend on how many tasks stand beside it.
    """

    tasks: int
    events: int
    offer_place: torch.Tensor
    """int64: which of the tasks an offer slot belongs to; 0 if its task is not among them."""

    @classmethod
    def of(cls, frame: Frame, tasks: Sequence[int]) -> TaskRows:
        """Return the rows of `tasks` (slots); with one of them, every offer belongs to it."""
        if len(tasks) == 1:
            return cls(1, frame.events, torch.zeros_like(frame.offer_task))
        slots = 1 + int(frame.offer_task.max())
        place = torch.zeros(slots, dtype=torch.int64, device=frame.offer_task.device)
        for index, task in enumerate(tasks):
            place[task] = index
        return cls(len(tasks), frame.events, place[frame.offer_task])

    @property
    def block(self) -> int:
        """Rows of one task."""
        return self.events + -self.events % _BLOCK

    def filled(self, events: torch.Tensor) -> torch.Tensor:
        """Return `(block, n)` for `(B, n)`; the rows that are nobody's are 0."""
        return pad(events, (0, 0, 0, self.block - self.events))

    def frame(self, frame: Frame, names: Sequence[str]) -> Frame:
        """Return a frame whose pairs point to rows instead of events, for the output layer; `names` of the tasks."""
        place = self.offer_place[frame.pair_slot]
        return frame.with_rows(
            events=self.tasks * self.block,
            pair_event=place * self.block + frame.pair_event,
            weight=self.filled(frame.weight[:, None])[:, 0].repeat(self.tasks),
            blocks=tuple(
                (name, slice(place * self.block, place * self.block + self.events)) for place, name in enumerate(names)
            ),
        )
