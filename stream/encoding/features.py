"""The live features: numeric ones by column, all others by vocabulary, and the key as a feature of its own."""

from __future__ import annotations

from stream.encoding.plan import Plan
from stream.encoding.slots import SlotRegistry
from stream.encoding.vocabulary import ValueRows
from stream.schema import Kind
from stream.state import Tree

__all__ = ["KEY", "Features", "slot_name"]

KEY = "key"
"""The slot name of the event's key; features are prefixed, so no feature can take it."""


def slot_name(feature: str) -> str:
    """Return the name under which a feature holds its categorical slot."""
    return f"feature {feature}"


class Features:
    """Columns of numeric features and vocabularies of the others; a boolean is a vocabulary of two values."""

    def __init__(self, rows: ValueRows, *, entity_embedding: bool, entity_capacity: int) -> None:
        self.numeric = SlotRegistry(8)
        self.categorical = SlotRegistry(8)
        self.rows = rows
        self.kinds: dict[str, Kind] = {}
        self._plan: Plan | None = None
        self._vocabularies = rows.vocabularies
        if entity_embedding:
            rows.add(self.categorical.add(KEY), multi=False, capacity=entity_capacity)

    def add(self, name: str, kind: Kind) -> int:
        """Give a feature its column or vocabulary and return the slot."""
        self.kinds[name] = kind
        self._plan = None
        if kind is Kind.NUMERIC:
            return self.numeric.add(name)
        slot = self.categorical.add(slot_name(name))
        closed = ("false", "true") if kind is Kind.BOOLEAN else ()
        self.rows.add(slot, multi=kind is Kind.MULTI_CATEGORICAL, closed_values=closed)
        return slot

    def remove(self, name: str) -> tuple[Kind, int, list[int]]:
        """Free what a feature holds; return its kind, its slot and the vocabulary rows that were its own."""
        kind = self.kinds.pop(name)
        self._plan = None
        if kind is Kind.NUMERIC:
            return kind, self.numeric.remove(name), []
        slot = self.categorical.remove(slot_name(name))
        return kind, slot, self.rows.remove(slot)

    def slot(self, name: str) -> int:
        """Return the column or categorical slot of a live feature."""
        if self.kinds[name] is Kind.NUMERIC:
            return self.numeric.slot(name)
        return self.categorical.slot(slot_name(name))

    def rename(self, name: str, to: str) -> None:
        """Move a feature to another name; its slot and rows stay."""
        kind = self.kinds[name]
        self._plan = None
        # In its old place: the order of kinds is the order in which an event's inputs are summed.
        self.kinds = {to if feature == name else feature: known for feature, known in self.kinds.items()}
        if kind is Kind.NUMERIC:
            self.numeric.rename(name, to)
        else:
            self.categorical.rename(slot_name(name), slot_name(to))

    def state(self) -> Tree:
        """Return everything as a state tree, slots unchanged."""
        return {
            "numeric": self.numeric.state(),
            "categorical": self.categorical.state(),
            "kinds": [[name, kind.value] for name, kind in self.kinds.items()],
        }

    def restore(self, tree: Tree) -> None:
        """Take back what `state` returned (the vocabularies restore themselves)."""
        self.numeric = SlotRegistry.from_state(tree["numeric"])
        self.categorical = SlotRegistry.from_state(tree["categorical"])
        self.kinds = {name: Kind(kind) for name, kind in tree["kinds"]}
        self._plan = None

    @property
    def plan(self) -> Plan:
        """How the features are read, as they stand."""
        # The vocabularies restore themselves, as other objects.
        if self._plan is None or self._vocabularies is not self.rows.vocabularies:
            self._vocabularies = self.rows.vocabularies
            slots = {name: self.slot(name) for name, kind in self.kinds.items() if kind is not Kind.NUMERIC}
            key = self.categorical.get(KEY)
            self._plan = Plan.of(self.kinds, tuple(self.numeric.names), slots, self.rows.vocabularies, key)
        return self._plan
