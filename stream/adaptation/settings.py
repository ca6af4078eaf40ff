"""How long a frozen warm-up may last, and what each method needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from stream.settings.fields import Section, setting

__all__ = [
    "BackboneSettings",
    "BayesSettings",
    "GlmixSettings",
    "IakSettings",
    "MletSettings",
    "PeterRecSettings",
    "WarmupSettings",
]


@dataclass(frozen=True)
class WarmupSettings(Section):
    """Bounds of the phase in which only the new or replaced part is trained; the method's source states none."""

    prefix: ClassVar[str] = "warmup"

    max_events: int = setting(
        128, "The bound on one warm-up; changes that join it may double it. Longer batches are never frozen.", minimum=1
    )
    window_events: int = setting(
        32, "Length of the two windows whose mean losses are compared; it is the shortest warm-up's half.", minimum=1
    )
    tolerance: float = setting(
        0.01, "The loss has flattened once a window is better than the one before by less than this share.", minimum=0
    )
    budget_share: float = setting(
        0.2, "The share of any so many events that may be spent frozen.", minimum=0, maximum=1
    )
    budget_events: int = setting(10_000, "The number of events that the share is taken of.", minimum=1)


@dataclass(frozen=True)
class BackboneSettings(Section):
    """The backbone that tune-head, PeterRec and IAK freeze for good."""

    prefix: ClassVar[str] = "backbone"

    pretrain_events: int = setting(
        5_000, "Events on which the backbone is trained before it is frozen for good.", minimum=1
    )


@dataclass(frozen=True)
class BayesSettings(Section):
    """Sequential Bayes: priors on the scale of a summed loss, forgetting, and how far precision is kept in full."""

    prefix: ClassVar[str] = "bayes"

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


@dataclass(frozen=True)
class MletSettings(Section):
    """The categorical tables as products of two factors."""

    prefix: ClassVar[str] = "mlet"

    inner: int = setting(0, "The inner dimension; 0: four times network.embedding_dim.", minimum=0)
    rows_rate: float = setting(0.1, "Rows of the wide factor, a row for each categorical value.", above=0)
    factor_rate: float = setting(0.003, "The narrow factor that each categorical feature has beside its rows.", above=0)


@dataclass(frozen=True)
class PeterRecSettings(Section):
    """The patches of PeterRec, and the tasks that each have a set of them."""

    prefix: ClassVar[str] = "peterrec"

    bottleneck: int = setting(
        0, "Units of a patch; 0 is an eighth of its layer's width, at least 4.", unit="units", minimum=0
    )
    patches: int = setting(
        0,
        "1: one in each hidden matrix; 2: one on the input layer's sum too, which only peterrec-serial can have and "
        "fold cannot; 0: 2 where that can be, else 1.",
        choices=(0, 1, 2),
    )
    rate: float = setting(5e-3, "Adam, weights of the patches.", above=0)
    after_warmup: str = setting(
        "keep",
        "keep trains a patch set on; fold moves its linear part into the backbone and starts it anew, which loses the "
        "rest (and is kept instead while two tasks live).",
        choices=("keep", "fold"),
    )
    task_attribute: str = setting("task", "Offers whose value of this attribute differs are different tasks.")
    tasks: int = setting(
        8, "Tasks that may live beside that of offers without the attribute; further ones share its patches.", minimum=0
    )

    def on_input(self, *, serial: bool) -> bool:
        """Say whether a patch stands on the input layer's sum."""
        return serial and self.patches != 1 and self.after_warmup == "keep"

    def check(self) -> None:
        """Refuse to fold what stands on the input layer, whose rows come and go."""
        if self.patches == 2 and self.after_warmup == "fold":
            raise self.wrong(
                "after_warmup", "cannot fold a patch of the input layer", "Use keep, or peterrec.patches = 0 or 1."
            )


@dataclass(frozen=True)
class IakSettings(Section):
    """IAK's kernel after the last hidden layer, of width h: its sizes, its two phases, its triggers, its domains."""

    prefix: ClassVar[str] = "iak"

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


@dataclass(frozen=True)
class GlmixSettings(Section):
    """The keys' own weights as random effects with a posterior; prior mean 0."""

    prefix: ClassVar[str] = "glmix"

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
