"""What the learner needs to know: what decides which model comes out, and nothing of where the data comes from."""

from __future__ import annotations

from dataclasses import dataclass

from stream.adaptation.catalogue import MethodSections, folder_of, parse_strategy
from stream.errors import ConfigurationError
from stream.evaluation.settings import DriftSettings, EvaluationSettings
from stream.network.settings import NetworkSettings, OptimiserSettings
from stream.settings.fields import WrongSetting, section, setting

__all__ = ["LearnerSettings"]


@dataclass(frozen=True)
class LearnerSettings(MethodSections):
    """The settings of a `Learner`, with or without a service around it."""

    seed: int = setting(
        0, "The seed of every random draw; the same events under the same seed give the same model.", minimum=0
    )
    batch_size: int = setting(64, "Events in one training step.", unit="events", minimum=1, maximum=65536)
    strategy: str = setting(
        "carry", "How the network adapts: one name or several joined by +; `stream strategies` lists them."
    )
    device: str = setting("cpu", "Where the network is trained.", choices=("cpu", "cuda"))
    threads: int = setting(
        1,
        "CPU threads of one training step; part of what makes two runs equal bit for bit.",
        minimum=1,
        maximum=1024,  # far beyond, torch does not refuse but crash
    )

    network: NetworkSettings = section(NetworkSettings)
    optimiser: OptimiserSettings = section(OptimiserSettings)
    evaluation: EvaluationSettings = section(EvaluationSettings)
    drift: DriftSettings = section(DriftSettings)

    def check(self) -> None:
        """Refuse a strategy that is not in the catalogue, and parts that do not go together."""
        try:
            entries = parse_strategy(self.strategy)
        except ConfigurationError as error:
            raise WrongSetting("strategy", str(error)) from None
        for entry in entries:
            getattr(self, folder_of(entry.name).prefix).check_with(entry.name, self.network)
