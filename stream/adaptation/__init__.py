"""How the network follows its schema: the published methods, a folder each, and how they combine."""

from stream.adaptation.catalogue import METHODS, parse_strategy
from stream.adaptation.entry import Entry, Seat

__all__ = ["METHODS", "Entry", "Seat", "parse_strategy"]
