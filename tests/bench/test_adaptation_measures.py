import math

import numpy as np
import pytest

from stream.bench.adaptation.facts import Facts, deciles
from stream.bench.adaptation.measures import beginning, loss_within_seconds, measure, window_of
from tests.bench.made_traces import PAIRS, facts_with, trace_of

EVENTS = 1500  # the window is 50


def test_a_window_is_a_thirtieth_within_bounds() -> None:
    assert [window_of(events) for events in (300, 6000, 65_970)] == [50, 200, 500]


def test_the_losses_around_a_change_are_those_of_the_windows_before_at_and_after_it() -> None:
    run = trace_of([1.0] * 750 + [3.0] * 50 + [2.0] * 50 + [1.0] * 650)
    (around,) = measure(run, facts_with([750], EVENTS)).around
    assert (around.loss_before, around.loss_at, around.loss_after) == pytest.approx((1.0, 3.0, 2.0))
    assert (around.recovery_events, around.recovered) == (100, True)
    assert around.recovery_seconds == pytest.approx(0.150)  # a hundred events, and the window that shows it


def test_the_contracts_measures_leave_out_the_first_fifth_of_the_labelled_events() -> None:
    run = trace_of([9.0] * 300 + [1.0] * 1200)
    run.recall[:300] = 0.0
    found = measure(run, facts_with([], EVENTS))
    assert (found.loss, found.recall_at_5) == pytest.approx((1.0, 0.5))
    assert found.loss_sum == pytest.approx((9 * 300 + 1200) * PAIRS)
    run.recall[:1000] = math.nan  # n = 500: the cut comes a hundred labelled events later
    assert measure(run, facts_with([], EVENTS)).loss == pytest.approx(1.0)


def test_excess_is_summed_from_the_first_change_on_and_against_the_truth_per_pair() -> None:
    run, oracle = trace_of([1.0] * EVENTS), trace_of([0.5] * EVENTS)
    found = measure(run, facts_with([1000], EVENTS, truth=0.75), oracle)
    assert found.excess_over_oracle_sum == pytest.approx(0.5 * 500 * PAIRS)
    assert found.excess_over_truth == pytest.approx(0.25)
    assert math.isnan(measure(run, facts_with([1000], EVENTS)).excess_over_oracle_sum)


def test_old_and_new_offers_are_told_apart_just_after_a_change() -> None:
    run = trace_of([1.0] * EVENTS)
    run.new_sum[750:850], run.new_pairs[750:850] = 6.0, 2
    run.old_sum[750:850], run.old_pairs[750:850] = 4.0, 8
    (around,) = measure(run, facts_with([750], EVENTS)).around
    assert (around.old_loss_at, around.new_loss_at) == pytest.approx((0.5, 3.0))


def test_equal_seconds_is_what_a_run_gets_through_in_them() -> None:
    slow = trace_of([2.0] * 500 + [1.0] * 1000, seconds_per_event=0.002)
    loss, events = loss_within_seconds(slow, 1.5)
    assert loss == pytest.approx((2.0 * 500 + 250) / 750)
    assert events == 750
    slow.cpu_seconds *= 2  # waiting for a core is not training
    assert loss_within_seconds(slow, 1.5)[1] == 375


def test_frozen_and_unfrozen_events_have_their_own_cpu_time() -> None:
    run = trace_of([1.0] * EVENTS, seconds_per_event=0.001)
    run.events_frozen, run.cpu_seconds_frozen = 500, 0.25
    found = measure(run, facts_with([], EVENTS))
    assert (found.cpu_per_frozen_event, found.cpu_per_event) == pytest.approx((0.0005, 0.00125))


def test_losses_by_domain_and_by_rarity_are_over_their_own_events() -> None:
    run = trace_of([1.0] * 750 + [3.0] * 750)
    half = np.repeat([0, 1], 750)
    facts = Facts(np.array([], dtype=np.int64), half * 9, half, ("day", "night"), None)
    found = measure(run, facts)
    assert found.domain_loss == pytest.approx({"day": 1.0, "night": 3.0})
    assert (found.decile_loss[0], found.decile_loss[9]) == pytest.approx((1.0, 3.0))
    assert math.isnan(found.decile_loss[5])
    assert found.as_json()["decile_loss"][5] is None


def test_deciles_go_by_rarity_and_leave_out_events_without_values() -> None:
    rarity = np.array([-1, *range(20, 0, -1)])
    assert deciles(rarity).tolist() == [-1, *(9 - index // 2 for index in range(20))]


def test_the_beginning_of_a_run_is_what_a_run_would_have_been_that_ended_there() -> None:
    whole = trace_of([1.0] * 750 + [3.0] * 750)
    whole.frozen[700:800], whole.events_frozen, whole.cpu_seconds_frozen = True, 100, 0.2
    part = beginning(whole, 750)
    found = measure(part, facts_with([400, 900], EVENTS))
    assert (found.events, found.events_frozen) == (750, 50)
    assert found.loss_sum == pytest.approx(750 * PAIRS)
    assert found.train_seconds == pytest.approx(0.75)
    assert [site.event for site in found.around] == [400]
    assert math.isnan(found.calibration_error)
    assert beginning(whole, 9999) is whole
