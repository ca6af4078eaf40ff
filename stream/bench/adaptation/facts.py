"""What a stream itself has to say of its events, whichever arm learns from it: changes, truth, domains, rare values."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream.bench.adaptation.slices import domains_of, rarity_of
from stream.bench.adaptation.stream import BenchStream
from stream.errors import ConfigurationError

__all__ = ["DECILES", "Facts", "facts_of"]

DECILES: Final = 10


@dataclass(frozen=True, slots=True)
class Facts:
    """Arrays over the N events of a stream."""

    changes: NDArray[np.int64]
    """`(C,)` events before which a version after the first takes effect, ascending."""
    decile: NDArray[np.int64]
    """`(N,)` 0 to 9: the tenth of the events that this one is in, by how often its rarest categorical value had been
    seen before, the rarest first; -1 for an event without values."""
    domain: NDArray[np.int64]
    """`(N,)` index into `domains`; -1 if the event names none."""
    domains: tuple[str, ...]
    """The names of the domains; empty if the stream has none."""
    truth: NDArray[np.float64] | None
    """`(N,)` nats: the loss of the true probabilities on the labels drawn; None if the truth is not known."""

    def beginning(self, events: int) -> Facts:
        """Return the facts of the first so many events."""
        if events >= len(self.decile):
            return self
        return Facts(
            changes=self.changes[self.changes < events],
            decile=self.decile[:events],
            domain=self.domain[:events],
            domains=self.domains,
            truth=None if self.truth is None else self.truth[:events],
        )

    def save(self, path: Path) -> None:
        """Write the facts as .npz, whole or not at all."""
        arrays: dict[str, Any] = {"changes": self.changes, "decile": self.decile, "domain": self.domain}
        arrays["domains"] = np.frombuffer(json.dumps(self.domains).encode(), dtype=np.uint8)
        if self.truth is not None:
            arrays["truth"] = self.truth
        path.parent.mkdir(parents=True, exist_ok=True)
        incomplete = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        with incomplete.open("wb") as file:
            np.savez_compressed(file, **arrays)
        incomplete.replace(path)

    @classmethod
    def load(cls, path: Path) -> Facts:
        """Read what `save` wrote; raises ConfigurationError if the file is not that."""
        try:
            with np.load(path, allow_pickle=False) as archive:
                arrays = dict(archive)
            domains = tuple(json.loads(arrays["domains"].tobytes()))
            return cls(arrays["changes"], arrays["decile"], arrays["domain"], domains, arrays.get("truth"))
        except (OSError, ValueError, KeyError) as error:
            raise ConfigurationError(f"{path} holds no facts of a stream: {error}; delete it, run again") from error


def facts_of(stream: BenchStream) -> Facts:
    """Gather the facts of a stream."""
    domain, domains = domains_of(stream)
    return Facts(
        changes=np.array(stream.changes, dtype=np.int64),
        decile=deciles(rarity_of(stream)),
        domain=domain,
        domains=tuple(domains),
        truth=stream.realised,
    )


def deciles(rarity: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return `(N,)` tenths of the events by ascending `rarity`, earlier ones first at an equal one; -1 stays -1."""
    found = np.full(rarity.size, -1, dtype=np.int64)
    known = np.flatnonzero(rarity >= 0)
    order = known[np.argsort(rarity[known], kind="stable")]
    found[order] = np.arange(order.size) * DECILES // max(order.size, 1)
    return found
