"""The checkpoint file: a header and a payload under one SHA-256, read whole or not at all.

    offset  bytes
    0       8       magic "STREAMCK"
    8       4       format version, big-endian
    12      8       number of the checkpoint
    20      8       length of the payload
    28      32      SHA-256 of bytes 0 to 27 and the payload
    60      ...     payload: a state tree as `stream.state.encode` writes it

A torn, truncated, extended or flipped file raises; it is never read in part. These 60 bytes are the same in every
format version, so that a file of another version is told from a damaged one.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from stream import state
from stream.checkpoint.reading import reading
from stream.disk.durable import sync_directory
from stream.errors import CheckpointCorrupt, CheckpointError, CheckpointFormat, CheckpointMissing

__all__ = [
    "FORMAT_VERSION",
    "CheckpointFile",
    "checkpoint_name",
    "newest",
    "number_in_name",
    "pack",
    "pour",
    "read_at",
    "read_checkpoint",
    "write_checkpoint",
]

FORMAT_VERSION = 1
_MAGIC = b"STREAMCK"
_HEADER = struct.Struct(">8sIQQ")
_DIGEST_BYTES = 32
_CHUNK_BYTES = 1 << 20
_EMPTY = hashlib.sha256()
"""To be copied: to make one asks OpenSSL, whose locks another thread may hold at the moment of a fork."""
Buffer = bytes | memoryview
_NAME = re.compile(r"checkpoint-(\d{12})\.ckpt")


@dataclass(frozen=True, slots=True)
class CheckpointFile:
    """A checkpoint that was read and found whole.

    Attributes:
        path: where it was read.
        number: its number; later checkpoints of one name have larger ones.
        digest: SHA-256 of header and payload, 64 hex digits: what the log's commit names.
        payload: the encoded state tree.
    """

    path: Path
    number: int
    digest: str
    payload: bytes

    def tree(self) -> state.Tree:
        """Return the state tree; raises `CheckpointCorrupt` if the payload is not one."""
        with reading(self.path):
            return state.decode(self.payload)


def checkpoint_name(number: int) -> str:
    """Return the file name of a complete checkpoint."""
    return f"checkpoint-{number:012d}.ckpt"


def number_in_name(name: str) -> int | None:
    """Return the number of a complete checkpoint's file name, None for any other name."""
    found = _NAME.fullmatch(name)
    return int(found[1]) if found else None


def pack(number: int, payload: bytes) -> tuple[bytes, str]:
    """Return the bytes that stand before `payload` in the file, and the digest as 64 hex digits."""
    header = _HEADER.pack(_MAGIC, FORMAT_VERSION, number, len(payload))
    digest = _digest(header, payload)
    return header + digest.digest(), digest.hexdigest()


def _digest(header: bytes, payload: bytes) -> hashlib._Hash:
    digest = hashlib.sha256(header)
    digest.update(payload)
    return digest


def pour(file: BinaryIO, number: int, pieces: Iterable[Buffer]) -> tuple[str, int]:
    """Write a checkpoint whose payload is those pieces, one after the other, to an empty file, durably.

    Returns its digest and its size in bytes. No second copy of the payload is made. Raises OSError.
    """
    views = [memoryview(piece).cast("B") for piece in pieces]
    size_bytes = sum(map(len, views))
    header = _HEADER.pack(_MAGIC, FORMAT_VERSION, number, size_bytes)
    digest = _EMPTY.copy()
    digest.update(header)
    file.write(header + bytes(_DIGEST_BYTES))
    for view in views:
        for start in range(0, len(view), _CHUNK_BYTES):
            chunk = view[start : start + _CHUNK_BYTES]
            digest.update(chunk)
            file.write(chunk)
    file.seek(_HEADER.size)
    file.write(digest.digest())
    file.flush()
    os.fsync(file.fileno())
    return digest.hexdigest(), _HEADER.size + _DIGEST_BYTES + size_bytes


def write_checkpoint(path: Path, number: int, pieces: Iterable[Buffer]) -> None:
    """Write a checkpoint to the file `path` in one step, durably: until it is whole, what was there stays.

    For a file that no log has to agree to; a service's go through `CheckpointStore`. Raises `CheckpointError` if the
    disk refuses; nothing of it is left then.
    """
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        try:
            with temporary.open("xb") as file:
                pour(file, number, pieces)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_directory(path.parent)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be written: {error}; make room, or give another path") from error


def read_at(path: Path) -> CheckpointFile:
    """Return the checkpoint in the file `path`, or the newest one in the directory `path`.

    Raises CheckpointMissing if there is none, CheckpointCorrupt if it is not, byte for byte, what was written.
    """
    return newest(path) if path.is_dir() else read_checkpoint(path)


def read_checkpoint(path: Path) -> CheckpointFile:
    """Return the checkpoint in the file `path`.

    Raises:
        CheckpointMissing: there is no such file.
        CheckpointCorrupt: it is not, byte for byte, what was written.
        CheckpointFormat: it is, and it has a format version that this program does not read.
        CheckpointError: it cannot be read.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise CheckpointMissing(f"there is no checkpoint {path}; look for another in its directory") from None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}; see its path and rights") from error
    start = _HEADER.size + _DIGEST_BYTES
    if len(data) < start or not data.startswith(_MAGIC):
        raise CheckpointCorrupt(f"{path} is not a checkpoint or is cut short ({len(data)} bytes); restore an older one")
    _, version, number, length = _HEADER.unpack_from(data)
    payload = data[start:]
    digest = _digest(data[: _HEADER.size], payload)
    if len(payload) != length or digest.digest() != data[_HEADER.size : start]:
        raise CheckpointCorrupt(
            f"{path} is damaged: its SHA-256 does not match its {len(data)} bytes; restore an older one"
        )
    if version != FORMAT_VERSION:
        raise CheckpointFormat(
            f"{path} has checkpoint format {version}, this program reads {FORMAT_VERSION}; use the program that wrote "
            "it, or give this learner a new name and checkpoint directory"
        )
    return CheckpointFile(path, number, digest.hexdigest(), payload)


def newest(directory: Path) -> CheckpointFile:
    """Return the newest whole checkpoint of a directory, for reading alone: what the log has committed is not asked.

    Raises `CheckpointMissing` if it holds none, `CheckpointCorrupt` if none is whole.
    """
    numbers = sorted((n for p in directory.glob("*.ckpt") if (n := number_in_name(p.name)) is not None), reverse=True)
    damage: CheckpointCorrupt | None = None
    for number in numbers:
        try:
            return read_checkpoint(directory / checkpoint_name(number))
        except CheckpointCorrupt as error:
            damage = damage or error
    if damage is not None:
        raise damage
    raise CheckpointMissing(f"there is no checkpoint in {directory}; give the directory that the learner writes to")
