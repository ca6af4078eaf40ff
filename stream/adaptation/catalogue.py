"""The strategies by name: what each does, in a sentence, and which go together. Nothing here needs torch.

A strategy is written as one name, or as parts joined by ``+``: each part takes a seat, and no two may share one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from stream.errors import ConfigurationError

__all__ = ["METHODS", "Entry", "Seat", "parse_strategy"]


class Seat(StrEnum):
    """The part of the learner that a method decides; a strategy has at most one method for each."""

    CHANGE = "what a schema change does to the layers"
    TRUNK = "what becomes of the trunk"
    TRAINING = "how every weight is trained"
    OUTPUT = "how the output layer is trained"
    KEYS = "how the keys' own weights are trained"
    TABLES = "how the tables of categorical values are trained"


@dataclass(frozen=True, slots=True)
class Entry:
    """One published way to adapt, or a control that it is compared with."""

    name: str
    seat: Seat
    sentence: str


METHODS: Final[dict[str, Entry]] = {
    entry.name: entry
    for entry in (
        Entry(
            "carry",
            Seat.CHANGE,
            "Keep what survives by name, add the new without changing the function, warm up only what is new.",
        ),
        Entry("carry-unfrozen", Seat.CHANGE, "As carry, without the frozen warm-up: everything trains at once."),
        Entry(
            "replace",
            Seat.CHANGE,
            "The paper's: a fresh input and/or output layer, all else frozen until it is warm, then all unfrozen.",
        ),
        Entry("replace-unfrozen", Seat.CHANGE, "As replace, without the frozen warm-up: everything trains at once."),
        Entry("scratch", Seat.CHANGE, "A control: all weights, statistics and counts start anew at each change."),
        Entry("never", Seat.CHANGE, "A control: features and offers added after the first version are ignored."),
        Entry(
            "bayes-network",
            Seat.TRAINING,
            "Sequential Bayes over all weights: one running quadratic, its diagonal from per-sample gradients.",
        ),
        Entry(
            "iak",
            Seat.TRUNK,
            "A bottleneck kernel after a frozen backbone: it first compresses what the backbone knows, then matches.",
        ),
        Entry(
            "tune-head",
            Seat.TRUNK,
            "A control: after pre-training, inputs that were there and the trunk stand still for good.",
        ),
        Entry(
            "mlet",
            Seat.TABLES,
            "Train each categorical table as a product with a wider inner dimension, merged exactly for serving.",
        ),
        Entry(
            "peterrec-serial",
            Seat.TRUNK,
            "PeterRec: patches after the matrices of a trunk frozen for good, a set of them for each task.",
        ),
        Entry(
            "peterrec-parallel",
            Seat.TRUNK,
            "PeterRec: patches beside the matrices of a trunk frozen for good, a set of them for each task.",
        ),
        Entry(
            "bayes-output",
            Seat.OUTPUT,
            "Each offer's weights are a logistic regression with a posterior, updated by sequential Bayes.",
        ),
        Entry(
            "glmix",
            Seat.KEYS,
            "The network is the fixed effect; each key has random effects with a posterior of their own.",
        ),
    )
}

_NO_BACKBONE: Final = "scratch starts a new network at each change, so that no backbone stays to be frozen."

# Pairs whose seats differ and that still do not go together, with the reason.
_REFUSED: Final[dict[frozenset[str], str]] = {
    frozenset({"bayes-network", "mlet"}): "only the product of two factors is identified, not the factors, so that a "
    "quadratic around them measures nothing. Use bayes-output with mlet, or bayes-network with single tables.",
    frozenset({"scratch", "peterrec-serial"}): _NO_BACKBONE,
    frozenset({"scratch", "peterrec-parallel"}): _NO_BACKBONE,
    frozenset({"scratch", "iak"}): _NO_BACKBONE,
    frozenset({"scratch", "tune-head"}): _NO_BACKBONE,
    frozenset({"iak", "bayes-network"}): (
        "the quadratic takes the step of every weight, and what of a kernel trains, and how fast, is up to its phases."
    ),
    frozenset({"bayes-network", "bayes-output"}): "each would keep a posterior of the offers' weights.",
    frozenset({"bayes-network", "glmix"}): "each would keep a posterior of the keys' weights.",
}


def parse_strategy(name: str) -> tuple[Entry, ...]:
    """Return the methods of a strategy, that of the seat CHANGE first (``carry`` where none is named).

    Raises ConfigurationError for an unknown part, for two parts of one seat, and for a pair that makes no sense.
    """
    entries = []
    for part in name.split("+"):
        if part not in METHODS:
            raise ConfigurationError(f"strategy = {name!r}: {part!r} is unknown. Use one of: {', '.join(METHODS)}.")
        entries.append(METHODS[part])
    if not any(entry.seat is Seat.CHANGE for entry in entries):
        entries.insert(0, METHODS["carry"])
    by_seat: dict[Seat, Entry] = {}
    for entry in entries:
        if entry.seat in by_seat:
            raise ConfigurationError(
                f"strategy = {name!r}: {by_seat[entry.seat].name} and {entry.name} both decide {entry.seat}. Keep one."
            )
        by_seat[entry.seat] = entry
    for pair, reason in _REFUSED.items():
        if pair <= {entry.name for entry in entries}:
            raise ConfigurationError(f"strategy = {name!r}: {' and '.join(sorted(pair))} do not go together: {reason}")
    return tuple(sorted(entries, key=lambda entry: list(Seat).index(entry.seat)))
