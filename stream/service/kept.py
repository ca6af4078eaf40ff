"""What a checkpoint keeps beside the learner, checked before anything of it is used."""

from __future__ import annotations

from types import NoneType

from stream.errors import CheckpointCorrupt, ConfigurationError
from stream.state import Tree

__all__ = ["parts_of", "require_of_a_service", "service_of"]

_ALWAYS: dict[str, tuple[type, ...]] = {
    "source": (str,),
    "strategy": (str,),
    "seconds": (int, float),
    "rejection": (list, NoneType),
    "learner_settings": (dict,),
}
_OF_A_SERVICE: dict[str, tuple[type, ...]] = {
    "topic": (str,),
    "schema_topic": (str,),
    "offsets": (dict,),
    "schema_offset": (int,),
    "step_times": (dict,),
    "recent": (str,),
    "predictions_bytes": (int, NoneType),
    "digest_before": (str, NoneType),
    "schema_digest_before": (str, NoneType),
}


def parts_of(tree: Tree) -> tuple[Tree, Tree]:
    """Return the two parts of a checkpoint's state, the service's and the learner's; raise `CheckpointCorrupt`."""
    learner = tree.get("learner")
    if not isinstance(learner, dict):
        raise CheckpointCorrupt("the checkpoint holds no learner; restore an older one")
    return service_of(tree), learner


def service_of(tree: Tree) -> Tree:
    """Return the service's part of a checkpoint's state; raise `CheckpointCorrupt` if a member is not what it is."""
    service = tree.get("service")
    if not isinstance(service, dict):
        raise CheckpointCorrupt("the checkpoint does not say what it was made by; restore an older one")
    _require(service, _ALWAYS)
    if "topic" in service:
        _require(service, _OF_A_SERVICE)
        for partition, offset in service["offsets"].items():
            if not (partition.isdecimal() and isinstance(offset, int) and offset >= 0):
                raise CheckpointCorrupt(f"the checkpoint has the offset {offset!r} for partition {partition!r}")
        if service["schema_offset"] < 0 or (service["predictions_bytes"] or 0) < 0:
            raise CheckpointCorrupt("the checkpoint has an offset or a length below 0")
    return service


def require_of_a_service(service: Tree) -> None:
    """Raise `ConfigurationError` if the checkpoint was saved by the library, which reads no log."""
    if "topic" not in service:
        raise ConfigurationError(
            "the checkpoint was saved by Learner.save and has no offsets from which a service could go on; give this "
            "learner a checkpoint directory of its own"
        )


def _require(service: Tree, members: dict[str, tuple[type, ...]]) -> None:
    for name, kinds in members.items():
        value = service.get(name)
        if name not in service or not isinstance(value, kinds) or isinstance(value, bool):
            what = "is missing" if name not in service else f"is {value!r:.80}"
            raise CheckpointCorrupt(f"the checkpoint's {name} {what}; restore an older one")
