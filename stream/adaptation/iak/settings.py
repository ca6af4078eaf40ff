"""A kernel's sizes, phases, triggers and domains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from stream.adaptation.entry import NO_BACKBONE, Entry, MethodSettings, Seat
from stream.settings.fields import setting

__all__ = ["IakSettings"]


@dataclass(frozen=True)
class IakSettings(MethodSettings):
    """IAK's kernel after the last hidden layer, of width h: its sizes, its two phases, its triggers, its domains."""

    prefix: ClassVar[str] = "iak"
    methods: ClassVar[tuple[Entry, ...]] = (
        Entry(
            "iak",
            Seat.TRUNK,
            "A bottleneck kernel after a frozen backbone: it first compresses what the backbone knows, then matches.",
            refuses={
                "scratch": NO_BACKBONE,
                "bayes-network": "the quadratic takes the step of every weight, and what of a kernel trains, and how "
                "fast, is up to its phases.",
            },
        ),
    )

    shape_the_model: ClassVar[frozenset[str]] = frozenset({"width", "inner", "domain_feature"})

    width: int = setting(0, "Width r of the bottleneck; 0 is h / 4.", minimum=0)
    inner: int = setting(0, "Hidden units of encoder and decoder; 0 is h / 2.", minimum=0)
    beta: float = setting(1e-3, "Weight of the KL in nats per event beside the event's summed BCE.", minimum=0)
    alpha: float = setting(
        0.01, "Weight of the squared distance of what is kept from what was there, fading over phase 1.", minimum=0
    )
    phase_events: int = setting(500, "Length of phase 1, and of phase 2, in events that a kernel saw.", minimum=1)
    rate: float = setting(3e-3, "Adam, weights of a kernel.", above=0)
    steady_share: float = setting(
        0.3, "Share of that rate at which a kernel is trained after both phases; 0 leaves it as it is.", minimum=0
    )
    stochastic: bool = setting(
        True, "Draw noise in the bottleneck while training; false is a control of equal size without noise and KL."
    )
    on_schema: bool = setting(True, "A schema version that leaves something new starts both phases.")
    on_drift: bool = setting(True, "A detected drift of the loss starts both phases.")
    domain_feature: str = setting(
        "", "Categorical or boolean feature whose values have a kernel each; empty: one kernel for all events."
    )
    domains_max: int = setting(16, "Domains with a kernel of their own; further ones share the common one.", minimum=1)
    domain_batch_events: int = setting(
        64, "Events of a domain that its gradient is gathered over for one step with their mean.", minimum=1
    )
