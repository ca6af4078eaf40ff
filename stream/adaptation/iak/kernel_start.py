"""Where a new kernel starts: from the running mean and covariance of the activations that it is to compress.

One that starts at random loses most of what the trunk knows until it is trained, which on a stream costs thousands of
events. So the encoder starts as a sketch of the directions in which the activations vary, and the projection as its
least-squares inverse (Halko, Martinsson and Tropp, SIAM Review 2011). Random by (seed, name), and a continuous function
of what was seen, as eigenvectors would not be.
"""

from __future__ import annotations

import numpy as np
import torch

from stream.network.initial import normal, uniform
from stream.state import Tree

__all__ = ["Activations", "start_weights"]

_HALF_LIFE_EVENTS = 1_000.0
_RIDGE = 1e-6
_START_LOGVAR = -4.0


class Activations:
    """Sums over events, float64, that fade while the trunk moves on."""

    def __init__(self, width: int, device: torch.device) -> None:
        self.device = device
        self.events = 0.0
        self.first = torch.zeros(width, dtype=torch.float64, device=device)
        self.second = torch.zeros(width, width, dtype=torch.float64, device=device)

    def update(self, g: torch.Tensor) -> None:
        """Take in the activations `(B, h)` of trained events."""
        fade = 0.5 ** (len(g) / _HALF_LIFE_EVENTS)
        g = g.to(torch.float64)
        self.events = self.events * fade + len(g)
        self.first.mul_(fade).add_(g.sum(0))
        self.second.mul_(fade).addmm_(g.T, g)

    def sketch(self, seed: int, name: str, units: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return mean `(h,)`, A `(h, units)` and P `(units, h)`: `mean + (g - mean) A P` is close to `g`.

        The units `(g - mean) A` have variance 1 and no correlation with each other.
        """
        events = max(self.events, 1.0)
        mean = (self.first / events).cpu()
        covariance = (self.second / events).cpu() - torch.outer(mean, mean)
        directions = normal(seed, "kernel sketch", [f"{name} {unit}" for unit in range(units)], len(mean))
        sketched = covariance @ torch.from_numpy(directions.T.astype(np.float64))
        sketched /= float(covariance.trace()) / len(mean) + 1e-12
        within = sketched.T @ covariance @ sketched
        ridge = _RIDGE * float(within.trace()) / units + 1e-12
        root = torch.linalg.cholesky(within + ridge * torch.eye(units, dtype=torch.float64))
        whitened = torch.linalg.solve_triangular(root, sketched.T, upper=False)
        return mean.numpy(), whitened.T.numpy(), (whitened @ covariance).numpy()

    def state(self) -> Tree:
        """Return the sums."""
        return {"events": self.events, "first": self.first.cpu().numpy(), "second": self.second.cpu().numpy()}

    def restore(self, tree: Tree) -> None:
        """Take back what `state` returned."""
        self.events = float(tree["events"])
        self.first = torch.from_numpy(tree["first"].copy()).to(self.device)
        self.second = torch.from_numpy(tree["second"].copy()).to(self.device)


def start_weights(activations: Activations, seed: int, name: str, width: int, inner: int) -> dict[str, np.ndarray]:
    """Return the weights of a new kernel by name, float32; those that are not named start at zero.

    Two hidden units of E, one for each sign, carry a unit of the sketch into `mu` as it is; noise starts well below
    it. What is left over of either width starts seeded, without effect on `P(u)`; so does D, whose last layer is 0.
    """
    h = len(activations.first)
    units = min(width, inner // 2, h)
    mean, encoding, decoding = activations.sketch(seed, name, units)
    encoder_in = uniform(seed, "kernel encoder", [name], h * inner, (6.0 / h) ** 0.5).reshape(h, inner)
    encoder_in[:, : 2 * units] = np.concatenate([encoding, -encoding], 1)
    encoder_in_bias = np.zeros(inner, dtype=np.float32)
    encoder_in_bias[: 2 * units] = np.concatenate([-mean @ encoding, mean @ encoding])
    encoder_out = np.zeros((inner, 2 * width), dtype=np.float32)
    encoder_out[: 2 * units, :units] = np.concatenate([np.eye(units), -np.eye(units)])
    spare = width - units
    drawn = uniform(seed, "kernel units", [name], inner * spare, (3.0 / inner) ** 0.5)
    encoder_out[:, units:width] = drawn.reshape(inner, spare)
    encoder_out_bias = np.zeros(2 * width, dtype=np.float32)
    encoder_out_bias[width:] = _START_LOGVAR
    projection = np.zeros((width, h), dtype=np.float32)
    projection[:units] = decoding
    return {
        "encoder_in": encoder_in,
        "encoder_in_bias": encoder_in_bias,
        "encoder_out": encoder_out,
        "encoder_out_bias": encoder_out_bias,
        "projection": projection,
        "projection_bias": mean.astype(np.float32),
        "decoder_in": uniform(seed, "kernel decoder", [name], width * inner, (6.0 / width) ** 0.5)[0],
    }
