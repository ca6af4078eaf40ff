"""What a synthetic stream is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from stream.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class ScheduledChanges:
    """Schema changes, in the contract's form, that take effect together just before event `at_event` (from 0)."""

    at_event: int
    changes: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class SyntheticSettings:
    """A synthetic stream; equal settings give equal streams.

    The first schema version has features `num_0`.., `bool_0`.., `cat_0`.., `multi_0`.. and offers `offer_0`.. in turn
    with the attribute `group` = `g0`..; `schedule` changes them. What belongs to a name (its true weights, its values
    in each event) derives from `seed` and that name alone: streams that differ in their schedule agree in all else,
    and one that differs in `events` only is a prefix of the longer.

    Attributes:
        values: distinct values of a categorical feature, drawn by Zipf's law with exponent `zipf_exponent`.
        multi_values, multi_items: distinct values of a multi-categorical feature, and the most that an event holds.
        missing_fraction: how often a feature is null, which has a true effect of its own.
        domains: if not 0, a categorical feature with so many values, each half as frequent as the one before; what the
            other inputs mean is turned by up to `domain_shift` radians in each.
        domain: that feature's name, and what its value goes by: a `scene` is drawn for each event, a `region` belongs
            to the user, a `period` to the time (all take their turn in each 1,000 events).
        users: distinct keys, drawn by Zipf's law; each has an effect of its own.
        positives: labels an event has on average under the first schema version.
        signal, user_signal, bias_spread: standard deviation of the logit from all first features together, from the
            user, and between offers.
        tasks: if any, the values of a second attribute `task`, which the first offers have in turn.
        group_share: the share of an offer's weights' variance that it has in common with its attributes' other offers.
        rank: dimension of the space in which inputs and offers meet; even.
        nonlinearity: 0 for a truth that is linear in its inputs; mild up to about 1.
        drift: radians by which the true weights turn in 1,000 events.
        shown: no `shown` field, a list of names, or a selector on `group`; each offer (or group) is shown with
            probability `shown_fraction`, and only what is shown can be taken.
        decimals: of a numeric value.
        schema_version: whether an event names the version in force.
        start_ms, interval_ms: event time of the first event (Unix ms), and between two.
    """

    seed: int = 0
    events: int = 10_000
    numeric: int = 8
    boolean: int = 2
    categorical: int = 6
    multi_categorical: int = 1
    values: int = 30
    zipf_exponent: float = 1.0
    multi_values: int = 20
    multi_items: int = 6
    missing_fraction: float = 0.02
    domains: int = 0
    domain: Literal["scene", "region", "period"] = "scene"
    domain_shift: float = 1.5
    users: int = 200
    offers: int = 30
    groups: int = 6
    tasks: tuple[str, ...] = ()
    positives: float = 2.0
    signal: float = 1.5
    user_signal: float = 0.7
    bias_spread: float = 0.7
    group_share: float = 0.5
    rank: int = 8
    nonlinearity: float = 0.0
    drift: float = 0.0
    shown: Literal["all", "names", "selector"] = "all"
    shown_fraction: float = 0.5
    decimals: int = 4
    schema_version: bool = False
    start_ms: int = 1_700_000_000_000
    interval_ms: int = 1_000
    schedule: tuple[ScheduledChanges, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no stream can be made of.

        Raises:
            ConfigurationError: naming the setting and what it has to be.
        """
        for name in ("events", "numeric", "boolean", "categorical", "multi_categorical", "domains", "offers", "drift"):
            self._require(name, getattr(self, name) >= 0, "at least 0")
        for name in ("values", "multi_values", "multi_items", "users", "groups", "interval_ms"):
            self._require(name, getattr(self, name) >= 1, "at least 1")
        for name in ("missing_fraction", "group_share", "shown_fraction"):
            self._require(name, 0 <= getattr(self, name) <= 1, "between 0 and 1")
        self._require("rank", self.rank >= 2 and self.rank % 2 == 0, "even and at least 2")
        self._require("positives", not self.offers or 0 < self.positives < self.offers, "above 0 and below offers")
        self._require("domain", self.domain in ("scene", "region", "period"), "scene, region or period")
        self._require("shown", self.shown in ("all", "names", "selector"), "all, names or selector")
        starts = [0, *(scheduled.at_event for scheduled in self.schedule)]
        rising = all(earlier < later for earlier, later in pairwise(starts))
        self._require("schedule", rising, "by at_event, each above the one before and above 0")

    def _require(self, name: str, holds: bool, wanted: str) -> None:
        if not holds:
            raise ConfigurationError(f"synthetic stream: {name} has to be {wanted}, not {getattr(self, name)!r}")
