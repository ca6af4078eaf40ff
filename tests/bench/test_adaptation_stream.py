"""The benchmark's streams are the contract's: versions before the events under them, batches that span none."""

from __future__ import annotations

import numpy as np
import pytest

from stream.bench.adaptation.plan import synthetic as synthetic_courses
from stream.bench.adaptation.stream import STREAMS, merged, of_json, stream_named
from stream.data import synthetic
from stream.errors import ConfigurationError
from stream.records.interaction import Interaction
from stream.schema import Schema, Version

SYNTHETIC = [name for name in STREAMS if name.startswith("synthetic:")]


@pytest.mark.parametrize("name", SYNTHETIC)
def test_a_synthetic_stream_is_valid_and_its_truth_has_a_value_for_each_event(name: str) -> None:
    stream = STREAMS[name](1, 400)
    schema = Schema.empty()
    for item in stream.items:
        if isinstance(item, Version):
            schema = schema.apply(item)
        else:
            assert item.features.keys() == schema.features.keys()
            assert set(item.labels) <= schema.labels.keys()
    assert stream.events == 400
    assert stream.bayes is not None
    assert stream.realised is not None
    assert stream.bayes.shape == stream.realised.shape == (400,)
    assert np.isfinite(stream.bayes).all()
    assert len(stream.changes) == len(stream.versions) - 1
    attributes = {attribute for label in schema.labels.values() for attribute in label}
    assert stream.attribute in attributes


def test_every_scenario_is_a_stream_with_a_sentence() -> None:
    assert {f"synthetic:{name}" for name in synthetic.SCENARIOS} == set(SYNTHETIC)
    assert all(source.sentence.endswith(".") for source in STREAMS.values())


def test_seeds_give_other_streams_and_one_seed_the_same() -> None:
    one, again, other = (STREAMS["synthetic:both_layers"](seed, 100) for seed in (1, 1, 2))
    assert one.items == again.items
    assert one.items != other.items


def test_a_batch_spans_no_version_and_nothing_is_lost() -> None:
    stream = STREAMS["synthetic:ten_changes"](0, 400)
    told: list[object] = []
    for versions, events in stream.batches(7):
        assert len(events) <= 7
        told += [*versions, *events]
    assert told == stream.items
    starts, seen = [], 0
    for versions, events in stream.batches(7):
        if versions and versions[0].version > 1:
            starts.append(seen)
        seen += len(events)
    assert starts == stream.changes


def test_a_batch_of_no_events_is_refused() -> None:
    with pytest.raises(ValueError, match="take 1 at least"):
        next(STREAMS["synthetic:rename"](0, 10).batches(0))


def test_a_version_comes_first_at_an_equal_time_and_one_after_the_last_event_is_left_out() -> None:
    def versions() -> list[Version]:
        items = of_json({"version": v, "ts": ts, "changes": []} for v, ts in ((1, 0), (2, 5), (3, 9)))
        return [item for item in items if isinstance(item, Version)]

    def events() -> list[Interaction]:
        items = of_json({"id": str(ts), "key": "k", "ts": ts, "features": {}, "labels": []} for ts in (4, 5, 5, 6))
        return [item for item in items if isinstance(item, Interaction)]

    order = [item.ts for item in merged(versions(), events())]
    assert order == [0, 4, 5, 5, 5, 6]


def test_an_unknown_stream_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="synthetic:rename"):
        stream_named("nothing")


@pytest.mark.parametrize("name", ["eight_domains", "eight_regions", "eight_periods"])
def test_the_plan_names_the_feature_that_a_stream_has_for_its_domains(name: str) -> None:
    (course,) = synthetic_courses(name, events=50)
    stream = STREAMS[course.stream](0, 50)
    assert stream.domain is not None
    assert stream.domain == course.settings["iak.domain_feature"]


def test_a_beginning_has_the_first_events_and_the_versions_before_them() -> None:
    stream = stream_named("synthetic:both_layers")(0, 600)
    part = stream.beginning(stream.changes[0] + 5)
    assert part.events == stream.changes[0] + 5
    assert part.items == stream.items[: len(part.items)]
    assert part.versions == stream.versions[:2]
    assert (part.realised, stream.beginning(10**6).events) == (None, 600)
