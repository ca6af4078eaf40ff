"""The report says what the figures say, of runs made by hand; and the command makes one from real runs."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from stream.bench.adaptation.arms import HALF_LIVES, half_life_arm
from stream.bench.adaptation.claims import all_claims, bayes, transfer
from stream.bench.adaptation.command import Wanted, bench_adaptation
from stream.bench.adaptation.measures import Measures, beginning, measure
from stream.bench.adaptation.report import make_report
from stream.bench.adaptation.results import Missing, Results
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
    same = runs(1.0)
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


def test_retraining_is_beaten_only_where_the_loss_is_as_low_and_the_time_shorter() -> None:
    def verdict(loss: float, seconds: float) -> str:
        made = results({"bayes-output": runs(loss, seconds=seconds), "retrain-1k": runs(1.0, seconds=0.01)})
        return next(claim for claim in bayes.claims(made) if "retrain-1k" in claim.arms).verdict

    assert verdict(1.001, 0.001) == "seen"
    assert verdict(1.01, 0.001) == "not seen"
    assert verdict(1.001, 0.02) == "not seen"


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
            "iak_kl_nats_before_compression/day": 8.0,
            "iak_kl_nats_after_compression/day": 2.0,
            "iak_kl_nats_before_compression/night": 4.0,
            "iak_kl_nats_after_compression/night": 0.0,  # never reached
        }
    claim = next(claim for claim in all_claims(results({"iak": kernels})) if claim.claim.startswith("Phase 1"))
    assert (claim.verdict, claim.effect) == ("seen", "KL divergence over phase 1 -67 ± 0 %")
    assert claim.tables[0].rows == [["both_layers@1500", "6.000 ± 0.000", "2.000 ± 0.000", "-", "-"]]
    assert claim.tables[1].rows[1] == ["night", "4.000 ± 0.000", "-", "-", "-"]


def test_half_lives_are_compared_with_the_longest() -> None:
    losses = zip(HALF_LIVES, (1.1, 1.02, 1.0, 1.0), strict=True)
    made = results({half_life_arm("bayes-output", events).name: runs(loss) for events, loss in losses})
    claim = next(claim for claim in bayes.claims(made) if claim.claim.startswith("How fast to forget"))
    assert claim.verdict == "seen"
    assert claim.tables[0].rows[0][1].startswith("+10.0")


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
    written = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert {(run["arm"], run["seed"]) for run in written["runs"]} == {
        (a, s) for a in ("carry", "never") for s in (0, 1)
    }
    assert all(run["loss_sum"] > 0 and run["around"][0]["event"] == 300 for run in written["runs"])
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    for plot in tmp_path.glob("*.png"):
        assert f"]({plot.name})" in text
    assert {path.suffix for path in tmp_path.iterdir() if path.is_file()} == {".md", ".json", ".png", ".svg"}
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
    again_written = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert again_written["runs"] == written["runs"]
