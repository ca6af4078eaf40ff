"""`stream bench adaptation` on a user's own stream: what is read of it, what is compared, and what is advised."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from stream.bench.adaptation.arms import DEFAULT, arm_named
from stream.bench.adaptation.intervals import Interval, mean_interval
from stream.bench.own import command
from stream.bench.own.advice import advice, chosen
from stream.bench.own.blocks import BLOCKS, loss_effects, normalised_entropy, recall_effects, running_rate_loss, spans
from stream.bench.own.command import WantedOwn, bench_own
from stream.bench.own.opening import opened_files, opened_log
from stream.bench.own.reading import KeptRange, Range, keep_range, load_range
from stream.bench.own.rows import Row, rows_of
from stream.cli import main
from stream.errors import ConfigurationError
from stream.log.connection import Connection
from stream.log.embedded import EmbeddedTopic, EmbeddedWriter
from stream.log.settings import LogSettings, TopicSettings
from stream.log.writer import writing
from stream.records.interaction import Interaction
from stream.settings.load import load
from stream.settings.root import Settings
from tests.bench.made_traces import PAIRS, trace_of

SMALL = ("network.hidden=[8]", "evaluation.attribute=color")


def event(number: int, ts: int, **more: object) -> dict[str, object]:
    features = {"x": number % 7, "c": f"v{number % 3}"}
    labels = ["tea"] if number % 3 else []
    return {"id": f"e{number}", "key": f"k{number % 5}", "ts": ts, "features": features, "labels": labels, **more}


def schema(*later: dict[str, object]) -> list[dict[str, object]]:
    first = [
        {"op": "add_feature", "name": "x", "kind": "numeric"},
        {"op": "add_feature", "name": "c", "kind": "categorical"},
        *({"op": "add_label", "name": name, "attributes": {"color": "green"}} for name in ("tea", "wine")),
    ]
    return [{"version": 1, "ts": 0, "changes": first}, *later]


def file_of(path: Path, lines: Sequence[object]) -> Path:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def kept_of(tmp_path: Path, events: Sequence[object], versions: Sequence[object], most: int = 1000) -> KeptRange:
    files = file_of(tmp_path / "events.jsonl", events), file_of(tmp_path / "schema.jsonl", versions)
    with opened_files(*files) as opened:
        return keep_range(opened, Range(most), load(Settings, assignments=SMALL), tmp_path / "out")


def order(directory: Path) -> list[str]:
    return [item.id if isinstance(item, Interaction) else f"v{item.version}" for item in load_range(directory).items]


# -- what is read ---------------------------------------------------------------------------------------------------


def test_the_last_events_in_order_of_event_time_are_kept_and_what_is_no_interaction_is_counted(tmp_path: Path) -> None:
    lines: list[object] = [event(number, 100 - number) for number in range(10)]
    lines[1:1] = ["no JSON", {"id": "without ts", "features": {}, "labels": []}]
    kept = kept_of(tmp_path, lines, schema(), 4)
    assert (kept.events, kept.records, kept.source) == (2, 12, "files")
    # Lines that are no interaction stand behind the one before them, and take a place of the range.
    assert order(kept.directory) == ["v1", "e1", "e0"]
    assert sum(kept.skipped.values()) == 2


def test_versions_take_effect_in_event_time_and_where_an_event_names_them(tmp_path: Path) -> None:
    later = [
        {"version": 2, "ts": 50, "changes": [{"op": "add_label", "name": "rum"}]},
        {"version": 3, "ts": 20, "changes": [{"op": "add_label", "name": "gin"}]},  # no earlier than the one before
        {"version": 4, "ts": 90, "changes": [{"op": "add_label", "name": "ale"}]},
        {"version": 5, "ts": 900, "changes": []},  # later than the last event
    ]
    events = [event(1, 10), event(2, 30), event(3, 50), event(4, 60, schema_version=4), event(5, 70, schema_version=9)]
    kept = kept_of(tmp_path, events, schema(*later))
    assert order(kept.directory) == ["v1", "e1", "e2", "v2", "v3", "e3", "v4", "e4"]
    early = [event(1, 10, schema_version=2), event(2, 30), event(3, 50)]
    kept = kept_of(tmp_path, early, schema(*later))
    assert order(kept.directory) == ["v1", "v2", "e1", "e2", "v3", "e3"]


def test_a_rejected_version_is_told_and_no_version_at_all_refused(tmp_path: Path) -> None:
    kept = kept_of(tmp_path, [event(1, 1)], [*schema(), {"version": 7, "ts": 1, "changes": []}])
    assert len(kept.rejected) == 1
    with pytest.raises(ConfigurationError, match="no valid schema version"):
        kept_of(tmp_path, [event(1, 1)], [{"version": 7, "ts": 1, "changes": []}])
    with pytest.raises(ConfigurationError, match="no valid interaction"):
        kept_of(tmp_path, ["nothing"], schema())


def test_the_same_range_under_the_same_settings_has_the_same_place_and_another_another(tmp_path: Path) -> None:
    first = kept_of(tmp_path, [event(1, 1)], schema()).directory
    assert kept_of(tmp_path, [event(1, 1)], schema()).directory == first
    assert kept_of(tmp_path, [event(1, 2)], schema()).directory != first
    assert "network.hidden" not in first.name
    secret = load(Settings, assignments=[*SMALL, "kafka.options.sasl_plain_password=hidden"])
    with opened_files(tmp_path / "events.jsonl", tmp_path / "schema.jsonl") as opened:
        other = keep_range(opened, Range(9), secret, tmp_path / "out")
    text = (other.directory / "settings.toml").read_text()
    assert "hidden = [8]" in text
    assert "kafka" not in text


def test_a_topic_is_read_with_the_keys_of_its_records(tmp_path: Path) -> None:
    topics = {
        name: EmbeddedTopic.create(tmp_path / "log", name, n)
        for name, n in (("interactions", 2), ("feature-schema", 1))
    }
    writers = {name: EmbeddedWriter(topic) for name, topic in topics.items()}
    for version in schema():
        writers["feature-schema"].send(None, json.dumps(version).encode())
    for number in range(40):
        value = {name: part for name, part in event(number, number).items() if name != "key"}
        writers["interactions"].send(f"k{number % 5}".encode(), json.dumps(value, indent=1).encode())
    for writer in writers.values():
        writer.flush()
    settings = load(Settings, assignments=[*SMALL, f"log.directory={tmp_path / 'log'}"])
    with opened_log(settings) as opened:
        kept = keep_range(opened, Range(30), settings, tmp_path / "out")
    found = [item for item in load_range(kept.directory).items if isinstance(item, Interaction)]
    assert [(each.id, each.key) for each in found] == [(f"e{number}", f"k{number % 5}") for number in range(10, 40)]
    assert kept.records == 40


def test_a_range_of_a_topic_of_kafka_is_what_arrived_within_it(
    tmp_path: Path, kafka: Connection, fresh_topics: Callable[[int], TopicSettings]
) -> None:
    topics = fresh_topics(2)
    now_ms = 1_700_000_000_000
    with writing(kafka.settings, LogSettings(), topics) as writers:
        for version in schema():
            writers.schema.send(None, json.dumps(version).encode())
        for number in range(30):
            writers.interactions.send(f"k{number % 5}".encode(), json.dumps(event(number, now_ms + number)).encode())
    settings = replace(load(Settings, assignments=SMALL), kafka=kafka.settings, topics=topics)
    with opened_log(settings) as opened:
        kept = keep_range(opened, Range(20), settings, tmp_path / "out")
        assert order(kept.directory) == ["v1", *(f"e{number}" for number in range(10, 30))]
        later = Range(20, since_ms=32_503_680_000_000)  # the year 3000: nothing has arrived since
        with pytest.raises(ConfigurationError, match="no valid interaction"):
            keep_range(opened, later, settings, tmp_path / "out")
        with pytest.raises(ConfigurationError, match="no valid interaction"):
            keep_range(opened, Range(20, until_ms=1), settings, tmp_path / "out")


# -- blocks -----------------------------------------------------------------------------------------------------------


def test_blocks_are_the_last_four_fifths_in_equal_parts() -> None:
    assert spans(1000) == [(200 + 40 * block, 240 + 40 * block) for block in range(BLOCKS)]
    assert spans(3) == [(0, 1), (1, 2), (2, 3)]


def test_the_mean_over_blocks_is_the_ratio_of_the_sums() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = ([trace_of(rng.uniform(0.1, 2.0, 1000).tolist()) for _ in range(2)] for _ in range(2))
    effects = loss_effects(ours, theirs)
    first, second = (sum(trace.bce_sum[200:].sum() for trace in traces) for traces in (ours, theirs))
    assert np.mean(list(effects.values())) == pytest.approx(first / second - 1)
    assert len(effects) == BLOCKS


def test_blocks_in_which_nothing_was_taken_have_no_recall() -> None:
    ours, theirs = trace_of([1.0] * 1000, recall=0.6), trace_of([1.0] * 1000, recall=0.5)
    for trace in (ours, theirs):
        trace.recall[200:240] = np.nan
    effects = recall_effects([ours], [theirs])
    assert sorted(effects) == list(range(1, BLOCKS))
    assert list(effects.values()) == pytest.approx([0.1] * (BLOCKS - 1))


def test_the_running_rate_knows_what_was_taken_before_and_nothing_else() -> None:
    trace = trace_of([0.1] * 3)
    trace.taken[:] = [2, 0, 1]
    by_hand = []
    taken = pairs = 0
    for count in (2, 0, 1):
        rate = (taken + 0.5) / (pairs + 1)
        by_hand.append(-count * np.log(rate) - (PAIRS - count) * np.log(1 - rate))
        taken, pairs = taken + count, pairs + PAIRS
    np.testing.assert_allclose(running_rate_loss(trace), by_hand)
    assert normalised_entropy([trace]) == pytest.approx(0.1 * PAIRS * 3 / sum(by_hand))


# -- what is advised -----------------------------------------------------------------------------------------------


def row(name: str, effects: Sequence[float] = (), *, ms: float = 1.0, entropy: float = 0.9, same: bool = False) -> Row:
    by_block = dict(enumerate(effects))
    return Row(
        arm=arm_named(name),
        same=same,
        loss=1.0,
        normalised_entropy=entropy,
        recall_at_5=0.5,
        loss_against=mean_interval(by_block.values()),
        recall_against=None,
        seconds_per_event=ms / 1e3,
        peak_memory_bytes=1,
        by_block=by_block,
    )


def steady(mean: float, spread: float = 0.001) -> list[float]:
    return [mean + spread * (-1) ** block for block in range(BLOCKS)]


def test_what_is_surely_and_enough_better_is_advised_with_its_price() -> None:
    rows = [row(DEFAULT), row("bayes-output", steady(-0.02), ms=4.0), row("scratch", steady(0.05))]
    assert chosen(rows).arm.name == "bayes-output"
    text = advice(rows)
    assert "**Use `bayes-output`**: its summed loss is -2.00 ± 0.05 % against `carry`, at 4.00 times the CPU" in text
    assert "(4.00 against 1.00 ms an event)" in text
    assert "Surely worse than `carry`: `scratch` (+5.00 ± 0.05 %)" in text


def test_of_two_that_are_not_told_apart_the_cheaper_one_is_advised() -> None:
    noisy = [value + 0.01 * (block % 3 - 1) for block, value in enumerate(steady(-0.02))]
    rows = [row(DEFAULT), row("bayes-output", steady(-0.021), ms=4.0), row("glmix", noisy, ms=1.2)]
    assert chosen(rows).arm.name == "glmix"


def test_the_default_is_kept_where_the_gain_is_small_and_dear_or_may_be_chance() -> None:
    small = [row(DEFAULT), row("carry+mlet", steady(-0.001, 0.0005), ms=1.2)]
    assert chosen(small).arm.name == DEFAULT
    assert "less than the 0.5% from which it is worth its cost" in advice(small)
    cheap = [row(DEFAULT), row("carry-unfrozen", steady(-0.001, 0.0005), ms=0.85)]
    assert chosen(cheap).arm.name == "carry-unfrozen"
    unsure = [row(DEFAULT), row("glmix", steady(-0.01, 0.2))]
    assert chosen(unsure).arm.name == DEFAULT
    assert "which chance may have made" in advice(unsure)


def test_the_best_of_many_that_are_worth_nothing_is_not_advised() -> None:
    """Of eight arms without any effect the luckiest often has an interval below 0; it is advised far more rarely."""
    rng = np.random.default_rng(3)
    naive = advised = 0
    names = ("glmix", "carry+mlet", "bayes-output", "replace", "scratch", "never", "iak", "tune-head")
    for _ in range(100):
        rows = [row(DEFAULT), *(row(name, rng.normal(0, 0.1, BLOCKS).tolist()) for name in names)]
        naive += any(each.loss_against is not None and each.loss_against.sign < 0 for each in rows)
        advised += chosen(rows).arm.name != DEFAULT
    assert naive > 10
    assert advised <= 5


def test_what_cannot_be_told_and_what_is_against_us_is_said() -> None:
    counting = replace(
        row("entity_attribute_counts"), recall_at_5=0.6, recall_against=Interval(0.1, 0.01, 20), loss=float("nan")
    )
    rows = [row(DEFAULT, entropy=1.08), row("replace", same=True), counting]
    text = advice(rows)
    assert "Here `replace` and `carry` are one" in text
    assert "**Counting alone ranks better**: `entity_attribute_counts` has recall@5 0.600" in text
    assert "its loss is 1.080 of the running rate's" in text.replace("**Its", "its")


def test_rows_know_what_is_the_same_and_what_has_no_loss() -> None:
    counted = trace_of([float("nan")] * 1000, recall=0.7)
    counted.bce_pairs[:] = 0
    traces = {
        arm_named(DEFAULT): [trace_of([1.0] * 1000)],
        arm_named("replace"): [trace_of([1.0] * 1000)],
        arm_named("scratch"): [trace_of([1.1] * 1000, seconds_per_event=0.002)],
        arm_named("popularity"): [counted],
    }
    default, replaced, scratch, popularity = rows_of(traces)
    assert (default.loss_against, replaced.same, replaced.loss_against) == (None, True, None)
    assert scratch.loss_against is not None
    assert scratch.loss_against.mean == pytest.approx(0.1)
    assert scratch.seconds_per_event == pytest.approx(0.002)
    assert np.isnan(popularity.loss)
    assert popularity.recall_against is not None
    assert popularity.recall_against.mean == pytest.approx(0.2)


# -- the whole -----------------------------------------------------------------------------------------------------


def made_stream(tmp_path: Path) -> tuple[Path, Path]:
    change = {"version": 2, "ts": 300, "changes": [{"op": "add_label", "name": "rum", "attributes": {"color": "red"}}]}
    events = [event(number, number) for number in range(600)]
    return file_of(tmp_path / "events.jsonl", events), file_of(tmp_path / "schema.jsonl", schema(change))


def test_one_command_advises_on_files_and_goes_on_where_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events, versions = made_stream(tmp_path)
    out = tmp_path / "out"
    line = ["bench", "adaptation", "--interactions", str(events), "--schema", str(versions), "--out", str(out)]
    line += ["--arms", "scratch", "replace", "entity_attribute_counts", "--jobs", "0", "--set", "network.hidden=[8]"]
    assert main(line) == 0
    said = capsys.readouterr().out
    assert "files, 600 events, 1 schema changes within them; 1 seed." in said
    report = json.loads((out / "report.json").read_text())
    assert report["use"] in ("carry", "scratch", "replace")
    rows = {each["arm"]: each for each in report["arms"]}
    assert list(rows) == ["carry", "scratch", "replace", "entity_attribute_counts"]
    assert rows["entity_attribute_counts"]["loss"] is None
    assert rows["scratch"]["loss_against"]["seeds"] == BLOCKS  # blocks stand where seeds do elsewhere
    text = (out / "report.md").read_text()
    assert "![against-default](against-default.png)" in text
    assert (out / "against-default.svg").exists()
    traces = {path: path.stat().st_mtime_ns for path in (out / "runs").iterdir()}
    assert main(line) == 0
    assert {path: path.stat().st_mtime_ns for path in (out / "runs").iterdir()} == traces
    assert main([*line, "--set", "network.hidden=[9]"]) == 0  # other settings are other runs
    assert len(list((out / "runs").iterdir())) > len(traces)


def test_an_arm_that_does_not_run_is_named_with_the_reason_and_the_default_always_runs(tmp_path: Path) -> None:
    events, versions = made_stream(tmp_path)
    settings = load(Settings, assignments=SMALL)
    with opened_files(events, versions) as opened:
        kept = keep_range(opened, Range(1000), settings, tmp_path)
    # One width has no matrix between two layers for a patch.
    wanted = WantedOwn(arms=("peterrec-parallel",), workers=0)
    report = bench_own(kept, tmp_path, wanted, Console(file=io.StringIO(), width=200))
    assert [each.arm.name for each in report.rows] == [DEFAULT]
    assert "no matrix between two layers" in report.missing["peterrec-parallel"]
    assert "`peterrec-parallel`" in (tmp_path / "report.md").read_text()
    with pytest.raises(ConfigurationError, match="another library's"):
        bench_own(kept, tmp_path, WantedOwn(arms=("river-logistic",)), Console(file=io.StringIO()))


def test_when_the_time_is_up_the_default_is_there_and_the_rest_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events, versions = made_stream(tmp_path)
    settings = load(Settings, assignments=SMALL)
    with opened_files(events, versions) as opened:
        kept = keep_range(opened, Range(1000), settings, tmp_path)
    asked = iter([False, *[True] * 100])
    monkeypatch.setattr(command, "_timer", lambda minutes: lambda: next(asked))
    report = bench_own(kept, tmp_path, WantedOwn(quick=True, workers=0), Console(file=io.StringIO()))
    assert [each.arm.name for each in report.rows] == [DEFAULT]
    assert set(report.missing.values()) == {"The time was up."}


@pytest.mark.parametrize(
    "line",
    [
        "--interactions e",
        "--schema s",
        "--topic --interactions e --schema s",
        "--interactions e --schema s --streams demo",
        "--interactions e --schema s --events 0",
        "--events 5",
        "--topic --since yesterday",
    ],
)
def test_arguments_that_do_not_go_together_are_refused(line: str, tmp_path: Path) -> None:
    words = ["bench", "adaptation", "--out", str(tmp_path), *line.split()]
    assert main(words) == ConfigurationError.exit_code
