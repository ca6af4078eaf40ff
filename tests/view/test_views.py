import io
import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from stream.observe import CompositeObserver, Observer, Poll, Step
from stream.report import SchemaReport
from stream.schema import Change, Op
from stream.view.history import History
from stream.view.lines import Lines, duration
from stream.view.live import LiveView, draw
from stream.view.logs import LogObserver, json_logs
from stream.view.open import open_view
from stream.view.settings import ViewSettings
from stream.view.status import Status, changes_in_short
from stream.view.summary import summary_table
from tests.metrics.scripted_run import Clock, Script, batch


def contested(recall: float) -> dict[str, float]:
    return {"recall_at_5": recall, "ndcg_at_5": recall}


MEASURES = {
    "recall_at_5": 0.42,
    "ndcg_at_5": 0.39,
    "bce": 0.081,
    "contested": contested(0.3),
    "normalised_entropy": 1.03,
    "micro_auc": 0.7,
    "expected_calibration_error": 0.0042,
    "reliability": [
        {"predicted": 0.001, "observed": 0.0, "pairs": 3000},
        {"predicted": 0.02, "observed": 0.018, "pairs": 1000},
    ],
}
SUMMARY = {
    "source": "embedded-log",
    "strategy": "carry",
    "seed": 0,
    "events_read": 1010,
    "events_trained": 1000,
    "events_with_labels": 500,
    "events_dead_lettered": 10,
    "labels_dropped": 3,
    "schema_version": 7,
    "schema_changes": 40,
    "warmups": 5,
    "events_frozen": 300,
    "seconds": 2.0,
    "events_per_second": 500.0,
    "events_per_second_frozen": 1500.0,
    "events_per_second_unfrozen": 1200.0,
    "cpu_seconds_per_event_frozen": 0.00065,
    "cpu_seconds_per_event_unfrozen": None,
    "ids_digest": "0" * 32,
    "state_digest": "f" * 32,
    "contested_events": 120,
    "running_rate": {"bce": 0.03},
    "experts": {"rate": {"bce": 0.03, "weight": 0.1}, "network": {"bce": 0.025, "weight": 0.9}},
    "mixture": {"bce": 0.0251, "pairs": 4000, "regret_bound_nats": 9.0},
    "model": MEASURES,
    "baselines": {
        "popularity": {"recall_at_5": 0.3, "ndcg_at_5": 0.28, "bce": None, "contested": contested(0.1)},
        "entity_attribute_counts": {"recall_at_5": 0.4, "ndcg_at_5": 0.395, "bce": None, "contested": contested(0.2)},
    },
}


def play(observer: Observer, steps: int, every_seconds: float = 0.5) -> None:
    clock = Clock()
    script = Script(observer, clock)
    for _ in range(steps):
        clock.seconds += every_seconds
        script.step()
    observer.stopped(SUMMARY)


def as_text(renderable: object, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(renderable)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_live_view_shows_rate_lag_loss_recall_beside_the_baselines_and_the_last_changes() -> None:
    status, history = Status(expected_events=64 * 100), History()
    for observer in (status, history):
        play(observer, 60)
    text = as_text(draw(status, history, 110), 110)
    assert "3,840 of 6,400 events, 60%, about 20 s left" in text
    rows = {line.strip("│ ").split("  ")[0]: line for line in text.splitlines()}
    for name in ("events/s", "lag", "loss (nats a pair)", "recall@5", "popularity", "entity_attribute_counts"):
        assert any(block in rows[name] for block in "▁▂▃▄▅▆▇█"), name
    assert " 128 " in rows["events/s"]  # 64 events each half second
    assert "schema 4   20 features   104 offers   phase training   warm-ups 3" in text
    assert "version 4: -5 features; warm-up" in text
    assert "warm-up over after 768 events: flattened" in text
    assert "dead letters:" in text


@pytest.mark.parametrize("width", [40, 50, 80, 200])
def test_the_live_view_fits_terminals_of_any_width(width: int) -> None:
    status, history = Status(), History()
    for observer in (status, history):
        play(observer, 30)
    text = as_text(draw(status, history, width), width)
    assert max(map(len, text.splitlines())) <= width
    for whole in ("  entity_attribute_counts", "phase warm-up", "parameters frozen", "1,600  version 3: "):
        assert whole in text, "something is broken over two lines or cut"


def test_the_lag_is_what_is_not_trained_yet_also_after_the_last_poll() -> None:
    status = Status()
    status.polled(Poll(0.1, 100, {0: 90, 1: 10}, 1.0))
    status.trained(Step(batch(events=64, events_trained_total=64), 0.1, []))
    assert status.lag == 36
    status.trained(Step(batch(events=64, events_trained_total=128), 0.1, []))
    assert status.lag == 0


def test_the_live_view_has_something_to_show_before_the_first_event() -> None:
    assert "stream: starting" in as_text(draw(Status(expected_events=10), History()))


def test_the_live_view_redraws_in_place_no_more_often_than_it_may_and_gives_the_terminal_back() -> None:
    out = io.StringIO()
    with LiveView(Console(file=out, force_terminal=True, width=100, height=40), refresh_seconds=10.0) as view:
        play(view, 90, every_seconds=0.5)
    # 45 seconds: 5 by the clock, 4 versions (one is rejected), the start, the last one, and rich's own on leaving.
    assert 8 <= out.getvalue().count("stream: ") <= 12
    assert out.getvalue().rindex("\x1b[?25h") > out.getvalue().rindex("\x1b[?25l")


def test_lines_say_where_the_run_stands_each_time_it_is_due() -> None:
    out = io.StringIO()
    play(Lines(out, report_seconds=10.0, expected_events=64 * 100), 60)
    lines = out.getvalue().splitlines()
    assert lines[0] == "Learning from embedded-log with strategy carry, from a new model."
    assert len(lines) == 4
    assert lines[-1].startswith("3,840 of 6,400 events (60%); 128 events/s; 20 s left; lag ")
    assert "(popularity 0.320, entity_attribute_counts 0.390)" in lines[-1]


def test_each_view_says_where_the_metrics_are() -> None:
    """With `metrics.port = 0` nothing else does."""
    lines, logs = io.StringIO(), io.StringIO()
    Lines(lines, report_seconds=10.0).listening("http://127.0.0.1:4711")
    assert lines.getvalue().startswith("Metrics at http://127.0.0.1:4711/metrics, health at ")
    with json_logs(logs):
        LogObserver(report_seconds=10.0).listening("http://127.0.0.1:4711")
    assert json.loads(logs.getvalue())["url"] == "http://127.0.0.1:4711"
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with LiveView(console) as view:
        CompositeObserver([Observer(), view]).listening("http://127.0.0.1:4711")
        play(view, 2)
    assert "metrics http://127.0.0.1:4711" in console.file.getvalue()  # type: ignore[attr-defined]


def test_logs_are_a_json_object_a_line_whatever_is_logged() -> None:
    out = io.StringIO()
    with json_logs(out):
        play(LogObserver(report_seconds=10.0), 90)
        try:
            raise ValueError("a\nb")
        except ValueError:
            logging.getLogger("stream.elsewhere").exception("two\nlines")
    logging.getLogger("stream.elsewhere").info("after the block")
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    messages = [line["message"] for line in lines]
    assert messages[0] == "started"
    assert messages[-2:] == ["stopped", "two\nlines"]
    assert lines[-1]["level"] == "error"
    assert "ValueError" in lines[-1]["exception"]
    assert messages.count("progress") == 4
    progress = lines[messages.index("progress")]
    assert progress["events_trained"] == 20 * 64
    assert {"loss", "recall_at_5", "popularity_recall_at_5", "lag", "phase", "schema_version"} <= progress.keys()
    told = [line["reason"] for line in lines if line["message"] == "dead letter, the first of its reason"]
    assert sorted(told) == sorted(set(told)) != []
    assert len(told) < 6  # so many there were
    assert all(line["time"].endswith("+00:00") for line in lines)


def test_a_version_is_told_in_few_words_however_many_changes_it_has() -> None:
    added = [Change(Op.ADD_LABEL, f"c1:{number}", attributes={"category": "A"}) for number in range(40)]
    left = [Change(Op.REMOVE_FEATURE, "days"), Change(Op.RENAME_LABEL, "c1:0", to="c")]
    text = changes_in_short(SchemaReport(2, [*added, *left], warmup_started=True))
    assert text == "+40 labels, - feature days, ~ label c1:0 -> c; warm-up"


def test_a_rejection_stands_until_a_next_version_takes_effect() -> None:
    status = Status()
    status.schema_rejected(None, "not_json")
    assert status.rejection == "version ? rejected: not_json"
    status.schema_changed(SchemaReport(3, ()), 0.1)
    assert status.rejection is None


def test_dead_letters_count_towards_the_end() -> None:
    status = Status(expected_events=100)
    status.trained(Step(batch(events_trained_total=90), 0.1, []))
    for _ in range(10):
        status.dead_letter("not_json")
    assert status.done == 1.0


def test_the_summary_table_marks_the_better_one_of_each_measure() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system="standard")
    console.print(summary_table(SUMMARY))
    assert isinstance(console.file, io.StringIO)
    marked = [piece.split("\x1b")[0].strip() for piece in console.file.getvalue().split("\x1b[1;32m")[1:]]
    assert marked == ["0.4200", "0.3950"]
    text = as_text(summary_table(SUMMARY))
    assert "1,000 trained (500 with labels), 10 dead-lettered, 3 labels dropped" in text
    assert "-; in warm-ups 1,500 events/s, 650 us of CPU each" in text
    words = " ".join(text.split())
    assert "loss 1.0300 of the running rate's, 0.0300 nats a pair; AUC 0.7000; the rate alone predicts better" in words
    assert "120 events with more than five possible offers, recall@5 there: model 0.3000, popularity 0.1000" in words
    assert "network 90% (0.0250), rate 10% (0.0300); together 0.0251 nats a pair" in words
    none = as_text(summary_table({**SUMMARY, "contested_events": 0}))
    assert "none of the events with labels had more than five possible offers" in " ".join(none.split())
    assert "off by 0.0042 in the mean, at a rate of 0.0045 taken" in text


@pytest.mark.parametrize(
    ("style", "holds"),
    [
        ("auto", lambda text: text.startswith('{"time"')),
        ("lines", lambda text: text.startswith("Learning from")),
        ("live", lambda text: "stream: carry on embedded-log" in text),
        ("none", lambda text: text == ""),
    ],
)
def test_the_style_says_what_is_shown(style: str, holds: Callable[[str], bool], tmp_path: Path) -> None:
    with (tmp_path / "out").open("w+", encoding="utf-8") as out:  # a file is no terminal
        with open_view(ViewSettings(style=style), out) as view:
            play(view, 3)
        out.seek(0)
        assert holds(out.read())


def test_times_read_like_times() -> None:
    assert [duration(seconds) for seconds in (0, 17.4, 125, 3900)] == ["0 s", "17 s", "2 min 05 s", "1 h 05 min"]
