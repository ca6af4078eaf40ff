"""The synthetic truth: which names are live, and the true logit of every live offer for every event of a chunk."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from stream.data.synthetic.inputs import CHUNK, Column, Floats, Input, generator, zipf
from stream.data.synthetic.settings import SyntheticSettings
from stream.schema import Kind, Op, Schema, parse_version

GROUP = "group"
TASK = "task"


@dataclass(frozen=True, slots=True)
class Slice:
    """Events `start:stop` of a chunk under one schema: n events, L live offers, in the order of the schema.

    `taken` `(n, L)` is drawn from `logits` `(n, L)` among `possible` `(n, L)`; `shown` holds JSON values, or nothing.
    """

    features: dict[str, list[Any]]
    users: list[int]
    offers: list[str]
    logits: Floats
    possible: NDArray[np.bool_]
    taken: NDArray[np.bool_]
    shown: list[Any]


class World:
    """The schema in force and the true weights of all that is live in it.

    The logit of offer o in event e is bias_o + V_o . R(e) g(h_e): h_e adds up the inputs and the user, g is the
    identity or a mild bend, R turns by the drift so far and by the event's domain. It depends on nothing but the
    features of the schema in force and the key, so that a model could know all of it.
    """

    def __init__(self, settings: SyntheticSettings) -> None:
        """Start with an empty schema; the first version is applied like any other."""
        self.schema = Schema.empty()
        self._settings = settings
        features = settings.numeric + settings.boolean + settings.categorical + settings.multi_categorical
        self._feature_scale = settings.signal / np.sqrt(max(1, features + (settings.domains > 0)))
        draws = generator(settings.seed, "world")
        self._user_vectors = settings.user_signal * draws.standard_normal((settings.users, settings.rank))
        self._user_cumulative = np.cumsum(zipf(settings.users, settings.zipf_exponent))
        self._user_cumulative[-1] = 1.0
        self._bend = draws.standard_normal((settings.rank, settings.rank)) / np.sqrt(settings.rank)
        self._bias = _bias_for(settings)
        self._births: dict[str, int] = {}
        self._inputs: dict[str, Input] = {}
        self._identities: dict[str, str] = {}
        self._columns: dict[Input, Column] = {}
        self._chunk = -1

    def apply(self, version: dict[str, Any]) -> None:
        """Put a schema version in force: a renamed name keeps its truth, one that is added (again) has a new one.

        Raises:
            InvalidVersion, SchemaRejected: the scheduled changes break the contract.
        """
        self.schema = self.schema.apply(parse_version(orjson.dumps(version)))
        for change in version["changes"]:
            name = change["name"]
            match Op(change["op"]):
                case Op.ADD_FEATURE | Op.RETYPE_FEATURE:
                    kind = Kind(change["kind"])
                    domain = name == self._settings.domain and kind is Kind.CATEGORICAL and self._settings.domains > 0
                    self._inputs[name] = Input(self._settings, self._born(f"feature {kind} {name}"), kind, domain)
                case Op.REMOVE_FEATURE:
                    del self._inputs[name]
                case Op.RENAME_FEATURE:
                    self._inputs[change["to"]] = self._inputs.pop(name)
                case Op.ADD_LABEL:
                    self._identities[name] = self._born(f"offer {name}")
                case Op.REMOVE_LABEL:
                    del self._identities[name]
                case Op.RENAME_LABEL:
                    self._identities[change["to"]] = self._identities.pop(name)
                case Op.UPDATE_LABEL:
                    pass
        offers = [self._offer(name, attributes) for name, attributes in self.schema.labels.items()]
        self._offer_vectors = np.array([vector for vector, _ in offers]).reshape(-1, self._settings.rank)
        self._offer_biases = np.array([bias for _, bias in offers])

    def draw(self, chunk: int, start: int, stop: int) -> Slice:
        """Draw events `start:stop` of chunk number `chunk` under the schema in force."""
        if chunk != self._chunk:
            self._columns, self._chunk = {}, chunk
        seed, part = self._settings.seed, slice(start, stop)
        uniform = generator(seed, "users", chunk).random(CHUNK)
        all_users = np.searchsorted(self._user_cumulative, uniform, side="right")
        users = all_users[part]
        for feature in self._inputs.values():
            if feature not in self._columns:
                self._columns[feature] = feature.column(chunk, all_users)
        columns = {name: self._columns[self._inputs[name]] for name in self.schema.features}
        hidden: Floats = self._user_vectors[users]
        for column in columns.values():
            hidden += self._feature_scale * column.contribution[part]
        hidden += self._settings.nonlinearity * np.tanh(hidden @ self._bend)
        angles = self._settings.drift / 1000 * np.arange(chunk * CHUNK + start, chunk * CHUNK + stop, dtype=np.float64)
        for column in columns.values():
            if column.angles is not None:
                angles += column.angles[part]
        logits = _turned(hidden, angles) @ self._offer_vectors.T + self._offer_biases
        possible, shown = self._shown(chunk, part, logits.shape)
        chance = self._uniform("taken", self._identities_in_order(), chunk)[part]
        return Slice(
            features={name: column.values[part] for name, column in columns.items()},
            users=users.tolist(),
            offers=list(self.schema.labels),
            logits=logits,
            possible=possible,
            taken=possible & (chance * (1 + np.exp(-logits)) < 1),
            shown=shown,
        )

    def _born(self, name: str) -> str:
        self._births[name] = self._births.get(name, 0) + 1
        return f"{name} {self._births[name]}"

    def _identities_in_order(self) -> list[str]:
        return [self._identities[name] for name in self.schema.labels]

    def _offer(self, name: str, attributes: Any) -> tuple[Floats, float]:
        settings, identity = self._settings, self._identities[name]
        draws = generator(settings.seed, identity, "truth")
        vector = draws.standard_normal(settings.rank)
        if attributes:
            shared = [
                generator(settings.seed, "attribute", attribute, value).standard_normal(settings.rank)
                for attribute, value in attributes.items()
            ]
            common = np.sum(shared, axis=0) / np.sqrt(len(shared))
            vector = np.sqrt(1 - settings.group_share) * vector + np.sqrt(settings.group_share) * common
        return vector / np.sqrt(settings.rank), self._bias + settings.bias_spread * draws.standard_normal()

    def _shown(self, chunk: int, part: slice, shape: tuple[int, ...]) -> tuple[NDArray[np.bool_], list[Any]]:
        """What is possible `(n, L)`, and how the events say so."""
        fraction = self._settings.shown_fraction
        if self._settings.shown == "names":
            possible = self._uniform("shown", self._identities_in_order(), chunk)[part] < fraction
            offers = np.array(list(self.schema.labels), dtype=object)
            return possible, [offers[row].tolist() for row in possible]
        if self._settings.shown == "selector":
            group_of = [attributes.get(GROUP) for attributes in self.schema.labels.values()]
            groups = sorted({group for group in group_of if group is not None})
            chosen = self._uniform("shown", groups, chunk)[part] < fraction
            never = np.zeros((len(chosen), 1), dtype=bool)
            places = [len(groups) if group is None else groups.index(group) for group in group_of]
            names = np.array(groups, dtype=object)
            return np.hstack([chosen, never])[:, places], [{GROUP: names[row].tolist()} for row in chosen]
        return np.ones(shape, dtype=bool), []

    def _uniform(self, purpose: str, names: list[str], chunk: int) -> NDArray[np.float32]:
        """Uniform numbers `(CHUNK, len(names))`; a name's column is the same whatever other names there are."""
        drawn = np.empty((len(names), CHUNK), dtype=np.float32)
        for row, name in zip(drawn, names, strict=True):
            generator(self._settings.seed, purpose, name, chunk).random(out=row, dtype=np.float32)
        return drawn.T


def _turned(vectors: Floats, angles: Floats) -> Floats:
    """Vectors `(n, rank)` turned by `angles` `(n,)` in each of the rank / 2 coordinate planes."""
    cosine, sine = np.cos(angles)[:, None], np.sin(angles)[:, None]
    even, odd = vectors[:, 0::2], vectors[:, 1::2]
    turned = np.empty_like(vectors)
    turned[:, 0::2] = cosine * even - sine * odd
    turned[:, 1::2] = sine * even + cosine * odd
    return turned


def _bias_for(settings: SyntheticSettings) -> float:
    """The mean bias at which a normally distributed logit gives `positives` labels an event, by bisection."""
    if not settings.offers:
        return 0.0
    points, weights = np.polynomial.hermite_e.hermegauss(64)
    spread = np.sqrt(settings.signal**2 + settings.user_signal**2 + settings.bias_spread**2)
    low, high = -40.0, 40.0
    for _ in range(60):
        middle = (low + high) / 2
        rate = np.sum(weights / (1 + np.exp(-middle - spread * points))) / weights.sum()
        low, high = (middle, high) if rate < settings.positives / settings.offers else (low, middle)
    return low
