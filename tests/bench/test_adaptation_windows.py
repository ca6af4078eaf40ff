import numpy as np
import pytest

from stream.bench.adaptation.windows import Site, mean_between, recovery, sites, steadiness, trailing

W = 100


def losses(*parts: tuple[int, float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.concatenate([np.full(events, loss) for events, loss in parts])


def ones(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.ones(len(values), dtype=np.int64)


def test_changes_closer_than_a_window_are_one_site_and_one_needs_a_window_on_both_sides() -> None:
    changes = np.array([50, 300, 380, 700, 950])
    assert sites(changes, 1000, W) == [Site(300, 380, 700), Site(700, 700, 950)]


def test_a_trailing_mean_is_over_pairs_not_over_events() -> None:
    sums, pairs = np.array([1.0, 8.0, 3.0]), np.array([1, 4, 1])
    assert trailing(sums, pairs, 2).tolist() == pytest.approx([9 / 5, 11 / 5])
    assert mean_between(sums, pairs, -5, 2) == pytest.approx(9 / 5)


def test_an_undisturbed_loss_is_back_after_no_event() -> None:
    loss = losses((1000, 1.0))
    assert recovery(loss, ones(loss), Site(500, 500, 1000), W).events == 0


def test_a_loss_is_back_with_the_first_window_that_has_no_more_than_a_hundredth_above_its_level() -> None:
    loss = losses((500, 1.0), (200, 2.0), (300, 1.0))
    back = recovery(loss, ones(loss), Site(500, 500, 1000), W)
    assert (back.events, back.censored) == (199, False)  # the window of events 699 to 798 still holds one bad event


def test_a_loss_that_stays_up_is_censored_at_the_next_change() -> None:
    loss = losses((500, 1.0), (300, 1.02), (200, 1.0))
    back = recovery(loss, ones(loss), Site(500, 500, 800), W)
    assert (back.events, back.censored) == (201, True)


def test_a_stream_that_grows_harder_for_all_does_not_count_as_lost_beside_a_reference() -> None:
    loss, truth = losses((500, 1.0), (500, 1.5)), losses((500, 0.8), (500, 1.3))
    site = Site(500, 500, 1000)
    assert recovery(loss, ones(loss), site, W).censored
    assert recovery(loss, ones(loss), site, W, truth).events == 0
    assert recovery(loss, ones(loss), site, W, truth, to_reference=True).censored
    assert recovery(loss, ones(loss), site, W, loss - 0.005, to_reference=True).events == 0


def test_jumps_are_rises_of_more_than_two_spreads_from_one_block_to_the_next() -> None:
    calm = [(25, 1.0 + 0.01 * (block % 2)) for block in range(12)]
    site = Site(300, 300, 600)
    quiet = losses(*calm, *calm)
    assert (found := steadiness(quiet, ones(quiet), site, W)) is not None
    assert found.jumps == 0
    jumping = losses(*calm, (25, 1.5), (25, 1.2), (25, 1.4), *calm[3:])
    assert (found := steadiness(jumping, ones(jumping), site, W)) is not None
    assert found.jumps == 2
    assert found.first_rise == pytest.approx(1.5 - 1.005)
    assert found.spread_after > 5 * found.spread_before


def test_too_short_a_stretch_says_nothing_of_steadiness() -> None:
    loss = losses((120, 1.0))
    assert steadiness(loss, ones(loss), Site(50, 50, 120), W) is None
