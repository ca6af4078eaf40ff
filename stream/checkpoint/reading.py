"""Reading what a checkpoint holds: a file that is whole may still have been written by something else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stream.errors import CheckpointCorrupt, StreamError

__all__ = ["reading"]


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Let whatever goes wrong in the block be this checkpoint's fault: `CheckpointCorrupt`, unless it is ours already.

    The checksum shows that a file was not damaged, not who wrote it. So its members may be missing, of other types or
    of other shapes, and what that raises is any exception whatever. Inside the block nothing but the state is read.
    """
    try:
        yield
    except CheckpointCorrupt as error:
        raise error if str(path) in str(error) else CheckpointCorrupt(f"{path}: {error}") from error
    except StreamError:
        raise
    except Exception as error:
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise CheckpointCorrupt(
            f"{path} is whole, but does not hold what this program writes ({what[:300]}); restore an older one, or use "
            "the program that wrote it"
        ) from error
