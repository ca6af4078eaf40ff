"""The loops over (event, offer) pairs behind rankings, baselines, losses and windows; compiled.

Each walks through a batch event by event, as the contract has it. Interpreted they compute the same.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from stream.compiler.jit import compiled_exactly
from stream.evaluation.bins import BINS, PER_UNIT
from stream.evaluation.entity_attribute_counts import POSSIBLE, TAKEN, VALUE
from stream.evaluation.key_values import FIRST, evict, found_at, take
from stream.evaluation.scored import PLACES

__all__ = ["append", "pool", "pooled", "rank_and_learn", "sound", "totals"]

Array = np.ndarray[Any, Any]

COUNT, REFERENCE = range(2)
"""Columns of the popularity: a count as it was at a time in ms."""
_FINE_BITS = 52
_COARSE_BITS = 40


@compiled_exactly
def _insert(
    event: int, scoring: int, filled: int, slot: int, value: float, rank: Array, best: Array, held: Array
) -> None:
    """Put an offer in its place among an event's first ``filled``, which may have one place more."""
    place = filled
    if filled == PLACES:
        place -= 1
        last = held[event, scoring, place]
        if value < last or (value == last and rank[slot] > rank[best[event, scoring, place]]):
            return
    while place > 0:
        above, other = held[event, scoring, place - 1], best[event, scoring, place - 1]
        if above > value or (above == value and rank[other] < rank[slot]):
            break
        held[event, scoring, place], best[event, scoring, place] = above, other
        place -= 1
    held[event, scoring, place], best[event, scoring, place] = value, slot


@compiled_exactly
def rank_and_learn(
    offsets: Array,
    slots: Array,
    possible: Array,
    taken: Array,
    score: Array,
    ts: Array,
    who: Array,
    rank: Array,
    half_life_ms: float,
    popularity: Array,
    offers: Array,
    max_pairs: int,
    entry: Array,
    count: Array,
    table: Array,
    keys: Array,
    values: Array,
    meta: Array,
    emptied_keys: Array,
    emptied_values: Array,
    best: Array,
    held: Array,
    patterns: Array,
    sizes: Array,
    labels: Array,
    label_bounds: Array,
) -> None:
    """Rank each event's possible offers by model, popularity and counts; then let the two baselines learn its labels.

    Args:
        offsets: (B + 1,) bounds into the pairs, of which ``slots``, ``possible``, ``taken`` and ``score`` are.
        ts, who: (B,) event times in ms, and the number of each event's key or -1.
        rank: of each slot's name among the names.
        popularity, offers: tables by slot.
        entry, count, table, keys, values, meta, emptied_keys, emptied_values: see `stream.evaluation.key_values`.
        best, held: (B, 3, 5) are filled with slots and scores, best first; as many as were possible.
        patterns: (B, 3), zero before, gets bit p where the offer in place p was taken.
        sizes: (B,) is filled with how many offers were possible.
        labels, label_bounds: (L,) and (B + 1,) are filled with the slots taken, in the order of names.
    """
    label_bounds[0] = 0
    for event in range(len(offsets) - 1):
        key, now = who[event], ts[event]
        known = key >= 0 and keys[key, FIRST] >= 0
        size, number, begin = 0, 0, label_bounds[event]
        for pair in range(offsets[event], offsets[event + 1]):
            slot = slots[pair]
            if taken[pair]:
                place = begin + number
                while place > begin and rank[labels[place - 1]] > rank[slot]:
                    labels[place] = labels[place - 1]
                    place -= 1
                labels[place] = slot
                number += 1
            if not possible[pair]:
                continue
            filled = min(size, PLACES)
            popular = popularity[slot, COUNT]
            # It only decays: what is below the fifth place already need not be worked out.
            if popular > 0.0 and (filled < PLACES or popular >= held[event, 1, PLACES - 1]):
                popular *= np.exp2(max(now - popularity[slot, REFERENCE], 0.0) / -half_life_ms)
            liked = 30 * (offers[slot, TAKEN] + 0.5) / (offers[slot, POSSIBLE] + 10)
            if known:
                found = table[found_at(key, offers[slot, VALUE], entry, table)]
                if found >= 0:
                    liked += count[found]
            offers[slot, POSSIBLE] += 1
            if filled < PLACES or score[pair] >= held[event, 0, PLACES - 1]:
                _insert(event, 0, filled, slot, score[pair], rank, best, held)
            if filled < PLACES or popular >= held[event, 1, PLACES - 1]:
                _insert(event, 1, filled, slot, popular, rank, best, held)
            if filled < PLACES or liked >= held[event, 2, PLACES - 1]:
                _insert(event, 2, filled, slot, liked, rank, best, held)
            size += 1
        sizes[event] = size
        label_bounds[event + 1] = begin + number
        for index in range(begin, begin + number):
            slot = labels[index]
            for scoring in range(3):
                for place in range(min(size, PLACES)):
                    if best[event, scoring, place] == slot:
                        patterns[event, scoring] |= 1 << place
            since = popularity[slot, REFERENCE]
            decay = np.exp2(max(now - since, 0.0) / -half_life_ms)
            popularity[slot, COUNT] = popularity[slot, COUNT] * decay + 1.0
            popularity[slot, REFERENCE] = max(since, now)
            offers[slot, TAKEN] += 1
            if key >= 0:
                take(key, offers[slot, VALUE], entry, count, table, keys, values, meta)
        if number and key >= 0:
            evict(max_pairs, entry, count, table, keys, values, meta, emptied_keys, emptied_values)


@compiled_exactly
def sound(slots: Array, logit: Array, offers: Array) -> int:
    """Return 0 if all is well, 1 if a logit is no number, 2 if a slot holds no offer."""
    for pair in range(len(logit)):
        if not math.isfinite(logit[pair]):
            return 1
        slot = slots[pair]
        if slot < 0 or slot >= len(offers) or offers[slot, VALUE] < 0:
            return 2
    return 0


@compiled_exactly
def totals(
    offsets: Array, taken: Array, logit: Array, terms: Array, losses: Array, takens: Array, codes: Array
) -> None:
    """Sum each event's terms ``(P,)``, which are from 0, count its pairs and its labels, and find its pairs' codes.

    The sum is exact, down to 2^-92 of the largest term, before it is rounded once: so it does not depend on the order
    in which slots put the pairs. It is kept as two whole numbers, of the largest term's 2^-40 and of 2^-92.
    """
    for event in range(len(offsets) - 1):
        largest, number = 0.0, 0
        for pair in range(offsets[event], offsets[event + 1]):
            largest = max(largest, terms[pair])
            code = int(min(max(math.floor(logit[pair] * PER_UNIT) + BINS / 2, 0.0), BINS - 1.0))
            if taken[pair]:
                number += 1
                code += BINS
            codes[pair] = code
        exponent = math.frexp(largest)[1] - _COARSE_BITS
        coarse = fine = 0
        for pair in range(offsets[event], offsets[event + 1]):
            scaled = math.ldexp(terms[pair], -exponent)
            whole = math.floor(scaled)
            coarse += int(whole)
            fine += int(math.ldexp(scaled - whole, _FINE_BITS))
            coarse += fine >> _FINE_BITS
            fine &= (1 << _FINE_BITS) - 1
        losses[event, 0] = math.ldexp(coarse + math.ldexp(float(fine), -_FINE_BITS), exponent)
        losses[event, 1] = offsets[event + 1] - offsets[event]
        takens[event] = number


@compiled_exactly
def pool(offsets: Array, codes: Array, seen: int, block_events: int, blocks: Array, window: Array, all_: Array) -> None:
    """Count the pairs' ``codes`` in the histograms of everything and of the window, whose blocks take turns.

    ``seen`` is the number of events before. A block is emptied, and leaves the window, before it is filled anew.
    """
    for event in range(len(offsets) - 1):
        turn, done = divmod(seen + event, block_events)
        block = turn % len(blocks)
        if done == 0:
            for code in range(len(window)):
                window[code] -= blocks[block, code]
                blocks[block, code] = 0
        for pair in range(offsets[event], offsets[event + 1]):
            code = codes[pair]
            blocks[block, code] += 1
            window[code] += 1
            all_[code] += 1


@compiled_exactly
def append(rows: Array, ring: Array, seen: int, total: Array, contested: Array) -> None:
    """Put rows in a ring of the last ones and add them up; those that end with 1 to ``contested`` too, if it has room.

    One after the other, so that the sum's last bit does not depend on how events were cut into batches.
    """
    for number in range(len(rows)):
        place = (seen + number) % len(ring)
        hard = len(contested) > 0 and rows[number, -1] > 0.0
        for column in range(rows.shape[1]):
            value = rows[number, column]
            ring[place, column] = value
            total[column] += value
            if hard:
                contested[column] += value


@compiled_exactly
def pooled(counts: Array, probability: Array, groups: int, sizes: Array, predicted: Array, observed: Array) -> float:
    """Fill the groups of :func:`stream.evaluation.calibration.reliability` with sums; return the AUC, -1 if undefined.

    ``counts`` ``(2, BINS)`` are the pairs not taken and taken, ``probability`` ``(BINS,)`` what each bin predicts.
    """
    negatives = positives = 0
    expected = 0.0
    for code in range(len(probability)):
        negatives += counts[0, code]
        positives += counts[1, code]
        expected += (counts[0, code] + counts[1, code]) * probability[code]
    total = negatives + positives
    below, wins, weighed = 0, 0.0, 0.0
    for code in range(len(probability)):
        pairs = counts[0, code] + counts[1, code]
        if pairs == 0:
            continue
        wins += counts[1, code] * (below + 0.5 * counts[0, code])
        below += counts[0, code]
        mass = pairs * probability[code]
        weight = (pairs / total + mass / expected) / 2.0
        group = min(int((weighed + weight / 2.0) * groups), groups - 1)
        weighed += weight
        sizes[group] += pairs
        predicted[group] += mass
        observed[group] += counts[1, code]
    return wins / (float(negatives) * positives) if negatives and positives else -1.0
