"""Sequential Bayes over the whole network (arXiv 2108.13299; this project's reading of its extension to deep models).

All weights share one running quadratic with a diagonal precision; `stream.adaptation.bayes.quadratic` has the
equations. New inputs, offers and keys enter with the prior: mean 0 (or their seeded start), precision
`bayes.prior_precision`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.adaptation.bayes.quadratic import Quadratic
from stream.adaptation.method import ChangeMade, Method
from stream.state import Tree

if TYPE_CHECKING:
    from stream.encoding.batch import Batch
    from stream.network.frame import Frame
    from stream.network.network import Network

__all__ = ["BayesNetwork"]


class BayesNetwork(Method):
    """Train every weight by the running quadratic instead of Adam and Adagrad."""

    def __init__(self, quadratic: Quadratic) -> None:
        self.quadratic = quadratic

    def install(self, network: Network) -> None:
        """Give every table a precision, and the network the quadratic's steps."""
        self.quadratic.adopt(network)
        network.descent = self.quadratic

    def changed(self, network: Network, change: ChangeMade, now: int) -> bool:
        """Note the offers' names."""
        self.quadratic.take_names(network.layout.offers.offers.names)
        return False

    def after_batch(self, network: Network, batch: Batch, frame: Frame, now: int, *, drift: bool) -> None:
        """Move the clock of forgetting, which counts events."""
        self.quadratic.trained = now

    def resumed(self, network: Network) -> None:
        """Note the offers' names of a restored network."""
        self.quadratic.take_names(network.layout.offers.offers.names)

    def state(self) -> Tree:
        """Return the clocks."""
        return {"trained": self.quadratic.trained, "drawn": self.quadratic.drawn}

    def restore(self, tree: Tree) -> None:
        """Take back what `state` returned."""
        self.quadratic.trained, self.quadratic.drawn = int(tree["trained"]), int(tree["drawn"])
