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
from stream.network.pair_cells import KEY_OFFER, KEY_VALUE, PairCells
from stream.network.pairs import PairPart
from stream.network.places import Places
from stream.network.settings import NetworkSettings, OptimiserSettings
from stream.state import Tree

__all__ = ["RandomEffects"]


class RandomEffects(PairPart):
    """The pair part with posteriors in the place of the key tables; `clock` is the number of events trained."""

    keeps_posterior = True

    def __init__(
        self,
        network: NetworkSettings,
        optimiser: OptimiserSettings,
        glmix: GlmixSettings,
        attributes: Callable[[], SlotRegistry],
        cells: PairCells,
        seed: int,
        device: torch.device,
    ) -> None:
        super().__init__(network, optimiser, cells, seed, device)
        self._attributes = attributes
        self._offers_first = glmix.order == "offers-first"
        self.clock = 0

        def posteriors(prior: float, counts: int) -> PosteriorTable:
            return PosteriorTable(
                capacity=network.pair_cells,
                counts=counts,
                prior=prior,
                half_life_events=glmix.half_life_events,
                steps=glmix.newton_steps,
                device=device,
            )

        cells.key_offer = posteriors(glmix.offer_precision, len(KEY_OFFER))
        cells.key_value = posteriors(glmix.value_precision, len(KEY_VALUE))

    def _train_keys(
        self,
        frame: Frame,
        places: Places,
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
        owners = frame.entity[frame.pair_event]
        for table, cell, column in self._coordinates(frame, places):
            has = (column[heard] >= 0).nonzero()[:, 0]
            pair = heard[has]
            trained = table.trained(owners[pair].numpy(), column[pair].numpy(), warming_up=warming_up)
            pairs = CellPairs(
                cell[pair],
                torch.from_numpy(trained),
                frame.taken[pair].to(torch.float64),
                frame.weight[frame.pair_event[pair]].to(torch.float64),
            )
            newest = newest.index_copy(0, has, table.update(pairs, newest[has], self.clock))

    def _coordinates(self, frame: Frame, places: Places) -> Iterator[tuple[PosteriorTable, torch.Tensor, torch.Tensor]]:
        """Yield each coordinate's table with the cell and the column `(P,)` of each pair; attributes by their names.

        A pair has no cell below 0, and no column if its offer lacks the attribute.
        """
        columns = torch.from_numpy(frame.columns[frame.arrays.pair_slot])
        by_offer = self.key_offer, self._put(places.offer_cell), frame.pair_slot
        values = torch.nn.functional.pad(self._put(places.value_cell), (0, 1), value=-1)
        if self._offers_first:
            yield by_offer
        for _, slot in sorted(self._attributes().items()):
            yield self.key_value, values[self._put(places.pair_value[:, slot])], columns[:, slot]
        if not self._offers_first:
            yield by_offer

    @property
    def key_offer(self) -> PosteriorTable:
        """The posteriors of keys and offers."""
        assert isinstance(self.cells.key_offer, PosteriorTable)
        return self.cells.key_offer

    @property
    def key_value(self) -> PosteriorTable:
        """The posteriors of keys and attribute values."""
        assert isinstance(self.cells.key_value, PosteriorTable)
        return self.cells.key_value

    def logit_variance(self, frame: Frame) -> torch.Tensor:
        """Return the summed variance `(P,)` of each pair's cells, after what was forgotten by now."""
        variance = torch.zeros(len(frame.pair_slot), dtype=torch.float64)
        for table, cell, column in self._coordinates(frame, self.cells.places(frame)):
            variance += torch.where(column >= 0, table.variance(cell, self.clock), 0.0)
        return variance

    def extra_state(self) -> Tree:
        """Return the clock; the posteriors are tables."""
        return {"clock": self.clock}

    def restore_extra(self, tree: Tree) -> None:
        """Take back what `extra_state` returned."""
        self.clock = int(tree["clock"])

    def named_extra(self) -> Iterator[tuple[str, object]]:
        """Yield the clock."""
        yield "clock", self.clock
