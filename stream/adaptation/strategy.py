"""The strategies by name: what a schema change does to the layers that it touches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stream.errors import ConfigurationError

__all__ = ["STRATEGIES", "Strategy", "strategy_named"]


@dataclass(frozen=True, slots=True)
class Strategy:
    """One way to follow a schema change (transfer adaptation, Suleymanzade and Abdullayeva 2024)."""

    name: str
    sentence: str
    replaces: bool
    """A touched layer starts anew as a whole; otherwise what survives by name is kept, optimiser state included."""


STRATEGIES: Final[dict[str, Strategy]] = {
    strategy.name: strategy
    for strategy in (
        Strategy(
            "carry",
            "Keep what survives by name, add the new without changing the function, warm up only what is new.",
            replaces=False,
        ),
        Strategy(
            "replace",
            "The paper's: a fresh input and/or output layer, all else frozen until it is warm, then all unfrozen.",
            replaces=True,
        ),
    )
}


def strategy_named(name: str) -> Strategy:
    """Return a strategy; raises ConfigurationError, listing the known ones, for a name that is none."""
    try:
        return STRATEGIES[name]
    except KeyError:
        known = ", ".join(STRATEGIES)
        raise ConfigurationError(f"strategy = {name!r} is unknown. Use one of: {known}.") from None
