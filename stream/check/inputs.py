"""Where the records to look at come from: a file, standard input, or a topic up to its end of now."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

from stream.errors import ConfigurationError
from stream.log.line_file import opened_lines
from stream.log.protocol import InteractionSource, Record, SchemaSource

__all__ = ["lines_of", "records_of", "versions_of"]

_POLL_RECORDS = 5000


def lines_of(path: Path) -> Iterator[tuple[Record, str]]:
    """Yield each line of a file (`-`: standard input) as a record, with its number; empty ones are left out.

    Raises `ConfigurationError` if the file cannot be read, or is of another form.
    """
    with ExitStack() as stack:
        try:
            file = sys.stdin.buffer if str(path) == "-" else stack.enter_context(path.open("rb"))
        except OSError as error:
            problem = f"the file {path} cannot be read: {error.strerror}; see its path and rights"
            raise ConfigurationError(problem) from error
        for number, line in enumerate(opened_lines(file, path), 1):
            value = line.rstrip(b"\r\n")
            if value:
                yield Record(path.name, 0, number, None, value, None), f"line {number}"


def records_of(source: InteractionSource, timeout_seconds: float) -> Iterator[tuple[Record, str]]:
    """Yield the records of a topic from its beginning up to its end of now, and close it.

    Raises `LogError` if it cannot be read.
    """
    with closing(source):
        ends = source.end_offsets()
        source.seek(source.beginning_offsets())
        while any(source.positions()[partition] < end for partition, end in ends.items()):
            for record in source.poll(_POLL_RECORDS, timeout_seconds):
                if record.offset < ends[record.partition]:
                    yield record, f"{record.partition}:{record.offset}"


def versions_of(source: SchemaSource, timeout_seconds: float) -> Iterator[tuple[Record, str]]:
    """Yield the records of a schema topic from its beginning up to its end of now, and close it."""
    with closing(source):
        source.seek(source.beginning_offset())
        for record in source.read_to_end(timeout_seconds):
            yield record, f"offset {record.offset}"
