"""What is known of a person from what they rated before; nothing from the future."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from stream.data.movielens.catalogue import offer_name
from stream.data.movielens.tables import Film, Submission

__all__ = ["History"]

LIKED_STARS = 4
_RECENT = 10


@dataclass(slots=True)
class _Past:
    rated: dict[int, None] = field(default_factory=dict)
    stars: int = 0
    last_ts: int = 0
    liked: deque[int] = field(default_factory=lambda: deque(maxlen=_RECENT))


class History:
    """The past of every person, asked before it is told."""

    def __init__(self, films: dict[int, Film]) -> None:
        self._films = films
        self._past: dict[int, _Past] = {}

    def rated(self, person: int) -> dict[int, None]:
        """The films that a person has rated so far."""
        return self._past.setdefault(person, _Past()).rated

    def features(self, person: int, ts: int) -> dict[str, Any]:
        """The features of a person's past at a time: means are None, and lists empty, before there is any."""
        past = self._past.setdefault(person, _Past())
        liked = [self._films[film] for film in past.liked]
        return {
            "ratings": len(past.rated),
            "mean_stars": round(past.stars / len(past.rated), 4) if past.rated else None,
            "minutes_since_last": (ts - past.last_ts) // 60_000 if past.rated else None,
            "genres_liked": sorted({genre for film in liked for genre in film.genres}),
            "decades_liked": sorted({film.decade for film in liked if film.decade is not None}),
            "films_liked": [offer_name(film) for film in past.liked],
        }

    def record(self, submission: Submission) -> None:
        """Add a submission to its person's past."""
        past = self._past.setdefault(submission.person, _Past())
        past.last_ts = submission.ts
        for film, stars in submission.stars.items():
            past.rated[film] = None
            past.stars += stars
            if stars >= LIKED_STARS:
                past.liked.append(film)
