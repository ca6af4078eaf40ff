"""Transfer adaptation (Suleymanzade and Abdullayeva 2024, doi 10.19139/soic-2310-5070-1836), and its controls.

The paper's procedure (`replace`): if the number of inputs or outputs changes, the input or output layer is replaced
by a fresh one, every other layer is frozen, the new layer is trained alone, then everything is unfrozen. `carry` is
this project's variant: what survives by name keeps its weights and its optimiser state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stream.adaptation.method import ChangeMade, Method

if TYPE_CHECKING:
    from stream.network.network import Network
    from stream.settings.learner import LearnerSettings

__all__ = ["Carry", "Never", "Replace", "Scratch", "Transfer", "Unfrozen", "UnfrozenReplace", "build"]


class Transfer(Method):
    """What a schema change does to the layers; the learner asks it how to make each single change."""

    silent = True
    """A new input starts without changing the function, and a removed one leaves its mean contribution."""
    warms_up = True
    """A frozen warm-up follows a change that leaves something new."""
    ignores_new = False
    """What is added after the first version does not enter the network."""
    restarts = False
    """Each change starts a new network; the learner makes it."""


class Carry(Transfer):
    """Keep what survives by name, optimiser state included; warm up only what is new."""


class Unfrozen(Carry):
    """As `Carry`, and everything trains at once."""

    warms_up = False


class Replace(Transfer):
    """Give a touched input or output layer fresh weights as a whole; vocabulary, statistics and counts stay."""

    silent = False

    def changed(self, network: Network, change: ChangeMade, now: int) -> bool:
        """Replace the layers that the change touched, unless they are being warmed up as wholes already."""
        if change.creating:
            return False
        warm_input, warm_output = change.warming_up
        replaced = False
        if change.inputs and not warm_input:
            network.refresh_input()
            replaced = True
        if change.outputs and not warm_output:
            network.refresh_output()
            replaced = True
        return replaced


class UnfrozenReplace(Replace):
    """As `Replace`, and everything trains at once."""

    warms_up = False


class Scratch(Transfer):
    """Start everything anew at each change of inputs or offers: weights, statistics, vocabularies, counts."""

    silent = False
    warms_up = False
    restarts = True


class Never(Transfer):
    """Go on as if nothing had been added: new features are not read, new offers keep the prior's logit."""

    warms_up = False
    ignores_new = True


_KINDS: Final[dict[str, type[Transfer]]] = {
    "carry": Carry,
    "carry-unfrozen": Unfrozen,
    "replace": Replace,
    "replace-unfrozen": UnfrozenReplace,
    "scratch": Scratch,
    "never": Never,
}


def build(name: str, settings: LearnerSettings) -> Transfer:
    """Return the method of this name."""
    return _KINDS[name]()
