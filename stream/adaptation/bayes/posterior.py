"""The posterior of a logistic regression, carried from batch to batch by sequential Bayes.

The posterior of the past is the prior of the next batch, as a quadratic around its mode (Laplace), faded towards the
first prior by a forgetting factor (Lambda Learner, 2010.05154; LinkedIn, 2108.13299):

    J(theta) = sum_i w_i BCE(y_i, x_i . theta + offset_i)
             + keep / 2 (theta - mean)' precision (theta - mean) + (1 - keep) / 2 theta' prior theta
    mean' = argmin J;    precision' = keep precision + X' W D X + (1 - keep) prior,    D = diag(p (1 - p)) at mean'

The weights are in both (the published code leaves them out of D), and the prior is a diagonal, so that an intercept can
have a precision of its own.
"""

from __future__ import annotations

import torch
from torch.nn.functional import softplus

__all__ = ["LogisticPosterior"]

_BLOCK = 64
"""Regressions worked on at a time: their matrices fit a cache, and memory does not grow with their number."""
_HALVINGS = 24


class LogisticPosterior:
    """`G` independent regressions of width `d`, with their precision in full or as a diagonal, float64.

    `mean` `(G, d)`; `precision` `(G, d (d + 1) / 2)`, the lower triangles row by row, or `(G, d)`; `prior`
    `(d,)`. All regressions read one design `(B, d)`; what one does not see of it has the weight 0 there.

    A diagonal keeps each weight's marginal precision `1 / diag(H^-1)`: on correlated inputs `diag(H)` is far too
    sure of itself.
    """

    def __init__(self, mean: torch.Tensor, precision: torch.Tensor, prior: torch.Tensor, *, full: bool) -> None:
        self.mean = mean
        self.precision = precision
        self.prior = prior
        self.full = full

    @staticmethod
    def start(prior: torch.Tensor, *, full: bool) -> torch.Tensor:
        """Return the precision of a regression that has seen nothing, in the form that is kept."""
        return prior.diag()[_lower(len(prior), prior.device).unbind()] if full else prior

    def faded(self, keep: torch.Tensor, at: slice = slice(None)) -> torch.Tensor:
        """Return the precision, of the regressions `at`, after forgetting all but the share `keep` `(n,)`."""
        start = self.start(self.prior, full=self.full)
        return torch.lerp(start.expand(len(keep), -1), self.precision[at], keep[:, None])

    def update(
        self,
        design: torch.Tensor,
        taken: torch.Tensor,
        offset: torch.Tensor,
        weight: torch.Tensor,
        keep: torch.Tensor,
        *,
        steps: int,
        tolerance: float,
    ) -> torch.Tensor:
        """Take a batch in: `design` `(B, d)`; outcomes, offsets and weights `(G, B)`; return who failed `(G,)`.

        An outcome above 0 is a positive: 0 and 1 serve as well as -1 and 1. At most `steps` Newton steps, each halved
        until J does not rise; one that promises less than `tolerance` nats is the last. A regression whose step or
        precision is not finite stays as it was.
        """
        taken = (taken > 0).to(design.dtype)
        rows, columns = _lower(design.shape[1], design.device)
        products = design[:, rows] * design[:, columns] if self.full else None
        failed = []
        for block in range(0, len(self.mean), _BLOCK):
            at = slice(block, block + _BLOCK)
            likelihood = _Likelihood(design, products, taken[at], offset[at], weight[at])
            faded, ridge = self.faded(keep[at], at), (1.0 - keep[at, None]) * self.prior
            mean, broken = _mode(likelihood, self.mean[at], faded, ridge, steps, tolerance)
            precision = likelihood.added_to(faded, mean)
            broken |= ~(torch.isfinite(precision).all(1) & torch.isfinite(mean).all(1))
            self.mean[at] = torch.where(broken[:, None], self.mean[at], mean)
            self.precision[at] = torch.where(broken[:, None], self.precision[at], precision)
            failed.append(broken)
        return torch.cat(failed) if failed else torch.zeros(0, dtype=torch.bool, device=design.device)

    def covariance(self) -> torch.Tensor:
        """Return `precision^-1`, `(G, d, d)` or `(G, d)`."""
        if not self.full:
            return 1.0 / self.precision
        width = len(self.prior)
        covariance = torch.empty(len(self.mean), width, width, dtype=self.mean.dtype, device=self.mean.device)
        for block in range(0, len(self.mean), _BLOCK):
            at = slice(block, block + _BLOCK)
            covariance[at] = torch.cholesky_inverse(torch.linalg.cholesky(_dense(self.precision[at])))
        return covariance

    def marginal(self) -> torch.Tensor:
        """Return the precision `(G, d)` of each weight by itself: what is left of a full one as a diagonal."""
        return 1.0 / self.covariance().diagonal(dim1=1, dim2=2) if self.full else self.precision


class _Likelihood:
    """The batch's part of J for a block of regressions: what it adds to the loss, its slope and its curvature."""

    def __init__(
        self,
        design: torch.Tensor,
        products: torch.Tensor | None,
        taken: torch.Tensor,
        offset: torch.Tensor,
        weight: torch.Tensor,
    ) -> None:
        self.design = design
        self.products = products
        """`(B, d (d + 1) / 2)`, the lower triangle of each `x x'`; None if precision is diagonal."""
        self.taken = taken
        self.offset = offset
        self.weight = weight

    def only(self, groups: torch.Tensor) -> _Likelihood:
        """Return the same for some of the block's regressions."""
        return _Likelihood(self.design, self.products, self.taken[groups], self.offset[groups], self.weight[groups])

    def logits(self, mean: torch.Tensor) -> torch.Tensor:
        return self.offset + mean @ self.design.T

    def loss(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the summed loss of each regression."""
        return (self.weight * (softplus(logits) - self.taken * logits)).sum(1)

    def curvature(self, logits: torch.Tensor) -> torch.Tensor:
        """Return `w p (1 - p)` `(G, B)`."""
        chance = torch.sigmoid(logits)
        return self.weight * chance * (1.0 - chance)

    def solve(
        self, faded: torch.Tensor, curvature: torch.Tensor, gradient: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return `(faded + X' C X)^-1 gradient` `(G, d)`, and where no factor was found."""
        if self.products is not None:
            factor, info = torch.linalg.cholesky_ex(_dense(faded + curvature @ self.products))
            return torch.cholesky_solve(gradient[:, :, None], factor)[:, :, 0], info > 0
        reduced, info = self._reduced(faded, curvature)
        inner = reduced @ gradient[:, :, None]
        return gradient / faded - (reduced.mT @ inner)[:, :, 0], info > 0

    def added_to(self, faded: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
        """Return the posterior's precision, at its mode, in the form of `faded`."""
        curvature = self.curvature(self.logits(mean))
        if self.products is not None:
            return faded + curvature @ self.products
        reduced, _ = self._reduced(faded, curvature)
        return 1.0 / (1.0 / faded - reduced.square().sum(1))

    def _reduced(self, faded: torch.Tensor, curvature: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return R `(G, B, d)` with `(diag(faded) + X' C X)^-1 = diag(faded)^-1 - R' R` (Woodbury)."""
        scaled = curvature.sqrt()[:, :, None] * self.design
        shrunk = scaled / faded[:, None, :]
        inner = shrunk @ scaled.mT
        inner.diagonal(dim1=1, dim2=2).add_(1.0)
        factor, info = torch.linalg.cholesky_ex(inner)
        return torch.linalg.solve_triangular(factor, shrunk, upper=False), info


def _mode(
    likelihood: _Likelihood,
    start: torch.Tensor,
    faded: torch.Tensor,
    ridge: torch.Tensor,
    steps: int,
    tolerance: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the argmin of J `(G, d)` from `start`, and which regressions had no finite step on the way."""
    mean, pull = start.clone(), torch.zeros_like(start)  # pull = keep precision (mean - start), never multiplied out
    failed = torch.zeros(len(mean), dtype=torch.bool, device=mean.device)
    at = torch.arange(len(mean), device=mean.device)
    for _ in range(steps):
        data = likelihood.only(at)
        logits, down = data.logits(mean[at]), pull[at] + ridge[at] * mean[at]
        curvature = data.curvature(logits)
        gradient = (data.weight * (torch.sigmoid(logits) - data.taken)) @ data.design + down
        step, broken = data.solve(faded[at], curvature, gradient)
        promise = (gradient * step).sum(1)
        broken |= ~torch.isfinite(promise)
        step = torch.where(broken[:, None], 0.0, step)
        along = step @ data.design.T
        prior_step = torch.where(broken[:, None], 0.0, gradient - (curvature * along) @ data.design)  # faded @ step
        slope, bend = (down * step).sum(1), (prior_step * step).sum(1)
        size = _halved(data, logits, along, slope, bend)[:, None]
        mean[at] -= size * step
        pull[at] -= size * (prior_step - ridge[at] * step)
        failed[at] |= broken
        at = at[(size[:, 0] > 0) & ~broken & (promise > tolerance)]
        if not len(at):
            break
    return mean, failed


def _halved(
    data: _Likelihood, logits: torch.Tensor, along: torch.Tensor, slope: torch.Tensor, bend: torch.Tensor
) -> torch.Tensor:
    """Return each regression's share `(G,)` of its step: the first of 1, 1/2, ... that does not raise J, or 0."""
    before = data.loss(logits)
    slack = 1e-12 * (1.0 + before)
    size = torch.ones_like(before)
    for _ in range(_HALVINGS):
        rise = data.loss(logits - size[:, None] * along) - before - size * slope + 0.5 * size**2 * bend
        worse = ~(rise <= slack)
        if not bool(worse.any()):
            return size
        size = torch.where(worse, 0.5 * size, size)
    return torch.where(worse, 0.0, size)


def _lower(width: int, device: torch.device) -> torch.Tensor:
    """Return the row and the column `(2, width (width + 1) / 2)` of each entry of a lower triangle."""
    return torch.tril_indices(width, width, device=device)


def _dense(lower: torch.Tensor) -> torch.Tensor:
    """Return matrices `(G, d, d)` from lower triangles; what is above the diagonal is left 0."""
    width = int((2 * lower.shape[1]) ** 0.5)
    rows, columns = _lower(width, lower.device)
    dense = torch.zeros(len(lower), width * width, dtype=lower.dtype, device=lower.device)
    return dense.index_copy_(1, rows * width + columns, lower).view(-1, width, width)
