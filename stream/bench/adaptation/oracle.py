"""The oracle: at each change fresh weights and epochs over everything so far, then online. As good as it is dear."""

from __future__ import annotations

from collections.abc import Mapping

from stream.bench.adaptation.online import Progress
from stream.bench.adaptation.refit import EPOCHS, Refitted, run_refitted
from stream.bench.adaptation.stream import BenchStream
from stream.bench.adaptation.trace import Trace
from stream.schema import Op, Version

__all__ = ["APART_EVENTS", "run_oracle"]

APART_EVENTS = 500
_RENAMES = frozenset({Op.RENAME_FEATURE, Op.RENAME_LABEL})


def run_oracle(
    stream: BenchStream,
    overrides: Mapping[str, str],
    seed: int,
    progress: Progress,
    *,
    epochs: int = EPOCHS,
    apart_events: int = APART_EVENTS,
) -> Trace:
    """Pass over a stream online, with a refit before the first event under each changed schema.

    Changes less than `apart_events` apart share a refit: what comes too soon after one, or after the start, is followed
    online by the arm's strategy until so many events have passed. A version that only renames needs none.
    """
    refitted_at, waiting = 0, False

    def due(arm: Refitted, versions: list[Version]) -> bool:
        nonlocal refitted_at, waiting
        for version in versions:
            waiting |= version.version > 1 and any(change.op not in _RENAMES for change in version.changes)
        if not waiting or arm.past.events - refitted_at < apart_events:
            return False
        refitted_at, waiting = arm.past.events, False
        return True

    trace = run_refitted(stream, overrides, seed, progress, due=due, online=True, epochs=epochs)
    trace.notes["apart_events"] = apart_events
    return trace
