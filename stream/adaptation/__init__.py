"""How the network follows its schema: strategies, and the frozen warm-up that they share."""

from stream.adaptation.strategy import STRATEGIES, Strategy, strategy_named
from stream.adaptation.warmup import Warmup

__all__ = ["STRATEGIES", "Strategy", "Warmup", "strategy_named"]
