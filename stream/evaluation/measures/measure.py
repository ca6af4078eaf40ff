"""What a measure of rankings is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["RankingMeasure"]


@dataclass(frozen=True, slots=True)
class RankingMeasure:
    """A number for how good the first five of a ranking are, better if larger."""

    name: str
    """In the summary, in reports, and with `stream_` before it among the metrics."""
    sentence: str
    """What it is, over which events is said elsewhere: `Prequential recall at 5`."""
    of: Callable[[NDArray[np.bool_], NDArray[np.int64]], NDArray[np.float64]]
    """Takes which places `(N, 5)` were taken, best first, and |T| >= 1 `(N,)`; returns `(N,)`."""
    reported: bool = True
    """Whether it stands in the summary, and is told of contested events alone too."""
