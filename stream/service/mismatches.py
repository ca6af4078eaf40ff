"""Names that do not match, told in the log: after a rename, the labels of a producer on the old name go nowhere."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

__all__ = ["Mismatches"]

_log = logging.getLogger("stream.service")

_WHAT = {
    "feature": "features that the schema lacks were ignored",
    "label": "labels that no live offer has were dropped",
    "shown": "names in `shown` that no live offer has were ignored",
}


class Mismatches:
    """Logs the most frequent unknown names when one of them is new, or was met ten times as often as when told last."""

    def __init__(self) -> None:
        self._told: dict[str, dict[str, int]] = {what: {} for what in _WHAT}

    def look(self, unknown_names: Mapping[str, Sequence[tuple[str, int]]]) -> None:
        """Look at the most frequent names (`ModelReport.unknown_names`), and tell of them if that is due."""
        for what, names in unknown_names.items():
            told = self._told[what]
            sizes = {name: len(str(count)) for name, count in names}
            if any(size > told.get(name, 0) for name, size in sizes.items()):
                listed = ", ".join(f"{name} ({count:,} times)" for name, count in names)
                fields = {"what": what, "names": dict(names)}
                _log.warning("%s, most often: %s", _WHAT[what], listed, extra={"fields": fields})
            self._told[what] = sizes
