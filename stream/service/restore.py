"""The learner in a checkpoint, rebuilt: for a service that goes on from it and for commands that look at it."""

from __future__ import annotations

from typing import TypeVar

from stream.checkpoint import CheckpointFile, reading
from stream.errors import CheckpointCorrupt, CheckpointError, ConfigurationError
from stream.learner.core import LearnerCore
from stream.records.interaction import Interaction
from stream.service.kept import parts_of
from stream.service.learner_settings import from_plain
from stream.settings.learner import LearnerSettings
from stream.state import Tree, misfit

__all__ = ["learner_in", "learner_of"]

L = TypeVar("L", bound=LearnerCore)


def learner_in(checkpoint: CheckpointFile, kind: type[L], device: str | None = None) -> tuple[L, Tree]:
    """Return the learner in a checkpoint, under the settings that it was made with, and the service's part beside it.

    Args:
        checkpoint: what was read.
        kind: the class of the learner.
        device: stands in for the checkpoint's own, which may have been made on another machine.

    Raises:
        CheckpointCorrupt: it does not hold what this program writes.
        CheckpointError: this program lacks one of its settings.
    """
    with reading(checkpoint.path):
        service, learner = parts_of(checkpoint.tree())
        try:
            return learner_of(learner, from_plain(service["learner_settings"], device), kind), service
        except ConfigurationError as error:
            raise CheckpointError(
                f"{checkpoint.path}: its settings are not this program's, or not its model's: {error}; "
                "use the program that wrote it"
            ) from error


def learner_of(tree: Tree, settings: LearnerSettings, kind: type[L]) -> L:
    """Return the learner whose state this is, once it has predicted: parts that do not fit together show here.

    The form of each part is that of a new learner's, so that nothing of another type or dtype lies in wait for later.

    Raises whatever a state of another form raises; see `stream.checkpoint.reading`.
    """
    form = kind(settings).state()
    if tree["evaluation"]["finite"] is None:  # a service has no sums of a finite pass, and one may end its life
        form["evaluation"]["finite"] = None
    wrong = misfit(tree, form)
    if wrong is not None:
        raise CheckpointCorrupt(f"the learner's {wrong} is not of the form that it has; restore an older one")
    learner = kind.from_state(tree, settings)
    event = Interaction(id="", key="", ts=learner.event_time_ms or 0, features={}, labels=(), shown=None)
    learner.predict(learner.encode([event]))
    learner.summary()
    return learner
