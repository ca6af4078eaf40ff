"""A checkpoint is read whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream import state
from stream.checkpoint import CheckpointStore, newest, pack, read_checkpoint
from stream.errors import CheckpointCorrupt, CheckpointMissing

TREE: dict[str, Any] = {"service": {"offsets": {"0": 7}}, "learner": {"weights": np.arange(5, dtype=np.float32)}}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    payload = state.encode(TREE)
    return pack(12, payload)[0] + payload


def test_what_was_written_is_read_back(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "c"
    path.write_bytes(whole)
    found = read_checkpoint(path)
    assert (found.number, len(found.digest)) == (12, 64)
    assert found.tree()["service"] == TREE["service"]
    np.testing.assert_array_equal(found.tree()["learner"]["weights"], TREE["learner"]["weights"])


@given(data=st.data())
def test_any_flipped_bit_any_cut_and_any_addition_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, whole: bytes, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "c"
    damage = data.draw(st.sampled_from(["flip", "cut", "add"]))
    where = data.draw(st.integers(0, len(whole) - 1))
    if damage == "flip":
        flipped = bytearray(whole)
        flipped[where] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(flipped)
    else:
        path.write_bytes(whole[:where] if damage == "cut" else whole + whole[: where + 1])
    with pytest.raises(CheckpointCorrupt):
        read_checkpoint(path)


def test_the_digest_covers_the_number() -> None:
    assert pack(1, b"payload")[1] != pack(2, b"payload")[1]


def test_the_newest_whole_one_is_found_for_reading(tmp_path: Path) -> None:
    with pytest.raises(CheckpointMissing):
        newest(tmp_path)
    store = CheckpointStore(tmp_path, keep=3)
    for number in (1, 2, 3):
        store.promote(store.write(number, [b"payload"]))
    store.write(4, [b"not committed"])
    assert newest(tmp_path).number == 3
    store.path(3).write_bytes(b"")
    assert newest(tmp_path).number == 2
    store.path(2).write_bytes(b"")
    store.path(1).write_bytes(b"")
    with pytest.raises(CheckpointCorrupt):
        newest(tmp_path)
    store.close()
