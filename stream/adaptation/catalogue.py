"""The methods by name, and which go together. A method is a folder of this room and one line here.

A strategy is written as one name, or as parts joined by `+`: each part takes a seat, and no two may share one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stream.adaptation.backbone.settings import BackboneSettings
from stream.adaptation.bayes.settings import BayesSettings
from stream.adaptation.entry import Entry, MethodSettings, Seat
from stream.adaptation.glmix.settings import GlmixSettings
from stream.adaptation.iak.settings import IakSettings
from stream.adaptation.mlet.settings import MletSettings
from stream.adaptation.peterrec.settings import PeterRecSettings
from stream.adaptation.transfer.settings import WarmupSettings
from stream.errors import ConfigurationError
from stream.settings.fields import Section, declared, section

__all__ = ["FOLDERS", "METHODS", "MethodSections", "folder_of", "parse_strategy"]


@dataclass(frozen=True)
class MethodSections(Section):
    """One line a folder of methods: its settings, whose class says which methods they belong to."""

    warmup: WarmupSettings = section(WarmupSettings)
    backbone: BackboneSettings = section(BackboneSettings)
    peterrec: PeterRecSettings = section(PeterRecSettings)
    bayes: BayesSettings = section(BayesSettings)
    glmix: GlmixSettings = section(GlmixSettings)
    mlet: MletSettings = section(MletSettings)
    iak: IakSettings = section(IakSettings)


FOLDERS: Final[tuple[type[MethodSettings], ...]] = tuple(kind for _, kind, _ in declared(MethodSections))
METHODS: Final[dict[str, Entry]] = {entry.name: entry for kind in FOLDERS for entry in kind.methods}


def folder_of(name: str) -> type[MethodSettings]:
    """Return the settings of the folder that a method lives in."""
    return next(kind for kind in FOLDERS if any(entry.name == name for entry in kind.methods))


def parse_strategy(name: str) -> tuple[Entry, ...]:
    """Return the methods of a strategy, that of the seat CHANGE first (`carry` if none is named).

    Raises ConfigurationError for an unknown part, for two parts of one seat, and for a pair that makes no sense.
    """
    entries = []
    for part in name.split("+"):
        if part not in METHODS:
            raise ConfigurationError(f"strategy = {name!r}: {part!r} is unknown. Use one of: {', '.join(METHODS)}.")
        entries.append(METHODS[part])
    if not any(entry.seat is Seat.CHANGE for entry in entries):
        entries.insert(0, METHODS["carry"])
    by_seat: dict[Seat, Entry] = {}
    for entry in entries:
        if entry.seat in by_seat:
            raise ConfigurationError(
                f"strategy = {name!r}: {by_seat[entry.seat].name} and {entry.name} both decide {entry.seat}. Keep one."
            )
        by_seat[entry.seat] = entry
    for entry in entries:
        for other in entries:
            if other.name in entry.refuses:
                pair = " and ".join(sorted((entry.name, other.name)))
                reason = entry.refuses[other.name]
                raise ConfigurationError(f"strategy = {name!r}: {pair} do not go together: {reason}")
    return tuple(sorted(entries, key=lambda entry: list(Seat).index(entry.seat)))
