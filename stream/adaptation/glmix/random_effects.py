"""The keys' own weights as random effects beside the network's fixed one (GLMix; photon-ml, 2108.13299).

The network's logit is the offset of a small model of each key: a cell for the offer and one for each of its attribute
values. These are the coordinates: trained one after the other, each with the others' newest scores in its offset.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from stream.adaptation.glmix.posterior_table import CellPairs, PosteriorTable
from stream.adaptation.glmix.settings import GlmixSettings
from stream.encoding.slots import SlotRegistry
from stream.network.descent import Descent
from stream.network.frame import Frame
from stream.network.pairs import PairPart
from stream.network.settings import NetworkSettings, OptimiserSettings
from stream.state import Tree

__all__ = ["RandomEffects"]


class RandomEffects(PairPart):
    """The pair part with posteriors in the place of the key tables; ``clock`` is the number of events trained."""

    keeps_posterior = True

    def __init__(
        self,
        network: NetworkSettings,
        optimiser: OptimiserSettings,
        glmix: GlmixSettings,
        attributes: Callable[[], SlotRegistry],
        seed: int,
        device: torch.device,
    ) -> None:
        super().__init__(network, optimiser, seed, device)
        self._attributes = attributes
        self._offers_first = glmix.order == "offers-first"
        self.clock = 0

        def posteriors(prior: float) -> PosteriorTable:
            return PosteriorTable(
                prior=prior, half_life_events=glmix.half_life_events, steps=glmix.newton_steps, device=device
            )

        self.key_offer: PosteriorTable = posteriors(glmix.offer_precision)
        self.key_value: PosteriorTable = posteriors(glmix.value_precision)

    def _train_keys(
        self,
        frame: Frame,
        logits: torch.Tensor,
        gradient: torch.Tensor,
        by_value: torch.Tensor,
        descent: Descent,
        *,
        warming_up: bool,
    ) -> None:
        # Without a gradient a pair has no curvature either, or it is none of ours (an offer that is ignored).
        heard = (gradient != 0).nonzero()[:, 0]
        newest = logits[heard].to(torch.float64)
        self.clock += frame.events
        for table, columns in self._coordinates(frame):
            column = columns[heard]
            has = (column < table.weight.shape[1]).nonzero()[:, 0]
            pair = heard[has]
            event = frame.pair_event[pair]
            cells = CellPairs(
                frame.entity[event],
                column[has],
                frame.taken[pair].to(torch.float64),
                frame.weight[event].to(torch.float64),
            )
            newest = newest.index_copy(0, has, table.update(cells, newest[has], self.clock, warming_up=warming_up))

    def _coordinates(self, frame: Frame) -> Iterator[tuple[PosteriorTable, torch.Tensor]]:
        """Yield each coordinate's table with the column ``(P,)`` that each pair reads; attributes by their names."""
        if self._offers_first:
            yield self.key_offer, frame.pair_slot
        for _, slot in sorted(self._attributes().items()):
            yield self.key_value, frame.pair_columns[:, slot]
        if not self._offers_first:
            yield self.key_offer, frame.pair_slot

    def logit_variance(self, frame: Frame) -> torch.Tensor:
        """Return the summed variance ``(P,)`` of each pair's cells, after what was forgotten by now."""
        rows = frame.entity[frame.pair_event]
        variance = torch.zeros(len(rows), dtype=torch.float64, device=rows.device)
        for table, columns in self._coordinates(frame):
            has = (columns < table.weight.shape[1]).nonzero()[:, 0]
            variance[has] += table.variance(rows[has], columns[has], self.clock)
        return variance

    def extra_state(self) -> Tree:
        """Return the clock; the posteriors are tables."""
        return {"clock": self.clock}

    def restore_extra(self, tree: Tree) -> None:
        """Take back what :meth:`extra_state` returned."""
        self.clock = int(tree["clock"])

    def named_extra(self) -> Iterator[tuple[str, object]]:
        """Yield the clock."""
        yield "clock", self.clock
