"""Which table row a name has: the registers of features, values, offers and keys, and what ties their rows together."""

from __future__ import annotations

import json

import numpy as np
import torch

from stream.encoding.features import Features
from stream.encoding.offers import Offers
from stream.encoding.pool import RowPool
from stream.encoding.vocabulary import ValueRows
from stream.network.settings import NetworkSettings

__all__ = ["Layout"]


class Layout:
    """Maps each feature, value, offer and key to its rows in the tables; knows no weight."""

    def __init__(self, settings: NetworkSettings, device: torch.device) -> None:
        self.rows = ValueRows(
            capacity=settings.vocabulary_capacity,
            admission_count=settings.admission_count,
            candidate_capacity=settings.candidate_capacity,
        )
        self.features = Features(
            self.rows, entity_embedding=settings.entity_embedding, entity_capacity=settings.entity_capacity
        )
        self.offers = Offers(attributes=settings.attributes, departed_capacity=settings.departed_capacity)
        self.keys: RowPool[str] = RowPool(settings.entity_capacity)
        self.matches = np.full((self.rows.reserved, settings.attributes), -1, dtype=np.int64)
        self.muted = torch.zeros(32, dtype=torch.bool, device=device)
        """Offers, by slot, that a strategy ignores."""
        self.evictions = 0

    def row_name(self, row: int) -> str:
        """Return the one name of a vocabulary row in use; no value can take that of a row for missing or rare."""
        owner = self.rows.owner[row]
        assert owner is not None
        slot, value = owner
        feature = self.features.categorical.names[slot]
        vocabulary = self.rows.vocabularies[slot]
        if row in (vocabulary.missing, vocabulary.rare):
            return json.dumps([feature]) + (" missing" if row == vocabulary.missing else " rare")
        return json.dumps([feature, value])

    def reserve(self) -> None:
        """Let every register have room for the names that there are; what is new has no match."""
        extra = self.offers.match_slots - self.matches.shape[1]
        if extra > 0:
            self.matches = np.pad(self.matches, ((0, 0), (0, extra)), constant_values=-1)
        extra = self.rows.reserved - len(self.matches)
        if extra > 0:
            tail = np.full((extra, self.matches.shape[1]), -1, dtype=np.int64)
            self.matches = np.concatenate([self.matches, tail])
        offers = self.offers.offers.capacity
        if offers > len(self.muted):
            self.muted = torch.nn.functional.pad(self.muted, (0, offers - len(self.muted)))
