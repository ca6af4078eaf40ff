"""Which films are offers: from the fifth sighting on, until nobody has rated them for thirty days."""

from __future__ import annotations

from collections import Counter
from typing import Any

from stream.data.movielens.tables import Film, Submission

__all__ = ["Catalogue", "offer_name"]

SIGHTINGS = 5
IDLE_MS = 30 * 86_400_000


def offer_name(film: int) -> str:
    """The name of a film's offer: `film 242`."""
    return f"film {film}"


class Catalogue:
    """The films that are offers, by what was rated so far; told of each submission after it was an event."""

    def __init__(self, films: dict[int, Film]) -> None:
        self._films = films
        self._sightings: Counter[int] = Counter()
        self._last: dict[int, int] = {}
        self.live: dict[int, None] = {}
        """By film, in the order in which they came."""

    def record(self, submission: Submission) -> None:
        """Count what was rated; sightings before a film left do not bring it back."""
        for film in submission.stars:
            self._sightings[film] += 1
            self._last[film] = submission.ts

    def review(self, now_ms: int) -> list[dict[str, Any]]:
        """Bring the offers up to date; return the changes of the schema that this takes, departures first."""
        leaving = [film for film in self.live if now_ms - self._last[film] > IDLE_MS]
        for film in leaving:
            del self.live[film]
            del self._sightings[film]
        coming = sorted(film for film, count in self._sightings.items() if count >= SIGHTINGS and film not in self.live)
        self.live.update(dict.fromkeys(coming))
        return [
            *({"op": "remove_label", "name": offer_name(film)} for film in leaving),
            *({"op": "add_label", "name": offer_name(film), "attributes": self._attributes(film)} for film in coming),
        ]

    def _attributes(self, film: int) -> dict[str, str]:
        found = {"genre": self._films[film].genre, "decade": self._films[film].decade}
        return {name: value for name, value in found.items() if value is not None}
