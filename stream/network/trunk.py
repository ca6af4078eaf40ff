"""The hidden trunk between the replaceable layers: it alone never changes its shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from stream.network.descent import Descent
from stream.network.frame import Frame
from stream.network.initial import uniform
from stream.network.part import Owner, Part
from stream.network.room import Room
from stream.network.settings import NetworkSettings, OptimiserSettings
from stream.network.table import Table

__all__ = ["Trunk"]

_SMALL = 0.1


class Trunk(Part):
    """`h_l = h_{l-1} + relu(h_{l-1} W_l + b_l)`, with `h_0 = relu(z)`; trained by Adam.

    Where a layer changes the width, its input is not added. The first weights are small: the network starts as one of a
    single hidden layer, which learns soonest, and bends as it finds reason to (He et al. 2016, arXiv 1512.03385).
    """

    compiled = False
    """Whether the passes are compiled loops and products into memory that stands."""

    def __init__(self, network: NetworkSettings, optimiser: OptimiserSettings, seed: int, device: torch.device) -> None:
        self._room = Room()
        self.layers: list[tuple[Table, Table]] = []
        for index, (before, after) in enumerate(zip(network.hidden, network.hidden[1:], strict=False)):
            weight = Table(1, (before, after), method="adam", rate=optimiser.hidden_rate, device=device)
            bias = Table(1, (after,), method="adam", rate=optimiser.hidden_rate, device=device)
            bound = (6.0 / before) ** 0.5 * (_SMALL if before == after else 1.0)
            weight.set(0, uniform(seed, "trunk", [str(index)], before * after, bound)[0])
            self.layers.append((weight, bias))

    def tables(self) -> Iterator[tuple[str, Table]]:
        """Yield each table with its name."""
        for index, (weight, bias) in enumerate(self.layers):
            yield f"{index}/weight", weight
            yield f"{index}/bias", bias

    @property
    def owners(self) -> Mapping[str, Owner]:  # type: ignore[override]  # as many as there are layers
        """What the rows of each table belong to: the trunk, as a whole."""
        return {name: Owner.PART for name, _ in Trunk.tables(self)}

    def hold(self) -> None:
        """Let the layers stand still for good; what a method has put beside them goes on."""
        for weight, bias in self.layers:
            weight.hold()
            bias.hold()

    @staticmethod
    def joined(before: torch.Tensor, bent: torch.Tensor) -> torch.Tensor:
        """Return a layer's activations: what it bent beside what came in, if the two have one width."""
        return before + bent if before.shape == bent.shape else bent

    def forward(self, z: torch.Tensor, frame: Frame, *, training: bool) -> torch.Tensor:
        """Return the last hidden activations `(B, hidden[-1])` for the input layer's `z` `(B, hidden[0])`.

        `training` says that a `backward` follows; the plain trunk computes the same either way.
        """
        if self.compiled and not z.requires_grad:  # who asks autograd gets what it can follow
            return self._forward_in_place(z)
        self._activations, self._bent = [torch.relu(z)], []
        for weight, bias in self.layers:
            before = self._activations[-1]
            self._bent.append(torch.relu(torch.addmm(bias.weight[0], before, weight.weight[0])))
            self._activations.append(self.joined(before, self._bent[-1]))
        return self._activations[-1]

    def represent(self, z: torch.Tensor) -> torch.Tensor:
        """Return the last hidden activations `(B, hidden[-1])` without what a method has put on the trunk."""
        hidden = torch.relu(z)
        for weight, bias in self.layers:
            hidden = self.joined(hidden, torch.relu(torch.addmm(bias.weight[0], hidden, weight.weight[0])))
        return hidden

    def rows_of(self, frame: Frame) -> Frame:
        """Return a frame whose events are the rows of the hidden activations: here the same."""
        return frame

    def backward(self, gradient: torch.Tensor, descent: Descent, *, warming_up: bool) -> torch.Tensor | None:
        """Return the gradient by `z` and train what is not frozen; of the rest no gradient is computed.

        A trunk may return None: then the input layer takes no step.
        """
        if self.compiled and type(descent) is Descent:
            return self._compiled_backward(gradient, warming_up=warming_up)
        for (weight, bias), before, bent in zip(
            reversed(self.layers), self._activations[-2::-1], reversed(self._bent), strict=True
        ):
            inner = gradient * (bent > 0)
            passed = inner @ weight.weight[0].T
            if before.shape == bent.shape:
                passed += gradient
            if not (warming_up or bool(weight.held[0])):
                descent.product(weight, before, inner)
                descent.summed(bias, inner)
            gradient = passed
        return gradient * (self._activations[0] > 0)

    # -- compiled -------------------------------------------------------------------------------------------------

    def _forward_in_place(self, z: torch.Tensor) -> torch.Tensor:
        """Do the same in memory that stands from step to step."""
        room, rows = self._room, len(z)
        first, _ = room.matrix("first", rows, z.shape[1])
        self._activations, self._bent = [torch.clamp_min(z, 0.0, out=first)], []
        for index, (weight, bias) in enumerate(self.layers):
            before, width = self._activations[-1], weight.shape[1]
            bent, _ = room.matrix(f"bent {index}", rows, width)
            torch.addmm(bias.lines, before, weight.lines.view(weight.shape), out=bent).clamp_min_(0.0)
            self._bent.append(bent)
            if before.shape == bent.shape:
                bent = torch.add(before, bent, out=room.matrix(f"activations {index}", rows, width)[0])
            self._activations.append(bent)
        return self._activations[-1]

    def _compiled_backward(self, gradient: torch.Tensor, *, warming_up: bool) -> torch.Tensor:
        from stream.network import step_kernels

        room, rows = self._room, len(gradient)
        for index in range(len(self.layers) - 1, -1, -1):
            (weight, bias), before, bent = self.layers[index], self._activations[index], self._bent[index]
            width, matrix = bent.shape[1], weight.lines.view(weight.shape)
            inner, inner_array = room.matrix(f"inner {index}", rows, width)
            _, total = room.matrix(f"total {index}", 1, width)
            step_kernels.unbent(gradient.numpy(), bent.numpy(), inner_array, total[0])
            passed, _ = room.matrix(f"passed {index}", rows, before.shape[1])
            if before.shape == bent.shape:
                torch.addmm(gradient, inner, matrix.T, out=passed)
            else:
                torch.mm(inner, matrix.T, out=passed)
            if not (warming_up or weight.holds):
                by_weight, _ = room.matrix(f"by weight {index}", before.shape[1], width)
                torch.mm(before.T, inner, out=by_weight)
                weight.descend(by_weight.view(1, -1).numpy())
                bias.descend(total)
            gradient = passed
        by_z, by_z_array = room.matrix("by z", rows, gradient.shape[1])
        _, total = room.matrix("total", 1, gradient.shape[1])
        step_kernels.unbent(gradient.numpy(), self._activations[0].numpy(), by_z_array, total[0])
        return by_z
