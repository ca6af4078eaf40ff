"""The trunk of PeterRec: frozen after pre-training, with a set of model patches for each task.

With `u = h_{l-1} W_l + b_l` in place of which the plain trunk has `u` alone, inside its residual block:
serial: `relu(u + p_l(u))`, and with two patches a block `relu(z + p_0(z))` for the input layer's sum too;
parallel: `relu(u + p_l(h_{l-1}))`, without the authors' inner skip, which adds the input and is no identity.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from stream.adaptation.peterrec.linear_fit import Sample, linear_fit
from stream.adaptation.peterrec.patch import Patch, PatchPass
from stream.adaptation.peterrec.task_rows import TaskRows
from stream.encoding.tasks import DEFAULT, Tasks
from stream.network.descent import Descent
from stream.network.frame import Frame
from stream.network.settings import NetworkSettings, OptimiserSettings
from stream.network.table import Table
from stream.network.trunk import Trunk
from stream.state import Tree

__all__ = ["PatchedTrunk"]

_SAMPLE_EVENTS = 1024
_Pass = list[tuple[torch.Tensor, torch.Tensor, PatchPass | None]]
"""By layer, the input layer's first: its activations, what it bent, and what its patch remembers."""


class PatchedTrunk(Trunk):
    """The trunk as it is until `hold`; from then on it stands still, and each task computes its own way on it.

    The hidden activations have a row for each event and task present (`TaskRows`). One task's events move no
    other's patches. What is new in the input, which all tasks share, trains on the pairs of one task (`Tasks.owner`).
    """

    def __init__(
        self,
        network: NetworkSettings,
        optimiser: OptimiserSettings,
        seed: int,
        device: torch.device,
        tasks: Tasks,
        *,
        serial: bool,
        on_input: bool,
        bottleneck: int,
        rate: float,
        sampled: bool,
    ) -> None:
        super().__init__(network, optimiser, seed, device)
        self.serial = serial
        self._tasks = tasks
        self.inserted = False
        """Whether pre-training is over and the patches are at work."""
        self.folds = 0
        self.patches: dict[int, Patch] = {}
        """By layer; 0 is the input layer's sum."""
        self._samples: dict[int, Sample] = {}
        for layer, width in enumerate(network.hidden):
            if layer == 0 and not on_input:
                continue
            before = width if serial else network.hidden[layer - 1]
            units = bottleneck or max(4, width // 8)
            self.patches[layer] = Patch(f"patch/{layer}", before, width, units, rate, seed, tasks.names, device)
            if sampled:
                self._samples[layer] = Sample(_SAMPLE_EVENTS, before, device)
        self._passes: list[tuple[int, _Pass]] = []
        self.start_task(DEFAULT, 0)

    def tables(self) -> Iterator[tuple[str, Table]]:
        """Yield each table with its name, those of the backbone first."""
        yield from super().tables()
        for patch in self.patches.values():
            yield from patch.tables()

    @property
    def parameters(self) -> int:
        """Parameters of the backbone's part of the trunk."""
        return sum(table.row_size for _, table in super().tables())

    def hold(self) -> None:
        """Let the backbone stand still for good and insert the patches."""
        super().hold()
        self.inserted = True

    def start_task(self, name: str, task: int) -> None:
        """Give a task a patch set at identity."""
        for patch in self.patches.values():
            patch.start(name, task)

    def end_task(self, task: int) -> None:
        """Zero a task's patch set."""
        for patch in self.patches.values():
            patch.end(task)

    def freshen(self, tasks: list[int]) -> None:
        """Let a warm-up train the patch sets of `tasks` and no others."""
        for patch in self.patches.values():
            patch.freshen(tasks)

    # -- passes -------------------------------------------------------------------------------------------------

    def forward(self, z: torch.Tensor, frame: Frame, *, training: bool) -> torch.Tensor:
        """Return the last hidden activations `(rows, hidden[-1])`; only the tasks among the pairs are computed."""
        present = frame.tasks if self.inserted else (0,)
        self._rows = TaskRows.of(frame, present)
        filled = self._rows.filled(z)
        self._passes = [(task, self._forward(filled, task)) for task in present]
        return torch.cat([layers[-1][0] for _, layers in self._passes])

    def _forward(self, z: torch.Tensor, task: int) -> _Pass:
        bent, past = self._patched(0, z, z, task)
        layers: _Pass = [(bent, bent, past)]
        for layer, (weight, bias) in enumerate(self.layers, 1):
            before = layers[-1][0]
            total = torch.addmm(bias.weight[0], before, weight.weight[0])
            bent, past = self._patched(layer, total, total if self.serial else before, task)
            layers.append((self.joined(before, bent), bent, past))
        return layers

    def _patched(
        self, layer: int, total: torch.Tensor, inputs: torch.Tensor, task: int
    ) -> tuple[torch.Tensor, PatchPass | None]:
        patch = self.patches.get(layer) if self.inserted else None
        if patch is None:
            return torch.relu(total), None
        added, past = patch.forward(inputs, task)
        return torch.relu(total + added), past

    def rows_of(self, frame: Frame) -> Frame:
        """Return a frame whose events are rows of the hidden activations."""
        return self._rows.frame(frame, [self._tasks.names.names[task] or "" for task, _ in self._passes])

    def backward(self, gradient: torch.Tensor, descent: Descent, *, warming_up: bool) -> torch.Tensor | None:
        """Return the gradient by `z`, None if no event present may move the shared input; train what may move."""
        owner = self._tasks.names.slot(self._tasks.owner)
        passed = None
        for place, (task, layers) in enumerate(self._passes):
            rows = gradient[place * self._rows.block : (place + 1) * self._rows.block]
            by_z = self._backward(rows, layers, descent, warming_up=warming_up)
            if not self.inserted or task == owner:
                passed = by_z[: self._rows.events]
        return passed

    def _backward(self, gradient: torch.Tensor, layers: _Pass, descent: Descent, *, warming_up: bool) -> torch.Tensor:
        for layer in range(len(layers) - 1, -1, -1):
            _, bent, past = layers[layer]
            by_total = gradient * (bent > 0)
            by_inputs = None
            if past is not None:
                by_inputs = self.patches[layer].backward(past, by_total, descent, warming_up=warming_up)
                if self.serial:
                    by_total, by_inputs = by_total + by_inputs, None
            if layer == 0:
                return by_total
            weight, bias = self.layers[layer - 1]
            before = layers[layer - 1][0]
            passed = by_total @ weight.weight[0].T
            if before.shape == bent.shape:
                passed += gradient
            gradient = passed
            if by_inputs is not None:
                gradient = gradient + by_inputs
            if not (warming_up or bool(weight.held[0])):
                descent.product(weight, before, by_total)
                descent.summed(bias, by_total)
        raise AssertionError("a trunk has a first layer")

    # -- folding ------------------------------------------------------------------------------------------------

    def sample(self) -> None:
        """Keep what went into the patches in the last forward pass, for a later `fold`."""
        if len(self._passes) != 1 or not self.inserted:
            return
        for layer, (_, _, past) in enumerate(self._passes[0][1]):
            if past is not None and layer in self._samples:
                self._samples[layer].add(past.inputs[: self._rows.events])

    def fold(self) -> float:
        """Fold the default task's patches into the backbone and start them anew; return the share that could be.

        A patch is not linear: what its best linear fit leaves out is lost, and can only be learned again.
        """
        shares = []
        self.folds += 1
        for layer, sample in self._samples.items():
            patch, (weight, bias) = self.patches[layer], self.layers[layer - 1]
            x = sample.rows()
            if len(x) < 8:
                continue
            slope, shift, share = linear_fit(x, patch.forward(x, 0)[0])
            base, offset = weight.weight[0].double(), bias.weight[0].double()
            if self.serial:  # u + u A + a
                base, offset = base + base @ slope, offset + offset @ slope + shift
            else:
                base, offset = base + slope, offset + shift
            weight.weight[0], bias.weight[0] = base.float(), offset.float()
            patch.start(f"after fold {self.folds}", 0)
            sample.clear()
            shares.append(share)
        return sum(shares) / len(shares) if shares else 0.0

    # -- state --------------------------------------------------------------------------------------------------

    def extra_state(self) -> Tree:
        """Return what the trunk holds beside its tables."""
        samples = {str(layer): sample.state() for layer, sample in self._samples.items()}
        return {"inserted": self.inserted, "folds": self.folds, "samples": samples}

    def restore_extra(self, tree: Tree) -> None:
        """Take back what `extra_state` returned."""
        self.inserted, self.folds = bool(tree["inserted"]), int(tree["folds"])
        for layer, sample in self._samples.items():
            sample.restore(tree["samples"][str(layer)])

    def named_extra(self) -> Iterator[tuple[str, object]]:
        """Yield the same by name."""
        yield "inserted", self.inserted
        yield "folds", self.folds
        for layer, sample in self._samples.items():
            yield f"sample/{layer}", sample.rows().cpu().numpy()
            yield f"sample/{layer}/seen", sample.seen
