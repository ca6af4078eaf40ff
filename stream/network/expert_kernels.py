"""The experts' chances, the mixture's scores and their losses, compiled into one pass over the pairs of a step.

What each is, the plain passes of :mod:`stream.network.experts` say. A sum of logarithms is the logarithm of a product,
which is taken before the product leaves float64's range: a pair costs one logarithm, that of its score.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from stream.compiler.jit import compiled

__all__ = ["assess"]

Array = np.ndarray[Any, Any]

_BASE, _VALUE = 7, 6
_LEAST = 1e-9
_MOST = 1.0 - _LEAST
_FAR = 1e-100
_WIDEST = 60.0


@compiled
def _chances(chance: Array, inputs: Array, pair: int, rates: Array, alone: float, network: float) -> None:
    """Fill the experts' ``chance`` ``(N,)`` of a pair, in the order of ``EXPERTS``."""
    offer, by_value = inputs[pair, 0], inputs[pair, 4]
    for place in range(_BASE, inputs.shape[1], _VALUE):
        by_value += inputs[pair, place]
    chance[0], chance[1] = rates[0], rates[1]
    chance[2] = math.exp(offer)
    chance[3] = math.exp(offer + inputs[pair, 1]) * rates[1] / rates[0]
    chance[4] = math.exp(offer + (np.float32(0.7) * inputs[pair, 2] + np.float32(0.5) * by_value))
    # The sigmoid of log(rate / (1 - rate)) + alone.
    rate = min(chance[2], 1.0 - 1e-6)
    up = rate * math.exp(min(max(alone, -_WIDEST), _WIDEST))
    chance[5] = up / (up + (1.0 - rate))
    chance[6] = network


@compiled
def assess(
    inputs: Array,
    alone: Array,
    logits: Array,
    muted: Array,
    pair_slot: Array,
    pair_offsets: Array,
    taken: Array,
    rates: Array,
    weights: Array,
    scores: Array,
    event_losses: Array,
    losses: Array,
) -> tuple[float, bool]:
    """Fill ``scores`` ``(P,)``, the network's own ``event_losses`` ``(B,)`` and the experts' ``losses`` ``(N,)``.

    ``rates`` are the chances that are the same for every pair. Returns the mixture's loss, and whether every logit is a
    number.
    """
    number = len(weights)
    chance, product = np.empty(number), np.ones(number)
    losses[:] = 0.0
    own, mixed, finite, held = 0.0, 1.0, True, 0
    for event in range(len(event_losses)):
        loss, surprise = 0.0, 1.0
        for pair in range(pair_offsets[event], pair_offsets[event + 1]):
            logit, took = np.float64(logits[pair]), taken[pair] > 0
            if not math.isfinite(logit):
                finite = False
            # With e = exp(-|x|): sigmoid(x) is 1 / (1 + e) or e / (1 + e), and its loss max(0, -x or x) + log(1 + e).
            tail = math.exp(-abs(logit))
            network = (tail if logit < 0.0 else 1.0) / (1.0 + tail)
            loss += max(0.0, -logit if took else logit)
            surprise *= 1.0 + tail
            if muted[pair_slot[pair]]:
                chance[:] = network
            else:
                _chances(chance, inputs, pair, rates, alone[pair], network)
            mean = 0.0
            for expert in range(number):
                sure = min(max(chance[expert], _LEAST), _MOST)
                mean += weights[expert] * sure
                product[expert] *= sure if took else 1.0 - sure
            mean = min(max(mean, _LEAST), _MOST)  # the weights sum to 1 up to rounding
            scores[pair] = math.log(mean / (1.0 - mean))
            mixed *= mean if took else 1.0 - mean
            held += 1
            if held == 8:  # each factor is 1e-9 at least, and 2 at most
                held = 0
                loss += math.log(surprise)
                surprise = 1.0
                if mixed < _FAR:
                    own -= math.log(mixed)
                    mixed = 1.0
                for expert in range(number):
                    if product[expert] < _FAR:
                        losses[expert] -= math.log(product[expert])
                        product[expert] = 1.0
        event_losses[event] = loss + math.log(surprise)
    for expert in range(number):
        losses[expert] -= math.log(product[expert])
    return own - math.log(mixed), finite
