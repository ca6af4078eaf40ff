"""PeterRec (arXiv 2001.04253): small patches in a frozen trunk, and a set of them for each task.

The backbone is trained on the first events, then frozen for good; the patches, the output layer, the pair part and
what is new in the input train from then on. A patch set is trained further through every change (`keep`), or its
linear part is folded into the backbone after each warm-up and it starts anew (`fold`): either way there is one set
for each task, however many changes come.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from stream.adaptation.backbone.method import FrozenBackbone
from stream.adaptation.method import ChangeMade
from stream.adaptation.peterrec.patched_trunk import PatchedTrunk
from stream.state import Tree

if TYPE_CHECKING:
    from stream.encoding.batch import Batch
    from stream.network.frame import Frame
    from stream.network.network import Network
    from stream.settings.learner import LearnerSettings

__all__ = ["PeterRec", "build"]


class PeterRec(FrozenBackbone):
    """A `PatchedTrunk` in the trunk's place, a patch set and a head for each task, and the choice to fold.

    Fold is for one task alone: a backbone that others stand on may not move, so while two live the sets are kept.
    """

    def __init__(self, settings: LearnerSettings, *, serial: bool) -> None:
        super().__init__(settings.backbone.pretrain_events)
        self._settings = settings
        self._serial = serial
        self._folding = settings.peterrec.after_warmup == "fold"
        self._warmed = False
        """Whether the patches were trained in a warm-up that has not ended yet."""
        self._explained = 0.0

    def install(self, network: Network) -> None:
        """Put the patched trunk in the trunk's place, and let offers be told apart by their task."""
        settings = self._settings
        own = settings.peterrec
        network.layout.offers.tasks.tell_apart_by(own.task_attribute, own.tasks)
        self._network = network
        self._trunk = network.trunk = PatchedTrunk(
            settings.network,
            settings.optimiser,
            settings.seed,
            network.device,
            network.layout.offers.tasks,
            serial=self._serial,
            on_input=own.on_input(serial=self._serial),
            bottleneck=own.bottleneck,
            rate=own.rate,
            sampled=self._folding,
        )

    def changed(self, network: Network, change: ChangeMade, now: int) -> bool:
        """Start and end tasks; let a warm-up train the patch sets of the tasks that the change reaches."""
        started, ended = network.names.update_tasks()
        for name, task in started:
            self._trunk.start_task(name, task)
        for _, task in ended:
            self._trunk.end_task(task)
        if self.held:
            self._trunk.freshen(self._reached(network))
        return False

    def _reached(self, network: Network) -> list[int]:
        """Return the slots of the tasks with new offers, or of all if something is new in the input they share."""
        if network.input.any_fresh:
            return network.layout.offers.tasks.names.slots()
        fresh, task_of = network.output.offer.fresh, network.layout.offers.task_of_offer
        return sorted({int(task_of[slot]) for slot in network.layout.offers.offers.slots() if fresh[slot]})

    def after_batch(self, network: Network, batch: Batch, frame: Frame, now: int, *, drift: bool) -> None:
        """Hold the backbone once it is pre-trained; keep in mind what a fold needs."""
        if self.held and self._folding:
            self._trunk.sample()
            self._warmed = self._warmed or self._trunk.any_fresh
        super().after_batch(network, batch, frame, now, drift=drift)

    def warmed_up(self, network: Network) -> None:
        """Fold after a warm-up, if that was asked for and the backbone is one task's."""
        if self._warmed and len(network.layout.offers.tasks.names) == 1:
            self._explained = self._trunk.fold()
        self._warmed = False

    def figures(self) -> Mapping[str, float]:
        """Return how many tasks there are, what a patch set adds to what it stands on, and what folds could keep."""
        trunk, features = self._trunk, self._network.layout.features
        matrices = sum(weight.row_size for weight, _ in trunk.layers)
        layer = self._network.input
        inputs = layer.width * (1 + 2 * len(features.numeric)) + layer.dim * (
            layer.width * len(features.categorical) + self._network.layout.rows.live
        )
        patched = sum(patch.parameters for patch in trunk.patches.values())
        figures = {
            "peterrec_tasks": float(len(self._network.layout.offers.tasks.names)),
            "peterrec_patches": float(len(trunk.patches)),
            "peterrec_patch_parameters": float(patched),
            "peterrec_share_of_trunk": patched / matrices if matrices else 0.0,
            "peterrec_share_of_backbone": patched / (trunk.parameters + inputs),
        }
        if self._folding:
            figures |= {"peterrec_folds": float(trunk.folds), "peterrec_fold_explained": self._explained}
        return figures

    def state(self) -> Tree:
        """Return whether pre-training is over, whether a fold is due, and what the last one could keep."""
        return {**super().state(), "warmed": self._warmed, "explained": self._explained}

    def restore(self, tree: Tree) -> None:
        """Take back what `state` returned."""
        super().restore(tree)
        self._warmed, self._explained = bool(tree["warmed"]), float(tree["explained"])


def build(name: str, settings: LearnerSettings) -> PeterRec:
    """Return `peterrec-serial` or `peterrec-parallel`."""
    return PeterRec(settings, serial=name == "peterrec-serial")
