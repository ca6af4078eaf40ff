"""A checkpoint that is whole and holds something else: a sentence and exit code 3, whatever it holds."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream import state
from stream.checkpoint import CheckpointFile, read_checkpoint
from stream.checkpoint.file import checkpoint_name, write_checkpoint
from stream.cli import main
from stream.errors import CheckpointError
from stream.service.inside import inside

INTERACTIONS = [
    {
        "id": str(number),
        "key": f"k{number % 3}",
        "ts": number,
        "features": {"price": number, "shop": f"s{number % 2}"},
        "labels": ["tea"] if number % 2 else [],
    }
    for number in range(40)
]
VERSION = {
    "version": 1,
    "ts": 0,
    "changes": [
        {"op": "add_feature", "name": "price", "kind": "numeric"},
        {"op": "add_feature", "name": "shop", "kind": "categorical"},
        {"op": "add_label", "name": "tea", "attributes": {"group": "drinks"}},
        {"op": "add_label", "name": "rice"},
    ],
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with the two files of a replay and, below `kept`, its checkpoints."""
    place = tmp_path_factory.mktemp("hostile")
    (place / "i.jsonl").write_text("".join(json.dumps(line) + "\n" for line in INTERACTIONS), encoding="utf-8")
    (place / "s.jsonl").write_text(json.dumps(VERSION) + "\n", encoding="utf-8")
    assert replay(place, "kept") == 0
    return place


def replay(place: Path, name: str, *more: str) -> int:
    names = ["--interactions", str(place / "i.jsonl"), "--schema", str(place / "s.jsonl")]
    small = [argument for key in ("hidden=12", "pair_hidden=4") for argument in ("--set", f"network.{key}")]
    return main(["replay", *names, "--checkpoint", str(place / name), "--summary", str(place / "out"), *small, *more])


def newest(place: Path) -> CheckpointFile:
    return read_checkpoint(max((place / "kept").glob("*.ckpt")))


def nodes(tree: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if path:
        yield path
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from nodes(value, (*path, key))


def put(tree: Any, path: tuple[str, ...], value: Any) -> None:
    for key in path[:-1]:
        tree = tree[key]
    if value is None and path[-1] in tree and not isinstance(tree[path[-1]], bool):
        del tree[path[-1]]
    else:
        tree[path[-1]] = value


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


JUNK: list[Any] = [
    *("text", "", -1, 7, 2**70, 1.5, float("nan"), True, [], {}, [None], {"a": 1}, [["x", "y", "z"]], nested(50)),
    *(np.zeros(0, np.float32), np.zeros((3, 3)), np.array(5), np.full((2, 2, 2), -9), np.array([np.nan])),
]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_a_part_is_replaced_by_it_is_a_sentence_or_a_model(
    files: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    tree = newest(files).tree()
    for _ in range(data.draw(st.integers(1, 2))):
        path = data.draw(st.sampled_from(sorted(nodes(tree))))
        put(tree, path, data.draw(st.sampled_from([None, *map(copy.deepcopy, JUNK)])))
    place = tmp_path_factory.mktemp("c") / "model.ckpt"
    write_checkpoint(place, 3, state.pieces(tree))
    with suppress(CheckpointError):
        inside(read_checkpoint(place))


@pytest.mark.parametrize(
    "payload",
    [
        state.encode({}),
        state.encode({"service": {}, "learner": {}}),
        state.encode({"service": [], "learner": "text"}),
        b"",
        b"not safetensors at all",
        state.encode({"learner": nested(400)}),
    ],
    ids=["empty object", "empty parts", "parts of other types", "nothing", "no tree", "deep"],
)
@pytest.mark.parametrize("command", ["replay", "inspect", "recommend", "merge"])
def test_each_command_ends_with_exit_code_3_and_a_sentence(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, payload: bytes
) -> None:
    (tmp_path / "c").mkdir()
    path = tmp_path / "c" / checkpoint_name(3)
    write_checkpoint(path, 3, [payload])
    for name in ("i.jsonl", "s.jsonl"):
        (tmp_path / name).write_bytes((files / name).read_bytes())
    if command == "replay":
        assert replay(tmp_path, "c") == 3
    else:
        assert main([command, str(path), *([str(tmp_path / "out")] if command == "merge" else [])]) == 3
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert str(path) in said


def _text_for_offsets(tree: Any) -> None:
    tree["service"]["offsets"]["0"] = "twelve"


def _text_for_a_partition(tree: Any) -> None:
    tree["service"]["offsets"] = {"first": 12}


def _no_learner(tree: Any) -> None:
    del tree["learner"]


def _no_network(tree: Any) -> None:
    del tree["learner"]["network"]


def _wrong_shape(tree: Any) -> None:
    tables = tree["learner"]["network"]["tables"]
    tables["trunk/bias" if "trunk/bias" in tables else next(iter(tables))]["weight"] = np.zeros((2, 2, 2), np.float32)


def _wrong_settings(tree: Any) -> None:
    tree["service"]["learner_settings"] = {"no.such": 1}


@pytest.mark.parametrize(
    "change", [_text_for_offsets, _text_for_a_partition, _no_learner, _no_network, _wrong_shape, _wrong_settings]
)
def test_a_start_from_it_is_refused_before_anything_is_taken_over(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Any
) -> None:
    found = newest(files)
    tree = found.tree()
    change(tree)
    (tmp_path / "c").mkdir()
    write_checkpoint(tmp_path / "c" / found.path.name, found.number, state.pieces(tree))
    for name in ("i.jsonl", "s.jsonl"):
        (tmp_path / name).write_bytes((files / name).read_bytes())
    assert replay(tmp_path, "c") in (2, 3)
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert said.startswith("stream replay: ")
    assert not (tmp_path / "c" / "commit.json").exists(), "nobody was fenced"


def test_deep_nesting_is_a_sentence(tmp_path: Path) -> None:
    document = b'{"learner": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    from safetensors.numpy import save

    write_checkpoint(tmp_path / "c", 1, [bytes(save({"document": np.frombuffer(document, np.uint8)}))])
    with pytest.raises(CheckpointError):
        read_checkpoint(tmp_path / "c").tree()
