"""`stream recommend --explore`: what is uncertain comes forward, by the posterior that the checkpoint holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stream.cli import main
from stream.errors import ConfigurationError
from stream.learner.core import LearnerCore
from stream.records.interaction import decode_interaction
from stream.schema import parse_version
from stream.scoring.explore import Exploration
from stream.scoring.recommend import recommend
from stream.settings.learner import LearnerSettings

NAMES = ("a1", "a2", "b1", "b2")
VERSION = {
    "version": 1,
    "ts": 0,
    "changes": [
        {"op": "add_feature", "name": "x", "kind": "numeric"},
        *({"op": "add_label", "name": name, "attributes": {"kind": name[0]}} for name in NAMES),
    ],
}
STRATEGIES = ("bayes-output", "glmix", "bayes-output+glmix")


def _event(number: int, label: str, **more: Any) -> bytes:
    event = {"id": str(number), "key": f"k{number % 3}", "ts": number, "features": {"x": number % 5}, "labels": [label]}
    return json.dumps(event | more).encode()


def _trained(strategy: str, number: int, shown: list[str] | None = None) -> LearnerCore:
    learner = LearnerCore(LearnerSettings(strategy=strategy))
    learner.apply(parse_version(json.dumps(VERSION).encode()))
    more = {} if shown is None else {"shown": shown}
    for start in range(0, number, 16):
        lines = [_event(n, NAMES[n % 2], **more) for n in range(start, start + 16)]
        learner.learn(learner.encode([decode_interaction(line) for line in lines]))
    return learner


def _explored(learner: LearnerCore, kind: Any, number: int = 7, **options: Any) -> dict[str, Any]:
    return recommend(learner, _event(number, "a1"), 4, Exploration.of(learner, kind, **options))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_was_seen_more_often_is_less_uncertain(strategy: str) -> None:
    spreads = []
    for events in (32, 320):
        found = _explored(_trained(strategy, events), "ucb")
        spreads.append({name: spread for name, _, spread in found["explored"]})
    assert all(spreads[1][name] < spreads[0][name] for name in ("a1", "a2"))
    # A key's weight for what it never took, and was not listed for it, does not begin: nothing is learned of it.
    assert all(spreads[1][name] <= spreads[0][name] for name in ("b1", "b2"))
    found = _explored(_trained(strategy, 160, shown=["a1", "a2"]), "ucb")
    spread = {name: spread for name, _, spread in found["explored"]}
    assert max(spread["a1"], spread["a2"]) < min(spread["b1"], spread["b2"])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_upper_bound_is_the_logit_plus_its_standard_deviations_and_decides_the_order(strategy: str) -> None:
    learner = _trained(strategy, 160, shown=["a1", "a2"])
    plain = dict(recommend(learner, _event(7, "a1"), 4)["recommendations"])
    found = _explored(learner, "ucb", width=2.0)
    names = [name for name, _ in found["recommendations"]]
    assert names == [name for name, _, _ in found["explored"]]
    assert dict(found["recommendations"]) == pytest.approx(plain)
    scores = []
    for name, score, spread in found["explored"]:
        logit = np.log(score / (1 - score))
        assert logit == pytest.approx(np.log(plain[name] / (1 - plain[name])) + 2 * spread, rel=1e-9)
        scores.append(logit)
    assert scores == sorted(scores, reverse=True)
    greedy = _explored(learner, "ucb", width=0.0)
    assert [name for name, _ in greedy["recommendations"]] == sorted(plain, key=lambda name: -plain[name])


def test_draws_repeat_by_seed_differ_by_event_and_scatter_as_the_posterior_does() -> None:
    learner = _trained("bayes-output+glmix", 64)
    before = learner.state_digest()
    runs = []
    for seed in (3, 3, 4):
        explore = Exploration.of(learner, "thompson", seed=seed)
        runs.append([recommend(learner, _event(7, "a1"), 4, explore)["explored"] for _ in range(400)])
    assert runs[0] == runs[1] != runs[2]
    assert runs[0][0] != runs[0][1]
    plain = dict(recommend(learner, _event(7, "a1"), 4)["recommendations"])
    for name in NAMES:
        draws = [(np.log(score / (1 - score)), spread) for run in runs[0] for n, score, spread in run if n == name]
        away = [(drawn - np.log(plain[name] / (1 - plain[name]))) / spread for drawn, spread in draws]
        assert abs(float(np.mean(away))) < 0.2
        assert float(np.std(away)) == pytest.approx(1, abs=0.15)
    assert learner.state_digest() == before


def test_a_strategy_without_a_posterior_is_refused_with_the_reason() -> None:
    with pytest.raises(ConfigurationError, match=r"'carry' keeps no posterior; .*: bayes-network, bayes-output, glmix"):
        Exploration.of(_trained("carry", 16), "thompson")


def test_the_command_explores_from_a_checkpoint_and_repeats_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    interactions, schema = tmp_path / "i.jsonl", tmp_path / "s.jsonl"
    interactions.write_bytes(b"".join(_event(n, "b1") + b"\n" for n in range(40)))
    schema.write_text(json.dumps(VERSION) + "\n")
    files = ["--interactions", str(interactions), "--schema", str(schema)]
    for strategy in ("glmix", "carry"):
        kept = ["--checkpoint", strategy, "--set", f"strategy={strategy}"]
        assert main(["replay", *files, *kept, "--summary", "summary.json"]) == 0
    capsys.readouterr()
    printed = []
    for seed in ("1", "1", "2"):
        explore = ["--explore", "thompson", "--explore-seed", seed, "--explore-width", "0.5"]
        assert main(["recommend", "glmix", "--events", str(interactions), *explore]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] != printed[2]
    first = json.loads(printed[0].splitlines()[0])
    assert [len(row) for row in first["explored"]] == [3] * 4
    assert main(["recommend", "carry", "--events", str(interactions), "--explore", "ucb"]) == 2
    assert "keeps no posterior" in capsys.readouterr().err
    assert main(["recommend", "glmix", "--events", str(interactions), "--explore", "ucb", "--explore-width", "-1"]) == 2
    assert "--explore-width" in capsys.readouterr().err
