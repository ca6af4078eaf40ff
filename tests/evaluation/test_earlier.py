"""What came earlier in a batch, against a walk through it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.evaluation.earlier import Earlier

SLOTS = st.sampled_from([0, 1, 2, 5, 40_000])
EVENT = st.tuples(st.lists(SLOTS, unique=True), st.lists(SLOTS, unique=True))


@given(st.lists(EVENT, max_size=8))
def test_it_is_what_a_walk_through_the_batch_finds(events: list[tuple[list[int], list[int]]]) -> None:
    def flat(which: int) -> tuple[np.ndarray, np.ndarray]:
        sizes = [len(event[which]) for event in events]
        slots = [slot for event in events for slot in event[which]]
        return np.array(slots, dtype=np.int64), np.concatenate(([0], np.cumsum(sizes, dtype=np.int64)))

    (slots, bounds), (taken, taken_bounds) = flat(0), flat(1)
    found = Earlier.of(slots, bounds, taken, taken_bounds)

    pairs_of: dict[int, int] = {}
    labels_of: dict[int, list[int]] = {}
    pair = label = 0
    sightings = []
    for shown, labels in events:
        for slot in shown:
            assert found.pairs[pair] == pairs_of.get(slot, 0)
            before = labels_of.get(slot, [])
            assert found.labels[pair] == len(before)
            if before:
                assert found.label[found.last_label[pair]] == before[-1]
            pair += 1
        for slot in shown:
            pairs_of[slot] = pairs_of.get(slot, 0) + 1
        for slot in labels:
            sightings.append(len(labels_of.setdefault(slot, [])))
            labels_of[slot].append(label)
            label += 1
    assert sorted(found.label.tolist()) == list(range(label))
    assert found.sighting.tolist() == [sightings[index] for index in found.label]
    rounds = [found.label[numbers].tolist() for numbers in found.rounds()]
    assert sorted(index for numbers in rounds for index in numbers) == list(range(label))
    assert all(len({int(taken[index]) for index in numbers}) == len(numbers) for numbers in rounds)
