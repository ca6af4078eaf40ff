"""The patches, and the tasks that each have a set of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from stream.adaptation.entry import NO_BACKBONE, Entry, MethodSettings, Seat
from stream.network.settings import NetworkSettings
from stream.settings.fields import WrongSetting, setting

__all__ = ["PeterRecSettings"]


@dataclass(frozen=True)
class PeterRecSettings(MethodSettings):
    """The patches of PeterRec, and the tasks that each have a set of them."""

    prefix: ClassVar[str] = "peterrec"
    methods: ClassVar[tuple[Entry, ...]] = (
        Entry(
            "peterrec-serial",
            Seat.TRUNK,
            "PeterRec: patches after the matrices of a trunk frozen for good, a set of them for each task.",
            refuses={"scratch": NO_BACKBONE},
        ),
        Entry(
            "peterrec-parallel",
            Seat.TRUNK,
            "PeterRec: patches beside the matrices of a trunk frozen for good, a set of them for each task.",
            refuses={"scratch": NO_BACKBONE},
        ),
    )

    shape_the_model: ClassVar[frozenset[str]] = frozenset({"bottleneck", "patches", "after_warmup"})

    bottleneck: int = setting(
        0, "Units of a patch; 0 is an eighth of its layer's width, at least 4.", unit="units", minimum=0
    )
    patches: int = setting(
        0,
        "1: one in each hidden matrix; 2: one on the input layer's sum too, which only peterrec-serial can have and "
        "fold cannot; 0: 2 if that can be, else 1.",
        choices=(0, 1, 2),
    )
    rate: float = setting(5e-3, "Adam, weights of the patches.", above=0)
    after_warmup: str = setting(
        "keep",
        "keep trains a patch set on; fold moves its linear part into the backbone and starts it anew, which loses the "
        "rest (and is kept instead while two tasks live).",
        choices=("keep", "fold"),
    )
    task_attribute: str = setting("task", "Offers whose value of this attribute differs are different tasks.")
    tasks: int = setting(
        8, "Tasks that may live beside that of offers without the attribute; further ones share its patches.", minimum=0
    )

    def on_input(self, *, serial: bool) -> bool:
        """Say whether a patch stands on the input layer's sum."""
        return serial and self.patches != 1 and self.after_warmup == "keep"

    def check(self) -> None:
        """Refuse to fold what stands on the input layer, whose rows come and go."""
        if self.patches == 2 and self.after_warmup == "fold":
            raise self.wrong(
                "after_warmup", "cannot fold a patch of the input layer", "Use keep, or peterrec.patches = 0 or 1."
            )

    def check_with(self, method: str, network: NetworkSettings) -> None:
        """Refuse a patch on the input layer's sum under peterrec-parallel, and a trunk without a place for a patch."""
        serial = method == "peterrec-serial"
        if not serial and self.patches == 2:
            raise WrongSetting(
                "peterrec.patches",
                "peterrec.patches = 2 puts a patch on the input layer's sum, and peterrec-parallel would need its "
                "inputs. Use 1, or peterrec-serial.",
            )
        if len(network.hidden) == 1 and not self.on_input(serial=serial):
            raise WrongSetting(
                "network.hidden",
                f"network.hidden = {network.hidden!r} has no matrix between two layers that a patch could stand "
                "in. Use two widths or more, or peterrec-serial with a patch on the input layer's sum.",
            )
