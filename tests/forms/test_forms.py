"""The JSON Schemas say what the code does: what one takes the other takes, and what the code writes fits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.cli import main
from stream.errors import InvalidInteraction, InvalidVersion
from stream.forms import FORMS, form
from stream.records.interaction import decode_interaction
from stream.schema.kinds import Kind
from stream.schema.version import parse_version

CHECKS = {name: jsonschema.Draft202012Validator(form(name)) for name in FORMS}


def fits(name: str, value: object) -> bool:
    return bool(CHECKS[name].is_valid(value))


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_a_schema_and_its_examples_fit_it(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(form(name))
    assert all(fits(name, example) for example in form(name).get("examples", []))


@pytest.mark.parametrize("name", FORMS)
def test_the_command_prints_it(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema-of", name]) == 0
    assert json.loads(capsys.readouterr().out) == form(name)


def test_the_examples_are_read_by_the_code() -> None:
    for example in form("interaction")["examples"]:
        decode_interaction(json.dumps(example).encode())
    for example in form("version")["examples"]:
        parse_version(json.dumps(example).encode())


numbers = st.one_of(st.integers(-3, 3), st.just(2**60), st.sampled_from([0.5, -0.5]))
texts = st.text(st.characters(codec="utf-8"), max_size=3)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
anything = st.recursive(scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2))


def mostly(right: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw what is right four times in five, so that a whole value often is."""
    return st.integers(0, 4).flatmap(lambda number: right if number else anything)


interactions = st.fixed_dictionaries(
    {"id": mostly(texts), "ts": mostly(st.integers(0, 10)), "features": mostly(st.dictionaries(texts, anything))},
    optional={
        "labels": mostly(st.lists(texts, max_size=2)),
        "key": mostly(texts),
        "shown": mostly(st.lists(texts, max_size=2) | st.dictionaries(texts, st.lists(texts, max_size=2), max_size=2)),
        "schema_version": mostly(st.integers(0, 3)),
        "weight": mostly(st.sampled_from([0, 1, 0.5])),
        "other": anything,
    },
)


@given(interactions)
def test_an_interaction_is_decoded_if_and_only_if_it_fits(value: dict[str, Any]) -> None:
    try:
        decode_interaction(json.dumps(value).encode(), b"who")
        decoded = True
    except InvalidInteraction:
        decoded = False
    assert decoded == fits("interaction", value)


attributes = st.dictionaries(texts, mostly(st.one_of(texts, st.booleans(), numbers)), max_size=2)
changes = st.fixed_dictionaries(
    {
        "op": mostly(
            st.sampled_from(
                [
                    f"{verb}_{what}"
                    for verb in ("add", "remove", "rename", "retype", "update")
                    for what in ("feature", "label")
                ]
            )
        ),
        "name": mostly(texts),
    },
    optional={
        "kind": mostly(st.sampled_from([*Kind])),
        "to": mostly(texts),
        "attributes": mostly(attributes),
        "alias_until": mostly(st.integers(0, 10)),
    },
)
versions = st.fixed_dictionaries(
    {
        "version": mostly(st.integers(1, 3)),
        "ts": mostly(st.integers(0, 10)),
        "changes": mostly(st.lists(changes, max_size=2)),
    },
    optional={"author": mostly(texts), "comment": mostly(texts), "autor": texts},
)


@given(versions)
def test_a_version_is_parsed_if_and_only_if_it_fits(value: dict[str, Any]) -> None:
    try:
        parse_version(json.dumps(value).encode())
        parsed = True
    except InvalidVersion:
        parsed = False
    assert parsed == fits("version", value)


def test_a_summary_fits(tmp_path: Path) -> None:
    lines = [{"id": str(n), "key": "k", "ts": n, "features": {}, "labels": ["a"] if n % 2 else []} for n in range(9)]
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [*lines, {"id": 1}]))
    schema = {"version": 1, "ts": 0, "changes": [{"op": "add_label", "name": "a"}]}
    (tmp_path / "schema.jsonl").write_text(json.dumps(schema) + "\n")
    files = ["--interactions", f"{tmp_path}/events.jsonl", "--schema", f"{tmp_path}/schema.jsonl"]
    out = tmp_path / "summary.json"
    assert main(["replay", *files, "--checkpoint", f"{tmp_path}/model", "--summary", str(out)]) == 0
    summary = json.loads(out.read_text())
    CHECKS["summary"].validate(summary)
    assert summary["events_read"] == 10


def test_a_summary_with_a_rejection_and_names_that_do_not_match_fits(tmp_path: Path) -> None:
    lines = [{"id": str(n), "ts": n, "features": {"x": 1}, "labels": ["a", "b"], "shown": ["c"]} for n in range(9)]
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    versions = [{"version": number, "ts": 0, "changes": [{"op": "add_label", "name": "a"}]} for number in (1, 2)]
    (tmp_path / "schema.jsonl").write_text("".join(json.dumps(version) + "\n" for version in versions))
    files = ["--interactions", f"{tmp_path}/events.jsonl", "--schema", f"{tmp_path}/schema.jsonl"]
    out = tmp_path / "summary.json"
    assert main(["replay", *files, "--checkpoint", f"{tmp_path}/model", "--summary", str(out)]) == 9
    summary = json.loads(out.read_text())
    CHECKS["summary"].validate(summary)
    assert summary["schema_rejection"]["reason"] == "label_live"
    assert summary["unknown_names"] == {"feature": [["x", 9]], "label": [["b", 9]], "shown": [["c", 9]]}
