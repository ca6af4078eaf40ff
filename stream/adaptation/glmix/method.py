"""Fixed plus random effects (GLMix, as in LinkedIn's trainers; 2108.13299): a posterior for each key.

The network is the fixed effect. Its logit, with all that is not a key's own, is the offset of a small model of each
key, whose weights have a normal posterior; it is updated by sequential Bayes, and old evidence fades by a half-life.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.adaptation.glmix.random_effects import RandomEffects
from stream.adaptation.method import ChangeMade, Method

if TYPE_CHECKING:
    from stream.encoding.batch import Batch
    from stream.network.frame import Frame
    from stream.network.network import Network
    from stream.settings.learner import LearnerSettings

__all__ = ["Glmix", "build"]


class Glmix(Method):
    """Train the keys' own weights by their posteriors instead of by gradient steps."""

    def __init__(self, settings: LearnerSettings) -> None:
        self._settings = settings

    def install(self, network: Network) -> None:
        """Put random effects in the place of the key tables."""
        settings = self._settings
        network.pairs = RandomEffects(
            settings.network,
            settings.optimiser,
            settings.glmix,
            lambda: network.layout.offers.attributes,
            network.cells,
            settings.seed,
            network.device,
        )

    def changed(self, network: Network, change: ChangeMade, now: int) -> bool:
        """Set the clock, which a network that starts anew does not have."""
        self._of(network).clock = now
        return False

    def after_batch(self, network: Network, batch: Batch, frame: Frame, now: int, *, drift: bool) -> None:
        """Set the clock by which is forgotten: steps move it, except for events without an offer."""
        self._of(network).clock = now

    @staticmethod
    def _of(network: Network) -> RandomEffects:
        assert isinstance(network.pairs, RandomEffects)
        return network.pairs


def build(name: str, settings: LearnerSettings) -> Glmix:
    """Return `glmix`."""
    return Glmix(settings)
