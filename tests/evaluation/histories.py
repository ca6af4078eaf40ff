"""Random histories of offers and events, and their telling to an Evaluation and to the oracle."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from stream.evaluation import Evaluation, EvaluationSettings, EventScore, ScoredEvents
from tests.evaluation.oracle import Oracle

NAMES = ["a", "b", "B", "aa", "a b", "é", "\uff5a", "😀", "SOAP", "n1", "n2", "n3"]
"""Full-width z and the face would change places if sorted as UTF-16; SOAP and a are attribute values too."""
VALUES = ["SOAP", "TEA", "a"]
LOGITS = [-200.0, -3.0, -1.5, 0.0, 0.5, 0.5, 2.25, 30.0]
DAY_MS = 86_400_000


@dataclass
class Event:
    id: str
    key: str
    ts: int
    version: int
    possible: set[str]
    taken: set[str]
    logits: dict[str, float]


Step = Event | tuple[Any, ...]


def _history(seed: int, length: int, start_live: int) -> list[Step]:
    rng = random.Random(seed)
    live: list[str] = []
    steps: list[Step] = []
    ts = 1_483_228_800_000

    def attributes() -> dict[str, str]:
        return rng.choice([{}, {"other": "x"}, *({"category": value} for value in VALUES)])

    def add() -> None:
        name = rng.choice([name for name in NAMES if name not in live])
        live.append(name)
        steps.append(("add", name, attributes()))

    for _ in range(start_live):
        add()
    for number in range(length):
        kind = rng.random()
        if kind < 0.08 and len(live) < len(NAMES):
            add()
        elif kind < 0.14 and live:
            name = live.pop(rng.randrange(len(live)))
            steps.append(("remove", name))
        elif kind < 0.18 and live and len(live) < len(NAMES):
            name = live.pop(rng.randrange(len(live)))
            live.append(rng.choice([other for other in NAMES if other not in live and other != name]))
            steps.append(("rename", name, live[-1]))
        elif kind < 0.22 and live:
            steps.append(("update", rng.choice(live), attributes()))
        else:
            # Whole half-lives apart, some back in time: decay is then exact in binary, and ties are true ties.
            ts += 28 * DAY_MS * rng.choice([-2, -1, 0, 0, 0, 0, 1, 3])
            possible = {name for name in live if rng.random() < rng.choice([0.0, 0.7, 1.0])}
            taken = {name for name in live if rng.random() < rng.choice([0.0, 0.2, 0.8])}
            version = sum(not isinstance(step, Event) for step in steps)
            logits = {name: rng.choice(LOGITS) for name in live}
            steps.append(Event(f"e{number}", rng.choice("kl"), ts, version, possible, taken, logits))
    return steps


def histories(length: int = 40) -> st.SearchStrategy[list[Step]]:
    return st.builds(
        _history, st.integers(0, 2**32), st.integers(0, length) | st.just(2 * length), st.integers(0, len(NAMES))
    )


@dataclass
class Teller:
    """Tells a history to an Evaluation, in slots and batches of its own choice."""

    evaluation: Evaluation
    batch: int = 3
    scatter: random.Random | None = None
    scores: list[EventScore] = field(default_factory=list)
    _slots: dict[str, int] = field(default_factory=dict)
    _waiting: list[Event] = field(default_factory=list)

    def tell(self, steps: list[Step]) -> Teller:
        for step in steps:
            if isinstance(step, Event):
                self._waiting.append(step)
                if len(self._waiting) == self.batch:
                    self.flush()
                continue
            self.flush()
            self._change(*step)
        self.flush()
        return self

    def _change(self, op: str, name: str, what: Any = None) -> None:
        if op == "add":
            free = [slot for slot in range(len(NAMES) + 8) if slot not in self._slots.values()]
            self._slots[name] = self.scatter.choice(free) if self.scatter else free[0]
            self.evaluation.add_offer(self._slots[name], name, what)
        elif op == "remove":
            self.evaluation.remove_offer(self._slots.pop(name))
        elif op == "rename":
            self._slots[what] = self._slots.pop(name)
            self.evaluation.rename_offer(self._slots[what], what)
        else:
            self.evaluation.update_offer(self._slots[name], what)

    def flush(self) -> None:
        if self._waiting:
            self.scores += self.evaluation.update(scored(self._waiting, self._slots, self.scatter))
            self._waiting = []

    def over(self, evaluation: Evaluation) -> Teller:
        """Go on with another Evaluation, in the same slots."""
        return Teller(evaluation, self.batch, self.scatter, [], dict(self._slots))


def scored(events: list[Event], slots: dict[str, int], scatter: random.Random | None = None) -> ScoredEvents:
    pairs, offsets = [], [0]
    for event in events:
        names = sorted(event.possible | event.taken, key=slots.__getitem__)
        if scatter:
            scatter.shuffle(names)
        pairs += [(slots[n], n in event.possible, n in event.taken, event.logits[n]) for n in names]
        offsets.append(len(pairs))
    slot, possible, taken, logit = zip(*pairs, strict=True) if pairs else ((), (), (), ())
    return ScoredEvents(
        ids=[event.id for event in events],
        keys=[event.key for event in events],
        ts=np.array([event.ts for event in events], dtype=np.int64),
        schema_version=events[0].version if events else 0,
        offsets=np.array(offsets, dtype=np.int64),
        slot=np.array(slot, dtype=np.int64),
        possible=np.array(possible, dtype=np.bool_),
        taken=np.array(taken, dtype=np.bool_),
        logit=np.array(logit, dtype=np.float32),
    )


def tell_oracle(steps: list[Step], settings: EvaluationSettings) -> Oracle:
    oracle = Oracle(settings.attribute, settings.popularity_half_life_days * DAY_MS)
    for step in steps:
        if isinstance(step, Event):
            oracle.event(**vars(step))
        else:
            getattr(oracle, step[0])(*step[1:])
    return oracle
