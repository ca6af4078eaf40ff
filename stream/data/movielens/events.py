"""The stream itself: versions and events in order, as JSON objects of the contract."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from stream.data.movielens.catalogue import Catalogue, offer_name
from stream.data.movielens.history import LIKED_STARS, History
from stream.data.movielens.tables import Person, Submission, Tables, parse
from stream.data.movielens.wheel import fetch

__all__ = ["stream", "tell"]

OTHERS_SHOWN = 100
REVIEW_EVENTS = 500
_DAY_MS, _HOUR_MS = 86_400_000, 3_600_000
_WEEKDAYS = ("thu", "fri", "sat", "sun", "mon", "tue", "wed")  # the Unix epoch began on a Thursday
_FROM_THE_START = {
    "age": "numeric",
    "gender": "categorical",
    "occupation": "categorical",
    "region": "categorical",
    "hour": "categorical",
    "weekday": "categorical",
}
# (days from the first event on, name, kind): a feature comes with the next review of the catalogue. A past means
# little while nobody has one; the decades give way to the films themselves, and the weekday is dropped.
_COMING = (
    (7, "ratings", "numeric"),
    (7, "mean_stars", "numeric"),
    (21, "genres_liked", "multi_categorical"),
    (42, "decades_liked", "multi_categorical"),
    (63, "minutes_since_last", "numeric"),
    (90, "films_liked", "multi_categorical"),
)
_LEAVING = ((90, "decades_liked"), (120, "weekday"))


def stream(events: int | None = None) -> Iterator[dict[str, Any]]:
    """Yield the first `events` events (None: all) and, each before the events under it, the versions.

    Raises:
        ConfigurationError: the data cannot be had.
    """
    return tell(parse(fetch()), events)


def tell(tables: Tables, events: int | None = None) -> Iterator[dict[str, Any]]:
    """As `stream`, of tables at hand."""
    films = dict(tables.films)
    catalogue, history = Catalogue(films), History(films)
    wanted = tables.submissions[:events]
    if not wanted:
        return
    begin = wanted[0].ts // _DAY_MS * _DAY_MS
    features = dict(_FROM_THE_START)
    coming, leaving = list(_COMING), list(_LEAVING)
    first = [{"op": "add_feature", "name": name, "kind": kind} for name, kind in features.items()]
    yield {"version": 1, "ts": begin, "changes": first}
    version, reviewed, day = 1, 0, begin
    for number, submission in enumerate(wanted):
        midnight = submission.ts // _DAY_MS * _DAY_MS
        new_day, day = midnight > day, midnight
        if new_day and number - reviewed >= REVIEW_EVENTS:
            changes: list[dict[str, Any]] = []
            while leaving and midnight >= begin + leaving[0][0] * _DAY_MS:
                name = leaving.pop(0)[1]
                del features[name]
                changes.append({"op": "remove_feature", "name": name})
            while coming and midnight >= begin + coming[0][0] * _DAY_MS:
                _, name, kind = coming.pop(0)
                features[name] = kind
                changes.append({"op": "add_feature", "name": name, "kind": kind})
            changes += catalogue.review(midnight)
            if changes:
                version += 1
                yield {"version": version, "ts": midnight, "changes": changes}
            reviewed = number
        yield _event(submission, tables.people[submission.person], features, catalogue, history)
        catalogue.record(submission)
        history.record(submission)


def _event(
    submission: Submission, person: Person, features: dict[str, str], catalogue: Catalogue, history: History
) -> dict[str, Any]:
    ts, identifier = submission.ts, f"{submission.person}/{submission.ts}"
    known = {
        "age": person.age,
        "gender": person.gender,
        "occupation": person.occupation,
        "region": person.region,
        "hour": ts % _DAY_MS // _HOUR_MS,
        "weekday": _WEEKDAYS[ts // _DAY_MS % 7],
        **history.features(submission.person, ts),
    }
    rated = history.rated(submission.person)
    # A generator of the event's own: what is drawn depends on no earlier draw.
    live = list(catalogue.live)
    enough = random.Random(identifier).sample(live, min(len(live), OTHERS_SHOWN + len(rated) + len(submission.stars)))
    drawn = [film for film in enough if film not in rated and film not in submission.stars][:OTHERS_SHOWN]
    return {
        "id": identifier,
        "key": f"person {submission.person}",
        "ts": ts,
        "features": {name: known[name] for name in features},
        "labels": [offer_name(film) for film, stars in submission.stars.items() if stars >= LIKED_STARS],
        "shown": [offer_name(film) for film in sorted([*submission.stars, *drawn])],
    }
