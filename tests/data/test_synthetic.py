"""The synthetic stream keeps its promises: valid, repeatable, comparable, and with a truth that is the truth."""

from collections.abc import Iterable
from dataclasses import replace
from math import log
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pytest

from stream.data.synthetic import (
    SCENARIOS,
    W1,
    W2,
    ScheduledChanges,
    SyntheticEvent,
    SyntheticSettings,
    generate,
    read_truth,
    scenario,
    write,
)
from stream.errors import ConfigurationError, SchemaRejected
from stream.records.interaction import decode_interaction
from stream.schema import Schema, parse_version

EVERYTHING = SyntheticSettings(
    events=3_000, domains=8, nonlinearity=0.5, drift=0.2, shown="names", schema_version=True, multi_categorical=2
)


def _events(items: Iterable[dict[str, Any] | SyntheticEvent]) -> list[SyntheticEvent]:
    return [item for item in items if isinstance(item, SyntheticEvent)]


def _interactions(settings: SyntheticSettings) -> list[dict[str, Any]]:
    return [event.interaction for event in _events(generate(settings))]


def _with(settings: SyntheticSettings, at_event: int, *changes: dict[str, Any]) -> SyntheticSettings:
    return replace(settings, schedule=(ScheduledChanges(at_event, changes),))


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_is_a_valid_stream(name: str, tmp_path: Path) -> None:
    files = write(tmp_path, replace(scenario(name, events=2_000), schema_version=True))
    versions = [parse_version(line) for line in files.schema.read_bytes().splitlines()]
    assert len(versions) == files.versions == {"stationary": 1, "ten_changes": 11}.get(name, files.versions)
    schema, previous = Schema.empty(), 0
    for line in files.interactions.read_bytes().splitlines():
        event = decode_interaction(line)
        while versions and versions[0].ts <= event.ts:
            schema = schema.apply(versions.pop(0))
        assert event.schema_version == schema.version
        assert event.ts > previous
        assert event.features.keys() == schema.features.keys()
        assert set(event.labels) <= schema.labels.keys()
        previous = event.ts
    assert versions == []
    assert len(read_truth(files.truth).ids) == files.events == 2_000


def test_equal_settings_give_equal_streams_and_another_seed_another() -> None:
    assert _interactions(EVERYTHING) == _interactions(EVERYTHING)
    other = _interactions(replace(EVERYTHING, seed=1))
    assert all(one["features"] != two["features"] for one, two in zip(_interactions(EVERYTHING), other, strict=True))


def test_a_shorter_stream_is_a_prefix_and_a_change_touches_nothing_before_it() -> None:
    whole = _interactions(EVERYTHING)
    assert _interactions(replace(EVERYTHING, events=1_500)) == whole[:1_500]
    changed = _with(EVERYTHING, 1_500, {"op": "remove_feature", "name": "num_0"})
    after = _interactions(changed)
    assert after[:1_500] == whole[:1_500]
    for one, two in zip(after[1_500:], whole[1_500:], strict=True):
        features = dict(two["features"])
        features.pop("num_0")
        assert one["features"] == features


def test_a_rename_moves_the_truth_and_a_return_brings_a_new_one() -> None:
    settings = replace(EVERYTHING, schema_version=False)
    plain = _events(generate(settings))
    rename = (
        {"op": "rename_feature", "name": "scene", "to": "region"},
        {"op": "rename_label", "name": "offer_3", "to": "third"},
    )
    renamed = _events(generate(_with(settings, 1_000, *rename)))
    column = plain[0].offers.index("offer_3")
    for before, after in zip(plain[1_000:], renamed[1_000:], strict=True):
        assert after.interaction["features"]["region"] == before.interaction["features"]["scene"]
        assert np.isclose(after.logits[after.offers.index("third")], before.logits[column])
        assert np.isclose(after.bayes, before.bayes)
    back = ({"op": "remove_label", "name": "offer_3"}, {"op": "add_label", "name": "offer_3"})
    returned = _events(generate(_with(settings, 1_000, *back)))
    assert not np.isclose(returned[1_000].logits[returned[1_000].offers.index("offer_3")], plain[1_000].logits[column])


def test_the_bayes_loss_is_the_entropy_of_the_true_probabilities() -> None:
    for event in _events(generate(EVERYTHING))[:200]:
        entropy = loss = 0.0
        shown = set(event.interaction["shown"])
        for name, logit in zip(event.offers, event.logits.tolist(), strict=True):
            probability = 1 / (1 + 2.718281828459045**-logit)
            if name in shown:
                entropy -= probability * log(probability) + (1 - probability) * log(1 - probability)
                loss -= log(probability if name in event.interaction["labels"] else 1 - probability)
        assert event.pairs == len(shown)
        assert event.bayes == pytest.approx(entropy)
        assert event.realised == pytest.approx(loss)


@pytest.mark.parametrize("shown", ["all", "names", "selector"])
def test_labels_follow_the_true_probabilities(shown: Any) -> None:
    """What is drawn costs what it should, and within each tenth of the probabilities comes as often as it should."""
    events = _events(generate(replace(EVERYTHING, events=8_000, shown=shown)))
    excess = np.array([event.realised - event.bayes for event in events])
    assert abs(excess.mean()) < 4 * excess.std() / np.sqrt(len(excess))
    logits = np.concatenate([event.logits for event in events])
    taken = np.concatenate([np.isin(event.offers, event.interaction["labels"]) for event in events])
    possible = np.concatenate([_possible(event, shown) for event in events])
    assert not taken[~possible].any()
    probabilities, taken = 1 / (1 + np.exp(-logits[possible])), taken[possible]
    for tenth in np.array_split(np.argsort(probabilities), 10):
        expected, spread = (
            probabilities[tenth].sum(),
            np.sqrt((probabilities[tenth] * (1 - probabilities[tenth])).sum()),
        )
        assert abs(taken[tenth].sum() - expected) < 4.5 * spread


def _possible(event: SyntheticEvent, shown: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
    if shown == "all":
        return np.ones(len(event.offers), dtype=bool)
    if shown == "names":
        return np.isin(event.offers, event.interaction["shown"])
    groups = event.interaction["shown"]["group"]
    return np.array([f"g{int(name.removeprefix('offer_')) % 6}" in groups for name in event.offers])


def test_an_event_has_about_as_many_labels_as_asked_for() -> None:
    labels = [len(interaction["labels"]) for interaction in _interactions(SyntheticSettings(events=8_000))]
    assert 1.5 < np.mean(labels) < 2.6


def test_drift_turns_the_truth_and_without_it_the_truth_stands() -> None:
    """The same inputs and users, so the logits can be compared event by event."""
    still = _events(generate(SyntheticSettings(events=6_000)))
    drifting = _events(generate(SyntheticSettings(events=6_000, drift=0.5)))
    differences = np.array([np.abs(one.logits - two.logits).mean() for one, two in zip(still, drifting, strict=True)])
    assert differences[0] == 0 < differences[1]
    far, near = differences[5_600:5_900].mean(), differences[1_850:2_150].mean()  # turned by 2.875 and by 1 radian
    assert far / near == pytest.approx(np.sin(2.875 / 2) / np.sin(1 / 2), rel=0.1)  # a chord is 2 sin(angle / 2)
    assert all(
        one.interaction["features"] == two.interaction["features"] for one, two in zip(still, drifting, strict=True)
    )


def test_half_of_the_inputs_and_a_tenth_mean_what_they_say() -> None:
    for name, replaced in (("inputs_replaced_10", 2), ("inputs_replaced_50", 8)):
        _, change = [item for item in generate(scenario(name, events=100)) if isinstance(item, dict)]
        assert [one["op"] for one in change["changes"]] == ["remove_feature"] * replaced + ["add_feature"] * replaced


def test_domains_have_unequal_sizes_and_meanings_of_their_own() -> None:
    interactions = _interactions(scenario("eight_domains", events=8_000))
    sizes = [sum(one["features"]["scene"] == f"d{index}" for one in interactions) for index in range(8)]
    assert sorted(sizes, reverse=True) == sizes
    assert sizes[0] > 50 * sizes[7] > 0
    plain = _events(generate(SyntheticSettings(events=500, domains=8, domain_shift=0.0)))
    turned = _events(generate(SyntheticSettings(events=500, domains=8)))
    assert np.mean([np.abs(one.logits - two.logits).mean() for one, two in zip(plain, turned, strict=True)]) > 0.2


def test_the_files_hold_what_is_generated(tmp_path: Path) -> None:
    files = write(tmp_path, EVERYTHING, probabilities=True)
    events = _events(generate(EVERYTHING))
    truth = read_truth(files.truth)
    assert truth.ids == [event.interaction["id"] for event in events]
    assert truth.bayes.tolist() == [event.bayes for event in events]
    assert files.bayes_loss == pytest.approx(truth.bayes.sum() / truth.pairs.sum())
    assert files.realised_loss == pytest.approx(truth.realised.sum() / truth.pairs.sum())
    assert b'"probabilities":{"offer_0":' in files.truth.read_bytes().splitlines()[0]


@pytest.mark.parametrize(("workload", "size_bytes", "labels"), [(W1, 542, 2.0), (W2, 2_248, 3.0)], ids=["W1", "W2"])
def test_the_workloads_have_their_published_size(
    workload: SyntheticSettings, size_bytes: int, labels: float, tmp_path: Path
) -> None:
    files = write(tmp_path, replace(workload, events=4_096))
    lines = files.interactions.read_bytes().splitlines()
    assert np.mean([len(line) + 1 for line in lines]) == pytest.approx(size_bytes, rel=0.03)
    assert np.mean([len(decode_interaction(line).labels) for line in lines]) == pytest.approx(labels, rel=0.3)


def test_the_first_workload_is_written_fast(tmp_path: Path) -> None:
    """20,000 events a second on the machine this was written on; half of that is asked for, in CPU time."""
    start = process_time()
    write(tmp_path, replace(W1, events=20_480))
    assert 20_480 / (process_time() - start) > 10_000


def test_settings_that_make_no_stream_are_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="rank has to be even"):
        SyntheticSettings(rank=3)
    with pytest.raises(ConfigurationError, match="schedule has to be by at_event"):
        SyntheticSettings(schedule=(ScheduledChanges(0, ()),))
    with pytest.raises(ConfigurationError, match=r"no synthetic scenario 'other'; there are: stationary"):
        scenario("other")
    with pytest.raises(SchemaRejected):
        list(generate(_with(SyntheticSettings(events=100), 50, {"op": "remove_label", "name": "nobody"})))


def test_a_schema_may_be_empty_and_fill_up_later() -> None:
    nothing = replace(
        SyntheticSettings(events=100, numeric=0, boolean=0, categorical=0, multi_categorical=0, offers=0),
        schedule=(ScheduledChanges(50, ({"op": "add_label", "name": "first", "attributes": {"colour": "red"}},)),),
    )
    events = _events(generate(nothing))
    assert [event.pairs for event in events] == [0] * 50 + [1] * 50
    assert all(event.interaction["features"] == {} for event in events)


def test_a_region_belongs_to_the_user_and_a_period_to_the_time() -> None:
    events = {
        kind: _interactions(replace(scenario(f"eight_{kind}s", events=3_000), missing_fraction=0))
        for kind in ("region", "period")
    }
    regions = {(event["key"], event["features"]["region"]) for event in events["region"]}
    assert len(regions) == len({key for key, _ in regions})
    periods = [event["features"]["period"] for event in events["period"]]
    assert periods[:1_000] == periods[1_000:2_000] == periods[2_000:]
    assert periods[:500] == ["d0"] * 500
    for kind in ("region", "period"):
        assert {event["features"][kind] for event in events[kind]} == {f"d{index}" for index in range(8)}


def test_tasks_are_an_attribute_of_all_offers_and_one_is_added() -> None:
    versions = [item for item in generate(scenario("tasks", events=200)) if isinstance(item, dict)]
    tasks = [
        {change["attributes"]["task"] for change in version["changes"] if change["op"] == "add_label"}
        for version in versions
    ]
    assert tasks == [{"purchase", "redemption"}, {"profile"}]
