"""Until a rename's `alias_until` the old name is read as the new one in interactions, and counted."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stream.cli import main
from stream.errors import SchemaRejected
from stream.learner.core import LearnerCore
from stream.records.interaction import Interaction
from stream.schema import Change, Op, Schema, describe, parse_version
from stream.testing.streams import FEATURES, OFFERS, apply, events, learn, restored, settings, trained, version

UNTIL = 2_000
FEATURE = {"op": "rename_feature", "name": "price", "to": "cost", "alias_until": UNTIL}
LABEL = {"op": "rename_label", "name": "tea", "to": "chai", "alias_until": UNTIL}


def schema_of(*changes: dict[str, Any], ts: int = 0) -> Schema:
    added = [{"op": "add_feature", "name": "price", "kind": "numeric"}, {"op": "add_label", "name": "tea"}]
    return Schema.empty().apply(version(1, added)).apply(version(2, changes, ts))


def renamed(learner: LearnerCore) -> LearnerCore:
    apply(learner, FEATURE, LABEL)
    return learner


def old_names(interactions: list[Interaction], ts: int) -> list[Interaction]:
    """Return the events as a producer sends them that has not heard of the renames, at one event time."""
    return [dataclasses.replace(event, ts=ts + number) for number, event in enumerate(interactions)]


def new_names(interactions: list[Interaction]) -> list[Interaction]:
    def label(name: str) -> str:
        return "chai" if name == "tea" else name

    return [
        dataclasses.replace(
            event,
            features={"cost" if name == "price" else name: value for name, value in event.features.items()},
            labels=tuple(map(label, event.labels)),
            shown=tuple(map(label, event.shown)) if isinstance(event.shown, tuple) else event.shown,
        )
        for event in interactions
    ]


def test_events_with_the_old_names_train_as_those_with_the_new_ones_and_are_counted() -> None:
    plain = old_names(events(96, seed=8, labels=("soap", "tea")), ts=0)
    one, other = renamed(trained(number=32)), renamed(trained(number=32))
    by_old, by_new = learn(one, plain), learn(other, new_names(plain))
    assert [report.loss for report in by_old] == [report.loss for report in by_new]
    named = sum(("price" in event.features) + ("tea" in event.labels) for event in plain)
    named += sum("tea" in event.shown for event in plain if isinstance(event.shown, tuple))
    assert sum(report.names_aliased for report in by_old) == named > 100
    assert one.counts["names_aliased"] == one.summary()["names_aliased"] == named
    assert other.counts["names_aliased"] == 0
    one.counts["names_aliased"] = 0
    assert one.state_digest() == other.state_digest()


def test_what_was_passed_in_stays_as_it_was() -> None:
    learner = renamed(trained(number=32))
    event = dataclasses.replace(events(1)[0], ts=0, labels=("tea",))
    before = repr(event)
    learner.encode([event])
    assert repr(event) == before


def test_at_the_event_time_the_old_name_is_unknown_again() -> None:
    learner = renamed(trained(number=32))
    event = Interaction("e", "k", UNTIL - 1, {"price": 1.0}, ("tea",), ("tea",))
    batch = learner.encode([event])
    assert (batch.names_aliased, batch.unknown_features, batch.labels_dropped, batch.unknown_shown) == (3, 0, 0, 0)
    batch = learner.encode([dataclasses.replace(event, ts=UNTIL)])
    assert (batch.names_aliased, batch.unknown_features, batch.labels_dropped, batch.unknown_shown) == (0, 1, 1, 1)


def test_where_an_event_has_both_the_new_one_counts() -> None:
    learner = renamed(trained(number=32))
    both = Interaction("e", "k", 0, {"price": 1.0, "cost": 7.0}, ("chai", "tea"), ("tea", "chai"))
    new = dataclasses.replace(both, features={"cost": 7.0}, labels=("chai",), shown=("chai",))
    first, second = learner.encode([both]), learner.encode([new])
    assert np.array_equal(first.numeric, second.numeric, equal_nan=True)
    assert first.pair_slot.tolist() == second.pair_slot.tolist()
    assert first.labels_dropped == first.unknown_features == 0
    missing = dataclasses.replace(both, features={"price": 1.0, "cost": None})
    slot = learner.network.layout.features.numeric.slot("cost")
    assert str(learner.encode([missing]).numeric[0, slot]) == "nan", "null is what the new name says"


@pytest.mark.parametrize("what", ["feature", "label"])
def test_an_aliased_name_cannot_be_added_until_then(what: str) -> None:
    rename, old = (FEATURE, "price") if what == "feature" else (LABEL, "tea")
    schema = schema_of(rename)
    add = {"op": f"add_{what}", "name": old, **({"kind": "numeric"} if what == "feature" else {})}
    onto = [{"op": f"add_{what}", "name": "x", **({"kind": "numeric"} if what == "feature" else {})}]
    onto += [{"op": f"rename_{what}", "name": "x", "to": old}]
    for changes in ([add], onto):
        with pytest.raises(SchemaRejected) as refused:
            schema.apply(version(3, changes, UNTIL - 1))
        assert refused.value.reason == f"{what}_aliased"
        assert f"until {UNTIL} (1970-01-01 00:00:02 UTC)" in str(refused.value)
    later = schema.apply(version(3, [add], UNTIL))
    assert old in (later.features if what == "feature" else later.labels)
    assert not later.feature_aliases
    assert not later.label_aliases


def test_an_alias_follows_its_name_and_ends_with_it() -> None:
    schema = schema_of(FEATURE, LABEL)
    again = schema.apply(version(3, [{"op": "rename_feature", "name": "cost", "to": "sum", "alias_until": 9}]))
    assert dict(again.feature_aliases) == {"price": ("sum", UNTIL), "cost": ("sum", 9)}
    back = schema.apply(version(3, [{"op": "rename_feature", "name": "cost", "to": "price"}]))
    assert dict(back.feature_aliases) == {}
    assert "price" in back.features
    gone = schema.apply(version(3, [{"op": "remove_label", "name": "chai"}]))
    assert dict(gone.label_aliases) == {}
    retyped = schema.apply(version(3, [{"op": "retype_feature", "name": "cost", "kind": "categorical"}]))
    assert dict(retyped.feature_aliases) == {}, "a retype is a removal and an addition"


def test_aliases_are_part_of_the_state() -> None:
    learner, plain = renamed(trained(number=32)), trained(number=32)
    apply(plain, *({k: v for k, v in change.items() if k != "alias_until"} for change in (FEATURE, LABEL)))
    assert learner.state_digest() != plain.state_digest()
    assert dict(learner.named_state())["schema/aliases"] == [{"price": ("cost", UNTIL)}, {"tea": ("chai", UNTIL)}]
    again = restored(learner)
    assert again.schema == learner.schema
    assert again.state_digest() == learner.state_digest()
    batch = again.encode([Interaction("e", "k", 0, {"price": 1.0}, ("tea",), None)])
    assert batch.names_aliased == 2


@pytest.mark.parametrize("wrong", [None, 1.5, "7", True, 10**16])
def test_alias_until_has_to_be_a_time_and_belongs_to_renames(wrong: Any) -> None:
    for change in (FEATURE, LABEL):
        value = json.dumps({"version": 1, "ts": 0, "changes": [{**change, "alias_until": wrong}]}).encode()
        with pytest.raises(Exception, match="alias_until is"):
            parse_version(value)
    read = parse_version(json.dumps({"version": 1, "ts": 0, "changes": [LABEL]}).encode())
    assert read.changes == (Change(Op.RENAME_LABEL, "tea", to="chai", alias_until=UNTIL),)
    assert describe(read.changes) == [
        "~ label tea -> chai (the old name is read as the new one before 2000, 1970-01-01 00:00:02 UTC)"
    ]


def test_the_unknown_names_are_in_the_summary_the_checkpoint_and_the_digest() -> None:
    """After a rename without an alias, 1,700 labels of a producer on the old name vanished without a line."""
    learner = LearnerCore(settings())
    apply(learner, *FEATURES, *OFFERS)
    apply(learner, {"op": "rename_label", "name": "tea", "to": "chai"})
    stream = [
        Interaction(f"e{number}", "k", number, {"price": 1.0, "prise": 2.0}, ("tea", f"once-{number}"), ("soap", "teh"))
        for number in range(64)
    ]
    before = learner.state_digest()
    learn(learner, stream)
    top = learner.summary()["unknown_names"]
    assert top["label"][0] == ("tea", 64)
    assert len(top["label"]) == 5
    assert (top["feature"], top["shown"]) == ([("prise", 64)], [("teh", 64)])
    assert learner.report().unknown_names == top
    again = restored(learner)
    assert again.summary()["unknown_names"] == top
    assert again.state_digest() == learner.state_digest() != before


def test_a_selector_by_an_attribute_that_no_offer_has_is_counted_as_unknown() -> None:
    learner = trained(number=32)
    event = Interaction("e", "k", 0, {}, (), {"groop": ("g1",)})
    assert learner.encode([event]).unknown_names["shown"] == {"groop": 1}
    selectors: list[dict[str, tuple[str, ...]]] = [{"group": ("nothing",)}, {}, {"group": ("g1",)}]
    for known in selectors:
        assert learner.encode([dataclasses.replace(event, shown=known)]).unknown_shown == 0


def test_a_replay_logs_the_names_that_do_not_match_at_the_end_and_in_the_summary(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    versions = [
        {"version": 1, "ts": 0, "changes": [{"op": "add_label", "name": "tea"}]},
        {"version": 2, "ts": 50, "changes": [{"op": "rename_label", "name": "tea", "to": "chai"}]},
    ]
    lines = [
        {"id": str(number), "key": "k", "ts": number, "features": {"colour": "red"}, "labels": ["tea"]}
        for number in range(100)
    ]
    for name, values in (("s", versions), ("i", lines)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(value) + "\n" for value in values))
    files = ["--schema", str(tmp_path / "s.jsonl"), "--interactions", str(tmp_path / "i.jsonl")]
    letters = ["--set", f"dead_letters.file={tmp_path / 'letters.jsonl'}"]
    assert main(["replay", *files, *letters, "--summary", str(tmp_path / "summary.json")]) == 0
    assert "labels that no live offer has were dropped, most often: tea (50 times)" in caplog.text
    assert "features that the schema lacks were ignored, most often: colour (100 times)" in caplog.text
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["unknown_names"] == {"feature": [["colour", 100]], "label": [["tea", 50]], "shown": []}
    assert summary["labels_dropped"] == 50
