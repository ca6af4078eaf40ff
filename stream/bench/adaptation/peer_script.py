"""The peers themselves: run as a script, in an environment that need not have this project.

    python -P peer_script.py PEER EVENTS.jsonl OUT.npz SEED SECONDS

A line of EVENTS is `{"x": {input: number, string or list}, "offers": [names], "taken": [booleans]}`. Each event is
predicted, then learned; OUT holds the logits `(P,)` of the pairs in that order, the seconds after each event `(N,)`,
and what the run cost. It ends at the end of the file or after so many seconds, whichever is first; each hundred events
it prints how many are done.

An offer that the peer has not learned yet has its prior: the logit of the share of pairs taken so far.
"""

from __future__ import annotations

import json
import math
import resource
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

_CLIP = 1e-9
_SAY_EVENTS = 100


class Peer(Protocol):
    """A model that predicts and learns one event at a time."""

    def predict(self, x: dict[str, Any], offers: Sequence[str], prior: float) -> list[float]:
        """Return a logit for each offer; `prior` for one that it does not know."""

    def learn(self, x: dict[str, Any], offers: Sequence[str], taken: Sequence[bool], prior: float) -> None:
        """Learn which of the offers were taken."""

    def parameters(self) -> int:
        """Return how many weights there are."""


class Inputs:
    """river's own pipeline: numbers standardised as they come, words and lists of words one-hot, the missing absent."""

    def __init__(self) -> None:
        import numbers

        from river import compose, preprocessing

        measured = compose.SelectType(numbers.Number) | preprocessing.StandardScaler()
        named = compose.SelectType(str, list) | preprocessing.OneHotEncoder(drop_zeros=True)
        self._pipeline = measured + named

    def encode(self, x: dict[str, Any]) -> dict[str, float]:
        """Return an event's inputs, as far as their scale is known."""
        encoded: dict[str, float] = self._pipeline.transform_one(x)
        return encoded

    def learn(self, x: dict[str, Any]) -> None:
        """Take an event into the running scales."""
        self._pipeline.learn_one(x)


class RiverLogistic:
    """river: a logistic regression of its own for each offer, on inputs that all share."""

    def __init__(self, seed: int) -> None:
        self._inputs = Inputs()
        self._models: dict[str, Any] = {}

    def predict(self, x: dict[str, Any], offers: Sequence[str], prior: float) -> list[float]:
        """As `Peer`."""
        encoded = self._inputs.encode(x)
        return [
            _logit(self._models[offer].predict_proba_one(encoded)[True]) if offer in self._models else prior
            for offer in offers
        ]

    def learn(self, x: dict[str, Any], offers: Sequence[str], taken: Sequence[bool], prior: float) -> None:
        """As `Peer`; a new offer's regression starts at the prior."""
        from river import linear_model, optim

        self._inputs.learn(x)
        encoded = self._inputs.encode(x)
        for offer, outcome in zip(offers, taken, strict=True):
            if offer not in self._models:
                self._models[offer] = linear_model.LogisticRegression(optim.SGD(0.05), intercept_init=prior)
            self._models[offer].learn_one(encoded, outcome)

    def parameters(self) -> int:
        """As `Peer`."""
        return sum(len(model.weights) + 1 for model in self._models.values())


class DeepRiver:
    """deep-river: one network of two hidden layers, whose first and last layer grow with names.

    Its classifier takes one class an event, so it is its regressor of many targets with a cross-entropy on logits. It
    takes a target that is left out for 0; so those that were not possible are given as NaN, which the loss leaves out.
    """

    def __init__(self, seed: int) -> None:
        import torch
        from deep_river.regression.multioutput import MultiTargetRegressor

        def loss(logits: Any, targets: Any) -> Any:
            known = ~torch.isnan(targets)
            return torch.nn.functional.binary_cross_entropy_with_logits(logits[known], targets[known])

        torch.manual_seed(seed)
        torch.set_num_threads(1)
        self._inputs = Inputs()
        layers: list[Any] = [torch.nn.Linear(1, 128), torch.nn.ReLU(), torch.nn.Linear(128, 128), torch.nn.ReLU()]
        self._model = MultiTargetRegressor(
            module=torch.nn.Sequential(*layers, torch.nn.Linear(128, 1)),
            loss_fn=loss,
            optimizer_fn="adam",
            lr=1e-3,
            is_feature_incremental=True,
            is_target_incremental=True,
            seed=seed,
        )

    def predict(self, x: dict[str, Any], offers: Sequence[str], prior: float) -> list[float]:
        """As `Peer`."""
        known = self._model.predict_one(self._inputs.encode(x)) if self._model.observed_targets else {}
        return [known.get(offer, prior) for offer in offers]

    def learn(self, x: dict[str, Any], offers: Sequence[str], taken: Sequence[bool], prior: float) -> None:
        """As `Peer`."""
        self._inputs.learn(x)
        targets = dict.fromkeys(self._model.observed_targets, math.nan)
        targets.update(zip(offers, map(float, taken), strict=True))
        if offers:
            self._model.learn_one(self._inputs.encode(x), targets)

    def parameters(self) -> int:
        """As `Peer`."""
        return sum(parameter.numel() for parameter in self._model.module.parameters())


PEERS: dict[str, Callable[[int], Peer]] = {"river-logistic": RiverLogistic, "deep-river": DeepRiver}


def _logit(probability: float) -> float:
    probability = min(max(probability, _CLIP), 1.0 - _CLIP)
    return math.log(probability / (1.0 - probability))


def _peak_memory_bytes() -> float:
    try:
        # What getrusage says on Linux may be the parent's: it outlives exec.
        with open("/proc/self/status", encoding="ascii") as status:
            return next(1024.0 * int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def main(arguments: Sequence[str]) -> None:
    """Run as the module's docstring says."""
    name, events, out, seed, limit_seconds = arguments
    peer: Peer = PEERS[name](int(seed))
    logits: list[float] = []
    seconds: list[float] = []
    spent, cpu = 0.0, 0.0
    taken_before, possible_before = 0.02, 1.0
    with open(events, encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            x, offers, taken = event["x"], event["offers"], event["taken"]
            prior = _logit(taken_before / possible_before)
            began, cpu_began = time.perf_counter(), time.process_time()
            predicted = peer.predict(x, offers, prior)
            peer.learn(x, offers, taken, prior)
            spent += time.perf_counter() - began
            cpu += time.process_time() - cpu_began
            logits += predicted
            seconds.append(spent)
            taken_before += sum(taken)
            possible_before += len(taken)
            if len(seconds) % _SAY_EVENTS == 0:
                print(len(seconds), flush=True)
            if spent > float(limit_seconds):
                break
    np.savez(
        out,
        logit=np.array(logits),
        seconds=np.array(seconds),
        cost=np.array([cpu, float(peer.parameters()), _peak_memory_bytes()]),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
