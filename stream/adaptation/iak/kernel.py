"""The trunk with IAK kernels after its last hidden layer (arXiv 2501.14268): one for all events, or one per domain.

The arithmetic of one kernel is in `stream.adaptation.iak.bottleneck`; which phase each is in is decided by
`stream.adaptation.iak.method`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

import torch

from stream.adaptation.iak.bottleneck import DECODER, ENCODER, Pass, Penalty, backward, forward, kl_nats
from stream.adaptation.iak.kernel_start import Activations, start_weights
from stream.adaptation.iak.settings import IakSettings
from stream.encoding.slots import SlotRegistry
from stream.network.descent import Descent
from stream.network.frame import Frame
from stream.network.initial import normal
from stream.network.settings import NetworkSettings, OptimiserSettings
from stream.network.table import Table
from stream.network.trunk import Trunk
from stream.state import Tree

__all__ = ["COMMON", "Kernel", "KernelTrunk", "Phase"]

COMMON = "common"
"""The kernel of all events without one of their own; those of domains are named `domain <value>`."""


class Phase(IntEnum):
    """What of a kernel trains."""

    COMPRESSION = 1
    """E and P, on the information-bottleneck loss; on the first time `mix` rises from 0 to 1."""
    MATCHING = 2
    """D, on BCE."""
    STEADY = 3
    """All of it at a lower rate, on the information-bottleneck loss; or nothing."""


@dataclass(slots=True)
class Kernel:
    """Where a kernel stands; all of it is state."""

    phase: Phase = Phase.COMPRESSION
    events: int = 0
    """Events on which it was trained in this phase."""
    mix: float = 0.0
    decodes: bool = False
    gathered_events: int = 0
    kl_nats: float | None = None
    """Mean KL per event of the last batch that it took part in."""
    kl_nats_of: list[float] = field(default_factory=lambda: [0.0] * 4)
    """The same of the first batch in phase 1, and of the last batch in each of the phases."""


class _GatheringTable(Table):
    """A table whose gradient is gathered over batches: what was gathered is state, like a moment."""

    def _allocate(self, rows: int) -> None:
        super()._allocate(rows)
        self.moments["gathered"] = torch.zeros(rows, *self.shape, device=self.device)


class KernelTrunk(Trunk):
    """A trunk whose last activations `g` pass through the kernel of their event's domain: `g_hat`.

    Only kernels that a batch needs are computed. Without kernels it is the plain trunk, bit for bit.
    """

    def __init__(
        self,
        network: NetworkSettings,
        optimiser: OptimiserSettings,
        seed: int,
        device: torch.device,
        settings: IakSettings,
    ) -> None:
        super().__init__(network, optimiser, seed, device)
        self.seed = seed
        self.device = device
        self.settings = settings
        h = network.hidden[-1]
        self.width = r = settings.width or max(1, h // 4)
        self.inner = inner = max(2, settings.inner or h // 2)
        self.names = SlotRegistry(1)
        self.kernels: dict[str, Kernel] = {}
        self.steps = 0
        """Training passes with a kernel: the counter that the noise derives from."""
        self.domain_slot: int | None = None
        """Categorical slot of the domain feature."""
        self.slot_of_row: dict[int, int] = {}
        """Kernel by vocabulary row of a domain; derived from names, and so in no digest."""
        self.activations = Activations(h, device)
        kind = _GatheringTable if settings.domain_feature else Table
        self.kernel_tables: dict[str, Table] = {}
        for name, before, after in (
            ("encoder_in", h, inner),
            ("encoder_out", inner, 2 * r),
            ("projection", r, h),
            ("decoder_in", r, inner),
            ("decoder_out", inner, h),
        ):
            for key, shape in ((name, (before, after)), (f"{name}_bias", (after,))):
                table = kind(1, shape, method="adam", rate=settings.rate, device=device)
                table.names = self.names
                self.kernel_tables[key] = table
        self._passes: list[tuple[str, torch.Tensor | None, Pass]] = []

    def tables(self) -> Iterator[tuple[str, Table]]:
        """Yield each table with its name."""
        yield from super().tables()
        for name, table in self.kernel_tables.items():
            yield f"kernel/{name}", table

    # -- kernels ------------------------------------------------------------------------------------------------

    def insert(self, name: str) -> None:
        """Give `name` a kernel without changing the function: a copy of the common one, or a new one at mix 0."""
        slot = self.names.add(name)
        for table in self.kernel_tables.values():
            table.grow(self.names.capacity)
        common = self.kernels.get(COMMON)
        if common is not None:
            source = self.names.slot(COMMON)
            for table in self.kernel_tables.values():
                table.set(slot, table.weight[source].clone())
            self.kernels[name] = Kernel(mix=common.mix, decodes=common.decodes)
            return
        start = start_weights(self.activations, self.seed, name, self.width, self.inner)
        for key, table in self.kernel_tables.items():
            table.set(slot, start.get(key, 0.0))
        self.kernels[name] = Kernel()

    def drop(self, name: str) -> None:
        """Zero a kernel and free its slot."""
        slot = self.names.remove(name)
        del self.kernels[name]
        for table in self.kernel_tables.values():
            table.set(slot, 0.0)
            table.fresh[slot] = False

    def enter(self, name: str, phase: Phase) -> None:
        """Begin a phase; a gradient gathered for another one is dropped."""
        kernel, slot = self.kernels[name], self.names.slot(name)
        kernel.phase, kernel.events, kernel.gathered_events = phase, 0, 0
        if phase is Phase.COMPRESSION:
            kernel.kl_nats_of[0] = 0.0
        kernel.decodes = kernel.decodes or phase is not Phase.COMPRESSION
        for table in self.kernel_tables.values():
            if "gathered" in table.moments:
                table.moments["gathered"][slot] = 0.0

    def mark_fresh(self, name: str) -> None:
        """Let a warm-up train a kernel: E, P and D alike, since the phase decides which of them moves."""
        for table in self.kernel_tables.values():
            table.fresh[self.names.slot(name)] = True

    def is_fresh(self, name: str) -> bool:
        """Say whether a warm-up trains a kernel."""
        return bool(self.kernel_tables["projection"].fresh[self.names.slot(name)])

    # -- passes -------------------------------------------------------------------------------------------------

    def forward(self, z: torch.Tensor, frame: Frame, *, training: bool) -> torch.Tensor:
        """Return `g_hat` `(B, h)`; a training pass draws its noise from (seed, training pass, event)."""
        g = super().forward(z, frame, training=training)
        self._passes = []
        self._weight = frame.weight
        if not self.kernels:
            return g
        noise: torch.Tensor | None = None
        if training and self.settings.stochastic:
            events = [f"{self.steps} {event}" for event in range(frame.events)]
            drawn = normal(self.seed, "kernel noise", events, self.width)
            noise = torch.from_numpy(drawn).to(self.device)
        out = g
        for name, events_of in self.active(frame):
            part = g if events_of is None else g[events_of]
            eps = noise if noise is None or events_of is None else noise[events_of]
            kernel, slot = self.kernels[name], self.names.slot(name)
            weights = {key: table.weight[slot] for key, table in self.kernel_tables.items()}
            done = forward(weights, part, mix=kernel.mix, decodes=kernel.decodes, noise=eps)
            self._passes.append((name, events_of, done))
            if events_of is None:
                out = done.out
            else:
                out = g.clone() if out is g else out
                out[events_of] = done.out
        return out

    def active(self, frame: Frame) -> Iterator[tuple[str, torch.Tensor | None]]:
        """Yield each kernel that the batch needs with its events, None for all of them."""
        common = self.names.get(COMMON)
        rows: list[int] = []
        if self.domain_slot is not None and self.slot_of_row:
            rows = frame.rows[frame.row_slot == self.domain_slot].tolist()
        if len(rows) != frame.events:
            if common is not None:
                yield COMMON, None
            return
        events_of: dict[int, list[int]] = {}
        for event, row in enumerate(rows):
            slot = self.slot_of_row.get(row, common)
            if slot is not None:
                events_of.setdefault(slot, []).append(event)
        for name, slot in self.names.items():
            if slot in events_of:
                yield name, torch.tensor(events_of[slot], device=self.device)

    def backward(self, gradient: torch.Tensor, descent: Descent, *, warming_up: bool) -> torch.Tensor | None:
        """Return the gradient by `z` and train what is not frozen: kernels by their phase, and the backbone.

        Kernels take their own steps, whatever `descent` does: their gradients may be gathered over batches.
        """
        if self._passes:
            self.steps += 1
            gradient = gradient.clone()
        elif not warming_up:
            self.activations.update(self._activations[-1])
        for name, events_of, done in self._passes:
            chosen = slice(None) if events_of is None else events_of
            gradient[chosen] = self._train_kernel(name, done, gradient[chosen], self._weight[chosen], warming_up)
        return super().backward(gradient, descent, warming_up=warming_up)

    def _train_kernel(
        self, name: str, done: Pass, gradient: torch.Tensor, weight: torch.Tensor, warming_up: bool
    ) -> torch.Tensor:
        kernel, slot = self.kernels[name], self.names.slot(name)
        phase, settings = kernel.phase, self.settings
        share = settings.steady_share if phase is Phase.STEADY else 1.0
        trained: tuple[str, ...] = ()
        if share and not (warming_up and not self.is_fresh(name)):
            trained = {
                Phase.COMPRESSION: ENCODER,
                Phase.MATCHING: DECODER,
                Phase.STEADY: (*ENCODER, *DECODER),
            }[phase]
        penalty = None
        if phase is not Phase.MATCHING:
            penalty = Penalty(settings.beta if settings.stochastic else 0.0, settings.alpha)
        weights = {key: table.weight[slot] for key, table in self.kernel_tables.items()}
        by_g, found = backward(weights, done, gradient, weight, penalty, trained)
        if not trained and phase is not Phase.STEADY:
            return by_g
        if settings.stochastic:
            kernel.kl_nats = kernel.kl_nats_of[phase] = float(kl_nats(done.mu, done.logvar).mean())
            if phase is Phase.COMPRESSION and not kernel.kl_nats_of[0]:
                kernel.kl_nats_of[0] = kernel.kl_nats
        self._step(kernel, slot, found, share, len(done.g))
        return by_g

    def _step(self, kernel: Kernel, slot: int, found: dict[str, torch.Tensor], share: float, number: int) -> None:
        """Step with the batch's sum; if there are domains, with the mean over enough of the domain's events."""
        gathers = bool(self.settings.domain_feature)
        kernel.gathered_events += number if gathers else 0
        due = kernel.gathered_events >= self.settings.domain_batch_events
        for key, gradient in found.items():
            table = self.kernel_tables[key]
            if gathers:
                gathered = table.moments["gathered"]
                gathered[slot] += gradient
                if not due:
                    continue
                gradient = gathered[slot] / kernel.gathered_events
                gathered[slot] = 0.0
            table.rate = self.settings.rate * share
            table.step(gradient[None], None if table.rows == 1 else torch.tensor([slot], device=self.device))
            if gathers:
                table.moments["gathered"][slot] = 0.0
        if due:
            kernel.gathered_events = 0

    # -- state --------------------------------------------------------------------------------------------------

    def extra_state(self) -> Tree:
        """Return where each kernel stands, and what a new one starts from."""
        return {
            "names": self.names.state(),
            "kernels": {name: _listed(kernel) for name, kernel in self.kernels.items()},
            "steps": self.steps,
            "domain_slot": self.domain_slot,
            "slot_of_row": [list(entry) for entry in self.slot_of_row.items()],
            "activations": self.activations.state(),
        }

    def restore_extra(self, tree: Tree) -> None:
        """Take back what `extra_state` returned."""
        self.names = SlotRegistry.from_state(tree["names"])
        for table in self.kernel_tables.values():
            table.names = self.names
        self.kernels = {
            name: Kernel(Phase(phase), events, mix, decodes, gathered, nats, list(by_phase))
            for name, (phase, events, mix, decodes, gathered, nats, by_phase) in tree["kernels"].items()
        }
        self.steps = int(tree["steps"])
        self.domain_slot = None if tree["domain_slot"] is None else int(tree["domain_slot"])
        self.slot_of_row = {int(row): int(slot) for row, slot in tree["slot_of_row"]}
        self.activations.restore(tree["activations"])

    def named_extra(self) -> Iterator[tuple[str, object]]:
        """Yield the same by name, for the state digest."""
        for name, kernel in self.kernels.items():
            yield f"kernels/{name}", _listed(kernel)
        yield "kernel_steps", self.steps
        for name, value in self.activations.state().items():
            yield f"activations/{name}", value


def _listed(kernel: Kernel) -> list[object]:
    return [
        int(kernel.phase),
        kernel.events,
        kernel.mix,
        kernel.decodes,
        kernel.gathered_events,
        kernel.kl_nats,
        list(kernel.kl_nats_of),
    ]
