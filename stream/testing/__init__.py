"""For whoever adds to this program: a log in memory, made-up events, and checks for a source, a method and a part.

A check is a function that raises AssertionError, with a sentence that says what is expected. This program's own tests
run them on all that it has.
"""

import importlib
from typing import TYPE_CHECKING, Any

from stream.testing.memory_log import Clock, MemoryCommitLog, MemoryLog, MemorySchemaSource, MemorySource
from stream.testing.source import check_source

if TYPE_CHECKING:
    from stream.testing.method import METHOD_CHECKS, check_method
    from stream.testing.part import check_part

__all__ = [
    "METHOD_CHECKS",
    "Clock",
    "MemoryCommitLog",
    "MemoryLog",
    "MemorySchemaSource",
    "MemorySource",
    "check_method",
    "check_part",
    "check_source",
]

_NEED_TORCH = {"METHOD_CHECKS": "method", "check_method": "method", "check_part": "part"}
"""By name, the module that has it: a test of a source need not wait for torch."""


def __getattr__(name: str) -> Any:
    if name not in _NEED_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_NEED_TORCH[name]}"), name)
