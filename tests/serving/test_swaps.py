"""Versions are swapped under load, schema changes among them: no error, and no answer that mixes two of them."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from stream.records.interaction import interaction_of
from stream.scoring.of_learner import snapshot_of
from stream.scoring.scorer import Scorer
from stream.testing.streams import apply as change
from stream.testing.streams import events, feature, label
from tests.serving.conftest import trained
from tests.serving.publishing import Publishing, serving

pytestmark = pytest.mark.xdist_group("serving")

CHANGES: list[list[dict[str, Any]]] = [
    [label("jam", group="g1")],
    [feature("colour", "categorical"), {"op": "remove_label", "name": "soap"}],
    [{"op": "rename_label", "name": "tea", "to": "green tea"}],
    [{"op": "retype_feature", "name": "price", "kind": "categorical"}],
    [label("soap", group="g3"), {"op": "remove_feature", "name": "age"}],
]


def question(number: int) -> dict[str, Any]:
    event = events(1, seed=9, first=number % 7)[0]
    return {"key": event.key, "ts": event.ts, "features": event.features, "k": 20}


@pytest.mark.parametrize("workers", [1, 2])
def test_no_answer_fails_and_none_mixes_versions(tmp_path: Path, workers: int) -> None:
    learner = trained(96)
    publishing = Publishing(tmp_path, learner)
    asked = [question(number) for number in range(7)]
    expected: dict[int, list[dict[str, float]]] = {}

    def publish() -> int:
        """Publish, and note what this very version has to answer."""
        scorer = Scorer(snapshot_of(learner))
        found = [scorer.best([interaction_of({n: v for n, v in one.items() if n != "k"})], 20)[0] for one in asked]
        version = publishing.publish()
        expected[version] = [{one.offer: one.score for one in offers} for offers in found]
        return version

    publish()
    answers: list[tuple[int, dict[str, Any]]] = []
    failures: list[str] = []
    stop = threading.Event()

    def load(url: str) -> None:
        number = 0
        with httpx.Client(base_url=url, timeout=60) as client:
            while not stop.is_set():
                number += 1
                place = number % 7
                try:
                    if number % 3:
                        answer = client.post("/v1/recommend", json=asked[place])
                        found = [(place, answer.json())]
                    else:
                        answer = client.post("/v1/recommend", json=asked)
                        whole = answer.json()
                        version = whole["model_version"]
                        found = [(at, {**one, "model_version": version}) for at, one in enumerate(whole["answers"])]
                    if answer.status_code != 200:
                        failures.append(answer.text)
                    answers.extend(found)
                except Exception as error:  # anything that is no answer
                    failures.append(repr(error))

    with serving(tmp_path, "--workers", str(workers), "--set", "serve.poll_seconds=0.01") as server:
        threads = [threading.Thread(target=load, args=(server.url,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        stream_of = iter(events(2000, seed=3, labels=["soap", "milk", "bread", "tea", "jam", "green tea"]))
        last = 0
        for step in range(30):
            learner.learn(learner.encode([next(stream_of) for _ in range(16)]))
            if step % 6 == 3:
                change(learner, *CHANGES[step // 6])
            last = publish()
            time.sleep(0.02)
        server.wait_for(last)
        time.sleep(0.2)
        stop.set()
        for thread in threads:
            thread.join()
    publishing.close()
    assert failures == []
    seen = {answer["model_version"] for _, answer in answers}
    assert last in seen
    assert len(seen) >= 5, "so few versions were met that nothing is shown"
    for place, answer in answers:
        wanted = expected[answer["model_version"]][place]
        found = {offer["offer"]: offer["score"] for offer in answer["offers"]}
        assert found.keys() == wanted.keys()
        assert max(abs(found[name] - wanted[name]) for name in found) < 1e-5
