"""Other libraries on the same events, with the same offers to rank and the same measures.

They know no schema: a name is there when an event or an offer has it, and a renamed one is another. They learn one
event at a time, at a few hundred a second or less, so they see the beginning of a stream only.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from stream.bench.adaptation.online import Progress
from stream.bench.adaptation.pairs import Pairs, pairs_of
from stream.bench.adaptation.scoring import Scorer
from stream.bench.adaptation.stream import BenchStream
from stream.bench.adaptation.trace import Trace
from stream.bench.peer_environment import DEEP_RIVER, peer_python
from stream.encoding.values import MISTYPED, boolean_value, categorical_value, multi_values, numeric_value
from stream.errors import ConfigurationError
from stream.records.interaction import Interaction
from stream.schema import Kind, Schema, Version

__all__ = ["LIMIT_EVENTS", "LIMIT_SECONDS", "PEERS", "run_peer"]

LIMIT_EVENTS = 5_000
LIMIT_SECONDS = 600.0

PEERS: Final = {
    "river-logistic": "river's logistic regressions, one an offer, SGD at 0.05, on scaled and one-hot inputs.",
    "deep-river": "deep-river's growing network of two hidden layers of 128, Adam at 0.001, on the same inputs.",
}
_READ: Final = {
    Kind.NUMERIC: numeric_value,
    Kind.BOOLEAN: boolean_value,
    Kind.CATEGORICAL: categorical_value,
    Kind.MULTI_CATEGORICAL: multi_values,
}


def run_peer(
    name: str,
    stream: BenchStream,
    seed: int,
    progress: Progress,
    *,
    limit_events: int = LIMIT_EVENTS,
    limit_seconds: float = LIMIT_SECONDS,
) -> Trace:
    """Let a peer pass over the beginning of a stream; the trace is as long as what it got through.

    Raises:
        ConfigurationError: there is no such peer, or it cannot be had or run here, and why.
    """
    if name not in PEERS:
        raise ConfigurationError(f"no peer {name!r}; there are: {', '.join(PEERS)}")
    python = peer_python("deep-river", DEEP_RIVER) if name == "deep-river" else Path(sys.executable)
    beginning = _beginning(stream, limit_events)
    with tempfile.TemporaryDirectory(prefix="stream-peer-") as directory:
        events, out = Path(directory) / "events.jsonl", Path(directory) / "out.npz"
        with events.open("wb") as file:
            for event, schema, pairs in _told(beginning):
                line = {"x": _inputs(event, schema), "offers": pairs.offers, "taken": pairs.taken}
                file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        _run([str(python), name, str(events), str(out), str(seed), str(limit_seconds)], progress, beginning.events)
        with np.load(out, allow_pickle=False) as found:
            logit, seconds, cost = found["logit"], found["seconds"], found["cost"]
    trace = _measured(_beginning(stream, len(seconds)), logit, seconds)
    trace.train_seconds = float(seconds[-1]) if len(seconds) else 0.0
    trace.cpu_seconds = float(cost[0])
    trace.parameters = trace.parameters_trained = int(cost[1])
    trace.peak_memory_bytes = int(cost[2])
    trace.notes |= {"peer": PEERS[name], "events_of_stream": stream.events, "events": len(seconds)}
    return trace


def _beginning(stream: BenchStream, events: int) -> BenchStream:
    items: list[Version | Interaction] = []
    seen = 0
    for item in stream.items:
        if isinstance(item, Interaction):
            if seen == events:
                break
            seen += 1
        items.append(item)
    while items and isinstance(items[-1], Version):
        items.pop()
    return BenchStream(stream.name, items, stream.attribute, stream.domain)


def _told(stream: BenchStream) -> Iterator[tuple[Interaction, Schema, Pairs]]:
    schema = Schema.empty()
    for item in stream.items:
        if isinstance(item, Version):
            schema = schema.apply(item)
        else:
            yield item, schema, pairs_of(item, schema)


def _inputs(event: Interaction, schema: Schema) -> dict[str, Any]:
    """The inputs as Python has them: a number, a string, or a list of strings; the key is one of them."""
    inputs: dict[str, Any] = {"(key)": event.key}
    for name, kind in schema.features.items():
        value = _READ[kind](event.features.get(name))
        if value is not None and value is not MISTYPED:
            inputs[name] = float(value) if isinstance(value, bool) else value
    return inputs


def _run(command: list[str], progress: Progress, total: int) -> None:
    script = Path(__file__).with_name("peer_script.py")
    # -P: the script's own folder holds modules of ours by names that the standard library has too.
    command = [command[0], "-P", str(script), *command[1:]]
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip().isdigit():
                progress(int(line), total)
        if process.wait():
            errors.seek(0)
            last = (errors.read().strip().splitlines() or ["it said nothing"])[-1]
            raise ConfigurationError(f"The peer {command[3]} failed here: {last}")


def _measured(stream: BenchStream, logit: NDArray[np.float64], seconds: NDArray[np.float64]) -> Trace:
    scorer = Scorer(stream)
    schema, first, versions = Schema.empty(), 0, list[Version]()
    slots: dict[str, int] = {}
    for item in stream.items:
        if isinstance(item, Version):
            schema = schema.apply(item)
            versions.append(item)
            continue
        if versions:
            slots = {name: slot for slot, name in enumerate(schema.labels)}
            scorer.apply(versions, list(slots))
            versions = []
        pairs = pairs_of(item, schema)
        last = first + len(pairs.offers)
        scorer.add(
            np.array([0, last - first]),
            np.array([slots[name] for name in pairs.offers], dtype=np.int64),
            np.array(pairs.possible, dtype=bool),
            np.array(pairs.taken, dtype=bool),
            logit[first:last],
            seconds=float(seconds[scorer.events]),
        )
        first = last
    return scorer.trace
