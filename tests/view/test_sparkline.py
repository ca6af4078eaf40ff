from collections import deque

from stream.view.sparkline import bounds, sparkline


def test_the_lowest_and_the_highest_value_have_the_lowest_and_the_highest_block() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8) == "▁▂▃▄▅▆▇█"


def test_more_values_than_columns_are_drawn_at_the_mean_of_their_neighbours() -> None:
    assert sparkline([0, 0, 7, 7], 2) == "▁█"
    assert sparkline([0, 7, 7, 0, 3, 4], 3, scale=(0, 7)) == "▅▅▅"
    assert len(sparkline(list(range(1000)), 37)) == 37


def test_what_is_not_known_is_blank_and_a_series_that_does_not_move_lies_in_the_middle() -> None:
    assert sparkline([None, 3.0, 3.0, None], 10) == " ▅▅ "
    assert sparkline([], 10) == ""
    assert sparkline([None, None, None, 5.0], 2, scale=(0.0, 5.0)) == " █"


def test_two_series_on_one_scale_can_be_compared() -> None:
    scale = bounds([0.0, None], [1.0])
    assert scale == (0.0, 1.0)
    assert sparkline([0.5], 5, scale) == "▅"
    assert sparkline([2.0], 5, scale) == "█"
    assert bounds([None], []) is None


def test_a_series_of_bounded_length_is_drawn_like_any_other() -> None:
    assert sparkline(deque([0, 0, 7, 7], maxlen=4), 2) == "▁█"
