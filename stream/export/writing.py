"""An export on disk: the graph, its description, and the running counts and cells as they stood."""

from __future__ import annotations

import json
from pathlib import Path

from stream.errors import ConfigurationError
from stream.export.description import describe
from stream.export.graph import graph_of
from stream.learner.core import LearnerCore
from stream.publish.tensors import write_arrays
from stream.scoring.of_learner import snapshot_of
from stream.scoring.scorer import Scorer

__all__ = ["export_onnx"]

_STATE = ("counts/", "cells/", "keys/", "pairs/key", "pairs/wide")


def export_onnx(learner: LearnerCore, path: Path) -> list[Path]:
    """Write `path` (`.onnx`), and beside it `.json` and `.safetensors`; return the three paths.

    Raises ConfigurationError if the model cannot be exported, or the disk refuses.
    """
    if path.suffix != ".onnx":
        raise ConfigurationError(
            f"{path} does not end in .onnx; name the file so, and what goes with it lies beside it"
        )
    snapshot = snapshot_of(learner)
    graph = graph_of(Scorer(snapshot)).SerializeToString()
    described, state = path.with_suffix(".json"), path.with_suffix(".safetensors")
    try:
        path.write_bytes(graph)
        described.write_text(json.dumps(describe(learner), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        with state.open("wb") as file:
            write_arrays(file, {name: array for name, array in snapshot.arrays.items() if name.startswith(_STATE)})
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}; see its path, rights and room") from None
    return [path, described, state]
