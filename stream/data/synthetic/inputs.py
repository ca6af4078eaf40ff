"""The synthetic inputs: how the values of one feature are drawn, and what they truly mean."""

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.data.synthetic.settings import SyntheticSettings
from stream.schema import Kind

CHUNK = 1024
"""Events drawn at once; part of the streams' definition, because a chunk's draws derive from its number."""

PERIODS_EVENTS = 1000
"""How many events pass until the periods come round again."""

Floats = NDArray[np.float64]


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """A generator of its own for each (seed, names), the same on every machine and in every process."""
    spelled = "/".join(map(str, (seed, *names)))
    return np.random.default_rng(int.from_bytes(hashlib.blake2b(spelled.encode(), digest_size=16).digest()))


def zipf(count: int, exponent: float) -> Floats:
    """Zipf probabilities `(count,)`: proportional to 1 / rank ** exponent."""
    weights = np.arange(1, count + 1, dtype=np.float64) ** -exponent
    probabilities: Floats = weights / weights.sum()
    return probabilities


@dataclass(frozen=True, slots=True)
class Column:
    """One feature over one chunk: JSON values, and its true contribution `(CHUNK, rank)` of unit variance.

    `angles` `(CHUNK,)` are the radians by which a domain's value turns what the inputs mean, None for other features.
    """

    values: list[Any]
    contribution: Floats
    angles: Floats | None = None


class Input:
    """One feature's truth, from its birth to its removal; a renamed feature stays the same one."""

    def __init__(self, settings: SyntheticSettings, identity: str, kind: Kind, domain: bool = False) -> None:
        """Draw the true weights of the feature `identity` (unique over the whole stream)."""
        self._settings = settings
        self._identity = identity
        self._kind = kind
        draws = generator(settings.seed, identity, "truth")
        self._importance = draws.uniform(0.5, 1.5)
        self._missing = 0.5 * draws.standard_normal(settings.rank)
        self._location, self._scale = draws.normal(0, 2), draws.uniform(0.5, 4)
        self._probability = draws.uniform(0.2, 0.8)
        self._direction = draws.standard_normal(settings.rank)
        self._angles: Floats | None = None
        if domain:
            self._angles = draws.uniform(-settings.domain_shift, settings.domain_shift, settings.domains)
            self._use_values(draws, settings.domains, 0.5 ** np.arange(settings.domains), "d")
            # Spread evenly, so that the smallest region has somebody too.
            self._user_places = (draws.permutation(settings.users) + 0.5) / settings.users
        elif kind is Kind.CATEGORICAL:
            self._use_values(draws, settings.values, zipf(settings.values, settings.zipf_exponent), "v")
        elif kind is Kind.MULTI_CATEGORICAL:
            self._use_values(draws, settings.multi_values, zipf(settings.multi_values, settings.zipf_exponent), "v")

    def column(self, chunk: int, users: NDArray[np.int64]) -> Column:
        """Draw chunk number `chunk`, whose events are those of `users` `(CHUNK,)`; the same at every call."""
        draws = generator(self._settings.seed, self._identity, chunk)
        missing = draws.random(CHUNK) < self._settings.missing_fraction
        angles: Floats | None = None
        match self._kind:
            case Kind.NUMERIC:
                drawn = self._location + self._scale * draws.standard_normal(CHUNK)
                published = np.round(drawn, self._settings.decimals)
                values = published.tolist()
                contribution = np.outer((published - self._location) / self._scale, self._direction)
            case Kind.BOOLEAN:
                true = draws.random(CHUNK) < self._probability
                values = true.tolist()
                deviation = np.sqrt(self._probability * (1 - self._probability))
                contribution = np.outer((true - self._probability) / deviation, self._direction)
            case Kind.CATEGORICAL:
                codes = np.searchsorted(self._cumulative, self._places(draws, chunk, users), side="right")
                values = self._names[codes].tolist()
                contribution = self._vectors[codes].astype(np.float64)
                if self._angles is not None:
                    angles = np.where(missing, 0.0, self._angles[codes])
            case Kind.MULTI_CATEGORICAL:
                values, contribution = self._lists(draws)
        for index in np.flatnonzero(missing).tolist():
            values[index] = None
        contribution[missing] = self._missing
        return Column(values, contribution * self._importance, angles)

    def _places(self, draws: np.random.Generator, chunk: int, users: NDArray[np.int64]) -> Floats:
        """Where each event stands among the values, in 0..1 `(CHUNK,)`."""
        if self._angles is not None and self._settings.domain == "region":
            return self._user_places[users]
        if self._angles is not None and self._settings.domain == "period":
            return (chunk * CHUNK + np.arange(CHUNK)) % PERIODS_EVENTS / PERIODS_EVENTS
        return draws.random(CHUNK)

    def _use_values(self, draws: np.random.Generator, count: int, weights: NDArray[np.floating], prefix: str) -> None:
        probabilities = weights / weights.sum()
        self._cumulative = np.cumsum(probabilities)
        self._cumulative[-1] = 1.0
        vectors = draws.standard_normal((count, self._settings.rank), dtype=np.float32)
        vectors -= (probabilities @ vectors).astype(np.float32)
        spread = np.sqrt((probabilities @ np.square(vectors)).mean())
        self._vectors = vectors / np.float32(spread) if spread > 0 else vectors
        self._names = _names(prefix, count)

    def _lists(self, draws: np.random.Generator) -> tuple[list[Any], Floats]:
        items = self._settings.multi_items
        codes = np.searchsorted(self._cumulative, draws.random((CHUNK, items)), side="right")
        held = np.arange(items) < draws.binomial(items, 0.5, CHUNK)[:, None]
        for place in range(1, items):
            held[:, place] &= ~(codes[:, :place] == codes[:, place : place + 1]).any(axis=1)
        contribution = np.einsum("ni,nir->nr", held, self._vectors[codes], dtype=np.float64)
        names = self._names[codes[held]].tolist()
        ends = np.cumsum(held.sum(axis=1)).tolist()
        values = [names[start:end] for start, end in zip([0, *ends], ends, strict=False)]
        return values, contribution / np.sqrt(items / 2)


@cache
def _names(prefix: str, count: int) -> NDArray[np.object_]:
    return np.array([f"{prefix}{index}" for index in range(count)], dtype=object)
