"""Named synthetic streams: what can happen to a schema, one thing at a time; and the two workloads for speed."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from stream.data.synthetic.settings import ScheduledChanges, SyntheticSettings
from stream.errors import ConfigurationError

W1 = SyntheticSettings(
    numeric=20, boolean=0, categorical=10, multi_categorical=0, values=1_000, offers=50, positives=2.0, users=10_000
)
"""Workload W1: 20 numeric and 10 categorical features of 1,000 values, 50 offers, 2 labels; 548 bytes an event."""

W2 = replace(W1, numeric=100, categorical=30, values=100_000, offers=1_000, groups=50, positives=3.0)
"""Workload W2: 100 numeric and 30 categorical features of 100,000 values, 1,000 offers; 2,195 bytes an event."""

Changes = tuple[Mapping[str, Any], ...]


def scenario(name: str, seed: int = 0, events: int = 20_000) -> SyntheticSettings:
    """The settings of one of `SCENARIOS`; if it has one change, that comes at the middle.

    Raises:
        ConfigurationError: there is no scenario of that name.
    """
    if name not in SCENARIOS:
        raise ConfigurationError(f"no synthetic scenario {name!r}; there are: {', '.join(SCENARIOS)}")
    return SCENARIOS[name](SyntheticSettings(seed=seed, events=events))


def _once(change: Callable[[SyntheticSettings], Changes]) -> Callable[[SyntheticSettings], SyntheticSettings]:
    def settings_of(base: SyntheticSettings) -> SyntheticSettings:
        return replace(base, schedule=(ScheduledChanges(max(1, base.events // 2), change(base)),))

    return settings_of


def _feature(name: str, kind: str = "numeric") -> Changes:
    return ({"op": "add_feature", "name": name, "kind": kind},)


def _replaced(share: float) -> Callable[[SyntheticSettings], Changes]:
    """The first `share` of each kind of feature leaves, and as many new ones of that kind come (10 % at least one)."""

    def changes(base: SyntheticSettings) -> Changes:
        every = [
            (f"{prefix}_{index}", kind, index / count)
            for prefix, kind, count in (
                ("num", "numeric", base.numeric),
                ("bool", "boolean", base.boolean),
                ("cat", "categorical", base.categorical),
                ("multi", "multi_categorical", base.multi_categorical),
            )
            for index in range(count)
        ]
        wanted = max(1, round(share * len(every)))
        leaving = sorted(every, key=lambda feature: feature[2])[:wanted]
        return (
            *({"op": "remove_feature", "name": name} for name, _, _ in leaving),
            *({"op": "add_feature", "name": f"new_{name}", "kind": kind} for name, kind, _ in leaving),
        )

    return changes


def _offers_added(base: SyntheticSettings) -> Changes:
    count = max(1, base.offers // 4)
    return tuple(
        {"op": "add_label", "name": f"new_offer_{index}", "attributes": {"group": f"g{index % base.groups}"}}
        for index in range(count)
    )


def _offers_removed(base: SyntheticSettings) -> Changes:
    return tuple({"op": "remove_label", "name": f"offer_{index}"} for index in range(max(1, base.offers // 4)))


def _both_layers(base: SyntheticSettings) -> Changes:
    return (*_replaced(0.1)(base), *_offers_removed(base), *_offers_added(base))


def _renamed(base: SyntheticSettings) -> Changes:
    return (
        {"op": "rename_feature", "name": "num_0", "to": "renamed_num_0"},
        {"op": "rename_feature", "name": "cat_0", "to": "renamed_cat_0"},
        {"op": "rename_label", "name": "offer_0", "to": "renamed_offer_0"},
    )


def _ten_changes(base: SyntheticSettings) -> SyntheticSettings:
    """Ten versions in a row, a fortieth of the stream apart, from its middle on: inputs and offers in turn."""
    steps: list[Changes] = []
    for index in range(5):
        steps.append(
            (
                *_feature(f"new_{index}", "categorical" if index % 2 else "numeric"),
                {"op": "remove_feature", "name": f"num_{index}"},
            )
        )
        steps.append(
            (
                {"op": "add_label", "name": f"new_offer_{index}", "attributes": {"group": f"g{index}"}},
                {"op": "remove_label", "name": f"offer_{index}"},
            )
        )
    first, apart = base.events // 2, max(1, base.events // 40)
    return replace(
        base,
        schedule=tuple(ScheduledChanges(first + step * apart, changes) for step, changes in enumerate(steps)),
    )


def _task_added(base: SyntheticSettings) -> Changes:
    return tuple(
        {
            "op": "add_label",
            "name": f"profile_{index}",
            "attributes": {"group": f"g{index % base.groups}", "task": "profile"},
        }
        for index in range(max(1, base.offers // 3))
    )


_DRIFT = 0.1

SCENARIOS: Mapping[str, Callable[[SyntheticSettings], SyntheticSettings]] = {
    "stationary": lambda base: base,
    "numeric_added": _once(lambda base: _feature("new_num_0")),
    "inputs_replaced_10": _once(_replaced(0.1)),
    "inputs_replaced_50": _once(_replaced(0.5)),
    "offers_added": _once(_offers_added),
    "offers_removed": _once(_offers_removed),
    "both_layers": _once(_both_layers),
    "rename": _once(_renamed),
    "drift": lambda base: replace(base, drift=_DRIFT),
    "drift_and_change": lambda base: _once(_both_layers)(replace(base, drift=_DRIFT)),
    "ten_changes": _ten_changes,
    "eight_domains": lambda base: replace(base, domains=8),
    "eight_regions": lambda base: replace(base, domains=8, domain="region"),
    "eight_periods": lambda base: replace(base, domains=8, domain="period"),
    "tasks": lambda base: _once(_task_added)(replace(base, tasks=("purchase", "redemption"))),
    "rare_values": lambda base: replace(base, numeric=4, categorical=4, values=5_000, zipf_exponent=1.1),
}
"""What each does to a base stream; `stationary` does nothing."""

SENTENCES: Mapping[str, str] = {
    "stationary": "Nothing ever changes.",
    "numeric_added": "One numeric input is added.",
    "inputs_replaced_10": "A tenth of the inputs is replaced by new ones.",
    "inputs_replaced_50": "Half of the inputs are replaced by new ones.",
    "offers_added": "A quarter as many offers are added as there were.",
    "offers_removed": "A quarter of the offers is removed.",
    "both_layers": "A tenth of the inputs and a quarter of the offers are replaced at once.",
    "rename": "Two inputs and an offer are renamed.",
    "drift": "What inputs mean turns slowly; the schema stays.",
    "drift_and_change": "Drift, and a tenth of the inputs and a quarter of the offers replaced at once.",
    "ten_changes": "Ten versions in a row replace an input or an offer each.",
    "eight_domains": "Eight scenes of unequal frequency, in each of which the inputs mean something else.",
    "eight_regions": "Eight regions of unequal size, in each of which the inputs mean something else to its users.",
    "eight_periods": "Eight periods of unequal length take turns; in each the inputs mean something else.",
    "tasks": "Offers of two tasks, purchase and redemption; a third, profile, is added.",
    "rare_values": "Categorical inputs of 5,000 values, most of them rare.",
}
"""Each of `SCENARIOS` in a sentence."""
