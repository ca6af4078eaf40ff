"""The tables of MovieLens-100K: people, films, and what was rated together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Film", "Person", "Submission", "Tables", "parse"]


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of a person from the start; `region` is the first digit of the zip code, or its first letter."""

    age: int
    gender: str
    occupation: str
    region: str


@dataclass(frozen=True, slots=True)
class Film:
    """A film: its first genre, all of them, and the decade of its release; None if the table does not know."""

    genre: str | None
    genres: tuple[str, ...]
    decade: str | None


@dataclass(frozen=True, slots=True)
class Submission:
    """All that one person rated at one time: stars by film, in the order of film numbers."""

    ts: int
    person: int
    stars: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Tables:
    """People and films by number; submissions by time (Unix ms), then by person."""

    people: Mapping[int, Person]
    films: Mapping[int, Film]
    submissions: list[Submission]


def parse(files: Mapping[str, bytes]) -> Tables:
    """Read the three files, tab-separated with a line of names each, which stand in Latin-1."""
    people = {
        int(number): Person(int(age), gender, occupation, zip_code[0])
        for number, age, gender, occupation, zip_code in _rows(files["ml-100k.user"])
    }
    films = {int(number): _film(year, classes) for number, _, year, classes in _rows(files["ml-100k.item"])}
    together: defaultdict[tuple[int, int], dict[int, int]] = defaultdict(dict)
    for person, film, stars, seconds in _rows(files["ml-100k.inter"]):
        together[int(float(seconds)) * 1000, int(person)][int(film)] = int(float(stars))
    submissions = [
        Submission(ts, person, dict(sorted(stars.items()))) for (ts, person), stars in sorted(together.items())
    ]
    return Tables(people, films, submissions)


def _film(year: str, classes: str) -> Film:
    genres = tuple(genre for genre in classes.split() if genre != "unknown")
    decade = f"{year[:3]}0s" if year.isdigit() and len(year) == 4 else None
    return Film(genres[0] if genres else None, genres, decade)


def _rows(data: bytes) -> list[list[str]]:
    return [line.split("\t") for line in data.decode("latin-1").splitlines()[1:]]
