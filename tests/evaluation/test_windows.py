"""The window forgets, in steps of a twentieth where it pools pairs."""

import numpy as np
import pytest

from stream.evaluation.calibration import codes
from stream.evaluation.windows import Windows


def _extend(window: Windows, first: int, last: int) -> None:
    """Events numbered first to last, each labelled, with one pair; its number is its loss and its recall.

    The running rate loses twice as much, and every second event is contested.
    """
    numbers = np.arange(first, last, dtype=np.float64)
    rankings = np.column_stack((np.repeat(numbers[:, None], 9, axis=1), numbers % 2))
    losses = np.stack((numbers, np.ones_like(numbers), 2 * numbers), axis=1)
    pair_codes = codes(np.zeros(len(numbers)), np.zeros(len(numbers), dtype=bool))
    window.extend(rankings, losses, pair_codes, np.arange(len(numbers) + 1))


@pytest.mark.parametrize("batch", [1, 7, 64, 500])
def test_a_window_holds_the_last_events_however_they_were_cut_into_batches(batch: int) -> None:
    window = Windows(100, measures=3)
    for first in range(0, 500, batch):
        _extend(window, first, min(first + batch, 500))
    measures = window.window()
    assert (measures.events, measures.events_with_labels) == (100, 100)
    assert measures.bce == measures.recall_at_5 == 449.5
    assert (measures.running_rate_bce, measures.normalised_entropy) == (899.0, 0.5)
    assert measures.contested is not None
    assert (measures.contested_events, measures.contested.recall_at_5) == (50, 450.0)


@pytest.mark.parametrize("length", [1, 7, 20, 21, 39, 100, 1000])
def test_pooled_pairs_cover_at_least_nine_tenths_of_a_window_and_never_more_than_it(length: int) -> None:
    window = Windows(length, measures=3)
    covered = []
    for event in range(3 * length):
        _extend(window, event, event + 1)
        covered.append(int(window.window_histogram().sum()))
    assert covered[: length // 2] == list(range(1, length // 2 + 1))
    assert max(covered) <= length
    assert min(covered[length:]) >= 0.9 * length - 1
