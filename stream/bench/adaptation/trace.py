"""What a run of any arm leaves: its prediction of every event, measured, and what the run cost."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from stream.errors import ConfigurationError
from stream.evaluation.bins import BINS

__all__ = ["Trace"]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

_FORMAT = 2
_DOCUMENT = "document"


@dataclass(slots=True)
class Trace:
    """Arrays over the N events in training order, all scored before the event was trained; then the whole run's costs.

    A pair is an (event, offer in R or T). A pair, or a label, is *new* if the offer was added by the last version
    (after the first) that added offers, and *old* otherwise; a rename leaves an offer what it is. Recalls of old and
    new labels are shares of the one ranking of R: |top5 and T_old| / min(5, |T_old|), so that new offers that push old
    ones out of the first five show.
    """

    bce_sum: Floats
    """`(N,)` nats, summed over the event's pairs."""
    bce_pairs: Counts
    taken: Counts
    """`(N,)` of these pairs, how many were taken."""
    recall: Floats
    """`(N,)` recall@5; NaN where T is empty."""
    ndcg: Floats
    """`(N,)` NDCG@5; NaN where T is empty."""
    old_sum: Floats
    """`(N,)` nats over the old pairs."""
    old_pairs: Counts
    new_sum: Floats
    new_pairs: Counts
    old_recall: Floats
    """`(N,)`; NaN if no label is old."""
    new_recall: Floats
    frozen: NDArray[np.bool_]
    """`(N,)` trained inside a frozen warm-up."""
    seconds: Floats
    """`(N,)` seconds of predicting and training up to and with this event's batch, without the measuring."""
    histogram: Counts
    """`(2, BINS)` pairs not taken and taken by logit, as `stream.evaluation.calibration` bins them; without the
    first fifth of the events."""
    task_sum: Floats
    """`(N, K)` nats by the offers' value of the attribute `task`, in the order of `tasks`; K = 0 if none has it."""
    task_pairs: Counts
    train_seconds: float = 0.0
    """Wall time of encoding, predicting, training and schema changes."""
    cpu_seconds: float = 0.0
    """CPU time of the same, of all threads."""
    cpu_seconds_frozen: float = 0.0
    """The part of it spent on batches inside a warm-up."""
    events_frozen: int = 0
    parameters: int = 0
    """In use at the end."""
    parameters_trained: int = 0
    """Trained by the last warm-up; all of them if there was none."""
    peak_memory_bytes: int = 0
    """The largest resident set of the process during the run; it includes the stream itself."""
    tasks: list[str] = field(default_factory=list)
    kl_nats: list[tuple[int, float]] = field(default_factory=list)
    """(event, KL divergence in nats), if the arm has one."""
    notes: dict[str, Any] = field(default_factory=dict)
    """What else is to be told of the run: JSON values."""

    def __len__(self) -> int:
        return len(self.bce_sum)

    @property
    def cpu_seconds_unfrozen(self) -> float:
        """CPU time outside warm-ups."""
        return self.cpu_seconds - self.cpu_seconds_frozen

    @classmethod
    def empty(cls, events: int, tasks: Sequence[str] = ()) -> Self:
        """Return a trace of `events` events in which nothing is measured yet."""

        def zeros() -> Floats:
            return np.zeros(events)

        def counts() -> Counts:
            return np.zeros(events, dtype=np.int64)

        def unknown() -> Floats:
            return np.full(events, np.nan)

        return cls(
            bce_sum=zeros(),
            bce_pairs=counts(),
            taken=counts(),
            recall=unknown(),
            ndcg=unknown(),
            old_sum=zeros(),
            old_pairs=counts(),
            new_sum=zeros(),
            new_pairs=counts(),
            old_recall=unknown(),
            new_recall=unknown(),
            frozen=np.zeros(events, dtype=bool),
            seconds=zeros(),
            histogram=np.zeros((2, BINS), dtype=np.int64),
            task_sum=np.zeros((events, len(tasks))),
            task_pairs=np.zeros((events, len(tasks)), dtype=np.int64),
            tasks=list(tasks),
        )

    def save(self, path: Path) -> None:
        """Write the trace as .npz, whole or not at all; no pickle."""
        arrays: dict[str, NDArray[Any]] = {}
        document: dict[str, Any] = {"format": _FORMAT}
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, np.ndarray):
                arrays[each.name] = value
            else:
                document[each.name] = value
        arrays[_DOCUMENT] = np.frombuffer(json.dumps(document).encode(), dtype=np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        incomplete = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        with incomplete.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # numpy's own keyword is a bool
        incomplete.replace(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote; raises ConfigurationError if the file is not that."""
        try:
            with np.load(path, allow_pickle=False) as archive:
                values: dict[str, Any] = dict(archive)
            document = json.loads(values.pop(_DOCUMENT).tobytes())
            if document.pop("format") != _FORMAT:
                raise ValueError("another version of this program wrote it")
            document["kl_nats"] = [(int(event), float(nats)) for event, nats in document["kl_nats"]]
            return cls(**values, **document)
        except (OSError, EOFError, BadZipFile, ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(f"{path} is no trace of a run: {error}; delete it, and run again") from error
