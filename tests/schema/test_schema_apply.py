"""A version applies in its listed order, together or not at all, as part 2 of the contract has it."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.errors import SchemaRejected
from stream.schema import Change, Kind, Op, Schema, Version, describe, diff, parse_version, version_to_json


def schema(features: Mapping[str, Kind], labels: Mapping[str, Mapping[str, str]]) -> Schema:
    changes = [Change(Op.ADD_FEATURE, name, kind=kind) for name, kind in features.items()]
    changes += [Change(Op.ADD_LABEL, name, attributes=attributes) for name, attributes in labels.items()]
    return Schema.empty().apply(Version.of(1, 100, changes))


BASE = schema({"f": Kind.NUMERIC, "g": Kind.BOOLEAN}, {"x": {"a": "1"}, "y": {}})


def after(*changes: Change, on: Schema = BASE) -> Schema:
    return on.apply(Version.of(on.version + 1, 200, changes))


def rejection(version: Version, on: Schema = BASE) -> str:
    before = on.state()
    with pytest.raises(SchemaRejected) as checked:
        on.check(version)
    with pytest.raises(SchemaRejected) as applied:
        on.apply(version)
    assert (checked.value.reason, str(checked.value)) == (applied.value.reason, str(applied.value))
    assert on.state() == before
    return applied.value.reason


def live(value: Schema) -> tuple[dict[str, Kind], dict[str, dict[str, str]]]:
    return dict(value.features), {name: dict(attributes) for name, attributes in value.labels.items()}


def test_the_empty_schema_has_no_version_no_time_and_no_names() -> None:
    empty = Schema.empty()
    assert (empty.version, empty.event_time_ms, empty.applied) == (0, None, ())
    assert live(empty) == ({}, {})


def test_each_operation_does_what_its_name_says() -> None:
    assert after(Change(Op.ADD_FEATURE, "h", kind=Kind.CATEGORICAL)).features["h"] is Kind.CATEGORICAL
    assert "f" not in after(Change(Op.REMOVE_FEATURE, "f")).features
    assert dict(after(Change(Op.RENAME_FEATURE, "f", to="h")).features) == {"g": Kind.BOOLEAN, "h": Kind.NUMERIC}
    assert after(Change(Op.RETYPE_FEATURE, "f", kind=Kind.BOOLEAN)).features["f"] is Kind.BOOLEAN
    assert after(Change(Op.ADD_LABEL, "z", attributes={"b": "2"})).labels["z"] == {"b": "2"}
    assert after(Change(Op.ADD_LABEL, "z")).labels["z"] == {}
    assert "x" not in after(Change(Op.REMOVE_LABEL, "x")).labels
    assert live(after(Change(Op.RENAME_LABEL, "x", to="z")))[1] == {"y": {}, "z": {"a": "1"}}
    assert after(Change(Op.UPDATE_LABEL, "x", attributes={"b": "2"})).labels["x"] == {"b": "2"}


def test_features_and_labels_have_name_spaces_of_their_own() -> None:
    changed = after(Change(Op.ADD_LABEL, "f"), Change(Op.ADD_FEATURE, "x", kind=Kind.NUMERIC))
    assert {"f", "x"} <= set(changed.features) & set(changed.labels)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (Change(Op.REMOVE_FEATURE, "q"), "feature_absent"),
        (Change(Op.RENAME_FEATURE, "q", to="r"), "feature_absent"),
        (Change(Op.RETYPE_FEATURE, "q", kind=Kind.NUMERIC), "feature_absent"),
        (Change(Op.REMOVE_FEATURE, "x"), "feature_absent"),
        (Change(Op.ADD_FEATURE, "f", kind=Kind.NUMERIC), "feature_live"),
        (Change(Op.RENAME_FEATURE, "f", to="g"), "feature_live"),
        (Change(Op.RENAME_FEATURE, "f", to="f"), "feature_live"),
        (Change(Op.REMOVE_LABEL, "q"), "label_absent"),
        (Change(Op.RENAME_LABEL, "q", to="r"), "label_absent"),
        (Change(Op.UPDATE_LABEL, "q", attributes={}), "label_absent"),
        (Change(Op.ADD_LABEL, "x"), "label_live"),
        (Change(Op.RENAME_LABEL, "x", to="y"), "label_live"),
        (Change(Op.ADD_FEATURE, "h"), "invalid_change"),
        (Change(Op.RETYPE_FEATURE, "f"), "invalid_change"),
        (Change(Op.RENAME_FEATURE, "f"), "invalid_change"),
        (Change(Op.RENAME_LABEL, "x"), "invalid_change"),
        (Change(Op.UPDATE_LABEL, "x"), "invalid_change"),
    ],
)
def test_an_impossible_change_rejects_the_whole_version(change: Change, reason: str) -> None:
    good = Change(Op.ADD_FEATURE, "new", kind=Kind.NUMERIC)
    assert rejection(Version.of(2, 200, [good, change])) == reason
    assert rejection(Version.of(2, 200, [change, good])) == reason


def test_a_rejection_says_version_place_name_and_remedy() -> None:
    version = Version.of(2, 200, [Change(Op.REMOVE_LABEL, "x"), Change(Op.REMOVE_LABEL, "x")])
    with pytest.raises(
        SchemaRejected, match=r'version 2, changes\[1\] \(remove_label "x"\): no label "x" is live; add it'
    ):
        BASE.apply(version)


def test_the_order_inside_a_version_counts() -> None:
    remove, add = Change(Op.REMOVE_FEATURE, "f"), Change(Op.ADD_FEATURE, "f", kind=Kind.CATEGORICAL)
    assert after(remove, add).features["f"] is Kind.CATEGORICAL
    assert rejection(Version.of(2, 200, [add, remove])) == "feature_live"
    swap = [Change(Op.RENAME_LABEL, *pair[:1], to=pair[1]) for pair in (("x", "t"), ("y", "x"), ("t", "y"))]
    assert live(after(*swap))[1] == {"x": {}, "y": {"a": "1"}}


def test_a_retype_to_the_same_kind_is_allowed_for_it_is_remove_and_add() -> None:
    assert after(Change(Op.RETYPE_FEATURE, "f", kind=Kind.NUMERIC)).features["f"] is Kind.NUMERIC


def test_a_version_without_changes_counts() -> None:
    changed = after()
    assert (changed.version, changed.event_time_ms, live(changed)) == (2, 200, live(BASE))


def test_versions_rise_by_one_from_one() -> None:
    assert rejection(Version.of(2, 1, []), on=Schema.empty()) == "version_gap"
    assert rejection(Version.of(3, 200, [])) == "version_gap"
    assert rejection(Version.of(0, 200, [])) == "version_gap"
    assert BASE.check(Version.of(2, 200, [])) == "new"


def test_a_version_already_applied_is_ignored_if_its_content_is_the_same_and_else_rejected() -> None:
    change = Change(Op.ADD_LABEL, "z", attributes={"a": "1", "b": "2"})
    second = Version.of(2, 200, [change])
    third = BASE.apply(second).apply(Version.of(3, 300, []))
    assert third.check(second) == "duplicate"
    assert third.apply(second) is third
    assert rejection(Version.of(2, 201, [change]), on=third) == "version_conflict"
    assert rejection(Version.of(2, 200, []), on=third) == "version_conflict"
    assert rejection(Version.of(3, 300, [change]), on=third) == "version_conflict"


def test_a_corrected_version_may_come_under_the_number_of_a_rejected_one() -> None:
    assert rejection(Version.of(2, 200, [Change(Op.REMOVE_LABEL, "q")])) == "label_absent"
    assert after(Change(Op.REMOVE_LABEL, "x")).version == 2


def test_event_time_is_the_largest_ts_so_far() -> None:
    early = Version.of(2, 50, [])
    assert Schema.empty().event_time_of(early) == 50
    assert BASE.event_time_of(early) == 100
    assert BASE.apply(early).event_time_ms == 100
    assert BASE.apply(early).apply(Version.of(3, 101, [])).event_time_ms == 101


def test_nothing_of_a_schema_can_be_changed() -> None:
    attributes = {"a": "1"}
    changed = after(Change(Op.ADD_LABEL, "z", attributes=attributes))
    attributes["a"] = "2"
    assert changed.labels["z"] == {"a": "1"}
    for mapping in (changed.features, changed.labels, changed.labels["z"]):
        with pytest.raises(TypeError):
            mapping["new"] = "value"  # type: ignore[index]
    with pytest.raises(AttributeError):
        changed.version = 7  # type: ignore[misc]


def test_a_state_goes_through_json_and_comes_back_equal_with_the_order_of_names() -> None:
    changed = after(Change(Op.RETYPE_FEATURE, "f", kind=Kind.MULTI_CATEGORICAL), Change(Op.RENAME_LABEL, "x", to="a"))
    state = json.loads(json.dumps(changed.state(), sort_keys=True))
    restored = Schema.from_state(state)
    assert restored == changed
    assert restored.state() == changed.state() == state
    assert list(restored.features) == list(changed.features) == ["g", "f"]
    assert list(restored.labels) == list(changed.labels) == ["y", "a"]
    assert all(type(kind) is Kind for kind in restored.features.values())
    assert Schema.from_state(Schema.empty().state()) == Schema.empty()


def test_a_copy_and_a_pickle_equal_the_schema() -> None:
    assert copy.deepcopy(BASE) == BASE == pickle.loads(pickle.dumps(BASE))


# A model that is too simple to be wrong: lists of [name, value], each rule written out.

names = st.sampled_from(["a", "b", "c"])
kinds = st.sampled_from(list(Kind))
attributes = st.dictionaries(st.sampled_from(["p", "q"]), st.sampled_from(["1", "2"]), max_size=2)
changes = st.one_of(
    st.builds(Change, st.sampled_from([Op.ADD_FEATURE, Op.RETYPE_FEATURE]), names, kind=kinds),
    st.builds(Change, st.sampled_from([Op.REMOVE_FEATURE, Op.REMOVE_LABEL]), names),
    st.builds(Change, st.sampled_from([Op.RENAME_FEATURE, Op.RENAME_LABEL]), names, to=names),
    st.builds(Change, st.just(Op.ADD_LABEL), names, attributes=st.none() | attributes),
    st.builds(Change, st.just(Op.UPDATE_LABEL), names, attributes=attributes),
)
bundles = st.lists(changes, max_size=3)


def naive(before: list[tuple[str, str, Any]], bundle: Iterable[Change]) -> list[tuple[str, str, Any]] | None:
    """Return (what, name, value) of all that is live after the changes; None where one of them cannot be."""
    now = list(before)
    for change in bundle:
        action, what = change.op.value.split("_")
        found = [entry for entry in now if entry[:2] == (what, change.name)]
        value: Any = change.kind if what == "feature" else dict(change.attributes or {})
        if (action == "add") == bool(found):
            return None
        if action == "rename":
            if any(entry[:2] == (what, change.to) for entry in now):
                return None
            now[now.index(found[0])] = (what, str(change.to), found[0][2])
        elif action == "update":
            now[now.index(found[0])] = (what, change.name, value)
        else:  # add, remove, retype
            now = [entry for entry in now if entry not in found]
            if action != "remove":
                now.append((what, change.name, value))
    return now


def entries(value: Schema) -> list[tuple[str, str, Any]]:
    features = [("feature", name, kind) for name, kind in value.features.items()]
    return features + [("label", name, dict(attributes)) for name, attributes in value.labels.items()]


def by_name(listed: list[tuple[str, str, Any]]) -> list[tuple[str, str, Any]]:
    return sorted(listed, key=lambda entry: entry[:2])


@settings(max_examples=80, deadline=None)
@given(st.lists(bundles, max_size=8))
def test_any_versions_apply_as_in_the_simple_model(history: list[list[Change]]) -> None:
    real, model = Schema.empty(), list[tuple[str, str, Any]]()
    for bundle in history:
        version = Version.of(real.version + 1, 10, bundle)
        expected = naive(model, bundle)
        before = real.state()
        if expected is None:
            rejection(version, on=real)
            assert real.state() == before
        else:
            assert real.check(version) == "new"
            real, model = real.apply(version), expected
            assert real.apply(version) is real
    assert by_name(entries(real)) == by_name(model)
    assert Schema.from_state(real.state()) == real


@settings(max_examples=60, deadline=None)
@given(st.lists(bundles, max_size=4), st.lists(bundles, max_size=4))
def test_a_diff_leads_from_any_schema_to_any_other(first: list[list[Change]], second: list[list[Change]]) -> None:
    reached = []
    for history in (first, second):
        real = Schema.empty()
        for bundle in history:
            if naive(entries(real), bundle) is not None:
                real = real.apply(Version.of(real.version + 1, 10, bundle))
        reached.append(real)
    old, new = reached
    found = diff(old, new)
    assert live(old.apply(Version.of(old.version + 1, 10, found))) == live(new)
    assert (found == []) == (live(old) == live(new))


@settings(max_examples=60, deadline=None)
@given(bundles, st.integers(1, 9), st.integers(-(10**15), 10**15))
def test_a_version_goes_through_its_record_and_comes_back_equal(bundle: list[Change], number: int, ts: int) -> None:
    version = Version.of(number, ts, bundle)
    assert parse_version(version_to_json(version)) == version


def test_each_change_is_described_in_a_line() -> None:
    described = describe(
        [
            Change(Op.ADD_FEATURE, "in_c27", kind=Kind.NUMERIC),
            Change(Op.REMOVE_FEATURE, "old"),
            Change(Op.RENAME_FEATURE, "a", to="b"),
            Change(Op.RETYPE_FEATURE, "a", kind=Kind.BOOLEAN),
            Change(Op.ADD_LABEL, "c27:SOAP", attributes={"category": "SOAP", "campaign": "c27"}),
            Change(Op.UPDATE_LABEL, "x", attributes={}),
        ]
    )
    assert described == [
        "+ feature in_c27: numeric",
        "- feature old",
        "~ feature a -> b",
        "~ feature a: boolean",
        "+ label c27:SOAP {campaign=c27, category=SOAP}",
        "~ label x {}",
    ]


def test_a_long_history_of_a_large_schema_is_cheap() -> None:
    many = [Change(Op.ADD_LABEL, f"l{index}", attributes={"c": str(index % 7)}) for index in range(5000)]
    real = Schema.empty().apply(Version.of(1, 0, many))
    for number in range(2, 202):
        name = f"l{number}"
        real = real.apply(Version.of(number, number, [Change(Op.REMOVE_LABEL, name), Change(Op.ADD_LABEL, name)]))
    assert (len(real.labels), real.version, len(real.applied)) == (5000, 201, 201)
