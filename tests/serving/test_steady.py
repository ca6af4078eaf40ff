"""A long question gives way to others, and no version is put in place while it does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from stream.records.interaction import Interaction
from stream.scoring.scorer import Scorer
from stream.serving import answer
from stream.serving.answer import answered
from stream.serving.held import Held
from stream.serving.request import Asked, Question
from stream.serving.settings import ServeSettings
from stream.testing.streams import events
from tests.serving.conftest import trained
from tests.serving.publishing import Publishing

pytestmark = pytest.mark.xdist_group("serving")


def question(number: int) -> Question:
    asked = (
        Asked(Interaction(str(place), f"k{place % 5}", 0, {"price": float(place)}, ()), 4, False)
        for place in range(number)
    )
    return Question(tuple(asked), True)


def test_a_long_answer_comes_from_one_version_and_the_next_one_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer, "_PAIRS_AT_ONCE", 8)
    learner = trained(64)
    publishing = Publishing(tmp_path, learner)
    first = publishing.publish()
    held = Held(tmp_path)
    scored: list[int] = []
    best = Scorer.best

    def noted(self: Scorer, *arguments: Any) -> Any:
        scored.append(self.events_trained)
        return best(self, *arguments)

    async def run() -> dict[str, Any]:
        assert await held.look()
        monkeypatch.setattr(Scorer, "best", noted)
        long = asyncio.create_task(answered(question(200), held, ServeSettings()))
        await asyncio.sleep(0)  # it has begun
        learner.learn(learner.encode(events(16, 7)))
        publishing.publish()
        looked = asyncio.create_task(held.look())
        found = await long
        assert await looked
        return found

    found = asyncio.run(run())
    publishing.close()
    assert found["model_version"] == first
    assert len(scored) > 50, "it gave way between parts"
    assert set(scored) == {64}
    assert held.serving is not None
    assert held.serving.pointer.version > first
    assert [one["id"] for one in found["answers"]] == [str(place) for place in range(200)]


def test_long_questions_without_end_do_not_keep_a_version_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer, "_PAIRS_AT_ONCE", 8)
    learner = trained(64)
    publishing = Publishing(tmp_path, learner)
    first = publishing.publish()
    held = Held(tmp_path)

    async def run() -> None:
        assert await held.look()
        learner.learn(learner.encode(events(16, 7)))
        publishing.publish()
        stop = asyncio.Event()

        async def ask() -> None:
            while not stop.is_set():
                await answered(question(20), held, ServeSettings())

        asking = [asyncio.create_task(ask()) for _ in range(4)]
        await asyncio.wait_for(held.look(), 60)
        stop.set()
        await asyncio.gather(*asking)

    asyncio.run(run())
    publishing.close()
    assert held.serving is not None
    assert held.serving.pointer.version > first
