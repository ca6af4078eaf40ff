"""Files behind the protocol of a log: order, offsets, and lines that are none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import ConfigurationError, OffsetOutOfRange
from stream.service.files import InteractionsFile, SchemaFile
from tests.service.memory_log import event


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
