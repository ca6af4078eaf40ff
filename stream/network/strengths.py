"""How far the counts of single names are trusted: as far as names were found to differ.

A name's count N beside an expected one E becomes `(N + a) / (E + a)`: the mean of its rate's posterior if N is
Poisson around E times that rate, and rates come from a gamma distribution of mean 1 and variance `1 / a`. How likely
each a is, the counts of all names say together (the marginal likelihood, a negative binomial's: Robbins 1956, "An
empirical Bayes approach to statistics"). If nothing tells names apart, a grows, and no name's luck is taken for its
nature.
"""

from __future__ import annotations

import torch

__all__ = ["LEAST_STRENGTH", "due", "strength"]

LEAST_STRENGTH = {"offer": 2.0, "value": 5.0, "key": 2.0}
"""In labels expected: what names that differ much are smoothed by, and all of them before anything was seen."""
_TIMES = (2.0 ** torch.arange(11, dtype=torch.float64))[:, None]
"""The strengths that are compared, over the least."""
_MOST_NAMES = 4_096
"""Of more names the first speak for all."""
_EVERY_SHARE, _EVERY_EVENTS = 0.125, 1_024.0


def due(events: float, found_at: float) -> bool:
    """Say whether strengths found after so many events are to be found anew: often at first, then now and then."""
    return events - found_at >= min(_EVERY_SHARE * found_at, _EVERY_EVENTS)


def strength(taken: torch.Tensor, expected: torch.Tensor, least: float) -> float:
    """Return the strength that the counts `taken` beside `expected`, both `(n,)`, speak for; `least` or more.

    It is the geometric mean under the posterior, each multiple being as likely before. Four digits of it: the order of
    names does not show in them.
    """
    seen = (expected > 0.0).nonzero()[:_MOST_NAMES, 0]
    n, e = taken[seen].to("cpu", torch.float64), expected[seen].to("cpu", torch.float64)
    a = least * _TIMES
    each = torch.lgamma(n + a) - torch.lgamma(a) + a * a.log() - (n + a) * (e + a).log()
    chance = torch.softmax(each.sum(1), 0)
    return float(f"{least * 2.0 ** float(chance @ torch.arange(len(_TIMES), dtype=torch.float64)):.4g}")
