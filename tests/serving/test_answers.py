"""A real client asks a real server: the answers are the library's, and what is refused is said why."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from stream.cli import main
from stream.library import Learner
from stream.testing.streams import events
from tests.serving.conftest import trained
from tests.serving.publishing import Publishing, Server, serving

pytestmark = pytest.mark.xdist_group("serving")


def questions(number: int = 20) -> list[dict[str, Any]]:
    return [
        {"id": event.id, "key": event.key, "ts": event.ts, "features": event.features}
        for event in events(number, seed=9, first=1000)
    ]


def test_library_command_and_service_give_the_same_numbers(
    learner: Learner, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = questions()
    answers = [server.ask({**one, "k": 3}) for one in asked]
    together = server.ask([{**one, "k": 3} for one in asked])["answers"]
    learner.save(tmp_path / "model.ckpt")
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(one) + "\n" for one in asked))
    command = ["recommend", str(tmp_path / "model.ckpt"), "--events", str(tmp_path / "events.jsonl"), "--top", "3"]
    assert main(command) == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for one, answer, said in zip(asked, answers, printed, strict=True):
        offers = [(offer["offer"], offer["probability"]) for offer in answer["offers"]]
        assert offers == learner.recommend(one, 3)
        assert [list(offer) for offer in offers] == said["recommendations"]
        assert answer["id"] == one["id"]
    for answer, other in zip(answers, together, strict=True):  # a product of many rows rounds otherwise
        pairs = zip(answer["offers"], other["offers"], strict=True)
        assert all(a["offer"] == b["offer"] and abs(a["score"] - b["score"]) < 1e-5 for a, b in pairs)


def test_one_and_many_are_answered_alike_and_say_their_version(learner: Learner, server: Server) -> None:
    [one] = questions(1)
    alone, among = server.ask(one), server.ask([one, one])
    names = [offer["offer"] for offer in alone["offers"]]
    assert names == [offer["offer"] for offer in among["answers"][1]["offers"]]
    for answer in (alone, among):
        assert answer["schema_version"] == learner.schema.version
        assert answer["event_time_ms"] == learner.event_time_ms
        assert answer["model_version"] >= 1
    assert server.ask([])["answers"] == []


def test_only_features_are_required_and_shown_is_heeded(learner: Learner, server: Server) -> None:
    assert len(server.ask({"features": {}})["offers"]) == min(5, len(learner.schema.labels))
    found = server.ask({"features": {}, "shown": {"brand": ["b1"]}, "k": 100})["offers"]
    assert {offer["offer"] for offer in found} == {"soap", "milk"}
    assert server.ask({"features": {}, "shown": []})["offers"] == []
    whole = {"labels": ["tea"], "weight": 2.0, "schema_version": 1}
    assert server.ask({"features": {}, **whole})["offers"] == server.ask({"features": {}})["offers"]


def test_why_sums_to_the_score(server: Server) -> None:
    for one in questions(5):
        for offer in server.ask({**one, "why": True})["offers"]:
            why = offer["why"]
            total = why["offer"] + why["key"] + why["experts"] + sum(why["inputs"].values())
            assert abs(total - offer["score"]) < 1e-4
            odds = math.log(offer["probability"]) - math.log1p(-offer["probability"])
            assert abs(odds - offer["score"]) < 1e-9


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 422, "features"),
        ({"features": [1]}, 422, "features"),
        ({"features": {}, "ts": "now"}, 422, "ts"),
        ({"features": {}, "ts": 1.5}, 422, "ts"),
        ({"features": {}, "key": 7}, 422, "key"),
        ({"features": {}, "shown": "tea"}, 422, "shown"),
        ({"features": {}, "k": 0}, 422, "k"),
        ({"features": {}, "k": True}, 422, "k"),
        ({"features": {}, "k": 1001}, 422, "k"),
        ({"features": {}, "why": 1}, 422, "why"),
        ({"features": {}, "why": True, "k": 51}, 422, "k"),
        ({"features": {}, "shwon": []}, 422, "shwon"),
        ([{"features": {}}, {"features": {}, "id": 4}], 422, "[1].id"),
        ([{"features": {}}, 5], 422, "[1]"),
        (5, 422, None),
        ("tea", 422, None),
        ([{"features": {}}] * 51, 413, None),
    ],
)
def test_what_is_wrong_is_named(server: Server, body: Any, status: int, field: str | None) -> None:
    answer = server.http.post("/v1/recommend", json=body)
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["field"] == field
    assert len(error["message"]) > 10


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b'{"features": {}} x', 400),
        (b'{"features": {}}, "a": {"b": 1}', 400),
        (b'{"features": {"x": NaN}}', 422),
        (b'{"features": {"x": 1e999}}', 422),
        (b'{"features": {}, "features": {}}', 422),
        (b'{"features": {"x": "\xff"}}', 400),
        (b'{"features": {"x": "\\ud800"}}', 400),
        (b'[{"features": {}}], "a": [1]', 400),
        (b'[{"features": {}, "features": {}}]', 422),
        (b"null", 422),
        (b"[" * 100_000, 422),
        (b" " * 100_001, 413),
    ],
)
def test_bytes_that_are_no_question_are_refused(server: Server, content: bytes, status: int) -> None:
    answer = server.http.post("/v1/recommend", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]


def test_a_body_without_end_is_cut_off(server: Server) -> None:
    def pieces() -> Any:
        for _ in range(1000):
            yield b" " * 10_000

    try:
        answer = httpx.post(
            f"{server.url}/v1/recommend", content=pieces(), headers={"Content-Type": "application/json"}, timeout=30
        )
    except httpx.TransportError:
        return  # it hung up while we still sent
    assert answer.status_code == 413


def test_another_type_path_or_method_is_refused(server: Server) -> None:
    assert server.http.post("/v1/recommend", content=b"{}").status_code == 415
    assert server.http.post("/v1/recommend", data={"a": "b"}).status_code == 415
    assert server.http.get("/v1/recommend").status_code == 405
    assert server.http.get("/v1/nothing").status_code == 404
    assert server.http.get("/v1/offers/nothing").json()["error"]["code"] == "unknown_offer"


def test_model_and_offers_are_described(learner: Learner, server: Server) -> None:
    model = server.http.get("/v1/model").json()
    assert model["events_trained"] == learner.events_trained
    assert model["features"] == {name: kind.value for name, kind in learner.schema.features.items()}
    assert model["offers"] == len(learner.schema.labels)
    assert abs(sum(model["experts"].values()) - 1.0) < 1e-9
    assert model["age_seconds"] >= 0
    offer = server.http.get("/v1/offers/soap").json()
    assert offer["attributes"] == {"group": "g1", "brand": "b1"}
    assert 0 < offer["rate"] < 1


def test_the_description_describes_what_is_sent(server: Server) -> None:
    document = server.http.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    named = {**document, "$schema": "https://json-schema.org/draft/2020-12/schema"}

    def check(name: str, value: Any) -> None:
        jsonschema.validate(value, {**named, "$ref": f"#/components/schemas/{name}"})

    [one] = questions(1)
    check("Event", one)
    check("Answer", server.ask({**one, "why": True}))
    check("Answers", server.ask([one]))
    check("Refusal", server.http.post("/v1/recommend", json={}).json())
    for path, methods in document["paths"].items():
        for method in methods:
            assert server.http.request(method, path.replace("{name}", "tea")).status_code != 404


def test_the_page_loads_and_asks_no_other_host(server: Server) -> None:
    page = server.http.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "POST /v1/recommend" in page.text
    assert not re.search(r"<script|src=|url\(|https?://", page.text)


def test_metrics_are_prometheus_own(server: Server) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    server.ask({"features": {}})
    server.http.post("/v1/recommend", json={})
    found = {family.name: family for family in text_string_to_metric_families(server.http.get("/metrics").text)}
    values = {name: family.samples[0].value for name, family in found.items() if family.samples}
    assert values["stream_serve_model_version"] >= 1
    assert values["stream_serve_staleness_seconds"] > 0
    assert values["stream_serve_trouble"] == 0
    counts = {sample.name: sample.value for sample in found["stream_serve_request_seconds"].samples}
    assert counts["stream_serve_request_seconds_count"] >= 1
    reasons = {sample.labels.get("reason") for sample in found["stream_serve_refusals"].samples}
    assert "missing_features" in reasons
    page = (Path(__file__).parents[2] / "docs" / "serving.md").read_text()
    for family in found.values():
        assert f"`{family.name}" in page, f"docs/serving.md does not name {family.name}"


def test_a_token_is_wanted_where_one_is_set_and_never_logged(tmp_path: Path) -> None:
    publishing = Publishing(tmp_path / "versions", trained(32))
    publishing.publish()
    publishing.close()
    with serving(tmp_path / "versions", "--set", "serve.token=s3cret-word") as server:
        for path in ("/v1/model", "/metrics", "/", "/openapi.json", "/v1/offers/tea", "/nothing"):
            assert server.http.get(path).status_code == 401, path
            assert server.http.get(path, headers={"Authorization": "Bearer s3cret-wor"}).status_code == 401
            assert server.http.get(path, headers={"Authorization": "Basic s3cret-word"}).status_code == 401
        assert server.http.post("/v1/recommend", json={"features": {}}).status_code == 401
        assert server.http.get("/livez").status_code == 200
        assert server.http.get("/readyz").status_code == 200
        known = {"Authorization": "Bearer s3cret-word"}
        assert server.ask({"features": {}}, headers=known)["offers"]
        assert "security" in server.http.get("/openapi.json", headers=known).json()
        server.process.terminate()
        said = "".join(server.process.communicate(timeout=30))
    assert "s3cret" not in said


def test_a_bound_on_staleness_fails_readiness_alone(tmp_path: Path) -> None:
    publishing = Publishing(tmp_path, trained(32))  # its events are years old
    publishing.publish()
    publishing.close()
    with serving(tmp_path, "--set", "serve.max_staleness_seconds=60") as server:
        answer = server.http.get("/readyz")
        assert answer.status_code == 503
        assert "behind the wall clock" in answer.json()["reason"]
        assert server.http.get("/livez").status_code == 200
        assert server.ask({"features": {}})["offers"]


def test_before_the_first_version_it_says_so_and_then_answers(tmp_path: Path) -> None:
    learner = trained(32)
    with serving(tmp_path) as server:
        assert server.http.get("/readyz").status_code == 503
        refused = server.http.post("/v1/recommend", json={"features": {}})
        assert refused.status_code == 503
        assert refused.headers["retry-after"]
        assert server.http.get("/v1/model").status_code == 503
        publishing = Publishing(tmp_path, learner)
        server.wait_for(publishing.publish())
        publishing.close()
        assert server.ask({"features": {}})["offers"]


def test_several_workers_answer_alike(tmp_path: Path) -> None:
    learner = trained(64)
    publishing = Publishing(tmp_path, learner)
    version = publishing.publish()
    publishing.close()
    with serving(tmp_path, "--workers", "2") as server:
        server.wait_for(version)
        [one] = questions(1)
        wanted = learner.recommend(one)
        for _ in range(30):
            with httpx.Client(base_url=server.url) as client:  # a connection of its own each time
                found = client.post("/v1/recommend", json=one, timeout=30).json()["offers"]
            assert [(offer["offer"], offer["probability"]) for offer in found] == wanted
        assert "stream_serve_requests_total" in server.http.get("/metrics").text


def test_it_starts_without_torch_and_without_kafka() -> None:
    code = "import sys, stream.serving.run, stream.cli.commands.serve; print({'torch', 'kafka'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_no_directory_is_an_error_that_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", str(tmp_path / "nowhere")]) == 2
    assert "publish.directory" in capsys.readouterr().err
    assert main(["serve"]) == 2
