"""A file that is not one JSON value a line is refused by its form; a byte order mark is no part of the first line."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
from pathlib import Path
from typing import Any

import pytest

from stream.cli import main
from stream.errors import ConfigurationError
from stream.log.line_file import beginning_of_lines, opened_lines

VERSION: dict[str, Any] = {"version": 1, "ts": 0, "changes": [{"op": "add_label", "name": "tea"}]}
EVENTS: list[dict[str, Any]] = [
    {"id": str(number), "key": "ann", "ts": number, "features": {}, "labels": ["tea"]} for number in range(3)
]
MARK = b"\xef\xbb\xbf"


def lines(*values: object, end: str = "\n") -> bytes:
    return "".join(json.dumps(value) + end for value in values).encode()


def replayed(directory: Path, schema: bytes, interactions: bytes) -> tuple[int, dict[str, Any]]:
    (directory / "s.jsonl").write_bytes(schema)
    (directory / "i.jsonl").write_bytes(interactions)
    summary = directory / "summary.json"
    summary.unlink(missing_ok=True)
    files = ["--schema", str(directory / "s.jsonl"), "--interactions", str(directory / "i.jsonl")]
    letters = ["--set", f"dead_letters.file={directory / 'letters.jsonl'}"]
    code = main(["replay", *files, "--summary", str(summary), *letters])
    return code, json.loads(summary.read_text()) if summary.exists() else {}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", MARK])
def test_a_mark_and_other_ends_of_lines_change_nothing(tmp_path: Path, mark: bytes, end: str) -> None:
    code, summary = replayed(tmp_path, mark + lines(VERSION, end=end), mark + lines(*EVENTS, end=end))
    assert code == 0
    assert (summary["events_trained"], summary["schema_version"], summary["labels_dropped"]) == (3, 1, 0)


FORMS = {
    "JSON over several lines": lambda values: "\n".join(json.dumps(value, indent=2) for value in values).encode(),
    "one JSON array": lambda values: json.dumps(values).encode(),
    "array": lambda values: json.dumps(values, indent=1).encode(),
    "gzip": lambda values: gzip.compress(lines(*values)),
    "bzip2": lambda values: bz2.compress(lines(*values)),
    "xz": lambda values: lzma.compress(lines(*values)),
    "UTF-16": lambda values: lines(*values).decode().encode("utf-16"),
    "UTF-16 or UTF-32": lambda values: lines(*values).decode().encode("utf-16-le"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("which", ["schema", "interactions"])
def test_another_form_is_refused_by_every_command_that_reads_lines(
    form: str, which: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = {"schema": lines(VERSION), "interactions": lines(*EVENTS)}
    other = {"schema": FORMS[form]([VERSION]), "interactions": FORMS[form](EVENTS)}
    files = plain | {which: other[which]}
    code, summary = replayed(tmp_path, files["schema"], files["interactions"])
    assert (code, summary) == (2, {})
    err = capsys.readouterr().err
    assert form in err
    assert f"{which[0]}.jsonl" in err
    monkeypatch.chdir(tmp_path)
    assert main(["topics", "--create", "--log", "log"]) == 0
    assert main(["produce", "--schema", "s.jsonl", "--interactions", "i.jsonl", "--log", "log"]) == 2
    assert form in capsys.readouterr().err


def test_an_empty_schema_is_refused_and_empty_interactions_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert replayed(tmp_path, b"\n\r\n", lines(*EVENTS))[0] == 2
    assert "holds no schema version" in capsys.readouterr().err
    code, summary = replayed(tmp_path, lines(VERSION), MARK)
    assert (code, summary["events_read"]) == (0, 0)
    assert "holds no interaction" in caplog.text


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\n\n",
        b'{"a": 1}',
        b'{"a": 1}\n{"a":',
        b"[]\n" + lines(*EVENTS),
        b'{"id": "cut", "x": [1,\n' + lines(*EVENTS),
        b"not json\n" + lines(*EVENTS),
        b'{"a": 1' + b"0" * 50 + b"\n" + lines(*EVENTS),
    ],
)
def test_a_line_that_is_wrong_by_itself_is_left_to_the_decoder(head: bytes) -> None:
    assert beginning_of_lines(head, "f") == 0


def test_a_value_that_ends_beyond_what_is_looked_at_is_found_by_its_first_line() -> None:
    pretty = json.dumps({"version": 1, "ts": 0, "changes": ["x" * 100] * 20_000}, indent=2).encode()[: 1 << 20]
    with pytest.raises(ConfigurationError, match="over several lines"):
        beginning_of_lines(pretty, "f")


class Pipe(io.BytesIO):
    def seekable(self) -> bool:
        return False


def test_of_a_pipe_the_first_line_alone_is_waited_for() -> None:
    pipe = Pipe(MARK + lines(*EVENTS))
    found = opened_lines(pipe, "-")
    assert pipe.tell() == len(MARK) + len(lines(EVENTS[0]))
    assert list(found) == lines(*EVENTS).splitlines(keepends=True)
    assert list(opened_lines(Pipe(b""), "-")) == []
    with pytest.raises(ConfigurationError, match="over several lines"):
        opened_lines(Pipe(json.dumps(EVENTS[0], indent=2).encode()), "-")


def test_a_configuration_may_begin_with_a_mark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "stream.toml"
    path.write_bytes(MARK + b"seed = 5\n")
    assert main(["config", "--effective", "--config", str(path)]) == 0
    assert "seed = 5" in capsys.readouterr().out
