"""A file of JSON values, one a line, seen at its beginning: what is another form of file is refused with its name.

A byte order mark is passed over: it belongs to the file, not to its first line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from stream.errors import ConfigurationError

__all__ = ["LOOKED_AT_BYTES", "MARK", "beginning_of_lines", "opened_lines"]

LOOKED_AT_BYTES = 1 << 20
"""How much of a file its form is judged by."""

MARK = b"\xef\xbb\xbf"
"""The byte order mark of UTF-8, with which some programs begin a file."""

_FORMS = (
    (b"\x1f\x8b", "compressed with gzip: unpack it first, as in `gunzip -k FILE`"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd: unpack it first, as in `zstd -d FILE`"),
    (b"\x04\x22\x4d\x18", "compressed with lz4: unpack it first, as in `lz4 -d FILE`"),
    (b"\xfd7zXZ\x00", "compressed with xz: unpack it first, as in `xz -dk FILE`"),
    (b"BZh", "compressed with bzip2: unpack it first, as in `bunzip2 -k FILE`"),
    (b"PK\x03\x04", "a zip archive: unpack it first"),
    (b"PAR1", "in the format Parquet: write its rows as JSON, one a line"),
    (b"\xff\xfe", "UTF-16: save it as UTF-8"),
    (b"\xfe\xff", "UTF-16: save it as UTF-8"),
)


def beginning_of_lines(head: bytes, path: Path | str) -> int:
    """Return where the first line begins, given the first LOOKED_AT_BYTES of a file: after the byte order mark, if any.

    Raises:
        ConfigurationError: the file is compressed, of another encoding, one JSON array, or its values span lines.
    """
    for magic, form in _FORMS:
        if head.startswith(magic):
            raise ConfigurationError(f"the file {path} is {form}")
    if b"\0" in head[:4]:
        raise ConfigurationError(f"the file {path} is UTF-16 or UTF-32, or no text at all: save it as UTF-8")
    start = len(MARK) if head.startswith(MARK) else 0
    _require_a_value_a_line(head[start:], path)
    return start


def opened_lines(file: BinaryIO, path: Path | str) -> Iterator[bytes]:
    """Return the lines of a file or pipe that is open at its beginning; raises as `beginning_of_lines` does.

    Of a pipe no more than the first line is waited for, so that whoever writes it may wait for an answer.
    """
    if file.seekable():
        file.seek(beginning_of_lines(file.read(LOOKED_AT_BYTES), path))
        return iter(file)
    first = file.readline()
    second = file.readline() if first.strip() in (b"{", b"[") else b""
    start = beginning_of_lines(first + second, path)
    return chain([line for line in (first[start:], second) if line], file)


def _require_a_value_a_line(head: bytes, path: Path | str) -> None:
    """Refuse a file whose first line is the beginning of a value that goes on below, or an array of all values."""
    lines = head.lstrip().split(b"\n", 1)
    first, more = lines[0].strip(), lines[1].strip() if len(lines) > 1 else b""
    if first[:1] not in (b"{", b"["):
        return  # no value that is allowed here; the line itself says more than the file could
    try:
        array = isinstance(json.loads(first), list) and not more
        several = False
    except (ValueError, RecursionError):
        several = bool(more) and _goes_on(first, head)
        array = several and first.startswith(b"[")
    if array or several:
        what, query = ("one JSON array", "'.[]'") if array else ("JSON over several lines", ".")
        raise ConfigurationError(
            f"the file {path} is {what}; it has to hold one value a line, as `jq -c {query} FILE` writes it"
        )


def _goes_on(first: bytes, head: bytes) -> bool:
    """Say whether the value that the first line begins ends in a later one."""
    try:
        text = head.decode("utf-8", "replace").lstrip()
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        # It may be broken, or end beyond what is looked at; then a line that ends so ends inside a value.
        longer = len(head) >= LOOKED_AT_BYTES - len(MARK)
        return first in (b"{", b"[") or (longer and first.endswith((b"{", b"[", b",")))
    return "\n" in text[:end]
