"""The peers of the speed benchmark: run as a script, in an environment that need not have this project.

    python -P peer_script.py PEER EVENTS.jsonl OFFERS BATCH

EVENTS are interactions as the contract writes them. Each batch is decoded from its bytes, predicted, then learned, on
one thread. The last line printed is JSON: CPU seconds from the first byte to the last step, and the mean loss of the
predictions in nats a pair, all offers possible.

Settings are those at which each peer was fastest in our hands: hidden layers as wide as ours if it has any, inputs
hashed, the largest batch that it takes.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np

_LEAST = 1e-7
_HIDDEN = (128, 128)


class Peer(Protocol):
    """A model that takes batches of lines: it decodes and predicts them, then learns them."""

    def __call__(self, lines: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
        """Return the probabilities from before the step, and what was taken, both `(B, offers)`."""


def _flat(features: dict[str, Any]) -> dict[str, Any]:
    """Return inputs as hashers want them: numbers and strings; a list's items each with a name of its own."""
    flat: dict[str, Any] = {}
    for name, value in features.items():
        if isinstance(value, list):
            flat.update({f"{name}={item}": 1.0 for item in value})
        elif isinstance(value, str):
            flat[name] = value
        elif value is not None:
            flat[name] = float(value)
    return flat


def _decoded(lines: Sequence[bytes], places: dict[str, int]) -> tuple[list[dict[str, Any]], np.ndarray]:
    import orjson

    events = [orjson.loads(line) for line in lines]
    taken = np.zeros((len(events), len(places)), dtype=np.float32)
    for row, event in enumerate(events):
        for label in event["labels"]:
            taken[row, places[label]] = 1.0
    return [_flat(event["features"] | {"(key)": event["key"]}) for event in events], taken


class ScikitLearn:
    """scikit-learn: a hashed multi-layer perceptron, one Adam step for each 200 events (its own default)."""

    def __init__(self, places: dict[str, int]) -> None:
        from sklearn.feature_extraction import FeatureHasher
        from sklearn.neural_network import MLPClassifier

        self._places = places
        self._hasher = FeatureHasher(1 << 14)
        self._model = MLPClassifier(hidden_layer_sizes=_HIDDEN, random_state=0)
        self._known = False

    def __call__(self, lines: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
        """As `Peer`."""
        inputs, taken = _decoded(lines, self._places)
        x = self._hasher.transform(inputs)
        found = self._model.predict_proba(x) if self._known else np.full(taken.shape, taken.mean())
        classes = {"classes": np.arange(len(self._places))} if not self._known else {}
        self._model.partial_fit(x, taken.astype(int), **classes)
        self._known = True
        return found, taken


class DeepRiver:
    """deep-river: a network of as many inputs as hashed columns, `learn_many` on a frame; Adam at 0.001."""

    def __init__(self, places: dict[str, int]) -> None:
        import torch
        from deep_river.regression.multioutput import MultiTargetRegressor
        from sklearn.feature_extraction import FeatureHasher

        torch.manual_seed(0)
        torch.set_num_threads(1)
        self._places = places
        self._columns = 1 << 10
        self._hasher = FeatureHasher(self._columns)
        widths = [self._columns, *_HIDDEN]
        layers: list[Any] = []
        for before, after in itertools.pairwise(widths):
            layers += [torch.nn.Linear(before, after), torch.nn.ReLU()]
        self._model = MultiTargetRegressor(
            module=torch.nn.Sequential(*layers, torch.nn.Linear(widths[-1], len(places))),
            loss_fn="binary_cross_entropy_with_logits",
            optimizer_fn="adam",
            lr=1e-3,
            is_feature_incremental=False,
            is_target_incremental=False,
            seed=0,
        )
        self._known = False

    def __call__(self, lines: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
        """As `Peer`."""
        import pandas as pd

        inputs, taken = _decoded(lines, self._places)
        x = pd.DataFrame(self._hasher.transform(inputs).toarray())
        if self._known:
            logits = self._model.predict_many(x)[list(self._places)].to_numpy(dtype=np.float64)
            found = 1.0 / (1.0 + np.exp(-logits))
        else:
            found = np.full(taken.shape, taken.mean())
        self._model.learn_many(x, pd.DataFrame(taken, columns=list(self._places)))
        self._known = True
        return found, taken


class VowpalWabbit:
    """Vowpal Wabbit: `--multilabel_oaa`, a logistic regression for each offer (linear), one event at a time."""

    def __init__(self, places: dict[str, int]) -> None:
        import vowpalwabbit
        from vowpalwabbit import pyvw

        self._places = places
        self._kind = pyvw.PredictionType.SCALARS
        self._model = vowpalwabbit.Workspace(
            f"--multilabel_oaa {len(places)} --loss_function logistic --probabilities --link logistic --quiet --json"
        )

    def __call__(self, lines: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
        """As `Peer`."""
        inputs, taken = _decoded(lines, self._places)
        found = np.empty(taken.shape)
        for row, flat in enumerate(inputs):
            labels = ",".join(map(str, np.flatnonzero(taken[row])))
            example = self._model.parse(json.dumps({"_label": labels, "f": flat}))
            self._model.learn(example)
            # An example that Vowpal Wabbit uses again still holds what was predicted of the one before.
            found[row] = example.get_prediction(self._kind)[-len(self._places) :]
            self._model.finish_example(example)
        return found, taken


PEERS: dict[str, type[Any]] = {"deep-river": DeepRiver, "scikit-learn": ScikitLearn, "vowpal-wabbit": VowpalWabbit}


def _batches(lines: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(lines), size):
        yield lines[start : start + size]


def main(arguments: Sequence[str]) -> None:
    """Run as the module's docstring says."""
    name, events, offers, size = arguments
    with open(events, "rb") as file:
        lines = file.read().splitlines()
    peer: Peer = PEERS[name]({offer: place for place, offer in enumerate(offers.split(","))})
    seconds, losses, pairs = 0.0, 0.0, 0
    for batch in _batches(lines, int(size)):
        began = time.process_time()
        found, taken = peer(batch)
        seconds += time.process_time() - began
        sure = np.clip(found.astype(np.float64), _LEAST, 1.0 - _LEAST)
        losses -= float(np.log(np.where(taken > 0.0, sure, 1.0 - sure)).sum())
        pairs += taken.size
    print(json.dumps({"cpu_seconds": seconds, "loss": losses / pairs}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
