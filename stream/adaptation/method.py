"""The small interface that all methods share: what one may do to the network, and when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stream.schema import Change
from stream.state import Tree

if TYPE_CHECKING:
    from stream.encoding.batch import Batch
    from stream.network.frame import Frame
    from stream.network.network import Network

__all__ = ["ChangeMade", "Method"]


@dataclass(frozen=True, slots=True)
class ChangeMade:
    """What a schema version did, as a method needs to know it."""

    inputs: bool
    """A feature was added, removed or retyped."""
    outputs: bool
    """An offer was added or removed."""
    creating: bool
    """It was the version that created the network."""
    leaves_new: bool
    """A feature or offer is new now that all changes were made."""
    warming_up: tuple[bool, bool]
    """Whether input and output layer were being warmed up as wholes just before."""
    changes: Sequence[Change] = ()
    """The single changes, for a method that follows a name."""


class Method:
    """One method, as part of a strategy; each hook does nothing unless a method overrides it.

    The learner calls them in this order: `install` once, on a network without names; `changed` after each
    schema version was made; `after_batch` after each batch was predicted, trained and counted.
    """

    @property
    def stochastic(self) -> bool:
        """Say whether the next training pass draws random numbers: the prediction is then a pass of its own."""
        return False

    def install(self, network: Network) -> None:
        """Put the method's own parts into a network that has no names yet."""

    def changed(self, network: Network, change: ChangeMade, now: int) -> bool:
        """Act on a schema version made at event number `now`; return whether that leaves something to warm up."""
        return False

    def warmed_up(self, network: Network) -> None:
        """Act on the end of a warm-up, or on a change that starts none: nothing is fresh any more."""

    def after_batch(self, network: Network, batch: Batch, frame: Frame, now: int, *, drift: bool) -> None:
        """Act on `now` events trained; `drift` says whether the loss has just moved."""

    def remarks(self) -> Sequence[str]:
        """Return, a sentence each, what the last schema version made the method do that an operator should know."""
        return ()

    def figures(self) -> Mapping[str, float]:
        """Return what the method has to say of itself in numbers, by name, for reports; part of no state."""
        return {}

    def state(self) -> Tree:
        """Return the method's own state, beside what it keeps in the network's parts."""
        return {}

    def restore(self, tree: Tree) -> None:
        """Take back what `state` returned."""

    def resumed(self, network: Network) -> None:
        """Act on a restored network: all its names are there again."""

    def named_state(self) -> Iterator[tuple[str, object]]:
        """Yield the method's own state by name, never by slot, for the state digest."""
        yield from self.state().items()
