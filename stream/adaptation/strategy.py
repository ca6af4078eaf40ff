"""A strategy: the methods that one line of configuration selects, and the network that they act on together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from stream.adaptation.catalogue import folder_of, parse_strategy
from stream.adaptation.method import ChangeMade, Method
from stream.adaptation.transfer.method import Transfer
from stream.errors import ConfigurationError
from stream.state import Tree

if TYPE_CHECKING:
    from stream.encoding.batch import Batch
    from stream.network.frame import Frame
    from stream.network.network import Network
    from stream.settings.learner import LearnerSettings

__all__ = ["Strategy"]


def _built(name: str, settings: LearnerSettings) -> Method:
    """Return a method, built by the module `method` of its folder."""
    home = folder_of(name).__module__.rpartition(".")[0]
    method = import_module(f"{home}.method").build(name, settings)
    assert isinstance(method, Method)
    return method


class Strategy:
    """The methods of a strategy, called one after the other; that of the seat CHANGE comes first."""

    def __init__(self, settings: LearnerSettings) -> None:
        self.methods: dict[str, Method] = {
            entry.name: _built(entry.name, settings) for entry in parse_strategy(settings.strategy)
        }
        first = next(iter(self.methods.values()))
        assert isinstance(first, Transfer)
        self.transfer = first

    @property
    def stochastic(self) -> bool:
        """Say whether the next training pass draws random numbers."""
        return any(method.stochastic for method in self.methods.values())

    def install(self, network: Network) -> None:
        """Put every method's parts into a network without names."""
        for method in self.methods.values():
            method.install(network)

    def changed(self, network: Network, change: ChangeMade, now: int) -> bool:
        """Let every method act on a schema version; return whether one of them leaves something to warm up."""
        left = [method.changed(network, change, now) for method in self.methods.values()]
        return any(left)

    def warmed_up(self, network: Network) -> None:
        """Tell every method that nothing is fresh any more."""
        for method in self.methods.values():
            method.warmed_up(network)

    def after_batch(self, network: Network, batch: Batch, frame: Frame, now: int, *, drift: bool) -> None:
        """Let every method act on a trained batch."""
        for method in self.methods.values():
            method.after_batch(network, batch, frame, now, drift=drift)

    def remarks(self) -> Sequence[str]:
        """Return what the methods have to say of the last schema version."""
        return [remark for method in self.methods.values() for remark in method.remarks()]

    def figures(self) -> Mapping[str, float]:
        """Return what the methods have to say of themselves in numbers."""
        return {name: value for method in self.methods.values() for name, value in method.figures().items()}

    @property
    def _keeping(self) -> Mapping[str, Method]:
        """The methods that keep a state of their own; what a schema change does is decided anew at each change."""
        return {name: method for name, method in self.methods.items() if method is not self.transfer}

    def state(self) -> Tree:
        """Return by its name the state of every method that keeps one."""
        return {name: method.state() for name, method in self._keeping.items()}

    def require_same_methods(self, tree: Tree) -> None:
        """Raise ConfigurationError if `tree` is the `state` of other methods than these.

        What a schema change does may be decided otherwise than it was.
        """
        if tree.keys() != self._keeping.keys():
            raise ConfigurationError(
                f"the state is that of a strategy with {_listed(tree)}, the settings name one with "
                f"{_listed(self._keeping)}; only what a schema change does may change between two runs. Set the "
                "strategy as it was, or begin anew"
            )

    def restore(self, tree: Tree, network: Network) -> None:
        """Take back what `state` returned, beside a network that was restored already."""
        for name, method in self._keeping.items():
            method.restore(tree[name])
            method.resumed(network)

    def named_state(self) -> Iterator[tuple[str, object]]:
        """Yield every method's own state by name, for the state digest."""
        for name, method in self._keeping.items():
            for entry, value in method.named_state():
                yield f"{name}/{entry}", value


def _listed(methods: Iterable[str]) -> str:
    return " and ".join(methods) or "no method beside what a schema change does"
