"""The random effects of the keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from stream.adaptation.entry import Entry, MethodSettings, Seat
from stream.settings.fields import setting

__all__ = ["GlmixSettings"]


@dataclass(frozen=True)
class GlmixSettings(MethodSettings):
    """The keys' own weights as random effects with a posterior; prior mean 0."""

    prefix: ClassVar[str] = "glmix"
    methods: ClassVar[tuple[Entry, ...]] = (
        Entry(
            "glmix",
            Seat.KEYS,
            "The network is the fixed effect; each key has random effects with a posterior of their own.",
            keeps_posterior=True,
        ),
    )

    half_life_events: int = setting(
        0, "Events after which what was learned of a key weighs half; 0 never forgets.", minimum=0
    )
    value_precision: float = setting(30.0, "Prior precision of key x attribute value.", above=0)
    offer_precision: float = setting(30.0, "Prior precision of key x offer.", above=0)
    order: str = setting(
        "attributes-first",
        "Which of a key's weights are trained first; their new scores are in the offset of those that follow.",
        choices=("attributes-first", "offers-first"),
    )
    newton_steps: int = setting(3, "Bound on the Newton steps of one update.", minimum=1)
