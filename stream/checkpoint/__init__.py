"""Checkpoints: one file each, checked, kept in a locked directory, official only once the log's commit names it."""

from stream.checkpoint.crash import CRASH_POINTS, crash_point
from stream.checkpoint.file import FORMAT_VERSION, CheckpointFile, newest, pack, read_at, read_checkpoint
from stream.checkpoint.lock import DirectoryLock
from stream.checkpoint.reading import reading
from stream.checkpoint.recover import Choice, LostOffsets, Missing, choose, recover
from stream.checkpoint.store import CheckpointStore, Written

__all__ = [
    "CRASH_POINTS",
    "FORMAT_VERSION",
    "CheckpointFile",
    "CheckpointStore",
    "Choice",
    "DirectoryLock",
    "LostOffsets",
    "Missing",
    "Written",
    "choose",
    "crash_point",
    "newest",
    "pack",
    "read_at",
    "read_checkpoint",
    "reading",
    "recover",
]
