"""Named arrays in a file of the safetensors format, written in one pass and read by mapping it into memory.

The format (https://github.com/huggingface/safetensors#format): eight bytes with the length of a header, little-endian;
the header, a JSON object of `name: {"dtype", "shape", "data_offsets"}`; the arrays' bytes, little-endian, row by row,
without a gap. The package `safetensors` reads these files. It copies what it reads, and builds what it writes in
memory; here several processes share the pages of one file, and a file as large as the model is never in memory twice.
"""

from __future__ import annotations

import hashlib
import json
import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from stream.errors import VersionDamaged
from stream.publish.snapshot import Array

__all__ = ["map_arrays", "sha256_of", "write_arrays"]

_DTYPES = {
    "BOOL": np.dtype(np.bool_),
    **{f"U{8 * size}": np.dtype(f"<u{size}") for size in (1, 2, 4, 8)},
    **{f"I{8 * size}": np.dtype(f"<i{size}") for size in (1, 2, 4, 8)},
    **{f"F{8 * size}": np.dtype(f"<f{size}") for size in (2, 4, 8)},
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_LENGTH_BYTES = 8
_ALIGNMENT = 8
_PIECE_BYTES = 1 << 20
_LARGEST_HEADER_BYTES = 100_000_000
"""The format's own bound."""


def write_arrays(file: BinaryIO, arrays: Mapping[str, Array]) -> str:
    """Write the arrays to an open file, and return the SHA-256 of what was written, as 64 hex digits.

    Raises TypeError for an array of another type than booleans, integers and floats of up to 64 bits.
    """
    # The widest first: each then begins at a multiple of its own item's size, as numpy and compiled loops want it.
    ordered = sorted(arrays.items(), key=lambda item: (-item[1].dtype.itemsize, item[0]))
    header: dict[str, object] = {}
    begin = 0
    for name, array in ordered:
        dtype = _NAMES.get(array.dtype.newbyteorder("<"))
        if dtype is None:
            raise TypeError(f"the array {name} has the type {array.dtype}, which no safetensors file can hold")
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [begin, begin + array.nbytes]}
        begin += array.nbytes
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    digest = hashlib.sha256()
    for part in (len(text).to_bytes(_LENGTH_BYTES, "little"), text):
        file.write(part)
        digest.update(part)
    for _, array in ordered:
        flat = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).reshape(-1).view(np.uint8)
        for start in range(0, len(flat), _PIECE_BYTES):
            piece = flat[start : start + _PIECE_BYTES].data
            file.write(piece)
            digest.update(piece)
    return digest.hexdigest()


def map_arrays(path: Path, *, private: bool = False) -> dict[str, Array]:
    """Return the arrays of a file as views of its pages, which all processes that map it share.

    With `private` they can be written to: a page that is written to is copied for this process, and the file stays as
    it is. Without, they are read-only.

    Raises:
        FileNotFoundError: there is no such file.
        VersionDamaged: it is not of this format.
    """
    with path.open("rb") as file:
        try:
            access = mmap.ACCESS_COPY if private else mmap.ACCESS_READ
            pages = mmap.mmap(file.fileno(), 0, access=access)
        except ValueError:
            raise _damaged(path, "it is empty") from None
    length = int.from_bytes(pages[:_LENGTH_BYTES], "little")
    data = _LENGTH_BYTES + length
    if length > _LARGEST_HEADER_BYTES or data > len(pages):
        raise _damaged(path, "its header is longer than the file")
    try:
        header = json.loads(pages[_LENGTH_BYTES:data])
        return {
            name: _mapped(pages, data, entry)
            for name, entry in header.items()
            if name != "__metadata__"  # the format's place for notes
        }
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise _damaged(path, f"its header is wrong ({type(error).__name__}: {error})") from error


def _mapped(pages: mmap.mmap, data: int, entry: Mapping[str, object]) -> Array:
    dtype, shape, offsets = _DTYPES[str(entry["dtype"])], entry["shape"], entry["data_offsets"]
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError(f"{shape!r:.80} is no shape")
    if not isinstance(offsets, list):
        raise TypeError(f"{offsets!r:.80} are no offsets")
    begin, end = offsets
    count = int(np.prod(shape, dtype=np.int64)) if shape else 1
    if not 0 <= begin <= end <= len(pages) - data or end - begin != count * dtype.itemsize:
        raise ValueError(f"{shape} and {offsets} do not agree")
    if not count:
        return np.empty(shape, dtype)
    return np.frombuffer(pages, dtype, count, data + begin).reshape(shape)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _damaged(path: Path, why: str) -> VersionDamaged:
    return VersionDamaged(f"{path} is no safetensors file: {why}; take another model version")
