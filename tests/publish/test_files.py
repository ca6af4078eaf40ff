"""Arrays and patches on their way through files: what is written is what is read, by the safetensors package too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from stream.errors import VersionDamaged
from stream.publish.patch import difference, patched, went
from stream.publish.tensors import map_arrays, write_arrays

DTYPES = [np.bool_, np.uint8, np.int16, np.int32, np.int64, np.uint64, np.float16, np.float32, np.float64]


def written(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    with path.open("wb") as file:
        write_arrays(file, arrays)
    return path


def test_the_package_reads_what_is_written_and_so_does_the_mapping(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {f"a/{np.dtype(t).name}": random.integers(0, 2, (5, 3)).astype(t) for t in DTYPES}
    arrays |= {"scalar": np.array(2.5), "none": np.zeros((0, 7), dtype=np.float32), "ü": np.arange(3)}
    arrays["nan"] = np.array([np.nan, -0.0, np.inf])
    arrays["strided"] = np.arange(12.0).reshape(3, 4)[:, ::2]
    path = written(tmp_path / "x.safetensors", arrays)
    for found in (load_file(path), map_arrays(path), map_arrays(path, private=True)):
        assert found.keys() == arrays.keys()
        for name, array in arrays.items():
            assert found[name].dtype == array.dtype
            assert found[name].shape == array.shape
            assert found[name].tobytes() == array.tobytes()


def test_every_mapped_array_is_aligned(tmp_path: Path) -> None:
    arrays = {"a": np.ones(3, dtype=np.bool_), "b": np.ones(3), "c": np.ones(5, dtype=np.float32)}
    for array in map_arrays(written(tmp_path / "x", arrays)).values():
        assert array.flags.aligned


def test_a_private_mapping_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    path = written(tmp_path / "x", {"a": np.zeros(4)})
    map_arrays(path, private=True)["a"][0] = 7
    assert map_arrays(path)["a"][0] == 0
    with pytest.raises(ValueError, match="read-only"):
        map_arrays(path)["a"][0] = 7


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x01",
        b"\xff" * 16,
        b"\x02" + bytes(7) + b"[]",
        b"\x02" + bytes(7) + b"{x",
        *(
            len(text).to_bytes(8, "little") + text + bytes(8)
            for text in (
                b'{"a": {"dtype": "F64", "shape": [2], "data_offsets": [0, 16]}}',
                b'{"a": {"dtype": "F64", "shape": [1], "data_offsets": [0, 4]}}',
                b'{"a": {"dtype": "F64", "shape": [-1], "data_offsets": [0, 8]}}',
                b'{"a": {"dtype": "F65", "shape": [1], "data_offsets": [0, 8]}}',
                b'{"a": {"dtype": "F64", "shape": [1], "data_offsets": [8, 16]}}',
                b'{"a": {"dtype": "F64", "shape": [4611686018427387904, 4], "data_offsets": [0, 0]}}',
            )
        ),
    ],
)
def test_what_is_no_such_file_is_said_to_be_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(VersionDamaged):
        map_arrays(tmp_path / "x")


values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["a", "b", "c", 0.5, 1.0]),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.sampled_from("wxyz"), inner, max_size=4),
    max_leaves=20,
)


def strictly_equal(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(strictly_equal(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(strictly_equal, one, other))
    return bool(one == other)


@given(values, values)
@settings(max_examples=500, deadline=None)
def test_a_patch_leads_from_one_value_to_the_other_and_changes_neither(before: Any, after: Any) -> None:
    patch = difference(before, after)
    if patch is None:
        assert strictly_equal(before, after)
        return
    found = patched(before, patch)
    assert strictly_equal(found, after)
    assert strictly_equal(patched(found, patch), after)


def test_one_name_that_goes_is_one_place_and_a_tombstone() -> None:
    before = {"offers": [f"o{place}" for place in range(1000)], "n": 1}
    after = {"offers": [None if place == 7 else f"o{place}" for place in range(1000)] + ["new"], "n": 1}
    patch = difference(before, after)
    assert patch == {"members": {"offers": {"places": [[7, None], [1000, "new"]], "length": 1001}}, "gone": []}
    assert went(before, patch) == {"offers": ["o7"]}


def test_a_name_that_moves_to_another_slot_is_no_tombstone() -> None:
    before = {"offers": ["a", "b", "c", "d", "e", "f"]}
    patch = difference(before, {"offers": ["a", "c", "b", "d", "e", "f"]})
    assert patch is not None
    assert went(before, patch) == {}
