"""A state tree and its bytes: nested dictionaries of JSON values and arrays, without pickle.

Arrays travel as a safetensors payload (zero-copy, no code execution on load), everything else as one
JSON document beside them. What comes back is equal to what went in, bit for bit.
"""

from __future__ import annotations

import json
from typing import Any, Final

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays

from stream.errors import CheckpointCorrupt

__all__ = ["Tree", "decode", "encode", "misfit", "pieces"]

Tree = dict[str, Any]
"""String keys; values are trees, JSON scalars, lists of JSON values, or numpy arrays."""

_ARRAY = "\0array"
_DOCUMENT = "document"
_ALIGNMENT_BYTES = 8
_KINDS: Final = {
    np.dtype(kind): name
    for kind, name in {
        "float64": "F64",
        "float32": "F32",
        "float16": "F16",
        "bool": "BOOL",
        "int64": "I64",
        "int32": "I32",
        "int16": "I16",
        "int8": "I8",
        "uint64": "U64",
        "uint32": "U32",
        "uint16": "U16",
        "uint8": "U8",
    }.items()
}
"""What safetensors calls each type of an array's elements."""


def _lift_arrays(value: Any, path: str, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, np.ndarray):
        arrays[path] = value
        return {_ARRAY: path, "shape": list(value.shape)}
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"state key {key!r} at {path!r} is not a string")
        return {key: _lift_arrays(item, f"{path}/{key}", arrays) for key, item in value.items()}
    if isinstance(value, np.generic):
        return value.item()
    return value


def _lower_arrays(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, dict):
        if _ARRAY in value:
            return arrays[value[_ARRAY]].reshape(value["shape"])
        return {key: _lower_arrays(item, arrays) for key, item in value.items()}
    return value


def pieces(tree: Tree) -> list[memoryview]:
    """Return a tree's bytes in order, in pieces of which the arrays are the tree's own memory: nothing is copied.

    So the pieces change with the arrays. Raises TypeError for a value that is neither JSON nor an array.
    """
    arrays: dict[str, np.ndarray] = {}
    document = json.dumps(_lift_arrays(tree, "", arrays), ensure_ascii=True, allow_nan=True)
    arrays[_DOCUMENT] = np.frombuffer(document.encode(), dtype=np.uint8)
    # The widest elements first, as safetensors itself writes them: so each array begins where its elements fit.
    ordered = sorted(arrays.items(), key=lambda entry: (-entry[1].itemsize, entry[0]))
    header: dict[str, dict[str, object]] = {}
    start = 0
    for path, array in ordered:
        kind = _KINDS.get(array.dtype)
        if kind is None:
            raise TypeError(f"the array {path!r} of the state has elements of {array.dtype}, which no file can hold")
        header[path] = {
            "dtype": kind,
            "shape": list(array.shape) or [1],
            "data_offsets": [start, start + array.nbytes],
        }
        start += array.nbytes
    head = json.dumps(header, ensure_ascii=True, separators=(",", ":")).encode()
    head += b" " * (-len(head) % _ALIGNMENT_BYTES)
    return [
        memoryview(len(head).to_bytes(8, "little") + head),
        *(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data for _, array in ordered),
    ]


def encode(tree: Tree) -> bytes:
    """Return a tree as bytes; raises TypeError for a value that is neither JSON nor an array."""
    return b"".join(pieces(tree))


def decode(data: bytes) -> Tree:
    """Return the tree that `encode` wrote; raises CheckpointCorrupt if the bytes are not one."""
    try:
        arrays = load_arrays(data)
        document = json.loads(arrays.pop(_DOCUMENT).tobytes())
        tree = _lower_arrays(document, arrays)
    except (SafetensorError, KeyError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise CheckpointCorrupt(f"the checkpoint's payload cannot be read: {error}; restore an older one") from error
    if not isinstance(tree, dict):
        raise CheckpointCorrupt("the checkpoint's payload is not a state tree; restore an older one")
    return tree


def misfit(tree: Any, form: Any, path: str = "") -> str | None:
    """Return where a tree is not of the form of another one, None if it is.

    Of the same form are values of the same type, arrays of the same dtype and number of dimensions, and of dictionaries
    the members that both have. A None in `form` stands for any value.
    """
    if isinstance(form, dict):
        if not isinstance(tree, dict):
            return path
        inner = (misfit(tree[key], form[key], f"{path}/{key}") for key in form if key in tree)
        return next((found for found in inner if found is not None), None)
    if isinstance(form, np.ndarray):
        alike = isinstance(tree, np.ndarray) and (tree.dtype, tree.ndim) == (form.dtype, form.ndim)
        return None if alike else path
    if isinstance(form, float):
        return None if isinstance(tree, float | int) and not isinstance(tree, bool) else path
    return None if form is None or type(tree) is type(form) else path
