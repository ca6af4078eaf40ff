"""What looks have shown never exceeds what the clock says, and no single gap, however long, counts."""

from __future__ import annotations

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from stream.service.shown_time import ShownTime

gaps = st.lists(st.integers(0, 1000), max_size=20)


@given(gaps)
def test_it_is_all_gaps_but_the_longest(lengths: list[int]) -> None:
    shown = ShownTime.since(0)
    told = [shown.look(moment) for moment in accumulate(lengths)]
    assert told == [sum(lengths[: n + 1]) - max(lengths[: n + 1]) for n in range(len(lengths))]
    assert told == sorted(told)
