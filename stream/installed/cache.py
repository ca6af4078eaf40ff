"""Where downloads are kept between runs: the user's cache."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["user_cache"]


def user_cache(name: str) -> Path:
    """Return our folder `name` in the user's cache ($XDG_CACHE_HOME, else ~/.cache); it may not exist yet."""
    if sys.platform == "darwin":
        root = Path.home() / "Library" / "Caches"
    else:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "stream" / name
