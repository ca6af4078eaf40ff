"""A thousand requests that are wrong in one place, or in their bytes: each is refused with 4xx, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.serving.publishing import Server

pytestmark = pytest.mark.xdist_group("serving")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
TEXTS = st.lists(st.text(max_size=5), max_size=3)
SELECTORS = st.dictionaries(st.text(max_size=5), TEXTS, max_size=3)


def is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def is_weight(value: Any) -> bool:
    return type(value) in (int, float) and value >= 0


VALID = st.fixed_dictionaries(
    {"features": st.dictionaries(st.text(max_size=8), st.integers(0, 9) | st.text(max_size=4), max_size=3)},
    optional={
        "id": st.text(max_size=8),
        "ts": st.integers(0, 10**12),
        "key": st.none() | st.text(max_size=8),
        "shown": TEXTS | SELECTORS,
        "k": st.integers(1, 50),
        "why": st.booleans(),
    },
)
"""What the description of the service allows; a test of its own holds that such a one is answered."""
WRONG: dict[str, st.SearchStrategy[Any]] = {
    "features": JSON.filter(lambda value: not isinstance(value, dict)),
    "id": JSON.filter(lambda value: not isinstance(value, str)),
    "ts": JSON.filter(lambda value: type(value) is not int) | st.integers(min_value=2**53),
    "key": JSON.filter(lambda value: not (value is None or isinstance(value, str))),
    "shown": JSON.filter(
        lambda value: (
            not (is_texts(value) or (isinstance(value, dict) and all(is_texts(inner) for inner in value.values())))
        )
    ),
    "k": JSON.filter(lambda value: not (type(value) is int and 1 <= value <= 1000)),
    "why": JSON.filter(lambda value: not isinstance(value, bool)),
    "labels": JSON.filter(lambda value: value is None or not is_texts(value)),
    "weight": JSON.filter(lambda value: not is_weight(value)),
}
KNOWN = {*WRONG, "schema_version"}


@st.composite
def one_wrong(draw: st.DrawFn) -> tuple[dict[str, Any], str]:
    """An event with one member that is missing, of the wrong kind, or unknown; and the member's name."""
    event = dict(draw(VALID))
    if draw(st.integers(0, 9)) == 0:
        del event["features"]
        return event, "features"
    if draw(st.integers(0, 9)) == 0:
        name = draw(st.text(min_size=1, max_size=8).filter(lambda name: name not in KNOWN))
        return {**event, name: draw(JSON)}, name
    name = draw(st.sampled_from(sorted(WRONG)))
    return {**event, name: draw(WRONG[name])}, name


def post(server: Server, content: bytes) -> httpx.Response:
    return server.http.post("/v1/recommend", content=content, headers={"Content-Type": "application/json"})


QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much]


@settings(max_examples=600, deadline=None, suppress_health_check=QUIET, derandomize=True)
@given(wrong=one_wrong(), place=st.integers(-1, 2), others=st.lists(VALID, min_size=2, max_size=2))
def test_a_wrong_member_is_refused_by_its_name(
    server: Server, wrong: tuple[dict[str, Any], str], place: int, others: list[dict[str, Any]]
) -> None:
    event, name = wrong
    body: Any = event if place < 0 else [*others[:place], event, *others[place:]]
    answer = post(server, json.dumps(body).encode())
    assert 400 <= answer.status_code < 500, (answer.status_code, body)
    error = answer.json()["error"]
    assert error["message"]
    if answer.status_code == 422 and error["field"] is not None:
        expected = {name, "k", "features"} if "k" in event and event.get("why") is True else {name}
        assert error["field"].removeprefix(f"[{place}].") in expected


@settings(max_examples=400, deadline=None, suppress_health_check=QUIET, derandomize=True)
@given(event=VALID, data=st.data())
def test_bytes_that_were_damaged_are_refused_or_answered_and_break_nothing(
    server: Server, event: dict[str, Any], data: st.DataObject
) -> None:
    body = bytearray(json.dumps(event).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(body) - 1))
        if data.draw(st.booleans()):
            body[place] = data.draw(st.integers(0, 255))
        else:
            del body[place:]
        if not body:
            break
    answer = post(server, bytes(body))
    assert answer.status_code in (200, 400, 422), (answer.status_code, bytes(body))
    if answer.status_code == 200:
        json.loads(body)  # then it still was a question


@settings(max_examples=60, deadline=None, suppress_health_check=QUIET, derandomize=True)
@given(events=st.lists(VALID, max_size=4))
def test_what_the_description_allows_is_answered(server: Server, events: list[dict[str, Any]]) -> None:
    answer = post(server, json.dumps(events).encode())
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["answers"]) == len(events)
    assert server.process.poll() is None
