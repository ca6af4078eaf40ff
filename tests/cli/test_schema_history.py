"""`stream schema history` says when, what, who and why; `stream schema diff` shows a rename as one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stream.cli import main
from stream.log.embedded import EmbeddedTopic, EmbeddedWriter

ADD = {"op": "add_label", "name": "tea", "attributes": {"group": "hot"}}
VERSIONS = [
    {"version": 1, "ts": 1_500_000_000_000, "changes": [ADD, {"op": "add_feature", "name": "x", "kind": "numeric"}]},
    {
        "version": 2,
        "ts": 1_500_000_100_000,
        "author": "ann",
        "comment": "the catalogue's new words",
        "changes": [
            {"op": "rename_label", "name": "tea", "to": "chai"},
            {"op": "rename_feature", "name": "x", "to": "y"},
            {"op": "update_label", "name": "chai", "attributes": {"group": "warm"}},
        ],
    },
    {"version": 3, "ts": 0, "changes": [{"op": "remove_label", "name": "chai"}, ADD]},
]


@pytest.fixture
def log(tmp_path: Path) -> str:
    writer = EmbeddedWriter(EmbeddedTopic.create(tmp_path, "feature-schema"))
    for version in VERSIONS:
        writer.send(None, json.dumps(version).encode())
    writer.flush()
    return str(tmp_path)


def test_the_history_says_when_what_who_and_why(log: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "history", "--log", log]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "version 1, in force from 1500000000000 (2017-07-14 02:40:00 UTC)"
    assert (
        "version 2, in force from 1500000100000 (2017-07-14 02:41:40 UTC), by ann: the catalogue's new words" in printed
    )
    assert "  ~ label tea -> chai" in printed
    assert main(["schema", "history", "--log", log, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["versions"]
    assert [(one["version"], one["author"], one["event_time_ms"]) for one in found] == [
        (1, None, 1_500_000_000_000),
        (2, "ann", 1_500_000_100_000),
        (3, None, 1_500_000_100_000),
    ]


def test_a_rename_is_shown_as_one_in_both_directions(log: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "diff", "1", "2", "--log", log]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "~ feature x -> y",
        "~ label tea -> chai",
        "~ label chai {group=warm}",
    ]
    assert main(["schema", "diff", "2", "1", "--log", log]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "~ feature y -> x",
        "~ label chai -> tea",
        "~ label tea {group=hot}",
    ]
    assert main(["schema", "diff", "1", "3", "--log", log]) == 0
    assert capsys.readouterr().out.splitlines() == ["~ feature x -> y"], (
        "what came back anew under its name is the same"
    )
