"""IAK (arXiv 2501.14268): a frozen backbone, and a kernel after it that first compresses, then matches.

Phase 1, knowledge compression: E and P are trained on the information-bottleneck loss while the kernel takes over from
the backbone's activations. Phase 2, knowledge matching: D alone is trained on BCE. Afterwards the kernel stays beside
the frozen backbone and all of it is trained at a lower rate. The paper's text could not be read in full: what stands
between the equations is this project's choice (the README says which).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from stream.adaptation.backbone.method import FrozenBackbone
from stream.adaptation.iak.kernel import COMMON, Kernel, KernelTrunk, Phase
from stream.adaptation.method import ChangeMade
from stream.encoding.features import slot_name
from stream.schema import Change, Kind, Op
from stream.state import Tree

if TYPE_CHECKING:
    from stream.encoding.batch import Batch
    from stream.network.frame import Frame
    from stream.network.network import Network
    from stream.settings.learner import LearnerSettings

__all__ = ["Iak", "build"]

_DOMAIN = "domain "
_WITH_DOMAINS = (Kind.CATEGORICAL, Kind.BOOLEAN)
_STARTS = (Op.ADD_FEATURE, Op.RETYPE_FEATURE)


class Iak(FrozenBackbone):
    """Insert kernels after pre-training, and start a round of both phases at a schema event or a drift of the loss.

    The first trigger inserts the kernel of all events. A trigger in a round joins it: it restarts nothing. Kernels of
    domains come into being at the sight of their value once the backbone is frozen, each with a round of its own.
    """

    def __init__(self, settings: LearnerSettings) -> None:
        super().__init__(settings.backbone.pretrain_events)
        self._learner = settings
        self.settings = settings.iak
        self.domain = self.settings.domain_feature
        """The domain feature by its name of today; empty if there is none."""
        self.warming_up = False
        self._remarks: list[str] = []

    @property
    def stochastic(self) -> bool:
        """Say whether the next training pass draws noise: not before there is a kernel."""
        return self.settings.stochastic and bool(self.trunk.kernels)

    def install(self, network: Network) -> None:
        """Put a trunk that can hold kernels in place of the plain one."""
        learner = self._learner
        self.trunk = network.trunk = KernelTrunk(
            network.settings, learner.optimiser, network.seed, network.device, self.settings
        )

    def changed(self, network: Network, change: ChangeMade, now: int) -> bool:
        """Follow the domain feature's name; start or join a round if the version leaves something new."""
        self.warming_up = True  # until warmed_up() says otherwise
        self._follow(change.changes)
        self._bind(network)
        self._remarks = self._complaints(network, change.changes)
        if not (self.held and self.settings.on_schema and change.leaves_new):
            return False
        self._trigger()
        for name in self.trunk.kernels:
            self.trunk.mark_fresh(name)
        return True

    def warmed_up(self, network: Network) -> None:
        """Note that no warm-up runs."""
        self.warming_up = False

    def after_batch(self, network: Network, batch: Batch, frame: Frame, now: int, *, drift: bool) -> None:
        """Move the phases on by what was just trained; insert kernels of new domains; act on drift."""
        for name, events in list(self.trunk.active(frame)) if batch.pairs else []:
            if not self.warming_up or self.trunk.is_fresh(name):
                self._advance(name, self.trunk.kernels[name], len(batch) if events is None else len(events))
        super().after_batch(network, batch, frame, now, drift=drift)
        if not self.held:
            return
        if not self.warming_up:  # a warm-up trains only what was fresh when it began
            if drift and self.settings.on_drift:
                self._trigger()
            self._insert_domains(network, frame)
        self._bind(network)

    def _advance(self, name: str, kernel: Kernel, events: int) -> None:
        kernel.events += events
        length = self.settings.phase_events
        if kernel.phase is Phase.COMPRESSION:
            kernel.mix = max(kernel.mix, min(1.0, kernel.events / length))
        if kernel.phase is not Phase.STEADY and kernel.events >= length:
            self.trunk.enter(name, Phase(kernel.phase + 1))

    def _trigger(self) -> None:
        """Start a round in every kernel that is in none; insert the common kernel if there is none."""
        if COMMON not in self.trunk.kernels:
            self.trunk.insert(COMMON)
        for name, kernel in self.trunk.kernels.items():
            if kernel.phase is Phase.STEADY:
                self.trunk.enter(name, Phase.COMPRESSION)

    def remarks(self) -> Sequence[str]:
        """Say if the domain feature has just become one that has no domains."""
        return self._remarks

    # -- domains ------------------------------------------------------------------------------------------------

    def _follow(self, changes: Sequence[Change]) -> None:
        """Follow the domain feature through renames; with its removal, its kernels leave."""
        for change in changes:
            if change.op is Op.RENAME_FEATURE and change.name == self.domain:
                self.domain = str(change.to)
            elif change.op in (Op.REMOVE_FEATURE, Op.RETYPE_FEATURE) and change.name == self.domain:
                self.domain = self.settings.domain_feature
                for name in [name for name in self.trunk.kernels if name != COMMON]:
                    self.trunk.drop(name)

    def _complaints(self, network: Network, changes: Sequence[Change]) -> list[str]:
        kind = network.layout.features.kinds.get(self.domain)
        started = any(change.op in _STARTS and change.name == self.domain for change in changes)
        if not started or kind is None or kind in _WITH_DOMAINS:
            return []
        wanted = "only a categorical or boolean feature has domains: all events share one kernel"
        return [f"iak.domain_feature = {self.domain!r} is {kind.value}, and {wanted}"]

    def _bind(self, network: Network) -> None:
        """Say which vocabulary row means which kernel; a value without a row of its own has the common one."""
        trunk, features = self.trunk, network.layout.features
        trunk.domain_slot, trunk.slot_of_row = None, {}
        if self.domain and features.kinds.get(self.domain) in _WITH_DOMAINS:
            trunk.domain_slot = features.categorical.slot(slot_name(self.domain))
            row_of = network.layout.rows.vocabularies[trunk.domain_slot].row_of
            for name, slot in trunk.names.items():
                row = row_of.get(name.removeprefix(_DOMAIN)) if name != COMMON else None
                if row is not None:
                    trunk.slot_of_row[row] = slot

    def _insert_domains(self, network: Network, frame: Frame) -> None:
        """Insert a kernel for each domain of the batch that has none, as long as there is room."""
        self._bind(network)
        trunk = self.trunk
        if trunk.domain_slot is None:
            return
        vocabulary = network.layout.rows.vocabularies[trunk.domain_slot]
        known = {vocabulary.missing, vocabulary.rare, *trunk.slot_of_row}
        for row in dict.fromkeys(frame.rows[frame.row_slot == trunk.domain_slot].tolist()):
            owner = network.layout.rows.owner[row]
            room = len(trunk.kernels) - (COMMON in trunk.kernels) < self.settings.domains_max
            if row in known or owner is None or owner[0] != trunk.domain_slot or not room:
                continue
            trunk.insert(_DOMAIN + owner[1])

    # -- state --------------------------------------------------------------------------------------------------

    def figures(self) -> Mapping[str, float]:
        """Return mix, phase and KL in nats per event; those of the common kernel, or of a domain after a slash.

        The KL is a batch's mean: the last one, the first of phase 1, and the last of each phase. `kl_nats` is the
        mean over kernels. Without noise there is none.
        """
        kernels = self.trunk.kernels
        found: dict[str, float] = {"iak_kernels": len(kernels)}
        measured = [kernel.kl_nats for kernel in kernels.values() if kernel.kl_nats is not None]
        if measured:
            found["kl_nats"] = sum(measured) / len(measured)
        for name, kernel in kernels.items():
            end = "" if name == COMMON else f"/{name.removeprefix(_DOMAIN)}"
            found[f"iak_mix{end}"] = kernel.mix
            found[f"iak_phase{end}"] = float(kernel.phase)
            if kernel.kl_nats is None:
                continue
            found[f"iak_kl_nats{end}"] = kernel.kl_nats
            found[f"iak_kl_nats_before_compression{end}"] = kernel.kl_nats_of[0]
            for phase in Phase:
                found[f"iak_kl_nats_after_{phase.name.lower()}{end}"] = kernel.kl_nats_of[phase]
        return found

    def state(self) -> Tree:
        """Return what the kernels' own state does not say."""
        return {**super().state(), "domain": self.domain, "warming_up": self.warming_up}

    def restore(self, tree: Tree) -> None:
        """Take back what `state` returned."""
        super().restore(tree)
        self.domain = str(tree["domain"])
        self.warming_up = bool(tree["warming_up"])


def build(name: str, settings: LearnerSettings) -> Iak:
    """Return `iak`."""
    return Iak(settings)
