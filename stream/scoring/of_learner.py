"""A learner as a version has it: views of its arrays, without copies, and what a scorer needs to know beside them.

This alone of the scorer's room sees the learner, and with it torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import is_not
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from stream.publish.snapshot import Snapshot
from stream.scoring.names import name_hash
from stream.scoring.scorer import TOTALS, Scorer

if TYPE_CHECKING:
    from stream.learner.core import LearnerCore
    from stream.network.network import Network
    from stream.network.trunk import Trunk

__all__ = ["scorer_of", "snapshot_of"]

_CHUNK = 64


class _Hashes:
    """The hashes of names by row, brought up to date at each call; a row whose name is the same object is passed by."""

    def __init__(self) -> None:
        self._known: list[object] = []
        self.hashes = np.zeros((_CHUNK, 2), dtype=np.uint64)
        self.owners = np.zeros(_CHUNK, dtype=np.int64)

    def take(self, names: Sequence[object], rows: int, read: Callable[[int], tuple[str, int] | None]) -> None:
        """Hash what moved since the last call; `rows` are reserved, and `read` returns a row's name and owner."""
        if rows != len(self.hashes):
            self.hashes, hashes = np.zeros((rows, 2), dtype=np.uint64), self.hashes
            self.owners, owners = np.zeros(rows, dtype=np.int64), self.owners
            kept = min(rows, len(hashes))
            self.hashes[:kept], self.owners[:kept] = hashes[:kept], owners[:kept]
        same = min(len(names), len(self._known))
        moved = np.flatnonzero(np.fromiter(map(is_not, names, self._known), dtype=bool, count=same)).tolist()
        for row in [*moved, *range(same, len(names))]:
            found = read(row)
            self.hashes[row] = (0, 0) if found is None else name_hash(found[0])
            self.owners[row] = 0 if found is None else found[1]
        self._known = list(names)


class _Kept:
    """What is kept between two snapshots of one network: hashes, and what only a schema version changes."""

    def __init__(self) -> None:
        self.values, self.keys = _Hashes(), _Hashes()
        self.stamp: object = None
        self.names: dict[str, Any] = {}


_kept: WeakKeyDictionary[Network, _Kept] = WeakKeyDictionary()


def snapshot_of(learner: LearnerCore) -> Snapshot:
    """Return what the learner publishes as it stands; its arrays are the learner's own, and go on moving with it."""
    network = learner.network
    kept = _kept.get(network)
    if kept is None:
        kept = _kept[network] = _Kept()
    return Snapshot(_manifest(learner, kept), _arrays(network, kept))


_scorers: WeakKeyDictionary[LearnerCore, tuple[int, Scorer]] = WeakKeyDictionary()


def scorer_of(learner: LearnerCore) -> Scorer:
    """Return the scorer of a learner as it stands; until the learner moves it is the same one."""
    known = _scorers.get(learner)
    if known is None or known[0] != learner.moves:
        scorer = Scorer(snapshot_of(learner), None if known is None else known[1])
        known = _scorers[learner] = learner.moves, scorer
    return known[1]


def _manifest(learner: LearnerCore, kept: _Kept) -> dict[str, Any]:
    network, schema = learner.network, learner.schema
    stamp = schema.version, schema.applied[-1:]
    if kept.stamp != stamp:
        kept.stamp, kept.names = stamp, _names(learner)
    mixture = network.experts.mixture
    return {
        "schema_version": schema.version,
        "events_trained": learner.events_trained,
        "event_time_ms": learner.event_time_ms,
        "strategy": learner.settings.strategy,
        **kept.names,
        "settings": {
            "prevalence": network.settings.prevalence,
            "count_half_life_ms": network.counts.half_life_ms,
        },
        "trunk": _trunk(network.trunk),
        "mixture": {
            "weights": dict(zip(mixture.names, mixture.weights.tolist(), strict=True)),
            "recent_taken": network.experts.taken,
            "recent_pairs": network.experts.pairs,
        },
        "totals": {name: float(network.counts.totals[name]) for name in TOTALS},
    }


def _names(learner: LearnerCore) -> dict[str, Any]:
    """Return what changes with the schema alone: names, kinds, attributes and slots."""
    network, schema = learner.network, learner.schema.state()
    offers, features, rows = network.layout.offers, network.layout.features, network.layout.rows
    return {
        "schema": {
            name: schema[name] for name in ("event_time_ms", "features", "labels", "feature_aliases", "label_aliases")
        },
        "features": features.state(),
        "vocabularies": [[slot, v.missing, v.rare, v.multi] for slot, v in rows.vocabularies.items()],
        "offers": offers.offers.state(),
        "values": offers.values.state(),
        "tasks": [list(entry) for entry in offers.tasks.names.items()],
    }


def _trunk(trunk: Trunk) -> dict[str, Any]:
    from stream.adaptation.iak.kernel import COMMON, KernelTrunk
    from stream.adaptation.peterrec.patched_trunk import PatchedTrunk

    told: dict[str, Any] = {"layers": len(trunk.layers)}
    if isinstance(trunk, PatchedTrunk) and trunk.inserted:
        told["patches"] = {"layers": list(trunk.patches), "serial": trunk.serial}
    if isinstance(trunk, KernelTrunk) and trunk.kernels:
        told["kernels"] = {
            "domain_slot": trunk.domain_slot,
            "slot_of_row": [list(entry) for entry in trunk.slot_of_row.items()],
            "common": trunk.names.get(COMMON),
            "states": {
                str(trunk.names.slot(name)): [kernel.mix, kernel.decodes] for name, kernel in trunk.kernels.items()
            },
        }
    return told


def _arrays(network: Network, kept: _Kept) -> dict[str, np.ndarray]:
    layout, statistics = network.layout, network.statistics
    rows, keys, offers = layout.rows, layout.keys, layout.offers

    def value(row: int) -> tuple[str, int] | None:
        owner = rows.owner[row]
        if owner is None:
            return None
        slot, name = owner
        vocabulary = rows.vocabularies[slot]
        return None if row in (vocabulary.missing, vocabulary.rare) else (name, slot)

    def key(row: int) -> tuple[str, int] | None:
        name = keys.key_of[row - 1] if row else None
        return None if name is None else (name, 0)

    kept.values.take(rows.owner, rows.reserved, value)
    kept.keys.take([None, *keys.key_of], len(network.counts.arrays["key_taken"]), key)
    arrays: dict[str, np.ndarray] = {
        "vocabulary/name": kept.values.hashes,
        "vocabulary/feature": kept.values.owners,
        "keys/name": kept.keys.hashes,
        "statistics/points": statistics.points,
        "statistics/scores": statistics.normal_scores(),
        "statistics/known": statistics.weights[:, -1] > 0,
        "offers/columns": offers.columns,
        "offers/task": offers.task_of_offer,
        "offers/muted": layout.muted.cpu().numpy(),
        "values/task": offers.task_of_value,
        "input/matches": layout.matches,
    }
    for part_name, part in network.parts():
        for name, table in part.tables():
            arrays[f"{part_name}/{name}"] = table.weight.cpu().numpy()
    for name, cells in network.pairs.pair_tables():
        for kind in ("index", "names", "row_lives", "column_lives", "weights", "counts"):
            arrays[f"cells/{name}/{kind}"] = getattr(cells, kind)
    for name, array in network.counts.standing().items():
        arrays[f"counts/{name}"] = array
    return arrays
