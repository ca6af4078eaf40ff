"""For whoever adds to this program: a log in memory, made-up events, and checks for a source, a method and a part.

A check is a function that raises AssertionError, with a sentence that says what is expected. This program's own tests
run them on all that it has.
"""

from stream.testing.memory_log import Clock, MemoryCommitLog, MemoryLog, MemorySchemaSource, MemorySource

__all__ = ["Clock", "MemoryCommitLog", "MemoryLog", "MemorySchemaSource", "MemorySource"]
