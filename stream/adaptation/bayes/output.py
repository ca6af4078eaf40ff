"""Sequential Bayes on the output layer (2108.13299, Lambda Learner 2010.05154): each offer a logistic regression.

An offer's regression reads the trunk's last activations; the posterior of one batch is the prior of the next. In the
papers the features stand still. Here the trunk goes on learning, and forgetting by a half-life in events is what
absorbs its motion; under a frozen backbone, and with a half-life of 0, the update is exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from stream.adaptation.bayes.output_layer import BayesOutputLayer
from stream.adaptation.method import ChangeMade, Method

if TYPE_CHECKING:
    from stream.encoding.batch import Batch
    from stream.network.frame import Frame
    from stream.network.network import Network
    from stream.settings.learner import LearnerSettings

__all__ = ["BayesOutput"]


class BayesOutput(Method):
    """Train the weights and biases of offers by their posteriors instead of by gradient steps."""

    def __init__(self, settings: LearnerSettings) -> None:
        self._settings = settings
        self._layer: BayesOutputLayer | None = None
        self._remarks: list[str] = []

    def install(self, network: Network) -> None:
        """Put a layer with posteriors in the output layer's place."""
        settings = self._settings
        layer = BayesOutputLayer(
            settings.network, settings.optimiser, settings.bayes, lambda: network.layout.offers.offers, network.device
        )
        network.output = self._layer = layer

    def changed(self, network: Network, change: ChangeMade, now: int) -> bool:
        """Give new offers the prior; beyond the bound on full precision, all keep a diagonal from here on."""
        layer = self._of(network)
        layer.clock = now
        self._remarks = []
        if layer.make_room():
            cells = f"{len(network.layout.offers)} offers x {len(layer.prior)}^2 cells"
            bound = f"bayes.full_cells = {self._settings.bayes.full_cells}"
            self._remarks = [f"bayes-output: {cells} are more than {bound}: precision is diagonal from here on"]
        return False

    def remarks(self) -> Sequence[str]:
        """Say when precision has just become diagonal."""
        return self._remarks

    def after_batch(self, network: Network, batch: Batch, frame: Frame, now: int, *, drift: bool) -> None:
        """Set the clock by which is forgotten: steps move it, except for events without an offer."""
        self._of(network).clock = now

    def figures(self) -> Mapping[str, float]:
        """Say whether precision is full or diagonal, what it takes, and how often an update found no step."""
        layer = self._layer
        assert layer is not None
        return {
            "bayes_output_full_precision": float(layer.full),
            "bayes_output_precision_bytes": float(layer.precision.nbytes),
            "bayes_output_failed_updates": float(layer.failed_updates),
        }

    @staticmethod
    def _of(network: Network) -> BayesOutputLayer:
        assert isinstance(network.output, BayesOutputLayer)
        return network.output
