"""Sizes, bounds and learning rates of the network; every bound on memory that grows with names stands here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from stream.settings.fields import Section, setting

__all__ = ["NetworkSettings", "OptimiserSettings"]


@dataclass(frozen=True)
class NetworkSettings(Section):
    """The shape of the network and the bounds of what grows with names."""

    prefix: ClassVar[str] = "network"

    hidden: tuple[int, ...] = setting((128, 128), "Widths of the hidden layers, first to last.", minimum=1)
    embedding_dim: int = setting(8, "Width of a categorical value's row.", minimum=1)
    entity_embedding: bool = setting(True, "Let the event's key be an input of its own.")
    vocabulary_capacity: int = setting(
        100_000, "Values kept per categorical feature; the longest unseen leave.", minimum=1
    )
    admission_count: int = setting(2, "Sightings after which a value owns a row of its own.", minimum=1)
    candidate_capacity: int = setting(100_000, "Not yet admitted values counted per categorical feature.", minimum=1)
    entity_capacity: int = setting(100_000, "Keys with weights and counts of their own.", minimum=1)
    departed_capacity: int = setting(10_000, "Attribute values kept after their last offer has left.", minimum=1)
    attributes: int = setting(4, "Offer attributes that share weights; further ones are ignored.", minimum=1)
    pair_cells: int = setting(
        4_000_000,
        "Cells kept of each kind (key x offer, key x attribute value, input value x attribute value), of pairs that "
        "occurred; the longest unseen leave.",
        minimum=1,
    )
    pair_hidden: int = setting(16, "Hidden units over the running counts of a pair.", minimum=1)
    count_half_life_days: float = setting(28.0, "Event time after which a recent count counts half.", above=0)
    kernels: str = setting(
        "auto",
        "auto compiles the loops over pairs if it can; plain never does; the two agree up to rounding.",
        choices=("auto", "plain"),
    )
    prevalence: float = setting(0.02, "Assumed rate of a label before anything was seen.", above=0, below=1)

    def check(self) -> None:
        """Refuse a network without a hidden layer."""
        if not self.hidden:
            raise self.wrong("hidden", "has no layer", "Give one width at least, as in [128].")


@dataclass(frozen=True)
class OptimiserSettings(Section):
    """Learning rates by part, for gradients summed over the batch."""

    prefix: ClassVar[str] = "optimiser"

    step_events: int = setting(
        32,
        "Events in one gradient step; a larger batch is predicted at once and trained in several.",
        minimum=1,
    )
    step_age: int = setting(
        32,
        "A step has at most this part of the events trained before it (and two at least); 0: always whole.",
        minimum=0,
    )

    dense_rate: float = setting(4e-3, "Adam, dense weights of the input layer.", above=0)
    hidden_rate: float = setting(3e-4, "Adam, weights between hidden layers.", above=0)
    embedding_method: Literal["adagrad", "sgd"] = setting(
        "adagrad", "How rows of categorical values are trained.", choices=("adagrad", "sgd")
    )
    embedding_rate: float = setting(0.2, "Rows of categorical values.", above=0)
    output_rate: float = setting(0.17, "Share of a Newton step, weights and biases of offers.", above=0)
    value_rate: float = setting(0.025, "Share of a Newton step, weights and biases of attribute values.", above=0)
    output_damping: float = setting(
        4.0, "Curvature that every weight of the output layer has at first; more is slower.", above=0
    )
    output_half_life_events: int = setting(
        20_000, "Events of an offer after which its curvature counts half; 0 never forgets.", minimum=0
    )
    output_window_events: int = setting(
        1_000, "Events over which the second moment of the hidden activations is measured.", minimum=1
    )
    entity_rate: float = setting(0.01, "Adagrad, key x offer and key x attribute value.", above=0)
    wide_rate: float = setting(0.005, "Adagrad, input value x attribute value.", above=0)
    flag_rate: float = setting(0.05, "Adagrad, weight of an input value that is an offer's attribute value.", above=0)
    pair_rate: float = setting(4e-3, "Adam, weights over the counts of a pair.", above=0)
    accumulator: float = setting(
        0.1, "Where Adagrad's sums of squares start, in squared loss gradients of one event.", above=0
    )

    def step_of(self, events_trained: int) -> int:
        """Return how many events a gradient step has.

        What one event teaches a young network changes what the next one should: it takes shorter steps, and more.
        """
        return min(self.step_events, max(2, events_trained // self.step_age)) if self.step_age else self.step_events
