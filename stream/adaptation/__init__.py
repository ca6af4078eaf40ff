"""How the network follows its schema: the published methods, how they combine, and the frozen warm-up they share."""

from stream.adaptation.catalogue import METHODS, Entry, Seat, parse_strategy
from stream.adaptation.warmup import Warmup

__all__ = ["METHODS", "Entry", "Seat", "Warmup", "parse_strategy"]
