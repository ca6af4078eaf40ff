"""The commands that talk to a log: topics, produce, schema; the same on Kafka and on the embedded log."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stream.broker import LocalBroker
from stream.cli import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(params=["embedded", "kafka"])
def run(request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command on a log without topics and return its exit code, output and complaints."""
    if request.param == "embedded":
        place = ["--log", str(tmp_path / "log")]
    else:
        broker: LocalBroker = request.getfixturevalue("kafka_broker")
        place = ["--bootstrap-servers", broker.bootstrap_servers]
        for topic in ("interactions", "schema", "dead_letters"):
            place += ["--set", f"topics.{topic}={tmp_path.name}-{topic}"]

    def run_one(*arguments: str) -> tuple[int, str, str]:
        code = main([*arguments, *place])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run_one


ADD_X = '{"op": "add_feature", "name": "x", "kind": "numeric"}'


def test_topics_are_missed_created_and_then_as_they_should_be(run: Run) -> None:
    code, out, err = run("topics")
    assert code == 4
    assert out.count("it does not exist") in (2, 3)
    assert "missing" in err
    code, out, _ = run("topics", "--create", "--partitions", "3")
    assert code == 0
    assert "3 partitions, as it should be" in out
    assert run("topics")[0] == 0


def test_commands_on_topics_that_nobody_created_say_how_to_create_them(run: Run, tmp_path: Path) -> None:
    for arguments in (["schema", "show"], ["produce", "--interactions", __file__]):
        code, _, err = run(*arguments)
        assert code == 4
        assert "stream topics --create" in err


def test_a_schema_is_published_shown_and_compared(run: Run, tmp_path: Path) -> None:
    run("topics", "--create")
    assert run("schema", "show")[1] == "version 0: 0 features, 0 labels\nnothing is live\n"
    code, out, _ = run("schema", "publish", "--far", "--ts", "1970-01-01T00:00:01+00:00", "--change", ADD_X)
    assert code == 0
    assert out.startswith("version 1, in force from 1000 (1970-01-01 00:00:01 UTC), published to ")
    changes = tmp_path / "changes.json"
    changes.write_text('[{"op": "add_label", "name": "c1:SOAP", "attributes": {"campaign": "c1"}}]')
    assert run("schema", "publish", "--at-once", str(changes))[0] == 0
    shown = json.loads(run("schema", "show", "--json")[1])
    assert shown == {
        "version": 2,
        "event_time_ms": 1000,
        "features": {"x": "numeric"},
        "labels": {"c1:SOAP": {"campaign": "c1"}},
        "feature_aliases": {},
        "label_aliases": {},
    }
    assert run("schema", "show", "--version", "1")[1].splitlines()[1:] == ["feature x: numeric"]
    assert run("schema", "diff", "0", "2")[1] == "+ feature x: numeric\n+ label c1:SOAP {campaign=c1}\n"
    assert run("schema", "diff", "2", "1")[1] == "- label c1:SOAP\n"
    assert run("schema", "diff", "1", "1")[1] == "no difference\n"
    assert run("schema", "diff", "1", "7")[0] == 2


def test_what_would_be_rejected_is_not_published_and_a_dry_run_publishes_nothing(run: Run) -> None:
    run("topics", "--create")
    assert run("schema", "publish", "--ts", "0", "--dry-run", "--change", ADD_X)[0] == 0
    assert "version 0" in run("schema", "show")[1]
    run("schema", "publish", "--ts", "0", "--change", ADD_X)
    code, _, err = run("schema", "publish", "--at-once", "--change", ADD_X)
    assert code == 1
    assert "live already" in err
    code, _, err = run("schema", "publish", "--at-once", "--change", '{"op": "fly", "name": "x"}')
    assert code == 2
    assert "fly" in err
    assert "version 1" in run("schema", "show")[1]


def test_old_names_that_may_still_be_used_are_shown_until_their_name_goes(run: Run) -> None:
    run("topics", "--create")
    rename = '{"op": "rename_feature", "name": "x", "to": "y", "alias_until": 2000}'
    assert run("schema", "publish", "--ts", "0", "--change", ADD_X, "--change", rename)[0] == 0
    assert run("schema", "show")[1].splitlines()[1:] == [
        "feature y: numeric",
        "feature x: read as y before 2000 (1970-01-01 00:00:02 UTC)",
    ]
    assert json.loads(run("schema", "show", "--json")[1])["feature_aliases"] == {"x": {"to": "y", "until_ms": 2000}}
    assert run("schema", "publish", "--at-once", "--change", '{"op": "remove_feature", "name": "y"}')[0] == 0
    assert "read as" not in run("schema", "show")[1]


def test_a_time_that_is_decades_off_is_asked_about(run: Run) -> None:
    """Seconds for milliseconds; and microseconds, which would hold back every later version for ever."""
    run("topics", "--create")
    now = round(time.time())
    publish = ("schema", "publish", "--change", ADD_X)
    for ts, unit in ((now, "seconds"), (now * 10**6, "microseconds")):
        code, _, err = run(*publish, "--ts", str(ts))
        assert code == 2
        assert f"it seems to be in {unit}" in err
        assert "UTC" in err
        assert "--far" in err
    code, _, err = run(*publish, "--ts", "2060-01-01T00:00:00+00:00")
    assert code == 2
    assert "33 years from now" in err
    assert "version 0" in run("schema", "show")[1]
    code, out, _ = run(*publish, "--ts", str(now * 1000), "--author", "ann", "--comment", "a new column")
    assert (code, out.split(", ")[1].split(" (")[0]) == (0, f"in force from {now * 1000}")


def test_an_alias_that_is_over_when_it_begins_is_asked_about(run: Run) -> None:
    run("topics", "--create")
    now = round(time.time())
    assert run("schema", "publish", "--ts", str(now * 1000), "--change", ADD_X)[0] == 0
    rename = {"op": "rename_feature", "name": "x", "to": "y", "alias_until": now + 86_400}
    code, _, err = run("schema", "publish", "--at-once", "--change", json.dumps(rename))
    assert code == 2
    assert 'rename_feature "x": alias_until' in err
    assert "it seems to be in seconds" in err
    rename["alias_until"] = (now + 86_400) * 1000
    assert run("schema", "publish", "--at-once", "--change", json.dumps(rename))[0] == 0


def test_when_a_version_takes_effect_is_said_where_an_earlier_one_holds_it_back(run: Run) -> None:
    run("topics", "--create")
    now = round(time.time()) * 1000
    assert run("schema", "publish", "--ts", str(now), "--change", ADD_X)[0] == 0
    code, out, _ = run("schema", "publish", "--ts", str(now - 5000), "--change", '{"op": "add_label", "name": "tea"}')
    assert code == 0
    assert out.startswith(f"version 2, in force from {now} (")
    assert f"the largest ts so far, not from its own {now - 5000} (" in out


def test_what_learners_on_kafka_would_reject_for_its_time_is_not_published_even_with_far(
    run: Run, request: pytest.FixtureRequest
) -> None:
    run("topics", "--create")
    far = ("schema", "publish", "--far", "--ts", "2060-01-01T00:00:00+00:00", "--change", ADD_X)
    code, _, err = run(*far)
    if "embedded" in request.node.name:
        assert code == 0, "no record's timestamp is looked at there"
        code, _, err = run("schema", "publish", "--at-once", "--change", '{"op": "add_label", "name": "tea"}')
        assert code == 2
        assert "version 1 has that ts, and no later version takes effect before it" in err
        return
    assert code == 1
    assert "version_max_ahead_seconds" in err
    assert run(*far, "--set", "version_max_ahead_seconds=1e10")[0] == 0
    assert "rejected, offset 0" in run("schema", "show")[2], "learners as they are set now reject it"


def test_author_and_comment_of_a_file_are_published_and_an_argument_stands_before_them(
    run: Run, tmp_path: Path
) -> None:
    run("topics", "--create")
    path = tmp_path / "version.json"
    whole = {"version": 7, "ts": 3, "author": "ann", "comment": "why", "changes": [json.loads(ADD_X)]}
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(whole, indent=2).encode())
    assert run("schema", "publish", "--ts", "0", "--author", "bob", str(path))[0] == 0
    path.write_text(json.dumps({"changes": [], "auther": "ann"}))
    code, _, err = run("schema", "publish", "--at-once", "--change", '{"op": "add_label", "name": "t"}', str(path))
    assert code == 2
    assert "did you mean author?" in err
    path.write_text(2 * (json.dumps(whole) + "\n"))
    code, _, err = run("schema", "publish", "--at-once", str(path))
    assert code == 2
    assert "more than one JSON value" in err


def test_a_time_is_never_taken_from_the_clock(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["schema", "publish", "--change", ADD_X])
    assert ended.value.code == 2
    assert "--ts --at-once" in capsys.readouterr().err


def test_files_are_produced_with_every_line_and_the_schema_can_be_read_back(run: Run, tmp_path: Path) -> None:
    run("topics", "--create")
    (tmp_path / "events").write_text('{"id": "a", "key": "k", "ts": 5}\n{"id": "b", "ts": 6}\nnonsense\n')
    (tmp_path / "versions").write_text('{"version": 1, "ts": 0, "changes": [' + ADD_X + "]}\n")
    code, out, _ = run("produce", "--interactions", str(tmp_path / "events"), "--schema", str(tmp_path / "versions"))
    assert code == 0
    assert out.startswith("3 interactions sent to ")
    assert "feature x: numeric" in run("schema", "show")[1]


def test_generated_events_are_produced_at_most_at_the_rate(run: Run) -> None:
    run("topics", "--create")
    code, out, _ = run("produce", "--synthetic", "stationary", "--events", "30", "--rate", "100")
    assert (code, out.partition(" ")[0]) == (0, "30"), out
    assert float(out.split(" in ")[-1].split()[0]) >= 0.2


def test_arguments_that_send_nothing_or_cannot_be_read_are_refused(run: Run, tmp_path: Path) -> None:
    assert run("produce")[0] == 2
    assert run("produce", "--journey", "--synthetic", "stationary")[0] == 2
    assert run("produce", "--interactions", str(tmp_path / "absent"))[0] == 2
    assert run("produce", "--interactions", __file__, "--rate", "0")[0] == 2
    assert run("schema", "publish", "--ts", "soon", "--change", ADD_X)[0] == 2
    assert run("schema", "publish", "--ts", "5")[0] == 2


def test_changes_can_come_from_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("topics", "--create")
    monkeypatch.setattr("sys.stdin", io.StringIO('{"version": 9, "ts": 1, "changes": [' + ADD_X + "]}"))
    assert run("schema", "publish", "--ts", "0", "-")[1].startswith("version 1, in force from 0 (1970-")
