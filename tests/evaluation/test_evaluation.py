"""The measures against a naive reading of the contract, and against themselves: other slots, other batches, resumed."""

import json
import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.errors import ConfigurationError
from stream.evaluation import Evaluation, EvaluationSettings, RankingQuality, WindowedMeasures
from stream.state import decode, encode
from stream.state.digest import digest
from tests.evaluation.histories import Event, Step, Teller, histories, scored, tell_oracle
from tests.evaluation.oracle import BASELINES, Oracle

SETTINGS = EvaluationSettings(attribute="category", window_events=7, finite=True)
WITHOUT_ATTRIBUTE = EvaluationSettings(window_events=7, finite=True)


def _line_equals(line: dict[str, object], expected: dict[str, object]) -> None:
    assert list(line) == list(expected)
    assert line == expected | {"bce": pytest.approx(expected["bce"], rel=1e-12, abs=1e-12)}


def _measures_equal(measures: WindowedMeasures, oracle: Oracle, window: int) -> None:
    rows, pairs = slice(max(0, len(oracle.labelled) - window), None), oracle.pairs[-window:]
    assert measures.events == len(pairs)
    assert measures.events_with_labels == len(oracle.labelled[rows])
    for measure in ("recall_at_5", "ndcg_at_5", "precision_at_5"):
        assert getattr(measures, measure) == pytest.approx(oracle.mean("model", measure, rows))
        for baseline in BASELINES:
            quality = measures.baselines[baseline]
            assert (quality and getattr(quality, measure)) == pytest.approx(oracle.mean(baseline, measure, rows))
    assert measures.bce == pytest.approx(oracle.bce(pairs))
    assert measures.micro_auc == pytest.approx(oracle.auc(pairs))
    rate = oracle.mean_rate_loss(oracle.rate[-window:])
    assert measures.running_rate_bce == pytest.approx(rate)
    if measures.bce is not None and rate:
        assert measures.normalised_entropy == pytest.approx(measures.bce / rate)
    assert measures.contested_events == sum(oracle.contested[rows])
    for measure in ("recall_at_5", "ndcg_at_5", "precision_at_5"):
        for which, quality in (("model", measures.contested), *measures.contested_baselines.items()):
            assert (quality and getattr(quality, measure)) == pytest.approx(
                oracle.mean_of_contested(which, measure, rows)
            )
    assert (measures.expected_calibration_error is None) == (measures.bce is None)


@settings(max_examples=150, deadline=None)
@given(histories(), st.sampled_from([SETTINGS, WITHOUT_ATTRIBUTE]), st.integers(1, 5))
def test_predictions_and_measures_are_those_of_the_contract(
    steps: list[Step], chosen: EvaluationSettings, batch: int
) -> None:
    oracle = tell_oracle(steps, chosen)
    teller = Teller(Evaluation(chosen), batch).tell(steps)
    assert len(teller.scores) == len(oracle.lines)
    for score, expected in zip(teller.scores, oracle.lines, strict=True):
        _line_equals(json.loads(score.to_json()), expected)
    evaluation = teller.evaluation
    summary, expected_summary = evaluation.summary(), oracle.summary()
    assert summary.pop("first_fifth_left_out") is True
    assert summary.keys() == expected_summary.keys()
    assert summary["baselines"].keys() == expected_summary["baselines"].keys()
    error, groups = summary["model"].pop("expected_calibration_error"), summary["model"].pop("reliability")
    assert (error, [tuple(group.values()) for group in groups]) == (
        evaluation.lifetime().expected_calibration_error,
        evaluation.reliability(),
    )
    assert summary["model"].pop("micro_auc") == evaluation.lifetime().micro_auc
    assert summary["contested_events"] == expected_summary["contested_events"]
    assert summary["running_rate"] == pytest.approx(expected_summary["running_rate"])
    for found, expected in (
        (summary["model"], expected_summary["model"]),
        *((summary["baselines"][name], expected_summary["baselines"][name]) for name in BASELINES),
    ):
        assert found.pop("contested") == pytest.approx(expected.pop("contested"))
        assert found == pytest.approx(expected)
    _measures_equal(evaluation.lifetime(), oracle, window=10**9)
    _measures_equal(evaluation.window(), oracle, chosen.window_events)
    assert evaluation.evictions == 0


@settings(max_examples=60, deadline=None)
@given(histories(), st.sampled_from([SETTINGS, WITHOUT_ATTRIBUTE]), st.integers(1, 5), st.integers(0, 2**32))
def test_neither_slots_nor_the_order_of_pairs_nor_batches_show_in_scores_or_named_state(
    steps: list[Step], chosen: EvaluationSettings, batch: int, seed: int
) -> None:
    one = Teller(Evaluation(chosen), batch=4).tell(steps)
    other = Teller(Evaluation(chosen), batch, scatter=random.Random(seed)).tell(steps)
    assert one.scores == other.scores
    assert one.evaluation.summary() == other.evaluation.summary()
    assert one.evaluation.window() == other.evaluation.window()
    assert one.evaluation.lifetime() == other.evaluation.lifetime()
    assert digest(one.evaluation.named_state()) == digest(other.evaluation.named_state())


@settings(max_examples=60, deadline=None)
@given(histories(), st.sampled_from([1, 3, 1_000_000]), st.data())
def test_a_restored_evaluation_continues_bit_for_bit(steps: list[Step], max_pairs: int, data: st.DataObject) -> None:
    chosen = EvaluationSettings(attribute="category", window_events=25, finite=True, max_key_values=max_pairs)
    cut = data.draw(st.integers(0, len(steps)))
    through = Teller(Evaluation(chosen)).tell(steps[:cut])
    resumed = through.over(Evaluation(chosen))
    resumed.evaluation.restore(decode(encode(through.evaluation.state())))
    assert digest(resumed.evaluation.named_state()) == digest(through.evaluation.named_state())
    through.scores.clear()
    through.tell(steps[cut:])
    resumed.tell(steps[cut:])
    assert resumed.scores == through.scores
    assert resumed.evaluation.summary() == through.evaluation.summary()
    assert resumed.evaluation.window() == through.evaluation.window()
    assert resumed.evaluation.evictions == through.evaluation.evictions
    assert encode(resumed.evaluation.state()) == encode(through.evaluation.state())
    assert digest(resumed.evaluation.named_state()) == digest(through.evaluation.named_state())


def _event(possible: str, taken: str, ts: int = 0, key: str = "k", number: int = 0) -> Event:
    return Event(f"e{number}", key, ts, 1, set(possible), set(taken), dict.fromkeys(possible + taken, 0.25))


def _with_offers(chosen: EvaluationSettings, names: str = "abcdefgh", **attributes: str) -> Teller:
    return Teller(Evaluation(chosen)).tell([("add", name, dict(attributes)) for name in names])


def test_any_difference_of_history_shows_in_the_named_state() -> None:
    def told(**change: object) -> str:
        event = Event(**{**vars(_event("abc", "ab")), **change})
        return digest(_with_offers(SETTINGS).tell([event]).evaluation.named_state())

    digests = {
        told(),
        told(key="l"),
        told(ts=1),
        told(possible={"a", "b"}),
        told(taken={"a"}),
        told(logits=dict.fromkeys("abc", 0.3)),
        digest(_with_offers(SETTINGS, category="TEA").tell([_event("abc", "ab")]).evaluation.named_state()),
    }
    assert len(digests) == 7


def test_a_label_outside_shown_is_a_miss_and_is_learned_by_the_counts() -> None:
    teller = _with_offers(SETTINGS).tell([_event("abc", "h"), _event("abcdefgh", "")])
    missed, after = teller.scores
    assert missed.quality == RankingQuality(0.0, 0.0, 0.0)
    assert (missed.possible, missed.bce_pairs, missed.labels) == (3, 4, ["h"])
    assert after.popularity[0] == after.entity_attribute_counts[0] == "h"
    assert after.quality is None


def test_an_event_without_possible_offers_scores_zero_and_one_without_any_offer_still_counts() -> None:
    teller = _with_offers(SETTINGS).tell([_event("", "a"), _event("", "")])
    nothing_possible, nothing_at_all = teller.scores
    assert nothing_possible.quality == RankingQuality(0.0, 0.0, 0.0)
    assert nothing_possible.top == []
    assert (nothing_at_all.bce_sum, nothing_at_all.bce_pairs, nothing_at_all.mean_loss) == (0.0, 0, None)
    assert teller.evaluation.lifetime().events == 2


def test_a_pass_without_labels_or_without_events_has_null_measures() -> None:
    nothing: dict[str, object] = {"recall_at_5": None, "ndcg_at_5": None}
    nothing |= {"bce": None, "contested": dict(nothing)}
    no_pairs: dict[str, object] = {"micro_auc": None, "expected_calibration_error": None, "reliability": []}
    for chosen in (SETTINGS, EvaluationSettings()):
        expected = {
            "first_fifth_left_out": chosen.finite,
            "contested_events": 0,
            "running_rate": {"bce": None},
            "model": {**nothing, "normalised_entropy": None, **no_pairs},
            "baselines": {"popularity": nothing, "entity_attribute_counts": nothing},
        }
        teller = _with_offers(chosen)
        assert list(teller.evaluation.update(scored([], {}))) == []
        assert teller.evaluation.summary() == expected
        model = teller.tell([_event("abc", "")]).evaluation.summary()["model"]
        assert model | no_pairs == expected["model"]
        assert sum(group["pairs"] for group in model["reliability"]) == 3


def test_the_line_of_a_predictions_file_has_the_contracts_form() -> None:
    (score,) = Teller(Evaluation(SETTINGS)).tell([("add", "é", {}), ("add", "z", {}), _event("éz", "éz")]).scores
    assert json.loads(score.to_json()) == {
        "id": "e0",
        "schema_version": 1,
        "top": [["z", 0.25], ["é", 0.25]],
        "popularity": ["z", "é"],
        "entity_attribute_counts": ["z", "é"],
        "possible": 2,
        "labels": ["z", "é"],
        "bce": [score.bce_sum, 2],
    }
    assert "\n" not in score.to_json()


def test_a_service_keeps_no_sums_per_event_and_its_summary_is_its_lifetime() -> None:
    service = _with_offers(EvaluationSettings(attribute="category"))
    finite = _with_offers(EvaluationSettings(attribute="category", finite=True))
    service.tell([_event("abc", "a")])
    small = len(encode(service.evaluation.state()))
    events: list[Step] = [_event("abcdefgh", "h" if n < 50 else "ab", number=n) for n in range(200)]
    assert len(encode(service.tell(events).evaluation.state())) < small + 500
    assert service.evaluation.summary()["model"]["recall_at_5"] == service.evaluation.lifetime().recall_at_5
    finite.tell([_event("abc", "a"), *events])
    assert finite.evaluation.summary()["model"]["recall_at_5"] > service.evaluation.lifetime().recall_at_5


def test_a_checkpoint_of_a_service_is_continued_as_a_service_and_the_other_way_round() -> None:
    events: list[Step] = [_event("abcdefgh", "h" if n < 5 else "ab", number=n) for n in range(20)]
    service = _with_offers(EvaluationSettings()).tell(events).evaluation
    finite = _with_offers(EvaluationSettings(finite=True)).tell(events).evaluation
    assert service.summary() != finite.summary()
    was_service, was_finite = Evaluation(EvaluationSettings(finite=True)), Evaluation(EvaluationSettings())
    was_service.restore(service.state())
    was_finite.restore(finite.state())
    assert was_service.summary() == was_finite.summary() == service.summary()


def test_a_window_of_another_length_starts_anew_while_the_lifetime_goes_on() -> None:
    before = _with_offers(EvaluationSettings(window_events=10)).tell([_event("abc", "a")]).evaluation
    after = Evaluation(EvaluationSettings(window_events=20))
    after.restore(before.state())
    assert after.window().events == 0
    assert after.lifetime() == before.lifetime()


def test_a_checkpoint_that_counted_by_another_attribute_is_refused() -> None:
    state = _with_offers(SETTINGS, category="TEA").evaluation.state()
    with pytest.raises(ConfigurationError, match=r"evaluation\.attribute is 'brand'.*'category'"):
        Evaluation(EvaluationSettings(attribute="brand")).restore(state)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_logit_that_is_not_finite_is_refused_before_anything_is_counted(value: float) -> None:
    teller = _with_offers(SETTINGS)
    before = digest(teller.evaluation.named_state())
    batch = scored([_event("abc", "a")], dict(zip("abcdefgh", range(8), strict=True)))
    batch.logit[1] = value
    with pytest.raises(ValueError, match="NaN or infinite"):
        teller.evaluation.update(batch)
    assert digest(teller.evaluation.named_state()) == before


def test_arrays_that_do_not_fit_together_are_refused() -> None:
    teller = _with_offers(SETTINGS)
    slots = dict(zip("abcdefgh", range(8), strict=True))
    batch = scored([_event("abc", "a")], slots)
    batch.keys = []
    with pytest.raises(ValueError, match="do not fit"):
        teller.evaluation.update(batch)
    batch = scored([_event("abc", "a")], slots)
    batch.offsets[-1] = 2
    with pytest.raises(ValueError, match="the last offset"):
        teller.evaluation.update(batch)


def test_offers_can_neither_share_a_slot_or_a_name_nor_change_where_there_are_none() -> None:
    evaluation = _with_offers(SETTINGS, "ab").evaluation
    refusals: list[Callable[[], None]] = [
        lambda: evaluation.add_offer(0, "c", {}),
        lambda: evaluation.add_offer(5, "a", {}),
        lambda: evaluation.rename_offer(0, "b"),
        lambda: evaluation.remove_offer(2),
        lambda: evaluation.update_offer(2, {}),
    ]
    for refused in refusals:
        with pytest.raises(ValueError, match=r"slot|live"):
            refused()
