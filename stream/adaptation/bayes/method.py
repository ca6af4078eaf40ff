"""The two methods of sequential Bayes, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.adaptation.bayes.network import BayesNetwork
from stream.adaptation.bayes.output import BayesOutput
from stream.adaptation.bayes.quadratic import Quadratic
from stream.adaptation.method import Method

if TYPE_CHECKING:
    from stream.settings.learner import LearnerSettings

__all__ = ["build"]


def build(name: str, settings: LearnerSettings) -> Method:
    """Return `bayes-network` or `bayes-output`."""
    if name == "bayes-output":
        return BayesOutput(settings)
    bayes = settings.bayes
    return BayesNetwork(
        Quadratic(
            seed=settings.seed,
            prior_precision=bayes.prior_precision,
            half_life_events=bayes.half_life_events,
            bound=bayes.step_bound,
            output_step=bayes.output_step,
        )
    )
