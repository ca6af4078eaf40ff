"""The network: one step that predicts, and one that trains on what was predicted.

It is made of a :mod:`layout <stream.network.layout>` of names to rows, the parts that hold those rows, and
:mod:`names <stream.network.names>`, which applies schema changes to both.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Self

import numpy as np
import torch

from stream.encoding.batch import Batch
from stream.network.compiled import Implementation, chosen
from stream.network.counts import PairCounts
from stream.network.descent import Descent
from stream.network.experts import Assessed, Experts
from stream.network.frame import Frame
from stream.network.input_layer import InputLayer
from stream.network.layout import Layout
from stream.network.names import Names
from stream.network.output_layer import OutputLayer
from stream.network.pair_cells import PairCells
from stream.network.pairs import PairPart
from stream.network.part import Part
from stream.network.settings import NetworkSettings, OptimiserSettings
from stream.network.statistics import RunningStatistics
from stream.network.trunk import Trunk
from stream.network.weights import RelativeWeights

__all__ = ["Network"]


class Network:
    """One multi-label network over named features, keys, offers and attribute values."""

    def __init__(
        self,
        network: NetworkSettings,
        optimiser: OptimiserSettings,
        seed: int,
        device: str,
        install: Callable[[Self], None],
    ) -> None:
        """Build the parts, let ``install`` put others in their place, and only then give the first name its rows."""
        self.settings = network
        self.seed = seed
        self.device = torch.device(device)
        self.layout = Layout(network, self.device)
        self.statistics = RunningStatistics()
        self.weights = RelativeWeights()
        self.experts = Experts(network.prevalence)
        self.input = InputLayer(network, optimiser, seed, self.device)
        self.trunk = Trunk(network, optimiser, seed, self.device)
        self.output = OutputLayer(network, optimiser, self.device)
        self.cells = PairCells(network, optimiser, self.device)
        self.pairs = PairPart(network, optimiser, self.cells, seed, self.device)
        self.counts = PairCounts(network.prevalence, network.count_half_life_days, self.cells, self.device)
        self.cells.counts = self.counts
        self.descent = Descent()
        """What a training step does with the gradients; a method may put another in its place."""
        self._mutes = True
        """Whether any offer may be muted."""
        install(self)
        self.implementation: Implementation = chosen(network.kernels, self.device.type)
        by_loops = self.implementation == "compiled"
        self.input.compiled = self.trunk.compiled = self.output.compiled = by_loops
        self.pairs.compiled = self.counts.compiled = self.experts.compiled = by_loops
        for _, part in self.parts():
            for _, table in part.tables():
                table.compiled = by_loops
        if by_loops:
            self.cells.use_loops()
        self.names = Names(network, self.layout, self.statistics, self.input, self.output, self.pairs, self.counts)
        """What applies schema changes."""

    # -- one step -------------------------------------------------------------------------------------------------

    def frame(self, batch: Batch) -> Frame:
        """Return the batch on the device, inputs and weights by what was seen so far."""
        features = self.layout.features
        numeric, missing = self.statistics.standardise(batch.numeric, features.numeric.live)
        self._live = {
            "numeric": torch.from_numpy(features.numeric.live).to(self.device),
            "projection": torch.from_numpy(features.categorical.live).to(self.device),
        }
        self._mutes = bool(self.layout.muted.any())
        weight = self.weights.of(batch.weight, seen=False)
        row_of = self.layout.keys.row_of
        # Row 0 is nobody's: that of a key without a row, and of an anonymous event.
        entity = np.array([0 if key is None else row_of.get(key, -1) + 1 for key in batch.keys], dtype=np.int64)
        return Frame.of(batch, numeric, missing, weight, entity, self.layout.matches, self.layout.offers, self.device)

    def forward(
        self, frame: Frame, *, training: bool = False, count_inputs: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the logits ``(P,)``; ``training`` asks for those of the training pass, where the two differ.

        ``count_inputs`` ``(P, inputs)`` stand in for the running counts (None: the counts as they are now).
        """
        self._hidden = self.trunk.forward(self.input.forward(frame), frame, training=training)
        alone = self.output.scores(self.trunk.rows_of(frame), self._hidden)
        self._alone = None if training or count_inputs is not None else alone
        self.count_inputs = self.counts.inputs(frame) if count_inputs is None else count_inputs
        """The running counts as inputs ``(P, inputs)`` of the last forward pass."""
        logits = self.pairs.forward(frame, self.count_inputs, alone)
        if not self._mutes:
            return logits
        prior = math.log(self.settings.prevalence / (1.0 - self.settings.prevalence))
        return logits.masked_fill_(self.layout.muted[frame.pair_slot], prior)

    def assess(self, frame: Frame, logits: torch.Tensor) -> Assessed:
        """Say what is published of the frame's pairs; ``logits`` are those of the last :meth:`forward`."""
        assert self._alone is not None
        return self.experts.assess(frame, self.counts.totals, self.count_inputs, self._alone, logits, self.layout.muted)

    def represent(self, frame: Frame) -> torch.Tensor:
        """Return the shared representation ``(B, hidden[-1])`` of each event: the plain trunk's last activations."""
        return self.trunk.represent(self.input.forward(frame))

    @property
    def keeps_posterior(self) -> bool:
        """Say whether :meth:`logit_variance` has anything to tell."""
        return any(part.keeps_posterior for _, part in self.parts())

    def logit_variance(self, frame: Frame) -> torch.Tensor | None:
        """Return the posterior variance float64 ``(P,)`` of the last :meth:`forward`'s logits, summed over the parts.

        None where no part keeps a posterior: then nothing is known of how sure the logits are.
        """
        seen = {"output": self.trunk.rows_of(frame)}
        known = [
            found for name, part in self.parts() if (found := part.logit_variance(seen.get(name, frame))) is not None
        ]
        return torch.stack(known).sum(0).masked_fill_(self.layout.muted[frame.pair_slot], 0.0) if known else None

    def see_weights(self, frame: Frame, weights: np.ndarray) -> None:
        """Give events about to be trained their ``weights`` ``(B,)``, relative to a mean that has taken them in."""
        frame.weigh(self.weights.of(weights, seen=True))

    def train(self, frame: Frame, logits: torch.Tensor, *, warming_up: bool) -> None:
        """Take one step on the batch of the last :meth:`forward`: BCE, summed over pairs, weighted by event."""
        self.descent.train(self, frame, logits, warming_up=warming_up)

    def backward(
        self, frame: Frame, logits: torch.Tensor, taken: torch.Tensor, descent: Descent, *, warming_up: bool
    ) -> None:
        """Go back over the last :meth:`forward` with the outcomes ``taken`` ``(P,)``, layer by layer."""
        gradient = (self._compiled_gradient if self.implementation == "compiled" else self._gradient)(
            frame, logits, taken
        )
        train_input = self.input.trains(warming_up=warming_up)
        passed = train_input or self.trunk.trains(warming_up=warming_up)
        rows = self.trunk.rows_of(frame)
        hidden = self.output.hidden_gradient(rows, gradient) if passed else None
        self.output.train(rows, logits, gradient, descent, warming_up=warming_up)
        self.pairs.train(frame, logits, gradient, descent, warming_up=warming_up)
        if hidden is None:
            return
        z = self.trunk.backward(hidden, descent, warming_up=warming_up)
        if train_input and z is not None:
            self.input.backward(frame, z, self._live, descent, warming_up=warming_up)

    def _gradient(self, frame: Frame, logits: torch.Tensor, taken: torch.Tensor) -> torch.Tensor:
        """Return the loss's gradient by logit ``(P,)``."""
        gradient = (torch.sigmoid(logits) - taken) * frame.weight[frame.pair_event]
        return gradient.masked_fill_(self.layout.muted[frame.pair_slot], 0.0)

    def _compiled_gradient(self, frame: Frame, logits: torch.Tensor, taken: torch.Tensor) -> torch.Tensor:
        from stream.network import output_kernels

        arrays, gradient = frame.arrays, torch.empty_like(logits)
        frame.information = torch.empty_like(logits)
        output_kernels.gradients(
            arrays.pair_event,
            arrays.pair_slot,
            taken.numpy(),
            arrays.weight,
            self.layout.muted.numpy(),
            logits.numpy(),
            gradient.numpy(),
            frame.information.numpy(),
        )
        return gradient

    def admit_keys(self, batch: Batch, now: int, *, warming_up: bool) -> None:
        """Give new keys rows of their own, zero and so without effect on the prediction."""
        # Touched first: a key whose row was in the prediction may not make room for another of its own batch.
        keys = [key for key in batch.keys if key is not None]
        known = [self.layout.keys.row_of[key] for key in keys if key in self.layout.keys.row_of]
        self.layout.keys.touch(np.array(known, dtype=np.int64), now)
        admitted, evicted = self.layout.keys.admit(dict.fromkeys(keys), now, may_evict=not warming_up)
        self.names.drop_keys(evicted)
        self.names.reserve()
        if warming_up and admitted:
            rows = [row + 1 for row in admitted]
            self.pairs.key_offer.fresh_rows[rows] = True
            self.pairs.key_value.fresh_rows[rows] = True

    def observe(self, batch: Batch, frame: Frame, now: int, *, warming_up: bool) -> int:
        """Move what moves with every trained event beside the counts: statistics, sightings and admissions.

        Returns how many numeric values float64 cannot tell from their input's others.
        """
        slots = live = self.layout.features.numeric.live
        if warming_up:
            slots = slots[self.statistics.new[slots]]
        self.statistics.update(batch.numeric, frame.numeric.cpu().numpy(), slots)
        unresolved = self.statistics.unresolved(batch.numeric, batch.rounded, live)
        rows = self.layout.rows
        np.add.at(rows.mass, batch.rows, batch.row_weight)
        np.add.at(rows.presence, batch.rows, 1.0)
        rows.last_seen[batch.rows] = now
        for vocabulary in rows.vocabularies.values():
            vocabulary.events += len(batch)
        before = rows.evictions
        open_rows = not warming_up or self.input.any_fresh
        admitted, evicted = rows.admit(batch.unseen, now, open_rows=open_rows, may_evict=not warming_up)
        self.layout.evictions += rows.evictions - before + self.cells.take_evictions()
        self.names.reserve()
        if evicted:
            self.names.release_rows(sorted(set(evicted)))
        named = [row for row in dict.fromkeys(admitted) if rows.owner[row] is not None]
        self.names.start_rows(named, fresh=warming_up)
        return unresolved

    def reaches(self, frame: Frame) -> np.ndarray:
        """Return which events ``(B,)`` reach a fresh part: the warm-up is judged by their loss."""
        if bool(self.input.bias.fresh[0]):
            return np.ones(frame.events, dtype=bool)
        reached = torch.zeros(frame.events, dtype=torch.bool, device=self.device)
        reached[frame.pair_event[self.output.offer.fresh[frame.pair_slot]]] = True
        reached[frame.row_event[self.input.projection.fresh[frame.row_slot]]] = True
        fresh = self.input.numeric.fresh.nonzero()[:, 0]
        reached |= (frame.missing[:, fresh] == 0).any(1)
        return np.asarray(reached.cpu().numpy())

    # -- freshness ------------------------------------------------------------------------------------------------

    def parts(self) -> tuple[tuple[str, Part], ...]:
        """Return the parts by name."""
        return ("input", self.input), ("trunk", self.trunk), ("output", self.output), ("pairs", self.pairs)

    def refresh_input(self) -> None:
        """Replace the input layer: fresh weights and optimiser state; vocabulary, statistics, counts and pairs stay."""
        rows = [row for row, _, _ in self.layout.rows.owners()]
        names = [self.layout.row_name(row) for row in rows]
        self.input.restart(self.layout.features.numeric.items(), self.layout.features.categorical.items(), rows, names)
        self.input.hasten(
            numeric=self.layout.features.numeric.slots(), categorical=self.layout.features.categorical.slots()
        )

    def refresh_output(self) -> None:
        """Replace the output layer: fresh weights and optimiser state; counts and pairs stay."""
        self.output.restart()

    def hold_backbone(self) -> None:
        """Freeze the input layer as it stands and the trunk for good; names that join later are not held."""
        self.input.hold()
        self.trunk.hold()

    def end_warmup(self) -> None:
        """End a warm-up: nothing is fresh any more."""
        for _, part in self.parts():
            part.end_warmup()
        self.statistics.new.fill(False)

    @property
    def any_fresh(self) -> bool:
        """Say whether a warm-up would have anything to train: rows admitted on sight alone do not count."""
        return self.input.any_fresh or self.trunk.any_fresh or self.output.any_fresh

    @property
    def replaced_layers(self) -> tuple[bool, bool]:
        """Say whether the input and the output layer are being warmed up as wholes, under a strategy that replaces."""
        return bool(self.input.bias.fresh[0]), bool(self.output.offer.fresh.any())
