"""The arms that retrain from scratch every so many events on everything so far, and stand still in between."""

from __future__ import annotations

from collections.abc import Mapping

from stream.bench.adaptation.online import Progress
from stream.bench.adaptation.refit import EPOCHS, Refitted, run_refitted
from stream.bench.adaptation.stream import BenchStream
from stream.bench.adaptation.trace import Trace
from stream.schema import Version

__all__ = ["FIRST_REFIT_EVENTS", "run_retrain"]

FIRST_REFIT_EVENTS = 1_000
"""Whoever retrains rarely has a first model early all the same."""


def run_retrain(
    stream: BenchStream,
    overrides: Mapping[str, str],
    seed: int,
    progress: Progress,
    *,
    every_events: int,
    epochs: int = EPOCHS,
) -> Trace:
    """Pass over a stream with a model that is refitted after each `every_events` events and stands still in between.

    The first refit is after `FIRST_REFIT_EVENTS` if that is earlier; until then the untrained network predicts. The
    schema is followed at once. What a refit takes is added to `seconds`; that an event would meet the old model while
    the new one is being trained is not modelled.
    """
    next_refit = min(every_events, FIRST_REFIT_EVENTS)

    def due(arm: Refitted, versions: list[Version]) -> bool:
        nonlocal next_refit
        if arm.past.events < next_refit:
            return False
        next_refit = (arm.past.events // every_events + 1) * every_events
        return True

    trace = run_refitted(stream, overrides, seed, progress, due=due, online=False, epochs=epochs)
    trace.notes["every_events"] = every_events
    return trace
