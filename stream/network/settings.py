"""Sizes, bounds and learning rates of the network; every bound on memory that grows with names stands here."""

from __future__ import annotations

from dataclasses import dataclass, field

from stream.errors import ConfigurationError

__all__ = ["NetworkSettings", "OptimiserSettings"]


def _positive(section: str, **values: float) -> None:
    for name, value in values.items():
        if not value > 0:
            raise ConfigurationError(f"{section}.{name} is {value}; it must be above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """The shape of the network and the bounds of what grows with names."""

    hidden: tuple[int, ...] = field(default=(128, 64), metadata={"help": "widths of the hidden layers, first to last"})
    embedding_dim: int = field(default=8, metadata={"help": "width of a categorical value's row"})
    entity_embedding: bool = field(default=True, metadata={"help": "let the event's key be an input of its own"})
    vocabulary_capacity: int = field(
        default=100_000, metadata={"help": "values kept per categorical feature; the longest unseen leave"}
    )
    admission_count: int = field(default=2, metadata={"help": "sightings after which a value owns a row of its own"})
    candidate_capacity: int = field(
        default=100_000, metadata={"help": "not yet admitted values counted per categorical feature"}
    )
    entity_capacity: int = field(default=100_000, metadata={"help": "keys with weights and counts of their own"})
    departed_capacity: int = field(
        default=10_000, metadata={"help": "attribute values kept after their last offer has left"}
    )
    attributes: int = field(default=4, metadata={"help": "offer attributes that share weights; further ones are ignored"})
    pair_cells: int = field(
        default=16_000_000, metadata={"help": "cells of each pair table (key or input value x offer or attribute value)"}
    )
    pair_hidden: int = field(default=16, metadata={"help": "hidden units over the running counts of a pair"})
    count_half_life_events: float = field(default=10_000.0, metadata={"help": "half-life of the decayed offer counts"})
    prevalence: float = field(default=0.02, metadata={"help": "assumed rate of a label before anything was seen"})

    def __post_init__(self) -> None:
        if not self.hidden or any(width < 1 for width in self.hidden):
            raise ConfigurationError(f"network.hidden is {list(self.hidden)}; give at least one width above 0")
        if not 0 < self.prevalence < 1:
            raise ConfigurationError(f"network.prevalence is {self.prevalence}; it must lie between 0 and 1")
        _positive(
            "network",
            embedding_dim=self.embedding_dim,
            vocabulary_capacity=self.vocabulary_capacity,
            admission_count=self.admission_count,
            candidate_capacity=self.candidate_capacity,
            entity_capacity=self.entity_capacity,
            departed_capacity=self.departed_capacity,
            attributes=self.attributes,
            pair_cells=self.pair_cells,
            pair_hidden=self.pair_hidden,
            count_half_life_events=self.count_half_life_events,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimiserSettings:
    """Learning rates by part: tables that are touched rarely want larger steps than the trunk."""

    trunk_rate: float = field(default=1e-3, metadata={"help": "Adam, trunk and dense input weights"})
    embedding_rate: float = field(default=0.05, metadata={"help": "Adagrad, rows of categorical values"})
    output_rate: float = field(default=0.05, metadata={"help": "Adagrad, offer and attribute weights"})
    bias_rate: float = field(default=0.05, metadata={"help": "Adagrad, offer and attribute biases"})
    entity_rate: float = field(default=0.1, metadata={"help": "Adagrad, key x offer and key x attribute value"})
    wide_rate: float = field(default=0.05, metadata={"help": "Adagrad, input value x attribute value"})
    pair_rate: float = field(default=2e-3, metadata={"help": "Adam, weights over the counts of a pair"})
    accumulator: float = field(
        default=0.1, metadata={"help": "where Adagrad's sums of squares start, in squared loss gradients of one event"}
    )

    def __post_init__(self) -> None:
        _positive("optimiser", **{name: getattr(self, name) for name in self.__slots__})
