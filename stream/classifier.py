"""The learner as an estimator of the package `river`: it adds names on sight, because river sends no schema events."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from river import base

from stream import state
from stream.encoding.values import categorical_value
from stream.library import Learner
from stream.records.interaction import Interaction
from stream.schema import Change, Kind, Op, Version
from stream.settings.learner import LearnerSettings

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["StreamClassifier"]

V = TypeVar("V")
_KIND_OF = {
    bool: Kind.BOOLEAN,
    float: Kind.NUMERIC,
    int: Kind.NUMERIC,
    list: Kind.MULTI_CATEGORICAL,
    str: Kind.CATEGORICAL,
}
_LARGEST_INTEGER = 2**1023
"""A float64 holds it; not much further on it holds nothing."""


class StreamClassifier(base.MultiLabelClassifier):
    """One multi-label network that grows with the names it meets.

    A feature or a label is added, by a schema version, with the first event that has it; the settings' strategy then
    does what it does on any schema change. A feature's kind is that of its first value: a boolean, a number, a string
    (categorical), or a list, tuple or set (multi-categorical). A later value that the kind does not take is missing,
    and so are None, NaN, infinities, and values of any other type (a date, say).

    The labels that `y` names are those that were possible: True ones were taken, False ones were not, and of a label
    that `y` leaves out (or gives as None or NaN) nothing is learned. Predictions name every label seen so far. Asked
    for another one they do not raise, which river's metrics would not survive, but answer False, and as its
    probability the rate that the network assumes of what it has not seen (`network.prevalence`).

    No time passes: nothing fades that fades with event time.

    Args:
        key: the feature that says who the event is about; it is the event's key then, and no other input. Without it,
            or if it is missing, an event is anonymous.
        seed: seed of every random draw; None takes that of the settings. The same seed and events, the same model.
        settings: everything else; None for the defaults.

    Examples:
        >>> from stream.classifier import StreamClassifier
        >>> model = StreamClassifier(seed=1)
        >>> for hour in range(200):
        ...     model.learn_one({"hour": hour % 24}, {"tea": hour % 24 < 12, "wine": hour % 24 > 18})
        >>> model.predict_one({"hour": 8})
        {'tea': True, 'wine': False}
    """

    def __init__(
        self, key: Hashable | None = None, seed: int | None = None, settings: LearnerSettings | None = None
    ) -> None:
        self.key = key
        self.seed = seed
        self.settings = settings
        self._labels: dict[str, Hashable] = {}
        """The caller's label by its name in the schema."""
        self._learner = Learner(self._wanted())

    def _wanted(self) -> LearnerSettings:
        settings = self.settings or LearnerSettings()
        return settings if self.seed is None else replace(settings, seed=self.seed)

    @property
    def learner(self) -> Learner:
        """The learner inside, with its schema, its measures, `save` and `state_digest`."""
        return self._learner

    # -- one event ----------------------------------------------------------------------------------------------

    def learn_one(self, x: Mapping[Any, Any], y: Mapping[Any, Any], w: float = 1.0) -> None:
        """Add what is new in `x` and `y`, then train one step on the event, its loss multiplied by `w`.

        Raises ValueError if a label is neither true nor false nor missing, or `w` no finite number from 0.
        """
        if not 0.0 <= w < math.inf:
            raise ValueError(f"the weight w is {w}; it has to be a finite number from 0")
        self._learn([_named(x)], [_present(y, _truth)], float(w))

    def predict_proba_one(self, x: Mapping[Any, Any], **kwargs: Any) -> dict[Hashable, dict[bool, float]]:
        """Return `{False: 1 - p, True: p}` by label, for each seen so far; changes nothing."""
        labels, probabilities = self._probabilities([_named(x)])
        prior = self._learner.settings.network.prevalence
        return _ByLabel(
            {label: {False: 1.0 - p, True: p} for label, p in zip(labels, probabilities[0].tolist(), strict=True)},
            {False: 1.0 - prior, True: prior},
        )

    def predict_one(self, x: Mapping[Any, Any], **kwargs: Any) -> dict[Hashable, bool]:
        """Return by label, for each seen so far, whether it is likelier than not; changes nothing."""
        labels, probabilities = self._probabilities([_named(x)])
        return _ByLabel(dict(zip(labels, (probabilities[0] > 0.5).tolist(), strict=True)), False)

    # -- a mini-batch -------------------------------------------------------------------------------------------

    def learn_many(self, X: pd.DataFrame, y: pd.DataFrame) -> None:  # noqa: N803 - river's name
        """Train one step on a frame of events and a frame of their labels, row by row; otherwise as `learn_one`."""
        if len(X) != len(y):
            raise ValueError(f"there are {len(X)} events and {len(y)} rows of labels; give a row for each event")
        if len(X):
            self._learn([_named(row) for row in _rows(X)], [_present(row, _truth) for row in _rows(y)], 1.0)

    def predict_proba_many(self, X: pd.DataFrame) -> pd.DataFrame:  # noqa: N803
        """Return the probability of each label seen so far, a column a label, a row an event; changes nothing."""
        import pandas as pd  # optional, as it is in river

        labels, probabilities = self._probabilities([_named(row) for row in _rows(X)])
        return pd.DataFrame(probabilities, index=X.index, columns=pd.Index(labels, dtype=object))

    def predict_many(self, X: pd.DataFrame) -> pd.DataFrame:  # noqa: N803
        """Return for each label and event whether it is likelier than not; changes nothing."""
        return self.predict_proba_many(X) > 0.5

    # -- both are made of -----------------------------------------------------------------------------------------

    def _learn(
        self, events: Sequence[dict[str, Any]], truths: Sequence[Mapping[Hashable, bool]], weight: float
    ) -> None:
        self._add_on_sight(events, {_name(label): label for truth in truths for label in truth})
        interactions = []
        for number, (features, truth) in enumerate(zip(events, truths, strict=True), self._learner.events_trained):
            event = self._event(number, features, weight)
            event.shown = tuple(_name(label) for label in truth)
            event.labels = tuple(_name(label) for label, taken in truth.items() if taken)
            interactions.append(event)
        self._learner.learn(self._learner.encode(interactions))

    def _event(self, number: int, features: dict[str, Any], weight: float = 1.0) -> Interaction:
        key = None if self.key is None else categorical_value(features.pop(_name(self.key), None))
        return Interaction(str(number), key if isinstance(key, str) else None, 0, features, (), None, None, weight)

    def _add_on_sight(self, events: Iterable[Mapping[str, Any]], labels: Mapping[str, Hashable]) -> None:
        schema = self._learner.schema
        kinds: dict[str, Kind] = {}
        for features in events:
            for name, value in features.items():
                if name not in schema.features:
                    kinds.setdefault(name, _KIND_OF[type(value)])
        if self.key is not None:
            kinds.pop(_name(self.key), None)
        new = [name for name in labels if name not in schema.labels]
        if kinds or new:
            # Sorted, because the order of the names in one event may not matter.
            changes = [Change(Op.ADD_FEATURE, name, kind=kind) for name, kind in sorted(kinds.items())]
            changes += [Change(Op.ADD_LABEL, name) for name in sorted(new)]
            self._learner.apply(Version.of(schema.version + 1, schema.event_time_ms or 0, changes))
            self._labels.update((name, labels[name]) for name in new)

    def _probabilities(self, events: Sequence[dict[str, Any]]) -> tuple[list[Hashable], np.ndarray]:
        """Return all live labels and their probabilities, float64 `(B, labels)`."""
        live = len(self._learner.schema.labels)
        if not live or not events:
            return [self._labels.get(name, name) for name in self._learner.schema.labels], np.zeros((len(events), live))
        batch = self._learner.encode([self._event(number, features) for number, features in enumerate(events)])
        predictions = self._learner.predict(batch)
        names = (str(predictions.names[slot]) for slot in batch.pair_slot[:live])
        scores = predictions.scores.reshape(len(events), live)
        return [self._labels.get(name, name) for name in names], 1.0 / (1.0 + np.exp(-scores))

    # -- pickle and copy ------------------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        return {**self._get_params(), "labels": dict(self._labels), "learner": state.encode(self._learner.state())}

    def __setstate__(self, kept: dict[str, Any]) -> None:
        self.key, self.seed, self.settings = kept["key"], kept["seed"], kept["settings"]
        self._labels = kept["labels"]
        self._learner = Learner.from_state(state.decode(kept["learner"]), self._wanted())


class _ByLabel(dict[Hashable, V]):
    """What was predicted for the labels seen, and what holds for any other one that is asked for."""

    def __init__(self, seen: dict[Hashable, V], unseen: V) -> None:
        super().__init__(seen)
        self._unseen = unseen

    def __missing__(self, label: Hashable) -> V:
        return self._unseen


def _name(name: Hashable) -> str:
    """Return a name as the schema has it; one that is no string shows its type, so that 1 is not "1"."""
    if type(name) is str:
        return name
    if isinstance(name, np.generic):
        name = name.item()
    return str.__str__(name) if isinstance(name, str) else f"{type(name).__name__} {name!r}"


def _named(x: Mapping[Hashable, Any]) -> dict[str, Any]:
    return {_name(name): read for name, value in x.items() if (read := _value(value)) is not None}


def _present(y: Mapping[Hashable, Any], read: Callable[[Any], V | None]) -> dict[Hashable, V]:
    return {name: found for name, value in y.items() if (found := read(value)) is not None}


def _rows(frame: pd.DataFrame) -> list[dict[Hashable, Any]]:
    """Return a frame's rows by column name, as plain Python values."""
    names = list(frame.columns)
    columns = [frame.iloc[:, place].tolist() for place in range(len(names))]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)] if names else [{}] * len(frame)


def _value(value: Any) -> Any:
    """Return a value as an interaction has it; None if it is missing, or of a type that no kind takes."""
    kind = type(value)
    if kind is float:
        return value if math.isfinite(value) else None
    if kind is str or kind is bool:
        return value
    if kind is int:
        return value if -_LARGEST_INTEGER < value < _LARGEST_INTEGER else None
    if isinstance(value, list | tuple):
        return [_value(element) for element in value]
    if isinstance(value, set | frozenset):
        return sorted((_value(element) for element in value), key=repr)  # in an order that is the same in every run
    if isinstance(value, np.generic):
        plain = value.item()
        return None if isinstance(plain, np.generic) else _value(plain)
    for kind in (str, int, float):  # a member of an enumeration, say
        if isinstance(value, kind):
            return _value(kind.__str__(value) if kind is str else kind(value))
    return None


def _truth(value: Any) -> bool | None:
    read = _value(value)
    if read is None:
        return None
    if isinstance(read, bool | int | float) and read in (0, 1):
        return bool(read)
    raise ValueError(f"a label is {value!r}; it has to be true, false or missing")
