"""What one model version holds: a manifest that JSON can write, and named arrays.

Who makes a snapshot decides what is in it; who publishes it asks only that it is of this form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

__all__ = ["Array", "Snapshot"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Snapshot:
    """One state of a model, as far as scoring needs it.

    Attributes:
        manifest: members that `json` can write: the schema, registries (names to slots), settings that scoring needs,
            the mixture's weights, scalars. `schema_version`, `event_time_ms` and `events_trained` are always there.
            A delta carries the members that changed; of a long list it carries the places that changed. A registry is
            best a list by slot, null for a free one: then a name that goes is one changed place. Nobody changes it
            after the snapshot was made, so lists that live on are copied into it.
        arrays: name to array, of booleans, integers or floats. Axis 0 counts rows if a part of the rows can change
            between two versions. They may be views of arrays that live on: who keeps a snapshot copies what it keeps
            before these change. Read, never written to.
    """

    manifest: Mapping[str, Any]
    arrays: Mapping[str, Array]

    @property
    def schema_version(self) -> int:
        """The schema version in force; 0 before the first."""
        return int(self.manifest["schema_version"])

    @property
    def event_time_ms(self) -> int | None:
        """The largest `ts` trained, Unix ms; None before the first event."""
        event_time_ms = self.manifest["event_time_ms"]
        return None if event_time_ms is None else int(event_time_ms)

    @property
    def events_trained(self) -> int:
        """How many events the model was trained on."""
        return int(self.manifest["events_trained"])

    @property
    def size_bytes(self) -> int:
        """Bytes of the arrays."""
        return sum(array.nbytes for array in self.arrays.values())
