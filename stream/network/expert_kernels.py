"""The experts' chances, the mixture's scores and their losses, compiled into one pass over the pairs of a step.

What each is, the plain passes of `stream.network.experts` say. Pairs are taken by blocks, and each operation over
a block at a time, which a processor does to many of them at once. A sum of logarithms is the logarithm of a product,
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
_BLOCK, _GROUP = 64, 8
_ONE = np.float32(1.0)

# exp(x) = 2^k exp(r): r within half of ln 2, and a polynomial that is exact to float32's last bit or two (Cephes).
_WIDEST, _TURN = np.float32(87.0), np.float32(1.44269504088896341)
_LN_2 = np.float32(0.693359375), np.float32(-2.12194440e-4)
_POLYNOMIAL = tuple(
    np.float32(value)
    for value in (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
)


@compiled
def _exponentials(powers: Array, bits: Array, whole: Array) -> None:
    """Replace `powers` by their exponentials; `bits` int32 and `whole` float32 are scratch of one memory."""
    for place in range(len(powers)):
        power = min(max(powers[place], -_WIDEST), _WIDEST)
        turns = np.floor(power * _TURN + np.float32(0.5))
        rest = power - turns * _LN_2[0] - turns * _LN_2[1]
        found = _POLYNOMIAL[0]
        found = found * rest + _POLYNOMIAL[1]
        found = found * rest + _POLYNOMIAL[2]
        found = found * rest + _POLYNOMIAL[3]
        found = found * rest + _POLYNOMIAL[4]
        found = found * rest + _POLYNOMIAL[5]
        powers[place] = found * rest * rest + rest + _ONE
        bits[place] = (np.int32(turns) + np.int32(127)) << np.int32(23)
    for place in range(len(powers)):
        powers[place] *= whole[place]


@compiled
def _powers(powers: Array, inputs: Array, alone: Array, logits: Array, first: int, number: int) -> None:
    """Fill, for a block of pairs, what the experts take exponentials of: three by counts, `alone`, `-|logit|`."""
    for place in range(number):
        pair = first + place
        offer, by_value = inputs[pair, 0], inputs[pair, 4]
        for column in range(_BASE, inputs.shape[1], _VALUE):
            by_value += inputs[pair, column]
        powers[place] = offer
        powers[_BLOCK + place] = offer + inputs[pair, 1]
        powers[2 * _BLOCK + place] = offer + (np.float32(0.7) * inputs[pair, 2] + np.float32(0.5) * by_value)
        powers[3 * _BLOCK + place] = alone[pair]
        powers[4 * _BLOCK + place] = -abs(logits[pair])


@compiled
def _chances(chance: Array, powers: Array, negative: Array, rates: Array) -> None:
    """Fill the experts' `chance` `(N, _BLOCK)`, in their order; `negative` are the logits below 0."""
    lately = rates[1] / rates[0]
    for place in range(_BLOCK):
        rate = powers[place] * 1.0
        chance[0, place] = rates[0]
        chance[1, place] = rates[1]
        chance[2, place] = rate
        chance[3, place] = powers[_BLOCK + place] * lately
        chance[4, place] = powers[2 * _BLOCK + place]
        # The sigmoid of log(rate / (1 - rate)) + alone.
        sure = min(rate, 1.0 - 1e-6)
        up = sure * powers[3 * _BLOCK + place]
        chance[5, place] = up / (up + (1.0 - sure))
        # With e = exp(-|x|): sigmoid(x) is 1 / (1 + e) or e / (1 + e).
        tail = powers[4 * _BLOCK + place] * 1.0
        chance[6, place] = (tail if negative[place] else 1.0) / (1.0 + tail)


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
    """Fill `scores` `(P,)`, the network's own `event_losses` `(B,)` and the experts' `losses` `(N,)`.

    `rates` are the chances that are the same for every pair. Returns the mixture's loss, and whether every logit is a
    number.
    """
    pairs, number = len(logits), len(weights)
    chance, mean, factors = np.ones((number, _BLOCK)), np.ones(_BLOCK), np.ones((number + 1, _BLOCK))
    powers, bits = np.zeros(5 * _BLOCK, dtype=np.float32), np.zeros(5 * _BLOCK, dtype=np.int32)
    whole = bits.view(np.float32)
    missed, negative = np.ones(_BLOCK), np.zeros(_BLOCK, dtype=np.bool_)
    product = np.ones(number + 1)
    total = np.zeros(number + 1)
    finite = True
    event, loss, surprise = 0, 0.0, 1.0
    for first in range(0, pairs, _BLOCK):
        some = min(_BLOCK, pairs - first)
        _powers(powers, inputs, alone, logits, first, some)
        for place in range(some):
            missed[place], negative[place] = 1.0 - taken[first + place], logits[first + place] < 0.0
        # Over whole blocks: what the last one has too much is of no meaning, and every pair goes the same way.
        _exponentials(powers, bits, whole)
        _chances(chance, powers, negative, rates)
        for place in range(some):
            if muted[pair_slot[first + place]]:
                chance[:, place] = chance[number - 1, place]
        mean[:] = 0.0
        for expert in range(number):
            weight = weights[expert]
            for place in range(_BLOCK):
                sure = min(max(chance[expert, place], _LEAST), _MOST)
                mean[place] += weight * sure
                factors[expert, place] = abs(missed[place] - sure)
        for place in range(_BLOCK):
            sure = min(max(mean[place], _LEAST), _MOST)  # the weights sum to 1 up to rounding
            mean[place] = sure / (1.0 - sure)  # the odds
            factors[number, place] = abs(missed[place] - sure)
        for place in range(some):
            scores[first + place] = math.log(mean[place])
        factors[:, some:] = 1.0
        for expert in range(number + 1):
            for group in range(1, _BLOCK // _GROUP):
                for place in range(_GROUP):
                    factors[expert, place] *= factors[expert, group * _GROUP + place]
            for place in range(_GROUP):  # each is 1e-72 at least
                product[expert] *= factors[expert, place]
                if product[expert] < _FAR:
                    total[expert] -= math.log(product[expert])
                    product[expert] = 1.0
        for place in range(some):
            pair = first + place
            while pair == pair_offsets[event + 1]:
                event_losses[event] = loss + math.log(surprise)
                event += 1
                loss, surprise = 0.0, 1.0
            logit = np.float64(logits[pair])
            if not math.isfinite(logit):
                finite = False
            loss += max(0.0, -logit if taken[pair] > 0 else logit)
            surprise *= 1.0 + powers[4 * _BLOCK + place]
        loss += math.log(surprise)
        surprise = 1.0
    for rest in range(event, len(event_losses)):
        event_losses[rest] = loss
        loss = 0.0
    for expert in range(number + 1):
        total[expert] -= math.log(product[expert])
    losses[:] = total[:number]
    return total[number], finite
