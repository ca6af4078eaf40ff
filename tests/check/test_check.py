"""`stream check` finds each planted fault at its line, and nothing where nothing is wrong; it changes nothing."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from stream.broker import LocalBroker
from stream.check.findings import Findings, Severity
from stream.cli import main
from stream.data import synthetic

START_MS = 1_700_000_000_000
VERSION: dict[str, Any] = {
    "version": 1,
    "ts": START_MS,
    "changes": [
        {"op": "add_feature", "name": "age", "kind": "numeric"},
        {"op": "add_feature", "name": "platform", "kind": "categorical"},
        {"op": "add_label", "name": "tea", "attributes": {"group": "hot"}},
        {"op": "add_label", "name": "cola", "attributes": {"group": "cold"}},
    ],
}


def event(number: int = 0, **members: Any) -> dict[str, Any]:
    plain = {"id": str(number), "key": "ann", "ts": START_MS + number, "labels": ["tea"]}
    return {**plain, "features": {"age": 30, "platform": "ios"}, **members}


def write(path: Path, values: list[Any]) -> Path:
    lines = [value if isinstance(value, bytes) else json.dumps(value).encode() for value in values]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


class Checked:
    """What the command said of two files."""

    def __init__(
        self, directory: Path, capsys: pytest.CaptureFixture[str], events: list[Any], versions: list[Any]
    ) -> None:
        files = [
            "--interactions",
            str(write(directory / "i", events)),
            "--schema",
            str(write(directory / "s", versions)),
        ]
        capsys.readouterr()
        self.code = main(["check", *files, "--json"])
        self.said = json.loads(capsys.readouterr().out)
        self.found = {(one["source"], one["code"]): one for one in self.said["findings"]}


def test_nothing_is_found_where_nothing_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checked = Checked(tmp_path, capsys, [event(number) for number in range(20)], [VERSION])
    assert (checked.code, checked.said["findings"]) == (0, [])
    assert checked.said["missing_rates"] == {"age": 0.0, "platform": 0.0}
    files = synthetic.write(tmp_path, synthetic.scenario("ten_changes", 0, events=400))
    assert main(["check", "--interactions", str(files.interactions), "--schema", str(files.schema), "--json"]) in (
        0,
        10,
    )
    assert json.loads(capsys.readouterr().out)["wrong"] == 0, "a stream of ours has nothing that is refused"


EVENTS: dict[str, tuple[Any, str, str]] = {
    "not_json": (b"{", "wrong", "not JSON"),
    "missing_id": ({"key": "ann", "ts": START_MS, "features": {}, "labels": []}, "wrong", "id is missing"),
    "version_missing": (event(schema_version=7), "wrong", "names schema version 7"),
    "unknown_member": (event(weigth=2), "looks wrong", "did you mean weight?"),
    "unit_of_time": (event(ts=START_MS // 1000), "looks wrong", "it seems to be in seconds"),
    "before_version_1": (event(ts=START_MS - 1), "looks wrong", "before schema version 1"),
    "nothing_shown": (event(shown=[]), "looks wrong", "shown is empty"),
    "label_outside_shown": (event(shown=["cola"]), "looks wrong", '"tea" is not in shown'),
    "unknown_feature": (event(features={"platfrom": "ios"}), "looks wrong", "did you mean platform?"),
    "unknown_label": (event(labels=["Tea"]), "looks wrong", "did you mean tea?"),
    "unknown_shown": (event(shown=["tea", "cole"]), "looks wrong", "did you mean cola?"),
    "unknown_attribute": (event(shown={"groop": ["hot"]}), "looks wrong", "did you mean group?"),
    "mistyped": (event(features={"age": "30"}), "looks wrong", "numeric and its value a string"),
}


@pytest.mark.parametrize("code", EVENTS)
def test_a_planted_fault_of_an_interaction_is_found_at_its_line(
    code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planted, severity, message = EVENTS[code]
    checked = Checked(tmp_path, capsys, [event(1), event(2), planted, event(3), planted], [VERSION])
    found = checked.found["interactions", code]
    assert found["severity"] == severity
    assert message in found["message"]
    assert (found["count"], found["places"]) == (2, ["line 3", "line 5"])
    assert checked.code == (1 if severity == "wrong" else 10)


SECOND: dict[str, tuple[Any, str, str]] = {
    "unknown_member": ({"op": "add_label", "name": "x", "attribute": {}}, "wrong", "did you mean attributes?"),
    "label_absent": ({"op": "remove_label", "name": "tee"}, "wrong", "did you mean tea?"),
    "label_live": ({"op": "add_label", "name": "tea"}, "wrong", "live already"),
    "close_feature": (
        {"op": "add_feature", "name": "Plat-form", "kind": "numeric"},
        "looks wrong",
        'nearly "platform"',
    ),
    "close_label": ({"op": "add_label", "name": "TEA"}, "looks wrong", 'nearly "tea"'),
    "close_attribute": (
        {"op": "add_label", "name": "x", "attributes": {"Group": "hot"}},
        "looks wrong",
        'nearly "group"',
    ),
    "spaces": ({"op": "add_label", "name": "juice "}, "looks wrong", "spaces"),
    "alias_over": ({"op": "rename_label", "name": "tea", "to": "chai", "alias_until": 5}, "looks wrong", "not after"),
}


@pytest.mark.parametrize("code", SECOND)
def test_a_planted_fault_of_a_version_is_found_at_its_line(
    code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, severity, message = SECOND[code]
    second = {"version": 2, "ts": START_MS + 10, "changes": [change]}
    checked = Checked(tmp_path, capsys, [event()], [VERSION, second])
    found = checked.found["schema", code]
    assert (found["severity"], found["places"]) == (severity, ["line 2"])
    assert message in found["message"]
    assert checked.code == (1 if severity == "wrong" else 10)


def test_times_of_versions_are_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seconds = {"version": 2, "ts": START_MS // 1000, "changes": []}
    found = Checked(tmp_path, capsys, [event()], [VERSION, seconds]).found
    assert "it seems to be in seconds" in found["schema", "unit_of_time"]["message"]
    assert f"it takes effect at {START_MS}" in found["schema", "ts_behind_last"]["message"]
    assert ("schema", "no_changes") in found


def test_an_event_is_read_under_the_schema_of_its_time_or_of_the_version_that_it_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    until = START_MS + 1000
    versions = [
        VERSION,
        {"version": 2, "ts": START_MS + 100, "changes": [{"op": "remove_label", "name": "cola"}]},
        {
            "version": 3,
            "ts": START_MS + 200,
            "changes": [{"op": "rename_label", "name": "tea", "to": "chai", "alias_until": until}],
        },
    ]
    cola = [event(ts=START_MS + at, labels=["cola"]) for at in (99, 100)]
    cola.append(event(ts=START_MS + 1, labels=["cola"], schema_version=2))
    old = [event(ts=at) for at in (START_MS + 199, until - 1, until)]
    checked = Checked(tmp_path, capsys, [*cola, *old], versions)
    assert checked.found["interactions", "old_name"]["places"] == ["line 5"]
    labels = [one["places"] for one in checked.said["findings"] if one["code"] == "unknown_label"]
    assert sorted(labels) == [["line 2", "line 3"], ["line 6"]]


def test_missing_rates_and_mixed_types_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = [event(number, features={"platform": value}) for number, value in enumerate(["ios", 1, 1.5, None])]
    checked = Checked(tmp_path, capsys, events, [VERSION])
    assert checked.said["missing_rates"] == {"age": 1.0, "platform": 0.25}
    assert "none of 4 events has it" in checked.found["interactions", "never_given"]["message"]
    assert "float, int, str" in checked.found["interactions", "mixed_types"]["message"]


def test_the_table_shows_the_first_of_many_and_all_of_them_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = [event(number, labels=[f"x{number}"]) for number in range(100)]
    files = ["--interactions", str(write(tmp_path / "i", events)), "--schema", str(write(tmp_path / "s", [VERSION]))]
    assert main(["check", *files]) == 10
    short = capsys.readouterr().out
    assert "looks wrong: 100" in short
    assert "and 80 further ones; --all shows them" in short
    assert main(["check", *files, "--all"]) == 10
    assert capsys.readouterr().out.count("interactions unknown_label, 1 times") == 100
    assert main(["check", *files, "--limit", "3"]) == 10
    assert "looks wrong: 3" in capsys.readouterr().out


def test_findings_are_bounded_whatever_comes() -> None:
    findings = Findings()
    for number in range(5000):
        findings.add(Severity.LOOKS_WRONG, "interactions", "unknown_label", f"line {number}", "m", about=f"x{number}")
    assert len(findings.listed()) == 1001
    assert sum(one.count for one in findings.listed()) == 5000
    assert findings.listed()[0].count == 4000
    assert all(len(one.places) <= 5 for one in findings.listed())


def test_standard_input_is_read_and_other_forms_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = json.dumps(event()).encode() + b"\n{\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert main(["check", "--interactions", "-", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["findings"][0]["places"] == ["line 2"]
    assert main(["check", "--interactions", "-", "--schema", "-"]) == 2
    (tmp_path / "p").write_text(json.dumps(VERSION, indent=2))
    assert main(["check", "--schema", str(tmp_path / "p")]) == 2
    assert "over several lines" in capsys.readouterr().err
    assert main(["check", "--schema", str(tmp_path / "absent")]) == 2


@pytest.mark.parametrize("place", ["embedded", "kafka"])
def test_topics_are_looked_at_up_to_their_end_and_stay_as_they_are(
    place: str, request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if place == "embedded":
        where = ["--log", str(tmp_path / "log")]
    else:
        broker: LocalBroker = request.getfixturevalue("kafka_broker")
        where = ["--bootstrap-servers", broker.bootstrap_servers]
        for topic in ("interactions", "schema", "dead_letters"):
            where += ["--set", f"topics.{topic}={tmp_path.name}-{topic}"]
    assert main(["topics", "--create", *where]) == 0
    typo = {"version": 2, "ts": START_MS, "changes": [{"op": "add_label", "name": "x", "attribute": {}}]}
    schema = write(tmp_path / "s", [VERSION, typo])
    events = [event(1), event(2, labels=["teh"]), b"{", event(3, ts=1)]
    produced = ["--interactions", str(write(tmp_path / "i", events)), "--schema", str(schema)]
    assert main(["produce", *produced, *where]) == 0
    outcomes = []
    for _ in range(2):
        capsys.readouterr()
        assert main(["check", "--json", *where]) == 1
        outcomes.append(json.loads(capsys.readouterr().out))
    assert outcomes[0] == outcomes[1], "it commits nothing: looked at again, it finds the same"
    codes = {(one["source"], one["code"]) for one in outcomes[0]["findings"]}
    assert {("schema", "unknown_member"), ("interactions", "not_json"), ("interactions", "unknown_label")} <= codes
    assert (("interactions", "ts_behind") in codes) == (place == "kafka"), "records' timestamps are Kafka's"
    assert outcomes[0]["interactions"] == 4
    assert main(["check", "--schema", str(write(tmp_path / "good", [VERSION])), "--json", *where]) == 1
    mixed = json.loads(capsys.readouterr().out)
    assert not [one for one in mixed["findings"] if one["source"] == "schema"]
    assert mixed["interactions"] == 4
