"""The arms of the comparison: each a way to adapt, by name, with the settings that make it and a sentence about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from stream.errors import ConfigurationError

__all__ = [
    "ARMS",
    "BASELINES",
    "DEFAULT",
    "ORACLE",
    "Arm",
    "arm_named",
    "beta_arm",
    "half_life_arm",
    "inner_arm",
    "patch_arm",
    "sgd_arm",
    "table_arm",
    "warmup_arm",
]

Kind = Literal["online", "retrain", "oracle", "peer", "baseline"]

DEFAULT: Final = "carry"
"""The arm that the others are compared with."""
ORACLE: Final = "oracle"


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to adapt.

    Attributes:
        name: what the report calls it.
        family: what it belongs with in tables and plots.
        kind: how it is run: one pass, refits every so many events, refits at every change, another library, or a
            baseline of the contract, which only counts and gives no probability.
        overrides: settings by dotted key, as `--set` takes them, on top of the defaults and of the stream's own.
        sentence: what it does.
        every_events: of a refit: how far apart refits are.
    """

    name: str
    family: str
    kind: Kind
    overrides: Mapping[str, str] = field(hash=False)
    sentence: str
    every_events: int = field(default=0)


def _online(name: str, family: str, sentence: str, strategy: str = "", **overrides: str) -> Arm:
    settings = {key.replace("__", "."): value for key, value in overrides.items()}
    return Arm(name, family, "online", {"strategy": strategy or name, **settings}, sentence)


def _retrain(every: int) -> Arm:
    return Arm(
        f"retrain-{every // 1000}k",
        "refits",
        "retrain",
        {"strategy": "carry"},
        f"Fresh weights every {every:,} events, trained on everything so far; in between the model stands still.",
        every,
    )


_MAIN: Final = (
    _online("carry", "transfer", "Keep what survives by name, warm up only what is new."),
    _online("carry-unfrozen", "transfer", "As carry, without the frozen warm-up."),
    _online("replace", "transfer", "Fresh layer where the schema touched it, all else frozen until it is warm."),
    _online("replace-unfrozen", "transfer", "As replace, without the frozen warm-up."),
    _online("scratch", "transfer", "Everything new at each change."),
    _online("never", "controls", "Ignore the new names; lose the removed ones."),
    _online("tune-head", "controls", "The backbone stands still after a pre-training; only the output layer learns."),
    _online("peterrec-serial", "PeterRec", "Patches behind the frozen trunk's layers, and the new layers, learn."),
    _online("peterrec-parallel", "PeterRec", "Patches beside the frozen trunk's layers, and the new layers, learn."),
    _online("iak", "IAK", "A two-phase information-bottleneck kernel on a frozen backbone."),
    _online(
        "iak-deterministic",
        "IAK",
        "An adapter of the kernel's size without noise and without the KL term.",
        "iak",
        iak__stochastic="false",
        iak__beta="0",
    ),
    _online("bayes-output", "Bayes", "The output layer as per-offer logistic regressions with a running posterior."),
    _online(
        "bayes-output-diagonal",
        "Bayes",
        "The same with a diagonal precision.",
        "bayes-output",
        bayes__full_cells="0",
    ),
    _online(
        "tune-head+bayes-output", "Bayes", "A Bayesian output layer on a trunk that stands still: there it is exact."
    ),
    _online("bayes-network", "Bayes", "The whole network under one running quadratic with a diagonal Fisher."),
    _online("glmix", "Bayes", "A small model per entity with its own posterior on top of the network's logit."),
    _online("carry+mlet", "MLET", "As carry, each categorical table the product of two wider factors.", "carry+mlet"),
    _online("replace+mlet", "MLET", "As replace, with factored tables."),
    _online("peterrec-serial+bayes-output", "combined", "Patches in a frozen trunk under a Bayesian output layer."),
    _online("iak+bayes-output", "combined", "A kernel on a frozen backbone under a Bayesian output layer."),
    _online("bayes-output+mlet", "combined", "A Bayesian output layer over factored tables."),
    _retrain(1_000),
    _retrain(5_000),
    _retrain(20_000),
    Arm(
        ORACLE,
        "refits",
        "oracle",
        {"strategy": "carry"},
        "At each change fresh weights, shuffled epochs over everything so far, then online until the next change.",
    ),
    Arm(
        "popularity",
        "counts",
        "baseline",
        {},
        "The contract's baseline: labels taken, with a half-life of 28 days. It ranks and gives no loss.",
    ),
    Arm(
        "entity_attribute_counts",
        "counts",
        "baseline",
        {},
        "The contract's baseline: what the key took by attribute value, plus the offer's rate. It ranks alone.",
    ),
    Arm("deep-river", "peers", "peer", {}, "deep-river's growing multi-label network, one event at a time."),
    Arm("river-logistic", "peers", "peer", {}, "river's logistic regression, one for each offer."),
)


def warmup_arm(strategy: str, events: int) -> Arm:
    """Return a strategy with a warm-up of exactly so many events; 0 for none."""
    name = f"{strategy} warm-up {events}"
    if not events:
        return Arm(name, "warm-up", "online", {"strategy": f"{strategy}-unfrozen"}, "No warm-up.")
    fixed = {
        "warmup.max_events": str(events),
        "warmup.window_events": str(events),  # two such windows never fill: nothing but the bound ends it
        "warmup.budget_share": "1.0",
    }
    return Arm(name, "warm-up", "online", {"strategy": strategy, **fixed}, f"A frozen warm-up of {events:,} events.")


def half_life_arm(strategy: str, events: int) -> Arm:
    """Return a Bayesian strategy that forgets by half in so many events."""
    overrides = {"strategy": strategy, "bayes.half_life_events": str(events)}
    return Arm(f"{strategy} half-life {events}", "half-life", "online", overrides, f"Half forgotten in {events:,}.")


def patch_arm(strategy: str, share: float, width: int) -> Arm:
    """Return PeterRec with the bottleneck whose patch is nearest to `share` of a square layer `width` wide.

    A patch down to b and up again has 2 x width x b weights and b + width biases.
    """
    layer = width * (width + 1)
    bottleneck = max(1, round((share * layer - width) / (2 * width + 1)))
    overrides = {"strategy": strategy, "peterrec.bottleneck": str(bottleneck)}
    sentence = f"A patch of {share:.0%} of a layer's parameters (bottleneck {bottleneck})."
    return Arm(f"{strategy} {share:.0%}", "patch size", "online", overrides, sentence)


def inner_arm(d: int, ratio: float) -> Arm:
    """Return factored tables of width `d` and inner width `ratio` x d."""
    inner = max(1, round(d * ratio))
    overrides = {"strategy": "carry+mlet", "network.embedding_dim": str(d), "mlet.inner": str(inner)}
    return Arm(f"mlet d={d} k/d={ratio:g}", "tables", "online", overrides, f"Tables {d} wide through {inner}.")


def table_arm(d: int) -> Arm:
    """Return single tables of width `d`."""
    overrides = {"strategy": "carry", "network.embedding_dim": str(d)}
    return Arm(f"single d={d}", "tables", "online", overrides, f"Single tables {d} wide.")


def sgd_arm(factored: bool, rate: float) -> Arm:
    """Return tables 8 wide, single or through 32, trained by plain SGD, for which MLET's formula of a step holds."""
    overrides = {"strategy": "carry+mlet" if factored else "carry", "optimiser.embedding_method": "sgd"}
    if factored:
        overrides |= {"mlet.inner": "32", "mlet.rows_rate": f"{rate:g}", "mlet.factor_rate": f"{rate:g}"}
    else:
        overrides["optimiser.embedding_rate"] = f"{rate:g}"
    what = "mlet d=8 k/d=4" if factored else "single d=8"
    return Arm(f"{what} sgd {rate:g}", "tables", "online", overrides, f"{what} by SGD at {rate:g}.")


def beta_arm(beta: float) -> Arm:
    """Return IAK with another weight of the KL term."""
    return Arm(f"iak beta {beta:g}", "beta", "online", {"strategy": "iak", "iak.beta": f"{beta:g}"}, "Another beta.")


WARMUPS: Final = (0, 64, 128, 256, 512, 1024, 2048)
HALF_LIVES: Final = (1_000, 4_000, 16_000, 64_000)
PATCH_SHARES: Final = (0.05, 0.10, 0.25)
WIDTHS: Final = (4, 8, 16, 32, 64)
RATIOS: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
SGD_RATES: Final = (0.003, 0.03, 0.3)
BETAS: Final = (0.0, 1e-3, 1e-2, 1e-1)
TRUNK_WIDTH: Final = 128


def _all() -> Iterator[Arm]:
    yield from _MAIN
    for strategy in ("carry", "replace"):
        yield from (warmup_arm(strategy, events) for events in WARMUPS)
    yield from (half_life_arm("bayes-output", events) for events in HALF_LIVES)
    for strategy in ("peterrec-serial", "peterrec-parallel"):
        yield from (patch_arm(strategy, share, TRUNK_WIDTH) for share in PATCH_SHARES)
    yield from (beta_arm(beta) for beta in BETAS)
    yield from (table_arm(d) for d in WIDTHS)
    yield from (inner_arm(d, ratio) for d in WIDTHS for ratio in RATIOS)
    yield from (sgd_arm(factored, rate) for factored in (False, True) for rate in SGD_RATES)


ARMS: Final[Mapping[str, Arm]] = {arm.name: arm for arm in _all()}
"""Every arm by name: the main ones first, then those of the sweeps."""

MAIN: Final = tuple(arm.name for arm in _MAIN)
"""The names of the main arms, in the order of the report."""


BASELINES: Final = tuple(arm.name for arm in _MAIN if arm.kind == "baseline")
"""The arms that count: they rank, and have no loss."""


def arm_named(name: str) -> Arm:
    """Return an arm; raises ConfigurationError, listing the main ones, for a name that is none."""
    if name not in ARMS:
        raise ConfigurationError(f"no arm {name!r}; there are: {', '.join(MAIN)}, and those of the sweeps")
    return ARMS[name]
