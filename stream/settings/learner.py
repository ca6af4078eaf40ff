"""What the learner needs to know: what decides which model comes out, and nothing of where the data comes from."""

from __future__ import annotations

from dataclasses import dataclass

from stream.adaptation import parse_strategy
from stream.adaptation.settings import (
    BackboneSettings,
    BayesSettings,
    GlmixSettings,
    IakSettings,
    MletSettings,
    PeterRecSettings,
    WarmupSettings,
)
from stream.errors import ConfigurationError
from stream.evaluation.settings import DriftSettings, EvaluationSettings
from stream.network.settings import NetworkSettings, OptimiserSettings
from stream.settings.fields import Section, WrongSetting, section, setting

__all__ = ["LearnerSettings"]


@dataclass(frozen=True)
class LearnerSettings(Section):
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
    warmup: WarmupSettings = section(WarmupSettings)
    backbone: BackboneSettings = section(BackboneSettings)
    peterrec: PeterRecSettings = section(PeterRecSettings)
    bayes: BayesSettings = section(BayesSettings)
    glmix: GlmixSettings = section(GlmixSettings)
    mlet: MletSettings = section(MletSettings)
    iak: IakSettings = section(IakSettings)
    evaluation: EvaluationSettings = section(EvaluationSettings)
    drift: DriftSettings = section(DriftSettings)

    def check(self) -> None:
        """Refuse a strategy that is not in the catalogue, and parts that do not go together."""
        try:
            names = {entry.name for entry in parse_strategy(self.strategy)}
        except ConfigurationError as error:
            raise WrongSetting("strategy", str(error)) from None
        for name in names & {"peterrec-serial", "peterrec-parallel"}:
            self._check_patches(serial=name == "peterrec-serial")

    def _check_patches(self, *, serial: bool) -> None:
        if not serial and self.peterrec.patches == 2:
            raise WrongSetting(
                "peterrec.patches",
                "peterrec.patches = 2 puts a patch on the input layer's sum, and peterrec-parallel would need its "
                "inputs. Use 1, or peterrec-serial.",
            )
        if len(self.network.hidden) == 1 and not self.peterrec.on_input(serial=serial):
            raise WrongSetting(
                "network.hidden",
                f"network.hidden = {self.network.hidden!r} has no matrix between two layers that a patch could stand "
                "in. Use two widths or more, or peterrec-serial with a patch on the input layer's sum.",
            )
