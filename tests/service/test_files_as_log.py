"""Files behind the protocol of a log: order, offsets, and lines that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.cli import main
from stream.errors import ConfigurationError, OffsetOutOfRange, TopicMadeAnew
from stream.service.files import InteractionsFile, SchemaFile
from stream.state.digest import id_digest, to_hex
from tests.service.counting_learner import event, version


def values(source: InteractionsFile, at_once: int = 3) -> list[bytes | None]:
    found: list[bytes | None] = []
    while records := source.poll(at_once, 0.0):
        assert [record.offset for record in records] == list(range(len(found), len(found) + len(records)))
        found += [record.value for record in records]
    assert source.positions() == source.end_offsets() == {0: len(found)}
    return found


@given(st.lists(st.one_of(st.integers(0, 9), st.none()), max_size=20))
def test_lines_come_by_event_time_then_by_line_and_invalid_ones_stay_where_they_are(
    tmp_path_factory: pytest.TempPathFactory, times: list[int | None]
) -> None:
    lines = [f"broken {i}".encode() if ts is None else event(f"e{i}", ts) for i, ts in enumerate(times)]
    path = tmp_path_factory.mktemp("files") / "interactions.jsonl"
    path.write_bytes(b"\n".join(lines))
    last, keyed = -1, []
    for index, (ts, line) in enumerate(zip(times, lines, strict=True)):
        last = last if ts is None else ts
        keyed.append((last, index, line))
    source = InteractionsFile(path)
    source.seek({0: 0})
    assert values(source) == [line for _, _, line in sorted(keyed)]
    source.close()


def test_empty_lines_are_none_as_for_a_producer_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "interactions.jsonl"
    path.write_bytes(event("a", 1) + b"\r\n\n" + event("b", 2) + b"\n \n\r\n")
    source = InteractionsFile(path)
    source.seek({0: 0})
    assert values(source) == [event("a", 1), event("b", 2), b" "]
    source.close()


def test_a_seek_goes_on_at_that_rank_and_never_beyond_the_file(tmp_path: Path) -> None:
    path = tmp_path / "interactions.jsonl"
    path.write_bytes(event("late", 9) + b"\n" + event("early", 1) + b"\n")
    source = InteractionsFile(path)
    with pytest.raises(RuntimeError):
        source.poll(1, 0.0)
    source.seek({0: 1})
    assert [record.value for record in source.poll(5, 0.0)] == [event("late", 9)]
    with pytest.raises(OffsetOutOfRange):
        source.seek({0: 3})
    source.close()


def test_an_empty_file_has_nothing_and_a_missing_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    source = InteractionsFile(tmp_path / "empty")
    source.seek({0: 0})
    assert values(source) == []
    with pytest.raises(ConfigurationError, match="absent"):
        InteractionsFile(tmp_path / "absent")


def test_schema_lines_come_in_line_order(tmp_path: Path) -> None:
    path = tmp_path / "schema.jsonl"
    path.write_bytes(b"one\ntwo\nthree")
    source = SchemaFile(path)
    assert [record.value for record in source.read_to_end(0.0)] == [b"one", b"two", b"three"]
    assert source.read_to_end(0.0) == []
    source.seek(2)
    assert [(record.offset, record.value) for record in source.read_to_end(0.0)] == [(2, b"three")]
    assert source.position() == source.end_offset() == 3


def replay(place: Path, *more: str) -> tuple[int, dict[str, Any]]:
    names = ["--interactions", str(place / "i.jsonl"), "--schema", str(place / "s.jsonl")]
    kept = ["--checkpoint", str(place / "c"), "--summary", str(place / "out.json")]
    code = main(["replay", *names, *kept, "--set", "network.hidden=8", *more])
    return code, json.loads((place / "out.json").read_text(encoding="utf-8"))


def write(path: Path, *lines: bytes) -> None:
    path.write_bytes(b"".join(line + b"\n" for line in lines))


def digest_of(ids: list[str]) -> str:
    digest = 0
    for name in ids:
        digest = id_digest(digest, name)
    return to_hex(digest)


TEA = {"op": "add_label", "name": "tea"}


def test_a_file_that_grew_by_later_events_and_versions_goes_on_exactly_once(tmp_path: Path) -> None:
    early, late = [event(f"e{n}", n) for n in range(20)], [event(f"l{n}", 30 + n) for n in range(10)]
    write(tmp_path / "s.jsonl", version(1, 0, [TEA]))
    write(tmp_path / "i.jsonl", *early)
    assert replay(tmp_path)[0] == 0
    write(tmp_path / "i.jsonl", *late[5:], *early, *late[:5])
    write(tmp_path / "s.jsonl", version(1, 0, [TEA]), version(2, 31))
    code, summary = replay(tmp_path)
    assert code == 0
    assert (summary["events_trained"], summary["schema_version"]) == (30, 2)
    assert summary["ids_digest"] == digest_of([f"e{n}" for n in range(20)] + [f"l{n}" for n in range(10)])


@pytest.mark.parametrize("what", ["late lines", "another day", "shorter", "another schema"])
def test_a_file_that_is_not_the_one_it_was_is_refused_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    lines = [event(f"e{n}", 10 * n) for n in range(20)]
    write(tmp_path / "s.jsonl", version(1, 0, [TEA]))
    write(tmp_path / "i.jsonl", *lines)
    assert replay(tmp_path)[0] == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "c").glob("c*")}
    if what == "late lines":
        write(tmp_path / "i.jsonl", *lines, *[event(f"l{n}", 10 * n + 5) for n in range(5)])
    elif what == "another day":
        write(tmp_path / "i.jsonl", *[event(f"d{n}", 10 * n) for n in range(26)])
    elif what == "shorter":
        write(tmp_path / "i.jsonl", *lines[:10])
    else:
        write(tmp_path / "s.jsonl", version(1, 0, [{**TEA, "name": "coffee"}]))
    assert replay(tmp_path)[0] == TopicMadeAnew.exit_code
    said = capsys.readouterr().err
    name, number = ("s.jsonl", 1) if what == "another schema" else ("i.jsonl", 20)
    assert f"the first {number} lines of the file {name}, in the order in which they are taken, are not those" in said
    assert {path.name: path.read_bytes() for path in (tmp_path / "c").glob("c*")} == before


def test_another_file_may_be_learned_on_top_where_that_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "s.jsonl", version(1, 0, [TEA]))
    write(tmp_path / "i.jsonl", *[event(f"e{n}", n) for n in range(20)])
    assert replay(tmp_path)[0] == 0
    write(tmp_path / "i.jsonl", *[event(f"d{n}", 100 + n) for n in range(26)])
    code, summary = replay(tmp_path, "--set", "checkpoint.lost_offsets=earliest")
    assert (code, summary["events_trained"]) == (0, 46)
    assert replay(tmp_path)[1]["events_trained"] == 46, "and from then on it is the file"


def test_a_replay_without_checkpoints_leaves_no_file_behind_and_says_what_it_could_not_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "s.jsonl", version(1, 0, [TEA]))
    write(tmp_path / "i.jsonl", *[event(f"e{n}", n) for n in range(20)], b"broken", b'{"id": 7}', b"broken too")
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    arguments = ["replay", "--interactions", "i.jsonl", "--schema", "s.jsonl", "--set", "network.hidden=8"]
    assert main(arguments) == 0
    assert sorted(tmp_path.iterdir()) == before
    said = capsys.readouterr()
    assert "3 dead letters (records that could not be used); they are not kept: give --dead-letters FILE" in said.err
    assert "2 not_json, the first at place 20 of i.jsonl: " in said.err
    assert json.loads(said.out)["events_dead_lettered"] == 3, "standard output is the summary alone"
    assert "Learning from files with strategy carry" in said.err

    assert main([*arguments, "--dead-letters", "letters.jsonl"]) == 0
    assert "they lie in letters.jsonl" in capsys.readouterr().err
    assert len((tmp_path / "letters.jsonl").read_bytes().splitlines()) == 3

    assert main([*arguments, "--checkpoint", "c"]) == 0
    assert "they lie in c/dead-letters.jsonl" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "i.jsonl", "letters.jsonl", "s.jsonl"]
