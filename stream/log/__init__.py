"""Logs that the learner reads and writes: Kafka and the embedded log behind the same small protocols."""

from stream.log.protocol import Commit, CommitLog, DeadLetter, InteractionSource, Record, SchemaSource

__all__ = ["Commit", "CommitLog", "DeadLetter", "InteractionSource", "Record", "SchemaSource"]
