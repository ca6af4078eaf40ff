"""An output layer whose offers are logistic regressions with a posterior, on what the trunk says of an event.

`logit(e, o) = [h(e), 1] . theta_o + the rest`, where the rest (attribute values, keys, counts, the wide part) is the
regression's offset. The posterior belongs to the trunk that it was measured on; while the trunk moves, forgetting is
what absorbs its motion. Attribute values are shared by offers and are trained as in the plain layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch

from stream.adaptation.bayes.posterior import LogisticPosterior
from stream.adaptation.bayes.settings import BayesSettings
from stream.encoding.slots import SlotRegistry
from stream.network.descent import Descent
from stream.network.frame import Frame
from stream.network.output_layer import OutputLayer
from stream.network.settings import NetworkSettings, OptimiserSettings
from stream.state import Tree

__all__ = ["BayesOutputLayer"]

_TOLERANCE_NATS = 1e-3
"""A Newton step that promises less than this comes closer to the mode than its square: it needs no other."""


class BayesOutputLayer(OutputLayer):
    """Weights and biases of offers by sequential Bayes, in full precision or diagonal; float64 where it matters.

    `clock` is the number of events trained; forgetting goes by it, and what an offer missed is made up for at its
    next update, exactly.
    """

    keeps_posterior = True

    def __init__(
        self,
        network: NetworkSettings,
        optimiser: OptimiserSettings,
        bayes: BayesSettings,
        offers: Callable[[], SlotRegistry],
        device: torch.device,
    ) -> None:
        super().__init__(network, optimiser, device)
        self.device = device
        self._settings = bayes
        self._offers = offers
        width = network.hidden[-1]
        self.prior = torch.full((width + 1,), bayes.output_precision, dtype=torch.float64, device=device)
        self.prior[width] = bayes.bias_precision
        self.full = True
        self.clock = 0
        self.failed_updates = 0
        """Updates that found no finite step, and so left an offer as it was."""
        self.updated = torch.zeros(0, dtype=torch.int64, device=device)
        """The clock at each offer's last update."""
        self.precision = LogisticPosterior.start(self.prior, full=True).expand(0, -1)
        self._covariance: torch.Tensor | None = None

    # -- names ----------------------------------------------------------------------------------------------------

    def make_room(self) -> bool:
        """Give every live offer a posterior; return whether the bound has just made precision diagonal, for good."""
        slots, live = len(self._offers().names), len(self._offers())
        switched = self.full and live * len(self.prior) ** 2 > self._settings.full_cells
        if switched:
            self.precision = self._posterior(torch.arange(len(self.precision))).marginal()
            self.full = False
        extra = slots - len(self.precision)
        if extra > 0:
            start = LogisticPosterior.start(self.prior, full=self.full)
            self.precision = torch.cat([self.precision, start.expand(extra, -1)])
            self.updated = torch.nn.functional.pad(self.updated, (0, extra))
        self._covariance = None
        return switched

    def clear_offers(self, slots: list[int], *, fresh: bool) -> None:
        """Zero the rows of offers, say whether they are fresh, and forget what was known of them."""
        super().clear_offers(slots, fresh=fresh)
        known = [slot for slot in slots if slot < len(self.precision)]
        self.precision[known] = LogisticPosterior.start(self.prior, full=self.full)
        self.updated[known] = 0

    def restart(self) -> None:
        """Replace the layer: every row zero and fresh, every posterior the prior."""
        super().restart()
        self.clear_offers(list(range(len(self.precision))), fresh=True)

    # -- passes ---------------------------------------------------------------------------------------------------

    def train(
        self,
        frame: Frame,
        logits: torch.Tensor,
        gradient: torch.Tensor,
        descent: Descent,
        *,
        warming_up: bool,
    ) -> None:
        """Take the batch into the offers' posteriors, then train the attribute values as ever."""
        self.clock += len(frame.ts)  # an event may have a row for each of several tasks
        self._covariance = None
        self._update_offers(frame, logits, gradient, warming_up=warming_up)
        designs = self._designs(frame, warming_up=warming_up)
        _, by_value = self._by_score(frame, gradient)
        _, information = self._by_slot(frame, self._information(frame, logits, gradient))
        self._train_rows((self.value, self.value_bias), by_value, information, designs, descent, warming_up=warming_up)

    def _update_offers(self, frame: Frame, logits: torch.Tensor, gradient: torch.Tensor, *, warming_up: bool) -> None:
        # Without a gradient a pair has no curvature either, or it is none of ours (an offer that is ignored).
        heard = gradient != 0
        open_rows = self.offer.trained(warming_up=warming_up)
        if open_rows is not None:
            heard &= torch.isin(frame.pair_slot, open_rows)
        event, slot = frame.pair_event[heard], frame.pair_slot[heard]
        if not len(slot):
            return
        slots, group = torch.unique(slot, return_inverse=True)
        design = self._design(self._hidden)
        posterior = self._posterior(slots)

        def dense(values: torch.Tensor) -> torch.Tensor:
            full = torch.zeros(len(slots), frame.events, dtype=torch.float64, device=self.device)
            full[group, event] = values.to(torch.float64)
            return full

        own = (posterior.mean @ design.T)[group, event]
        failed = posterior.update(
            design,
            dense(frame.taken[heard]),
            dense(logits[heard].to(torch.float64) - own),
            dense(frame.weight[event]),
            self._kept(self.clock - self.updated[slots]),
            steps=self._settings.newton_steps,
            tolerance=_TOLERANCE_NATS,
        )
        self.failed_updates += int(failed.sum())
        done = ~failed
        self.offer.weight[slots[done]] = posterior.mean[done, :-1].to(torch.float32)
        self.offer_bias.weight[slots[done]] = posterior.mean[done, -1].to(torch.float32)
        self.precision[slots[done]] = posterior.precision[done]
        self.updated[slots[done]] = self.clock

    def logit_variance(self, frame: Frame) -> torch.Tensor:
        """Return `h' precision^-1 h` `(P,)` of the last forward's pairs, after what was forgotten by now."""
        if self._covariance is None:
            slots = torch.arange(len(self.precision), device=self.device)
            posterior = self._posterior(slots)
            posterior.precision = posterior.faded(self._kept(self.clock - self.updated))
            self._covariance = posterior.covariance()
        design = self._design(self._hidden)
        if not self.full:
            return (design.square() @ self._covariance.T)[frame.pair_event, frame.pair_slot]
        variance = torch.empty(len(frame.pair_slot), dtype=torch.float64, device=self.device)
        for slot in torch.unique(frame.pair_slot).tolist():
            pairs = (frame.pair_slot == slot).nonzero()[:, 0]
            rows = design[frame.pair_event[pairs]]
            variance[pairs] = ((rows @ self._covariance[slot]) * rows).sum(1)
        return variance

    def _design(self, hidden: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.pad(hidden.to(torch.float64), (0, 1), value=1.0)

    def _posterior(self, slots: torch.Tensor) -> LogisticPosterior:
        mean = torch.cat([self.offer.weight[slots], self.offer_bias.weight[slots][:, None]], 1).to(torch.float64)
        return LogisticPosterior(mean, self.precision[slots], self.prior, full=self.full)

    def _kept(self, age_events: torch.Tensor) -> torch.Tensor:
        """Return the share `(G,)` of what was learned that is left at this age."""
        half_life = self._settings.half_life_events
        age = age_events.clamp_min(0).to(torch.float64)
        return torch.pow(0.5, age / half_life) if half_life else torch.ones_like(age)

    # -- state ----------------------------------------------------------------------------------------------------

    def extra_state(self) -> Tree:
        """Return the posteriors, slot by slot, and the clock."""
        return {
            **super().extra_state(),
            "full": self.full,
            "clock": self.clock,
            "failed_updates": self.failed_updates,
            "precision": self.precision.cpu().numpy(),
            "updated": self.updated.cpu().numpy(),
        }

    def restore_extra(self, tree: Tree) -> None:
        """Take back what `extra_state` returned."""
        super().restore_extra(tree)
        self.full, self.clock = bool(tree["full"]), int(tree["clock"])
        self.failed_updates = int(tree["failed_updates"])
        self.precision = torch.from_numpy(tree["precision"].copy()).to(self.device)
        self.updated = torch.from_numpy(tree["updated"].copy()).to(self.device)
        self._covariance = None

    def named_extra(self) -> Iterator[tuple[str, object]]:
        """Yield each offer's posterior by its name."""
        yield from super().named_extra()
        yield "posterior", [self.full, self.clock, self.failed_updates]
        for name, slot in self._offers().items():
            yield f"precision/{name}", self.precision[slot].cpu().numpy()
            yield f"updated/{name}", int(self.updated[slot])

    def frozen_extra(self) -> Iterator[tuple[str, object]]:
        """Yield the posteriors of offers that are not fresh."""
        yield from super().frozen_extra()
        for name, slot in self._offers().items():
            if not self.offer.fresh[slot]:
                yield f"frozen/{name}", np.append(self.precision[slot].cpu().numpy(), float(self.updated[slot]))
