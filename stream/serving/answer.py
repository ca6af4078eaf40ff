"""Answers: what a version says of the events of a question, all of them by the same one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from stream.records.interaction import Interaction
from stream.scoring.scorer import Recommendation, Scorer
from stream.scoring.why import Why, why
from stream.serving.held import Held, Serving
from stream.serving.request import Asked, Question, Refused
from stream.serving.settings import ServeSettings

__all__ = ["answered", "model_of", "offer_of"]

_PAIRS_AT_ONCE = 200_000
"""So many pairs, some ten milliseconds, are scored before others get their turn."""


async def answered(question: Question, held: Held, settings: ServeSettings) -> dict[str, Any]:
    """Return the answer to a question; raises Refused if it asks for too much, or if there is no version yet."""
    pairs = _pairs(question, _serving(held))
    if pairs > settings.max_pairs:
        raise Refused(
            413,
            "too_many_pairs",
            f"the events meet {pairs:,} offers in all, {settings.max_pairs:,} are allowed at a time; send fewer "
            "events, or say with shown which offers they could take",
        )
    if pairs <= _PAIRS_AT_ONCE:
        return _whole(question, _said(question.asked, _serving(held).scorer), _serving(held))
    async with held.steady():
        serving = _serving(held)  # it may be another one than was counted with; from here on it stays
        answers: list[dict[str, Any]] = []
        each = max(1, _PAIRS_AT_ONCE * len(question.asked) // pairs)
        for start in range(0, len(question.asked), each):
            answers += _said(question.asked[start : start + each], serving.scorer)
            await asyncio.sleep(0)
        return _whole(question, answers, serving)


def _serving(held: Held) -> Serving:
    if held.serving is None:
        raise Refused(
            503,
            "no_version",
            f"no model version is there yet{f': {held.trouble}' if held.trouble else ''}; try again shortly",
        )
    return held.serving


def _pairs(question: Question, serving: Serving) -> int:
    live = len(serving.scorer.names.slots)
    return sum(
        min(live, len(asked.event.shown)) if isinstance(asked.event.shown, tuple) else live for asked in question.asked
    )


def _whole(question: Question, answers: list[dict[str, Any]], serving: Serving) -> dict[str, Any]:
    told = {
        "model_version": serving.pointer.version,
        "schema_version": serving.scorer.schema_version,
        "event_time_ms": serving.scorer.event_time_ms,
    }
    return {"answers": answers, **told} if question.many else {**answers[0], **told}


def _said(asked: Sequence[Asked], scorer: Scorer) -> list[dict[str, Any]]:
    events = [one.event for one in asked]
    most = max((one.k for one in asked), default=1)
    return [
        {"id": one.event.id, "offers": _offers(found[: one.k], one.event, scorer, explained=one.why)}
        for one, found in zip(asked, scorer.best(events, most), strict=True)
    ]


def _offers(
    found: Sequence[Recommendation], event: Interaction, scorer: Scorer, *, explained: bool
) -> list[dict[str, Any]]:
    offers: list[dict[str, Any]] = [
        {"offer": one.offer, "probability": one.probability, "score": one.score} for one in found
    ]
    if explained:
        for offer, parts in zip(offers, why(scorer, event, [one.offer for one in found]), strict=True):
            offer["why"] = _parts(parts)
    return offers


def _parts(parts: Why) -> dict[str, Any]:
    return {"offer": parts.offer, "key": parts.key, "inputs": parts.inputs, "experts": parts.experts}


def model_of(held: Held) -> dict[str, Any]:
    """Return what is known of the version that answers; raises Refused if there is none yet."""
    serving = _serving(held)
    scorer, now = serving.scorer, held.unix_seconds()
    return {
        "model_version": serving.pointer.version,
        "schema_version": scorer.schema_version,
        "learner": serving.pointer.learner,
        "strategy": scorer.manifest["strategy"],
        "events_trained": scorer.events_trained,
        "event_time_ms": scorer.event_time_ms,
        "published_ms": serving.pointer.published_ms,
        "staleness_seconds": serving.staleness_seconds(now),
        "age_seconds": serving.age_seconds(now),
        "held_by_an_operator": serving.pointer.hold is not None,
        "trouble": held.trouble,
        "features": {name: kind.value for name, kind in scorer.names.features.kinds.items()},
        "offers": len(scorer.names.slots),
        "experts": scorer.manifest["mixture"]["weights"],
    }


def offer_of(held: Held, name: str) -> dict[str, Any]:
    """Return what is known of one live offer; raises Refused if it is not live."""
    serving = _serving(held)
    scorer = serving.scorer
    slot = scorer.names.offers.offers.get(name)
    if slot is None:
        raise Refused(404, "unknown_offer", "no such offer is live", "name")
    taken, possible = (float(scorer.arrays[f"counts/{count}"][slot]) for count in ("taken", "possible"))
    return {
        "offer": name,
        "attributes": dict(scorer.names.schema.labels[name]),
        "taken": taken,
        "possible": possible,
        "rate": float(scorer.rates[slot, 0]),
        "recent_rate": float(scorer.rates[slot, 1]),
        "ignored": bool(scorer.arrays["offers/muted"][slot]),
        "model_version": serving.pointer.version,
        "schema_version": scorer.schema_version,
        "event_time_ms": scorer.event_time_ms,
    }
