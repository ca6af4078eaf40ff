"""The learner's settings inside a checkpoint, so that it can be read without the configuration that made it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from stream.adaptation import Seat, parse_strategy
from stream.adaptation.catalogue import FOLDERS
from stream.errors import ConfigurationError
from stream.settings.catalogue import entries, sections
from stream.settings.fields import Section
from stream.settings.learner import LearnerSettings

__all__ = ["from_plain", "require_device", "require_same_model", "to_plain"]

S = TypeVar("S", bound=Section)

_OF_THE_MODEL = (
    *("seed", "network.", "evaluation.", "optimiser.embedding_method"),
    *(folder.key(name) for folder in FOLDERS for name in folder.shape_the_model),
)
"""What decides on the shape and meaning of the state itself; everything else may change between two runs."""

_FREE = frozenset({"evaluation.finite"})
"""A service may be ended by a pass with `--stop-at-end`, which switches this on by itself."""


def to_plain(settings: LearnerSettings) -> dict[str, Any]:
    """Return the learner's settings (of all settings, those alone) by dotted key, as JSON values."""
    return {entry.key: _value(settings, entry.key) for entry in entries(LearnerSettings)}


def from_plain(values: Mapping[str, Any], device: str | None = None) -> LearnerSettings:
    """Return the settings that `to_plain` wrote; what it did not know yet has its default.

    A `device` stands in for that of the checkpoint, which may have been made on another machine.

    Raises `ConfigurationError` if a key is no setting any more, or its value is out of bounds now.
    """
    unknown = sorted(set(values).difference(entry.key for entry in entries(LearnerSettings)))
    if unknown:
        raise ConfigurationError(f"the checkpoint has the settings {', '.join(unknown)}, which this program lacks")
    return _build(LearnerSettings, values if device is None else {**values, "device": device}, "")


def require_device(device: str) -> None:
    """Raise `ConfigurationError` if this machine, or this torch, lacks the device of the settings."""
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError(
            "device = 'cuda', but torch finds none here; set device = \"cpu\", or see the driver and whether this "
            "torch carries CUDA"
        )


def require_same_model(kept: Mapping[str, Any], settings: LearnerSettings) -> None:
    """Raise `ConfigurationError` if the settings ask for another model than the checkpoint holds."""
    now = to_plain(settings)
    differing = [
        f"{key} = {now[key]!r} (it was {kept[key]!r})"
        for key in sorted(kept)
        if key.startswith(_OF_THE_MODEL) and key not in _FREE and key in now and now[key] != kept[key]
    ]
    before, wanted = str(kept["strategy"]), settings.strategy
    if _parts(before) != _parts(wanted):
        differing.append(f"strategy = {wanted!r} (it was {before!r}; what a schema change does is free)")
    if differing:
        raise ConfigurationError(
            f"the checkpoint's model was made with other settings: {', '.join(differing)}; "
            "set them as they were, or give this learner a new name and checkpoint directory"
        )


def _parts(strategy: str) -> list[str]:
    """Return the methods of a strategy that own part of the model's state."""
    return [entry.name for entry in parse_strategy(strategy) if entry.seat is not Seat.CHANGE]


def _value(settings: object, key: str) -> Any:
    for name in key.split("."):
        settings = getattr(settings, name)
    return list(settings) if isinstance(settings, tuple) else settings


def _build(kind: type[S], values: Mapping[str, Any], prefix: str) -> S:
    nested = dict(sections(kind))
    arguments: dict[str, Any] = {name: _build(inner, values, f"{prefix}{name}.") for name, inner in nested.items()}
    for key, value in values.items():
        name = key.removeprefix(prefix)
        if key.startswith(prefix) and "." not in name:
            arguments[name] = value
    return kind(**arguments)
