"""A small network over the running counts of a pair, with a linear skip: a set of weights for each task."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

import torch

from stream.network.counts import BASE_INPUTS, VALUE_INPUTS
from stream.network.descent import Descent
from stream.network.frame import Frame
from stream.network.initial import uniform
from stream.network.part import Owner, Part
from stream.network.settings import NetworkSettings, OptimiserSettings
from stream.network.table import Table

__all__ = ["Mixer"]

_BLOCK = 64
_FLOOR = 0.1
"""Adam's epsilon, in gradients of one event, ten times that of the dense layers: the counts are read well from the
first event on, and where a step has less than a label to learn from, whole steps are mostly noise."""


class Mixer(Part):
    """`relu(x A + a) . v + x . w`, x the counts of a pair; trained by Adam.

    The task in slot t owns row t of `bias` and `out`, and of `inputs` and `linear` the `width` rows from
    `t * width` on. A task starts as a copy of the default one as it stands then.
    """

    owners: ClassVar[Mapping[str, Owner]] = {
        "mixer_in": Owner.COUNT_INPUT,
        "linear": Owner.COUNT_INPUT,
        "mixer_bias": Owner.TASK,
        "mixer_out": Owner.TASK,
    }

    def __init__(self, network: NetworkSettings, optimiser: OptimiserSettings, seed: int, device: torch.device) -> None:
        self.seed = seed
        self.width = BASE_INPUTS + network.attributes * VALUE_INPUTS
        self.hidden = network.pair_hidden
        rate = optimiser.pair_rate
        self.inputs = Table(self.width, (self.hidden,), method="adam", rate=rate, floor=_FLOOR, device=device)
        self.bias = Table(1, (self.hidden,), method="adam", rate=rate, floor=_FLOOR, device=device)
        self.out = Table(1, (self.hidden,), method="adam", rate=rate, floor=_FLOOR, device=device)
        self.linear = Table(self.width, (), method="adam", rate=rate, floor=_FLOOR, device=device)
        self._passes: list[tuple[int, torch.Tensor | None, torch.Tensor, torch.Tensor]] = []
        """Of the last forward pass, by task: its slot, its pairs (None: all), their counts and hidden units."""
        self.restart((), (("", 0),))

    def tables(self) -> Iterator[tuple[str, Table]]:
        """Yield each table with its name."""
        yield "mixer_in", self.inputs
        yield "mixer_bias", self.bias
        yield "mixer_out", self.out
        yield "linear", self.linear

    # -- fresh values -------------------------------------------------------------------------------------------

    def restart(self, attributes: Iterable[tuple[str, int]], tasks: Iterable[tuple[str, int]]) -> None:
        """Let the counts speak from the first event: weight 1 for the rate, 0.7 for the key, 0.5 for key x value."""
        places = [slot for _, slot in tasks]
        for task in places:
            for table, rows in self._rows_of(task):
                table.set(rows, 0.0)
            self._start_inputs(task, "", 0, BASE_INPUTS, {0: 1.0, 2: 0.7})
        for name, slot in attributes:
            self.start_attribute(name, slot, places)

    def start_attribute(self, name: str, slot: int, tasks: Iterable[int]) -> None:
        """Give the counts of an offer attribute their weights, which its name decides, and mark them fresh."""
        for task in tasks:
            self._start_inputs(task, name, BASE_INPUTS + slot * VALUE_INPUTS, VALUE_INPUTS, {0: 0.5})

    def _start_inputs(self, task: int, name: str, first: int, number: int, linear: dict[int, float]) -> None:
        first += task * self.width
        rows = list(range(first, first + number))
        names = [f"{place} {name}" for place in range(number)]
        self.inputs.set(rows, uniform(self.seed, "mixer", names, self.hidden, (3.0 / self.width) ** 0.5))
        self.linear.set(rows, 0.0)
        for place, value in linear.items():
            self.linear.set(first + place, value)
        self.inputs.fresh[rows] = self.linear.fresh[rows] = True

    def reserve(self, tasks: int) -> None:
        """Make room for task slots."""
        for table, number in self._row_counts():
            table.grow(tasks * number)

    def start_task(self, task: int) -> None:
        """Let a task start, fresh, with the default task's weights as they stand."""
        for table, rows in self._rows_of(task):
            table.set(rows, table.weight[: len(rows)].clone())
            table.fresh[rows] = True

    def end_task(self, task: int) -> None:
        """Zero what a task owned."""
        for table, rows in self._rows_of(task):
            table.set(rows, 0.0)
            table.fresh[rows] = False

    def _row_counts(self) -> tuple[tuple[Table, int], ...]:
        return (self.inputs, self.width), (self.bias, 1), (self.out, 1), (self.linear, self.width)

    def _rows_of(self, task: int) -> Iterator[tuple[Table, list[int]]]:
        for table, number in self._row_counts():
            yield table, list(range(task * number, (task + 1) * number))

    def input_rows(
        self, attributes: Iterable[tuple[str, int]], tasks: Iterable[tuple[str, int]]
    ) -> list[tuple[str, int]]:
        """Return the name and the row of each input, given the slots of attributes and tasks."""
        firsts = [(f"{name} ", BASE_INPUTS + slot * VALUE_INPUTS, VALUE_INPUTS) for name, slot in attributes]
        return [
            (f"{label}{place}" if not task else json.dumps([label, place, task]), slot * self.width + first + place)
            for task, slot in tasks
            for label, first, number in [("", 0, BASE_INPUTS), *firsts]
            for place in range(number)
        ]

    # -- passes -------------------------------------------------------------------------------------------------

    def forward(self, frame: Frame, counts: torch.Tensor) -> torch.Tensor:
        """Return what the `counts` `(P, width)` add to the logits `(P,)`; only the tasks present are computed."""
        self._passes = []
        if len(frame.tasks) == 1:
            return self._forward(frame.tasks[0], None, counts)
        task_of_pair = frame.offer_task[frame.pair_slot]
        mixed = counts.new_empty(len(counts))
        for task in frame.tasks:
            pairs = (task_of_pair == task).nonzero()[:, 0]
            mixed[pairs] = self._forward(task, pairs, counts[pairs])
        return mixed

    def _forward(self, task: int, pairs: torch.Tensor | None, counts: torch.Tensor) -> torch.Tensor:
        # In whole blocks: a matrix product treats its last rows apart, and a pair's bits may not depend on how many
        # offers stand beside it.
        number = len(counts)
        blocks = torch.nn.functional.pad(counts, (0, 0, 0, -number % _BLOCK))
        rows = slice(task * self.width, (task + 1) * self.width)
        hidden = torch.relu(torch.addmm(self.bias.weight[task], blocks, self.inputs.weight[rows]))
        self._passes.append((task, pairs, counts, hidden[:number]))
        return (blocks @ self.linear.weight[rows] + hidden @ self.out.weight[task])[:number]

    def remember(self, frame: Frame, counts: torch.Tensor, hidden: torch.Tensor) -> None:
        """Take over a forward pass made elsewhere: the pairs' counts and hidden units `(P, hidden)`."""
        if len(frame.tasks) == 1:
            self._passes = [(frame.tasks[0], None, counts, hidden)]
            return
        task_of_pair = frame.offer_task[frame.pair_slot]
        chosen = [(task, (task_of_pair == task).nonzero()[:, 0]) for task in frame.tasks]
        self._passes = [(task, pairs, counts[pairs], hidden[pairs]) for task, pairs in chosen]

    def step(self, tasks: tuple[int, ...], sums: tuple[torch.Tensor, ...]) -> None:
        """Step along gradients by row of inputs, bias, out and linear; of these only the rows of `tasks`."""
        for (table, number), total in zip(self._row_counts(), sums, strict=True):
            if self.bias.rows == 1:
                table.step(total)
            else:
                rows = torch.tensor([task * number + place for task in tasks for place in range(number)])
                table.step(total[rows], rows)

    def train(self, gradient: torch.Tensor, descent: Descent, *, warming_up: bool) -> None:
        """Train on the gradient by logit `(P,)`, each task on its own pairs; in a warm-up only what is fresh."""
        for task, pairs, counts, hidden in self._passes:
            self._train(task, counts, hidden, gradient if pairs is None else gradient[pairs], descent, warming_up)

    def _train(
        self,
        task: int,
        counts: torch.Tensor,
        hidden: torch.Tensor,
        gradient: torch.Tensor,
        descent: Descent,
        warming_up: bool,
    ) -> None:
        alone = self.bias.rows == 1
        first = task * self.width
        own = None if alone else torch.arange(first, first + self.width, device=self.linear.device)
        rows = self.linear.trained(warming_up=warming_up, among=own)
        if rows is not None and not rows.numel():
            return
        back = gradient[:, None] * self.out.weight[task] * (hidden > 0)
        if rows is not None:
            counts = counts[:, rows - first]
        if not warming_up or bool(self.out.fresh[task]):
            one = None if alone else torch.tensor([task], device=self.linear.device)
            descent.product(self.out, gradient[:, None], hidden, one)
            descent.summed(self.bias, back, one)
        descent.product(self.linear, counts, gradient[:, None], rows)
        descent.product(self.inputs, counts, back, rows)
