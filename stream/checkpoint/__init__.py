"""Checkpoints: one file each, checked, kept in a locked directory, official only once the log's commit names it."""

from stream.checkpoint.beside import Writing, can_fork, write_beside
from stream.checkpoint.file import FORMAT_VERSION, CheckpointFile, newest, pack, read_at, read_checkpoint
from stream.checkpoint.lock import DirectoryLock
from stream.checkpoint.reading import reading
from stream.checkpoint.recover import Choice, LostOffsets, Missing, choose, recover
from stream.checkpoint.store import CheckpointStore, Written

__all__ = [
    "FORMAT_VERSION",
    "CheckpointFile",
    "CheckpointStore",
    "Choice",
    "DirectoryLock",
    "LostOffsets",
    "Missing",
    "Writing",
    "Written",
    "can_fork",
    "choose",
    "newest",
    "pack",
    "read_at",
    "read_checkpoint",
    "reading",
    "recover",
    "write_beside",
]
