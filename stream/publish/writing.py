"""Writing the files of a version: each under a temporary name, durable, then renamed."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stream.disk.durable import sync_directory
from stream.errors import PublishError
from stream.publish.files import file_name
from stream.publish.pointer import FORMAT, Link
from stream.publish.snapshot import Array
from stream.publish.tensors import sha256_of, write_arrays

__all__ = ["TEMPORARY", "replace_file", "write_version"]

TEMPORARY = ".tmp"


def write_version(directory: Path, kind: str, members: Mapping[str, Any], arrays: Mapping[str, Array]) -> Link:
    """Write both files of a version, durably, and return its link. What is not whole bears a temporary name.

    Raises PublishError if the disk refuses; nothing is left then.
    """
    version = members["version"]
    json_path = directory / file_name(kind, version)
    arrays_path = json_path.with_suffix(".safetensors")
    temporary = arrays_path.with_name(f"{arrays_path.name}.{secrets.token_hex(4)}{TEMPORARY}")
    try:
        with temporary.open("xb") as file:
            sha256 = write_arrays(file, arrays)
            file.flush()
            os.fsync(file.fileno())
            arrays_bytes = file.tell()
        temporary.replace(arrays_path)
        described = {"file": arrays_path.name, "sha256": sha256, "size_bytes": arrays_bytes}
        text = json.dumps({"format": FORMAT, "kind": kind, **members, "arrays": described}, ensure_ascii=False).encode()
        replace_file(json_path, text)
    except OSError as error:
        for path in (temporary, arrays_path, json_path):
            path.unlink(missing_ok=True)
        raise PublishError(
            f"model version {version} cannot be written to {directory}: {error.strerror or error}; make room, or name "
            "another publish.directory"
        ) from error
    after = members.get("after", 0)
    return Link(version, after, json_path.name, sha256_of(json_path), arrays_bytes + len(text))


def replace_file(path: Path, content: bytes) -> None:
    """Put `content` there, durably, so that a reader sees either the old bytes or these."""
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}{TEMPORARY}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)
