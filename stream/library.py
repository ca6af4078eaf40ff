"""The learner as a plain library has it: one that can be kept in a file.

The core computes and knows no files, so this is the core's learner with two methods more. A file of `save` is a
checkpoint: `stream inspect` and `stream recommend` read it, and `load` reads what a service has written.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from stream import state
from stream.checkpoint.file import read_at, write_checkpoint
from stream.learner.core import LearnerCore
from stream.records.interaction import interaction_of
from stream.scoring.recommend import best_offers
from stream.service.learner_settings import to_plain
from stream.service.restore import learner_in

__all__ = ["Learner"]


class Learner(LearnerCore):
    """A learner with `save` and `load`; the rest is `stream.learner.core.LearnerCore`."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything, settings included, to a file that goes on where this learner stands.

        The file is checksummed, holds no pickle, and replaces one of the same name in one step: a crash leaves the old.

        Raises:
            NonFinite: a weight is no number; the file stays as it was.
            CheckpointError: the disk refused.
        """
        service = {
            "source": "library",
            "strategy": self.settings.strategy,
            "seconds": 0.0,
            "rejection": None,
            "learner_settings": to_plain(self.settings),
        }
        write_checkpoint(Path(path), 0, state.pieces({"service": service, "learner": self.state()}))

    def recommend(self, event: Mapping[str, Any], k: int = 5) -> list[tuple[str, float]]:
        """Return the `k` offers that the event most probably takes, each with its probability; changes nothing.

        Best first, ties by name, out of the live offers that the event's `shown` admits (all, if it has none).
        `event` has the members of an interaction, of which `features` is the one required: `{"features": {...},
        "key": "ann"}`. Without `key` it is anonymous; without `ts` it happens at the learner's own event time. The
        probabilities are those of `stream recommend`.

        Raises:
            InvalidInteraction: a member is not as the contract has it.
            ValueError: `k` is below 1.
        """
        if k < 1:
            raise ValueError(f"k is {k}; ask for one offer at least")
        found = best_offers(self, interaction_of(event, self.event_time_ms or 0), k)
        return [(name, probability) for name, probability in found["recommendations"]]

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return the learner in a file of `save`, or in a checkpoint of a service (of a directory, the newest).

        Raises:
            CheckpointMissing: there is none. CheckpointCorrupt: it is not, byte for byte, what was written.
            CheckpointError: this program lacks one of its settings.
        """
        return learner_in(read_at(Path(path)), cls)[0]
