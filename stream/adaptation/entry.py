"""What a method says of itself before it is built: name, seat, a sentence, what it refuses; without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Final

from stream.network.settings import NetworkSettings
from stream.settings.fields import Section

__all__ = ["NO_BACKBONE", "Entry", "MethodSettings", "Seat"]


class Seat(StrEnum):
    """The part of the learner that a method decides; a strategy has at most one method for each."""

    CHANGE = "what a schema change does to the layers"
    TRUNK = "what becomes of the trunk"
    TRAINING = "how every weight is trained"
    OUTPUT = "how the output layer is trained"
    KEYS = "how the keys' own weights are trained"
    TABLES = "how the tables of categorical values are trained"


@dataclass(frozen=True, slots=True)
class Entry:
    """One published way to adapt, or a control that it is compared with."""

    name: str
    seat: Seat
    sentence: str
    keeps_posterior: bool = False
    """Whether it tells how sure it is of a logit, so that `recommend --explore` works with it."""
    refuses: Mapping[str, str] = field(default_factory=dict)
    """Why it does not go together with a method of another seat, by that method's name."""


NO_BACKBONE: Final = "scratch starts a new network at each change, so that no backbone stays to be frozen."
"""Why a method that freezes a backbone refuses `scratch`."""


class MethodSettings(Section):
    """The settings of a folder of methods; its `method.py` has `build(name, settings)`, which makes one."""

    methods: ClassVar[tuple[Entry, ...]] = ()
    """The methods that these are the settings of."""
    shape_the_model: ClassVar[frozenset[str]] = frozenset()
    """Settings, by their own name, of which the shape of the weights depends: a checkpoint keeps them."""

    def check_with(self, method: str, network: NetworkSettings) -> None:
        """Raise WrongSetting if the method cannot work on a network of this shape."""
