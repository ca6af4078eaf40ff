"""Binary cross-entropy from logits, in nats."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["pair_losses"]


def pair_losses(logit: NDArray[np.float64], taken: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the cross-entropy `(P,)` of each pair, exact where a sigmoid would round to 0 or 1."""
    # max(x, 0) - x * y + log(1 + exp(-|x|)), in place: a batch's pairs leave and enter the cache with each pass
    loss = np.abs(logit)
    np.negative(loss, out=loss)
    np.exp(loss, out=loss)
    np.log1p(loss, out=loss)
    margin = np.maximum(logit, 0.0)
    margin -= logit * taken
    loss += margin
    return loss
