"""The (event, offer) pairs of a batch: every live offer that was possible or taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain

import numpy as np

from stream.encoding.loops import pair_up
from stream.encoding.offers import Offers
from stream.records.interaction import Interaction

__all__ = ["Pairs"]


class Pairs:
    """Arrays over P pairs, event after event: those shown by ascending slot, then what was taken beside them."""

    def __init__(self, interactions: Sequence[Interaction], offers: Offers) -> None:
        self.unknown_labels: Counter[str] = Counter()
        self.unknown_shown: Counter[str] = Counter()
        shown = []
        for event in interactions:
            admitted, unknown = offers.possible(event.shown)
            if unknown:
                self.unknown_shown.update(unknown)
            shown.append(admitted)
        labels = [event.labels for event in interactions]
        sizes = list(map(len, labels))
        self.labels = sum(sizes)
        """Labels of all events, those of offers that are not live included."""
        taken = [offers.offers.get(label) for label in chain.from_iterable(labels)]
        if None in taken:
            named = zip(chain.from_iterable(labels), taken, strict=True)
            self.unknown_labels.update(label for label, slot in named if slot is None)
            sizes = [sum(offers.offers.get(label) is not None for label in of) for of in labels]
            taken = [slot for slot in taken if slot is not None]
        slots = np.concatenate(shown) if shown else np.zeros(0, dtype=np.int64)
        number = len(slots) + len(taken)
        self.event, self.slot = np.empty(number, dtype=np.int64), np.empty(number, dtype=np.int64)
        self.possible, self.taken = np.empty(number, dtype=np.bool_), np.empty(number, dtype=np.bool_)
        self.offsets = np.empty(len(labels) + 1, dtype=np.int64)
        number = pair_up(
            *(slots, np.array(list(map(len, shown)), dtype=np.int64)),
            *(np.array(taken, dtype=np.int64), np.array(sizes, dtype=np.int64)),
            *(self.event, self.slot, self.possible, self.taken, self.offsets),
        )
        self.event, self.slot = self.event[:number], self.slot[:number]
        self.possible, self.taken = self.possible[:number], self.taken[:number]
