"""The report says what the figures say, of runs made by hand; and the command makes one from real runs."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from stream.bench.adaptation.arms import (
    BASELINES,
    HALF_LIVES,
    PATCH_SHARES,
    RATIOS,
    SGD_RATES,
    TRUNK_WIDTH,
    WIDTHS,
    half_life_arm,
    inner_arm,
    patch_arm,
    sgd_arm,
    table_arm,
)
from stream.bench.adaptation.baseline import run_baseline
from stream.bench.adaptation.claims import all_claims, bayes, iak, mlet, peterrec, transfer
from stream.bench.adaptation.claims.claim import best_of, not_worse, pooled_ratio
from stream.bench.adaptation.command import Wanted, bench_adaptation
from stream.bench.adaptation.facts import facts_of
from stream.bench.adaptation.intervals import Interval, mean_interval
from stream.bench.adaptation.kept import KEPT
from stream.bench.adaptation.measures import Measures, beginning, measure
from stream.bench.adaptation.online import arm_settings, run_arm
from stream.bench.adaptation.report import make_report
from stream.bench.adaptation.results import Missing, Results
from stream.bench.adaptation.stream import stream_named
from stream.errors import ConfigurationError
from stream.learner.core import LearnerCore
from tests.bench.made_traces import facts_with, trace_of

EVENTS = 1500
COURSE = "synthetic:both_layers@1500"


def runs(loss: float, *, seconds: float = 0.001, bump: float = 0.0, noise: float = 0.0005) -> dict[int, Measures]:
    """Five runs of that loss a pair, with a bump in the window after the change in their middle."""
    found = {}
    for seed in range(5):
        wobble = np.random.default_rng(seed).normal(0, noise, EVENTS)
        trace = trace_of((loss + wobble).tolist(), seconds_per_event=seconds)
        trace.bce_sum[750:800] += 10 * bump
        trace.old_sum[:] = trace.bce_sum
        found[seed] = measure(trace, facts_with([750], EVENTS))
    return found


def results(arms: Mapping[str, dict[int, Measures]]) -> Results:
    return Results({(COURSE, name): found for name, found in arms.items()})


def test_the_advice_names_what_has_the_lower_loss_and_what_does_not_help() -> None:
    made = results({"carry": runs(1.0), "bayes-output": runs(0.9, seconds=0.003), "scratch": runs(1.2)})
    opening = make_report(made, {}).opening
    assert "lower summed loss than `carry`: `bayes-output` (-10.00" in opening
    assert "`bayes-output` +200%" in opening
    assert "These do not help on any stream here, and cost loss on average: `scratch` (+20.00" in opening


def test_the_advice_keeps_the_default_where_nothing_is_better_and_says_what_cannot_be_told() -> None:
    same = runs(1.0, noise=0.0006)
    made = results({"carry": runs(1.0), "scratch": runs(1.2), "never": same})
    opening = make_report(made, {}).opening
    assert "**Use `carry`" in opening
    assert "Not told apart from it: `never`" in opening
    one = results({name: {0: runs(loss)[0]} for name, loss in (("carry", 1.0), ("scratch", 1.2))})
    assert "no advice" in make_report(one, {}).opening


def test_the_advice_says_so_where_another_library_is_better() -> None:
    opening = make_report(results({"carry": runs(1.0), "scratch": runs(1.2), "river-logistic": runs(0.9)}), {}).opening
    assert "it has a lower loss than `carry` on both_layers@1500" in opening


def test_the_report_names_the_streams_where_the_default_is_behind() -> None:
    made = results({"carry": runs(1.0), "bayes-output": runs(0.9), "scratch": runs(1.2), "oracle": runs(0.995)})
    text = make_report(made, {}).markdown()
    row = next(line for line in text.splitlines() if line.startswith(f"| {COURSE} "))
    assert "| 1 of 2 | none | bayes-output |" in row
    assert "+0.50 ±" in row


def test_a_claim_is_seen_not_seen_or_untestable_as_its_interval_says() -> None:
    made = results({"replace": runs(1.0, bump=0.1), "replace-unfrozen": runs(1.0, bump=0.5), "carry": runs(1.0)})
    fast = next(claim for claim in transfer.claims(made) if "learns faster" in claim.claim and "replace" in claim.arms)
    assert fast.verdict == "seen"
    reverse = results({"replace": runs(1.0, bump=0.5), "replace-unfrozen": runs(1.0, bump=0.1)})
    fast = next(claim for claim in transfer.claims(reverse) if "learns faster" in claim.claim)
    assert (fast.verdict, "harm" in fast.because) == ("not seen", True)
    missing = [Missing(COURSE, "iak", "skipped", "'iak' is unknown", 5)]
    untested = all_claims(Results({(COURSE, "carry"): runs(1.0)}, missing))
    verdicts = {claim.claim: claim for claim in untested}
    assert verdicts["IAK is better than tuning the head alone."].verdict == "cannot be tested here"
    assert "unknown" in verdicts["IAK is better than tuning the head alone."].because


def test_a_step_every_few_events_is_not_judged_against_refits_that_are_rare() -> None:
    for loss, seconds in ((1.001, 0.001), (1.01, 0.001), (1.001, 0.02)):
        made = results({"bayes-output": runs(loss, seconds=seconds), "retrain-1k": runs(1.0, seconds=0.01)})
        claim = next(claim for claim in bayes.claims(made) if "retrain-1k" in claim.arms)
        assert claim.verdict == "cannot be tested here"
        assert "a Newton step every 32 events, the other a refit every 1,000" in claim.because


def test_a_peer_that_saw_the_beginning_only_is_compared_on_that() -> None:
    whole, part = trace_of([1.0] * 750 + [9.0] * 750), trace_of([1.1] * 750)
    facts = facts_with([], EVENTS)
    made = Results(
        {(COURSE, "carry"): {0: measure(whole, facts)}, (COURSE, "river-logistic"): {0: measure(part, facts)}},
        beginnings={(COURSE, "carry", 0, 750): measure(beginning(whole, 750), facts)},
    )
    for first, second, effect in (("river-logistic", "carry", 0.1), ("carry", "river-logistic", 1 / 1.1 - 1)):
        found = made.ratio(COURSE, first, second, "loss_sum")
        assert found is not None
        assert found.mean == pytest.approx(effect)


def test_the_kl_divergence_is_told_phase_by_phase_and_domain_by_domain() -> None:
    kernels = runs(1.0)
    for run in kernels.values():
        run.notes["figures"] = {
            "kl_nats": 1.0,
            "iak_phase/day": 2.0,
            "iak_phase/night": 1.0,
            "iak_phase/dawn": 3.0,
            "iak_kl_nats_before_compression/dawn": 8.0,
            "iak_kl_nats_after_compression/dawn": 4.0,
            "iak_kl_nats_before_compression/day": 8.0,
            "iak_kl_nats_after_compression/day": 2.0,
            "iak_kl_nats_before_compression/night": 4.0,
            "iak_kl_nats_after_compression/night": 9.0,  # where it stands: the phase never ended
        }
    claim = next(claim for claim in all_claims(results({"iak": kernels})) if claim.claim.startswith("Phase 1"))
    assert (claim.verdict, claim.effect) == ("seen", "KL divergence over phase 1 -62 ± 0 %")
    assert claim.tables[0].rows == [["both_layers@1500", "8.000 ± 0.000", "3.000 ± 0.000", "-", "-"]]
    assert claim.tables[1].rows[2] == ["night", "-", "-", "-", "-"]


def test_kernels_that_never_finished_phase_1_say_nothing_of_it_nor_of_their_domains() -> None:
    kernels = runs(1.0)
    for run in kernels.values():
        run.domain_loss.update(day=1.0, night=1.0, dawn=1.0)
        run.notes["figures"] = {"iak_phase/day": 3.0, "iak_phase/night": 1.0, "iak_phase/dawn": 1.0}
        for domain in ("day", "night", "dawn"):
            run.notes["figures"] |= {f"iak_kl_nats_before_compression/{domain}": 8.0}
            run.notes["figures"] |= {f"iak_kl_nats_after_compression/{domain}": 2.0}
    claims = iak.claims(results({"iak": kernels, "carry": kernels}))
    for beginning_ in ("Phase 1 compresses", "A kernel for each domain"):
        claim = next(claim for claim in claims if claim.claim.startswith(beginning_))
        assert claim.verdict == "cannot be tested here"
        assert "2 of 3 kernels had not ended phase 1" in claim.because


def half_lives(course: str, events: int) -> dict[tuple[str, str], dict[int, Measures]]:
    found = {}
    for half_life, loss in zip(HALF_LIVES, (1.1, 1.02, 1.0, 1.0), strict=True):
        named = half_life_arm("bayes-output", half_life).name
        found[course, named] = {seed: replace(run, events=events) for seed, run in runs(loss).items()}
    return found


def test_half_lives_are_told_apart_only_on_streams_that_are_longer_than_they_are() -> None:
    long, short = 2 * HALF_LIVES[-1], HALF_LIVES[0]
    for made, verdict, why in (
        (half_lives("drift", short), "cannot be tested here", "one arm"),
        (half_lives("drift", long), "cannot be tested here", "one that stands still"),
        (half_lives("drift", long) | half_lives("still", long), "seen", "more than 0.5%"),
    ):
        claim = next(claim for claim in bayes.claims(Results(made)) if claim.claim.startswith("How fast to forget"))
        assert (claim.verdict, why in claim.because) == (verdict, True)
        assert claim.tables[0].rows[0][1].startswith("+10.0")


def test_streams_on_which_an_arm_is_the_default_by_construction_are_in_no_average() -> None:
    same, other = "synthetic:rename@1500", "synthetic:drift@1500"
    made = Results(
        {
            (COURSE, "carry"): runs(1.0),
            (COURSE, "replace"): runs(1.1),
            (COURSE, "oracle"): runs(1.0, bump=0.1),
            **{(course, arm): runs(2.0) for course in (same, other) for arm in ("carry", "replace", "oracle")},
        }
    )
    report = make_report(made, {})
    standing = next(each for each in report.standings if each.arm.name == "replace")
    assert standing.courses == [COURSE]
    assert standing.same_on == [same, other]
    assert standing.loss.mean == pytest.approx(0.1, abs=1e-3)  # a third of it with the others in
    assert "`replace` (+10.00 ± 0.00 %, 1 stream)" in report.opening
    assert "within 1 % on 1 of 1 streams with a refit" in report.opening
    text = report.markdown()
    assert "| 1 of 3 | +10.00" in text
    row = next(line for line in text.splitlines() if line.startswith(f"| {same} "))
    assert row.endswith("| replace |")


def test_an_average_over_nothing_but_the_same_is_no_average() -> None:
    made = results({"replace": runs(1.0), "carry": runs(1.0), "scratch": runs(1.0)})
    keeps = next(claim for claim in transfer.claims(made) if claim.claim.startswith("Keeping"))
    assert keeps.verdict == "cannot be tested here"
    assert pooled_ratio(made, [COURSE], "replace", "scratch", "loss_sum") is None


def diverged(arm: str, missing_seed: int, found: dict[int, Measures]) -> tuple[dict[int, Measures], list[Missing]]:
    return {s: r for s, r in found.items() if s != missing_seed}, [Missing(COURSE, arm, "failed", "NaN", 1)]


def test_an_arm_that_lost_its_worst_seed_is_not_the_best() -> None:
    worst = {seed: replace(run, loss_sum=run.loss_sum * (10 if seed == 3 else 1)) for seed, run in runs(1.0).items()}
    others = {seed: replace(run, loss_sum=run.loss_sum * 0.99) for seed, run in worst.items()}
    lucky, _ = diverged("never", 3, worst)
    made = results({"never": lucky, "carry": worst, "scratch": others})
    assert made.mean(COURSE, "never", "loss_sum") < made.mean(COURSE, "scratch", "loss_sum")
    assert made.best(COURSE, ["never", "carry", "scratch"], "loss_sum") == "scratch"


def test_a_rate_at_which_a_seed_diverged_is_not_compared() -> None:
    def by_rate(factored: bool, losses: tuple[float, ...]) -> dict[str, dict[int, Measures]]:
        return {sgd_arm(factored, rate).name: runs(loss) for rate, loss in zip(SGD_RATES, losses, strict=True)}

    arms = by_rate(True, (1.2, 1.0, 0.8)) | by_rate(False, (1.2, 1.0, 1.1))
    broken = sgd_arm(True, SGD_RATES[2]).name
    arms[broken], missing = diverged(broken, 3, arms[broken])
    made = Results({(COURSE, name): found for name, found in arms.items()}, missing)
    claim = next(claim for claim in mlet.claims(made) if claim.claim.startswith("Trained by plain SGD"))
    assert claim.arms == f"{sgd_arm(True, SGD_RATES[1]).name} against {sgd_arm(False, SGD_RATES[1]).name}"
    assert claim.effect.startswith("summed loss +0.00")
    assert broken in claim.because
    assert "(4 of 5 runs)" in claim.tables[0].rows[2][2]


def test_a_run_that_went_wrong_counts_against_its_arm() -> None:
    found, missing = diverged("glmix", 3, runs(0.9))
    made = Results({(COURSE, "carry"): runs(1.0), (COURSE, "glmix"): found}, missing)
    report = make_report(made, {})
    claim = next(claim for claim in report.claims if "GLMix" in claim.claim)
    assert (claim.verdict, "1 of its runs went wrong" in claim.because) == ("not seen", True)
    assert "(1 runs failed)" in report.markdown()


def test_the_best_of_several_has_an_interval_for_all_of_them() -> None:
    values = [-0.1, -0.2, -0.3, -0.1, -0.2]
    effects = {"best": dict(enumerate(values)), "other": dict.fromkeys(range(5), 0.1), "lost a seed": {0: -9.0}}
    found = best_of(effects)
    assert found is not None
    alone = mean_interval(values)
    assert alone is not None
    assert (found[0], found[1].mean) == ("best", alone.mean)
    assert found[1].half_width is not None
    assert alone.half_width is not None
    assert found[1].half_width / alone.half_width == pytest.approx(3.961 / 2.776, rel=0.01)  # tables of Student's t
    assert best_of({}) is None


def test_a_margin_inside_the_interval_is_too_wide_to_tell() -> None:
    assert not_worse(Interval(0.003, 0.001, 5), 0.005)[0] == "seen"
    assert not_worse(Interval(0.005, 0.001, 5), 0.005)[0] == "cannot be tested here"
    assert not_worse(Interval(0.009, 0.001, 5), 0.005)[0] == "not seen"


@pytest.mark.parametrize(("head", "verdict"), [(1.015, "cannot be tested here"), (1.1, "not seen")])
def test_patches_are_judged_only_where_they_have_something_to_gain(head: float, verdict: str) -> None:
    patched = {patch_arm("peterrec-serial", share, TRUNK_WIDTH).name: runs(1.01) for share in PATCH_SHARES}
    made = results({"carry": runs(1.0), "tune-head": runs(head), "peterrec-serial": runs(1.01), **patched})
    claims = [claim for claim in peterrec.claims(made) if "as good as tuning everything" in claim.claim][:2]
    assert [claim.verdict for claim in claims] == [verdict, verdict]
    assert all("Too small to tell" in claim.because for claim in claims) == (head < 1.1)


def test_what_a_tasks_arrival_costs_is_not_told_by_a_frozen_trunk() -> None:
    tasks = runs(1.0)
    for run in tasks.values():
        run.task_loss.update(buy=1.0)
    made = results({"carry": tasks, "peterrec-serial": tasks, "tune-head": tasks})
    claim = next(claim for claim in peterrec.claims(made) if "task that is added" in claim.claim)
    assert (claim.verdict, "the same one without it" in claim.because) == ("cannot be tested here", True)


def test_width_is_not_judged_where_the_narrowest_single_table_is_as_good() -> None:
    arms = {table_arm(d).name: runs(1.0, seconds=0.001) for d in WIDTHS}
    arms |= {inner_arm(d, ratio).name: runs(1.0, seconds=0.00125) for d in WIDTHS for ratio in RATIOS}
    smaller = mlet.claims(results(arms))[0]
    assert (smaller.verdict, "width is not what" in smaller.because) == ("cannot be tested here", True)
    arms[table_arm(4).name] = arms[table_arm(8).name] = runs(1.2)
    assert mlet.claims(results(arms))[0].verdict == "seen"


@pytest.mark.parametrize(
    ("slower", "verdict"), [([1.2, 1.3], "seen"), ([0.9, 1.6], "cannot be tested here"), ([1.5, 1.51], "not seen")]
)
def test_how_much_longer_training_takes_is_told_by_a_narrow_interval(slower: list[float], verdict: str) -> None:
    arms = {table_arm(d).name: runs(1.0) for d in WIDTHS} | {inner_arm(d, 4.0).name: runs(1.001) for d in WIDTHS}
    name = inner_arm(8, 4.0).name
    arms[name] = {
        seed: replace(run, train_seconds=run.train_seconds * slower[seed % 2]) for seed, run in arms[name].items()
    }
    claim = next(claim for claim in mlet.claims(results(arms)) if claim.claim.startswith("Training takes"))
    assert claim.verdict == verdict


def test_a_baseline_that_only_ranks_stands_in_the_tables_of_recall() -> None:
    counted = {}
    for seed in range(5):
        trace = trace_of([float("nan")] * EVENTS, recall=0.6)
        trace.bce_pairs[:] = 0
        counted[seed] = measure(trace, facts_with([750], EVENTS))
    made = results({"carry": runs(1.0), "scratch": runs(1.2), "entity_attribute_counts": counted})
    report = make_report(made, {})
    assert [each.arm.name for each in report.standings] == ["scratch"]
    text = report.markdown()
    row = next(line for line in text.splitlines() if line.startswith("| `entity_attribute_counts` "))
    assert "| - | +0.1000 ± 0.0000 | - | - |" in row
    ahead = next(line for line in text.splitlines() if line.startswith(f"| {COURSE} "))
    assert ahead.startswith(f"| {COURSE} | 1 of 1 | none | none | 0 of 2 | scratch | entity_attribute_counts |")
    assert "it ranks better on both_layers@1500 (0.600 against 0.500)" in report.opening


def test_the_counting_baselines_rank_as_the_contract_says() -> None:
    stream = stream_named("synthetic:both_layers")(0, 400)
    learned = run_arm(stream, {}, 0, lambda done, total: None)
    counted = {name: run_baseline(name, stream, 0, lambda done, total: None) for name in BASELINES}
    learner = LearnerCore(arm_settings(stream, {}, 0))
    expected: dict[str, list[float]] = {name: [] for name in BASELINES}
    for versions, events in stream.batches(64):
        for version in versions:
            learner.apply(version)
        for score in learner.learn(learner.encode(events)).scores:
            for name, quality in (
                ("popularity", score.popularity_quality),
                ("entity_attribute_counts", score.entity_attribute_counts_quality),
            ):
                expected[name].append(float("nan") if quality is None else quality.recall_at_5)
    for name in BASELINES:
        np.testing.assert_array_equal(counted[name].recall, expected[name])
        assert not np.isfinite(measure(counted[name], facts_of(stream)).loss_sum)
    assert np.isfinite(learned.bce_sum).all()


def test_a_report_is_made_anew_from_its_json_alone_and_of_several(tmp_path: Path) -> None:
    made = Results(
        {(COURSE, "carry"): runs(1.0), (COURSE, "scratch"): runs(1.2)},
        [Missing(COURSE, "iak", "failed", "NaN", 1)],
        equal_seconds={(COURSE, "carry"): 0.5},
        beginnings={(COURSE, "carry", 0, 750): replace(runs(1.0)[0], events=750)},
    )
    added = Results({(COURSE, "never"): runs(1.3)})
    for name, some in (("first", made), ("second", added)):
        (tmp_path / name).mkdir()
        make_report(some, {"code": name}).write(tmp_path / name)
    (tmp_path / "first" / "around-x.png").write_bytes(b"drawn from traces")
    wanted = Wanted(kept=[tmp_path / "first" / KEPT, tmp_path / "second" / KEPT])
    report = bench_adaptation(tmp_path / "out", wanted, Console(file=io.StringIO(), width=120))
    assert report is not None
    assert [each.arm.name for each in report.standings] == ["scratch", "never"]
    assert report.facts["added"] == "5 runs by code second"
    assert "![around-x](around-x.png)" in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert (tmp_path / "out" / "around-x.png").exists()
    first, out = (_written(tmp_path / name) for name in ("first", "out"))
    assert [run for run in out["runs"] if run["arm"] != "never"] == first["runs"]
    assert [out[name] for name in ("beginnings", "equal_seconds", "missing")] == [
        first[name] for name in ("beginnings", "equal_seconds", "missing")
    ]
    (tmp_path / "other.json").write_text('{"runs": [{}]}')
    with pytest.raises(ConfigurationError, match="no report of this program"):
        bench_adaptation(tmp_path / "out", Wanted(kept=[tmp_path / "other.json"]), Console(file=io.StringIO()))


def _written(directory: Path) -> dict[str, Any]:
    document = json.loads(gzip.decompress((directory / KEPT).read_bytes()))
    assert isinstance(document, dict)
    return document


def test_the_report_does_not_say_that_nothing_was_tuned() -> None:
    text = make_report(results({"carry": runs(1.0), "scratch": runs(1.2)}), {}).markdown()
    assert "none was tuned" not in text
    assert "chosen on these very streams" in text


def test_one_command_runs_compares_writes_and_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stream.bench.adaptation import command
    from stream.bench.adaptation.plan import Group, synthetic

    group = Group(synthetic("both_layers", events=600), ("carry", "never", "carry-unfrozen"), 2)
    monkeypatch.setattr(command, "QUICK", (group,))
    said = io.StringIO()
    wanted = Wanted(quick=True, arms=("carry", "never"), workers=0)
    report = bench_adaptation(tmp_path, wanted, Console(file=said, width=120))
    assert report is not None
    assert "4 runs on 1 streams" in said.getvalue()
    written = _written(tmp_path)
    assert {(run["arm"], run["seed"]) for run in written["runs"]} == {
        (a, s) for a in ("carry", "never") for s in (0, 1)
    }
    assert all(run["loss_sum"] > 0 and run["around"][0]["event"] == 300 for run in written["runs"])
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    for plot in tmp_path.glob("*.png"):
        assert f"]({plot.name})" in text
    assert {path.suffix for path in tmp_path.iterdir() if path.is_file()} == {".md", ".gz", ".png", ".svg"}
    traces = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()}
    for path in traces:  # as if the code had changed since
        path.rename(path.with_name(f"{path.name.rpartition('--')[0]}--0ther.npz"))
    alone = bench_adaptation(tmp_path, replace(wanted, only_report=True), Console(file=said, width=120))
    assert alone is not None
    assert (alone.facts["code"], alone.facts["kept_from_an_earlier_call"]) == ("0ther", 4)
    for path in traces:
        path.with_name(f"{path.name.rpartition('--')[0]}--0ther.npz").rename(path)
    again = bench_adaptation(tmp_path, wanted, Console(file=said, width=120))
    assert again is not None
    assert again.facts["kept_from_an_earlier_call"] == 4
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()} == traces
    again_written = _written(tmp_path)
    assert again_written["runs"] == written["runs"]
