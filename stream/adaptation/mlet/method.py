"""MLET (arXiv 2309.15881, ACML 2023): categorical tables trained as a product with a wider inner dimension.

What is trained stands in `stream.adaptation.mlet.factorised_input`; merging for serving, and starting from a
merged model, in `stream.adaptation.mlet.convert`. The papers' inner widths, optimiser and rates could not be read:
those here are measured.
Where both arms have their best rate the factors gain nothing on the streams at hand. A likely reason: a single table
here is read through its feature's projection, which is trained, so it is one factor of a product already.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from stream.adaptation.method import Method
from stream.adaptation.mlet.factorised_input import FactorisedInput
from stream.adaptation.mlet.settings import MletSettings
from stream.network.settings import OptimiserSettings

if TYPE_CHECKING:
    from stream.network.network import Network
    from stream.settings.learner import LearnerSettings

__all__ = ["Mlet", "build"]


class Mlet(Method):
    """Put factorised tables in the place of the input layer's single ones."""

    def __init__(self, settings: MletSettings, optimiser: OptimiserSettings) -> None:
        self.settings = settings
        self.optimiser = optimiser

    def install(self, network: Network) -> None:
        """Replace the input layer by one with a factor for each categorical feature."""
        network.input = FactorisedInput(
            network.settings,
            self.optimiser,
            self.settings.inner or 4 * network.settings.embedding_dim,
            self.settings.rows_rate,
            self.settings.factor_rate,
            network.seed,
            network.device,
        )
        self._network = network

    def figures(self) -> Mapping[str, float]:
        """Return how many weights the categorical tables have while they are trained, and how many once merged."""
        network, layer = self._network, self._network.input
        rows, features = network.layout.rows.live, len(network.layout.features.categorical)
        return {
            "mlet_parameters": rows * layer.row_width + features * layer.row_width * layer.dim,
            "mlet_parameters_merged": rows * layer.dim,
        }


def build(name: str, settings: LearnerSettings) -> Mlet:
    """Return `mlet`."""
    return Mlet(settings.mlet, settings.optimiser)
