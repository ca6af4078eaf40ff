"""A backbone frozen for good: pre-trained on the first events, then the ground on which others are tuned.

PeterRec (2001.04253) and IAK (2501.14268) both start from a large pre-trained model whose weights stay as they are. On
a stream there is no training set apart, so the first `pretrain_events` events are it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.adaptation.method import Method
from stream.state import Tree

if TYPE_CHECKING:
    from stream.encoding.batch import Batch
    from stream.network.frame import Frame
    from stream.network.network import Network
    from stream.settings.learner import LearnerSettings

__all__ = ["FrozenBackbone", "build"]


class FrozenBackbone(Method):
    """Hold the input layer's weights and the trunk once `pretrain_events` events were trained; alone, `tune-head`.

    What joins the input layer later (a new feature, a value first seen then) is not held: it is new.
    """

    def __init__(self, pretrain_events: int) -> None:
        self.pretrain_events = pretrain_events
        self.held = False

    def after_batch(self, network: Network, batch: Batch, frame: Frame, now: int, *, drift: bool) -> None:
        """Hold the backbone at the end of the batch that completes pre-training."""
        if not self.held and now >= self.pretrain_events:
            self.held = True
            network.hold_backbone()

    def state(self) -> Tree:
        """Return whether pre-training is over."""
        return {"held": self.held}

    def restore(self, tree: Tree) -> None:
        """Take back what `state` returned."""
        self.held = bool(tree["held"])


def build(name: str, settings: LearnerSettings) -> FrozenBackbone:
    """Return `tune-head`: the frozen backbone alone."""
    return FrozenBackbone(settings.backbone.pretrain_events)
