"""Exploration: what the model is unsure of comes forward, by the posterior of each logit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from stream.adaptation import METHODS
from stream.errors import ConfigurationError
from stream.learner.core import LearnerCore

__all__ = ["Exploration"]


@dataclass(frozen=True, slots=True)
class Exploration:
    """Scores that let what is uncertain come forward, by the posterior of the logit.

    `ucb`: the logit plus `width` standard deviations. `thompson`: a draw from the posterior, its standard
    deviation times `width`; one draw for each event and offer, so that the same seed over the same events repeats.
    Offers that share uncertain weights (those of a key and an attribute value) are drawn independently of each other.
    """

    kind: Literal["thompson", "ucb"]
    width: float
    generator: np.random.Generator

    @classmethod
    def of(
        cls, learner: LearnerCore, kind: Literal["thompson", "ucb"], *, width: float = 1.0, seed: int = 0
    ) -> Exploration:
        """Return the exploration of a learner; raises ConfigurationError if its strategy keeps no posterior."""
        if not learner.network.keeps_posterior:
            known = [entry.name for entry in METHODS.values() if entry.keeps_posterior]
            raise ConfigurationError(
                f"--explore {kind} needs to know how sure the model is, and the strategy {learner.settings.strategy!r} "
                f"keeps no posterior; train with one that does: {', '.join(known)}"
            )
        return cls(kind, width, np.random.default_rng(seed))

    def scores(self, logits: np.ndarray, variance: np.ndarray) -> np.ndarray:
        """Return the scores `(n,)` to rank by; Thompson's draws are taken in the order given."""
        drawn = self.generator.standard_normal(len(logits)) if self.kind == "thompson" else 1.0
        return np.asarray(logits + self.width * drawn * np.sqrt(variance))
