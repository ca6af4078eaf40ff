"""A checkpoint with another form of the same model in it: for commands that change a checkpoint at rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from stream import state
from stream.adaptation.mlet.convert import largest_difference
from stream.checkpoint.file import CheckpointFile, checkpoint_name, read_at, write_checkpoint
from stream.errors import CheckpointError, ConfigurationError
from stream.learner.core import LearnerCore
from stream.network.persistence import parameter_counts
from stream.service.learner_settings import to_plain
from stream.service.restore import learner_in

__all__ = ["convert", "rewrite"]

TOLERANCE = 1e-5
"""Of a logit, relative to 1 + the largest one: what the contract grants to a changed order of summation."""


def convert(checkpoint: Path, out: Path, change: Callable[[LearnerCore], LearnerCore]) -> str:
    """Write what `change` makes of a checkpoint's model, after a check that it predicts the same; say what it did.

    `checkpoint` is a file, or a directory whose newest one is taken.

    Raises:
        CheckpointMissing, CheckpointCorrupt: there is nothing to be read.
        ConfigurationError: see `change` and `rewrite`.
        CheckpointError: the new model's predictions differ, or it cannot be written.
    """
    found = read_at(checkpoint)
    learner, _ = learner_in(found, LearnerCore, device="cpu")
    changed = change(learner)
    difference, largest = largest_difference(learner, changed)
    if not difference <= TOLERANCE * (1.0 + largest):
        raise CheckpointError(
            f"the new model's logits differ from those of {found.path} by up to {difference:.2g}; nothing was written: "
            "keep the checkpoint as it is"
        )
    path = rewrite(found, changed, out)
    before, after = parameter_counts(learner.network)[0], parameter_counts(changed.network)[0]
    return (
        f"{path}: strategy {changed.settings.strategy}, {after} parameters instead of {before}, "
        f"{path.stat().st_size} bytes instead of {found.path.stat().st_size}; "
        f"logits up to {largest:.3g}, differing by at most {difference:.2g}"
    )


def rewrite(checkpoint: CheckpointFile, learner: LearnerCore, out: Path) -> Path:
    """Write `checkpoint` with `learner` in the place of its model to `out`, a new file, and return its path.

    Where `out` is a directory, the file gets the checkpoint's own name in it, under which a learner finds it. Number
    and offsets stay.

    Raises:
        ConfigurationError: there is such a file already.
        CheckpointError: it cannot be written.
    """
    path = out / checkpoint_name(checkpoint.number) if out.is_dir() else out
    if path.exists():
        raise ConfigurationError(f"{path} exists; give another name, or an empty directory")
    tree = checkpoint.tree()
    tree["learner"] = learner.state()
    service = tree["service"]
    # Where it is trained is not the model's: the checkpoint may be converted on a machine without the device.
    plain = {**to_plain(learner.settings), "device": service["learner_settings"]["device"]}
    service |= {"learner_settings": plain, "strategy": learner.settings.strategy}
    write_checkpoint(path, checkpoint.number, state.pieces(tree))
    return path
