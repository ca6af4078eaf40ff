"""Alive means polling; ready means restored."""

from __future__ import annotations

from stream.metrics.health import Health
from stream.observe import Poll, Start
from stream.report import SchemaReport
from tests.metrics.scripted_run import CHANGE, Clock


def test_alive_until_no_poll_has_completed_within_the_bound() -> None:
    clock = Clock()
    health = Health(clock, poll_bound_seconds=60)
    clock.seconds += 60
    assert health.alive().ok
    clock.seconds += 0.1
    assert not health.alive().ok
    assert health.alive().reason.startswith("60.1 s since the start, and no poll has completed yet; the bound is 60 s")
    health.polled(Poll(0.2, 0, {}, clock()))
    assert health.alive().ok
    clock.seconds += 61
    assert not health.alive().ok
    assert health.alive().reason.startswith("61.0 s since the last poll completed")


def test_the_first_poll_gets_the_whole_bound_after_the_restore() -> None:
    clock = Clock()
    health = Health(clock, poll_bound_seconds=60)
    clock.seconds += 50
    health.started(Start("files", "carry", {}, 3))
    clock.seconds += 50
    assert health.alive().ok


def test_ready_once_the_model_is_restored_and_no_longer_when_it_has_stopped() -> None:
    health = Health(Clock(), poll_bound_seconds=60)
    assert not health.ready().ok
    assert health.ready().reason == "the model is not restored yet"
    health.started(Start("files", "carry", {}, None))
    assert health.ready().ok
    health.stopped({})
    assert not health.ready().ok


def test_a_rejected_version_is_told_until_a_next_one_is_applied_and_fails_nothing() -> None:
    health = Health(Clock(), poll_bound_seconds=60)
    health.started(Start("files", "carry", {}, None))
    assert health.ready().rejection is None
    health.schema_rejected(7, "version_gap")
    assert health.ready().ok, "it may be another team's"
    assert "schema version 7 was rejected (version_gap)" in (health.ready().rejection or "")
    assert health.alive().ok, "a rejected schema is no reason to restart"
    health.schema_changed(SchemaReport(5, changes=[CHANGE], duplicate=True), 0.1)
    assert health.ready().rejection is not None, "a repeated version changes nothing"
    health.schema_changed(SchemaReport(6, changes=[CHANGE]), 0.1)
    assert health.ready().rejection is None


def test_a_version_without_a_readable_number_is_named_so() -> None:
    health = Health(Clock(), poll_bound_seconds=60)
    health.started(Start("files", "carry", {}, None))
    health.schema_rejected(None, "not_json")
    assert "without a readable number" in (health.ready().rejection or "")
