"""What a checkpoint holds, in the words of the contract (part 7): for `stream inspect` and for comparing two."""

from __future__ import annotations

from typing import Any

from stream.checkpoint import FORMAT_VERSION, CheckpointFile, reading
from stream.learner.core import LearnerCore
from stream.service.progress import Rejection
from stream.service.restore import learner_in

__all__ = ["inside"]


def inside(checkpoint: CheckpointFile) -> dict[str, Any]:
    """Return what a checkpoint holds, as JSON values; reading it changes nothing.

    Raises `CheckpointError` if this program cannot rebuild the learner in it.
    """
    with reading(checkpoint.path):
        learner, service = learner_in(checkpoint, LearnerCore, device="cpu")
        schema = learner.schema
        rejection = service["rejection"]
        return {
            "path": str(checkpoint.path),
            "checkpoint_version": FORMAT_VERSION,
            "number": checkpoint.number,
            "sha256": checkpoint.digest,
            "size_bytes": checkpoint.path.stat().st_size,
            "source": service["source"],
            "strategy": service["strategy"],
            "implementation": checkpoint.tree()["learner"]["implementation"],
            **learner.summary(),
            "figures": dict(learner.strategy.figures()),
            "state_digest": learner.state_digest(),
            "event_time_ms": learner.event_time_ms,
            "features": len(schema.features),
            "labels": len(schema.labels),
            "aliases": len(schema.feature_aliases) + len(schema.label_aliases),
            "rejected_version": None if rejection is None else Rejection(*rejection)._asdict(),
            "seconds": round(service["seconds"], 3),
            "offsets": {service["topic"]: service["offsets"], service["schema_topic"]: {"0": service["schema_offset"]}}
            if "topic" in service
            else {},  # saved by the library: it reads no log
        }
