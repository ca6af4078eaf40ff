"""One version as a scorer reads it: its names as registries, its arrays as the loops take them.

What only a schema version changes is taken over from the version before if it is the same one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from stream.encoding.features import KEY, Features, slot_name
from stream.encoding.offers import Offers, Shown
from stream.encoding.slots import SlotRegistry
from stream.encoding.vocabulary import ValueRows, Vocabulary
from stream.errors import ConfigurationError
from stream.schema import Kind, Schema
from stream.scoring.names import HashedRows, NameIndex

__all__ = ["EXPERTS", "Names", "Published", "vocabularies"]

EXPERTS = ("rate", "recent_rate", "offer_rate", "recent_offer_rate", "key_counts", "network_alone", "network")


class Published(Protocol):
    """A manifest that JSON can write, and arrays by name (`stream.publish.snapshot.Snapshot`)."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What the version says beside its arrays."""

    @property
    def arrays(self) -> Mapping[str, np.ndarray]:
        """Arrays by name."""


class Names:
    """The schema of a version with the slots of its names: what `stream.encoding.encoder.encode` asks for."""

    def __init__(self, manifest: Mapping[str, Any], columns: np.ndarray) -> None:
        told = manifest["schema"]
        self.told = {name: manifest[name] for name in ("schema_version", "schema", "features", "offers", "values")}
        self.schema = Schema.from_state({**told, "version": manifest["schema_version"], "applied": []})
        rows = ValueRows(capacity=1, admission_count=1, candidate_capacity=1)
        self.features = Features(rows, entity_embedding=False, entity_capacity=1)
        self.features.restore(manifest["features"])
        self.offers = _OfferNames(manifest["offers"], dict(self.schema.labels), columns)
        self.slots = np.array(self.offers.offers.slots(), dtype=np.int64)
        self.place_of_name = np.zeros(self.offers.offers.capacity, dtype=np.int64)
        """By offer slot, where its name stands among all names in the order of their UTF-8 bytes."""
        ordered = sorted(self.offers.offers.items(), key=lambda entry: entry[0].encode())
        self.place_of_name[[slot for _, slot in ordered]] = np.arange(len(ordered))
        self.numeric = dict(self.features.numeric.items())
        self.categorical = {
            name: self.features.slot(name) for name, kind in self.features.kinds.items() if kind is not Kind.NUMERIC
        }
        self.key_slot = self.features.categorical.get(KEY)
        assert all(slot_name(name) in self.features.categorical for name in self.categorical)

    @classmethod
    def of(cls, manifest: Mapping[str, Any], columns: np.ndarray, like: Names | None) -> Names:
        """Return the names of a version, those of `like` if they are the same."""
        if like is not None and all(like.told[name] == manifest[name] for name in like.told):
            return like
        return cls(manifest, columns)


class _OfferNames(Offers):
    """The offers of a version: what may be asked of them; they never change."""

    def __init__(self, offers: dict[str, Any], labels: Mapping[str, Mapping[str, str]], columns: np.ndarray) -> None:
        super().__init__(attributes=columns.shape[1], departed_capacity=1)
        self.offers = SlotRegistry.from_state(offers)
        self.of_offer = {name: dict(attributes) for name, attributes in labels.items()}
        self.columns = columns
        self._all = np.array(self.offers.slots(), dtype=np.int64)

    def possible(self, shown: Shown) -> tuple[np.ndarray, tuple[str, ...]]:
        """Return the same as `Offers.possible`; who asks for all is answered at once, however many they are."""
        return (self._all, ()) if shown is None else super().possible(shown)


def vocabularies(manifest: Mapping[str, Any], index: NameIndex) -> dict[int, Vocabulary]:
    """Return the vocabularies of a version by categorical slot, their rows looked up in `index`."""
    found = {}
    for slot, missing, rare, multi in manifest["vocabularies"]:
        vocabulary = Vocabulary(missing, rare, multi, 1, False, HashedRows(index, slot), OrderedDict())
        vocabulary.shortened = True  # a value is looked up as it is kept
        found[int(slot)] = vocabulary
    return found


def shares(manifest: Mapping[str, Any]) -> np.ndarray:
    """Return the experts' weights in the order of EXPERTS.

    Raises ConfigurationError if the version's mixture has other experts than this program knows.
    """
    weights = manifest["mixture"]["weights"]
    if set(weights) != set(EXPERTS):
        raise ConfigurationError(
            f"the version mixes the experts {', '.join(sorted(weights))}, this program knows "
            f"{', '.join(sorted(EXPERTS))}; run the scorer from the same release as the learner"
        )
    return np.array([weights[name] for name in EXPERTS])
