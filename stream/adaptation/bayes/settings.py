"""Priors, forgetting and bounds of sequential Bayes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from stream.adaptation.entry import Entry, MethodSettings, Seat
from stream.settings.fields import setting

__all__ = ["BayesSettings"]


@dataclass(frozen=True)
class BayesSettings(MethodSettings):
    """Sequential Bayes: priors on the scale of a summed loss, forgetting, and how far precision is kept in full."""

    prefix: ClassVar[str] = "bayes"
    methods: ClassVar[tuple[Entry, ...]] = (
        Entry(
            "bayes-network",
            Seat.TRAINING,
            "Sequential Bayes over all weights: one running quadratic, its diagonal from per-sample gradients.",
            keeps_posterior=True,
            refuses={
                "mlet": "only the product of two factors is identified, not the factors, so that a quadratic around "
                "them measures nothing. Use bayes-output with mlet, or bayes-network with single tables.",
                "bayes-output": "each would keep a posterior of the offers' weights.",
                "glmix": "each would keep a posterior of the keys' weights.",
            },
        ),
        Entry(
            "bayes-output",
            Seat.OUTPUT,
            "Each offer's weights are a logistic regression with a posterior, updated by sequential Bayes.",
            keeps_posterior=True,
        ),
    )

    half_life_events: int = setting(
        20_000, "Events after which what was learned weighs half; 0 never forgets.", minimum=0
    )
    prior_precision: float = setting(
        30.0, "Prior precision of a weight, whose prior mean is 0, under bayes-network.", above=0
    )
    output_precision: float = setting(
        30.0, "Prior precision of an offer's weight on a hidden activation, under bayes-output.", above=0
    )
    bias_precision: float = setting(20.0, "Prior precision of an offer's bias, under bayes-output.", above=0)
    full_cells: int = setting(
        16_000_000, "Live offers x (hidden width + 1)^2 up to which precision is full; beyond, diagonal.", minimum=0
    )
    step_bound: float = setting(
        1.0, "The whole network's steps are cut at so many times a table's learning rate.", above=0
    )
    output_step: float = setting(
        0.02, "What stands for a learning rate in the output layer, under bayes-network.", above=0
    )
    newton_steps: int = setting(3, "Bound on the Newton steps of one update.", minimum=1)
