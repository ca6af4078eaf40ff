"""Made-up models that change, to be published: no learner behind them."""

from __future__ import annotations

from typing import Any

import numpy as np

from stream.publish.snapshot import Snapshot


class MadeModel:
    """Offers by slot, a table by rows that grows, dense weights; `snapshot` is views, as a learner's would be."""

    def __init__(self, seed: int = 0, rows: int = 50, width: int = 3) -> None:
        self.random = np.random.default_rng(seed)
        self.width = width
        self.table = self.random.normal(size=(rows, width)).astype(np.float32)
        self.counts = np.zeros(rows, dtype=np.int64)
        self.dense = self.random.normal(size=(4, 4))
        self.flags = np.zeros(rows, dtype=np.bool_)
        self.names: list[str | None] = [f"o{row}" for row in range(rows)]
        self.attributes: dict[str, Any] = {"o0": {"a": "b"}}
        self.scale = np.array(1.5)
        self.extra: dict[str, np.ndarray] = {}
        self.events = 0
        self.schema_version = 1

    def train(self, rows: int = 3) -> None:
        """Change some rows, and all dense weights."""
        chosen = self.random.integers(0, len(self.table), rows)
        self.table[chosen] += self.random.normal(size=(rows, self.width)).astype(np.float32)
        self.counts[chosen] += 1
        self.dense += 0.01
        self.scale[...] = self.random.normal()
        self.events += rows

    def add(self, name: str) -> None:
        """Add an offer: in a freed slot, or in a new row."""
        self.schema_version += 1
        if None in self.names:
            slot = self.names.index(None)
            self.names[slot] = name
        else:
            slot = len(self.names)
            self.names.append(name)
            self.table = np.concatenate([self.table, np.zeros((1, self.width), dtype=np.float32)])
            self.counts = np.append(self.counts, 0)
            self.flags = np.append(self.flags, False)
        self.table[slot] = 1.0
        self.attributes[name] = {"a": "c"}

    def remove(self, name: str) -> None:
        """Remove an offer and zero its row."""
        self.schema_version += 1
        slot = self.names.index(name)
        self.names[slot] = None
        self.table[slot] = 0.0
        self.counts[slot] = 0
        self.attributes.pop(name, None)

    def snapshot(self) -> Snapshot:
        manifest = {
            "schema_version": self.schema_version,
            "event_time_ms": self.events * 1000 if self.events else None,
            "events_trained": self.events,
            "offers": list(self.names),
            "attributes": {name: dict(value) for name, value in self.attributes.items()},
            "mixture": [0.25, 0.75],
        }
        arrays: dict[str, np.ndarray] = {
            "table": self.table,
            "counts": self.counts,
            "dense": self.dense,
            "flags": self.flags,
            "scale": self.scale,
            "empty": np.zeros((0, 4), dtype=np.float32),
            **self.extra,
        }
        return Snapshot(manifest, arrays)

    def frozen(self) -> Snapshot:
        """A snapshot that does not change with the model."""
        snapshot = self.snapshot()
        return Snapshot(snapshot.manifest, {name: array.copy() for name, array in snapshot.arrays.items()})


def assert_equal(found: Snapshot | None, wanted: Snapshot) -> None:
    """Bit for bit, types of numbers included."""
    assert found is not None
    assert dict(found.manifest) == dict(wanted.manifest)
    assert found.arrays.keys() == wanted.arrays.keys()
    for name, array in wanted.arrays.items():
        assert found.arrays[name].dtype == array.dtype, name
        assert found.arrays[name].shape == array.shape, name
        assert found.arrays[name].tobytes() == array.tobytes(), name


def equal(found: Snapshot | None, wanted: Snapshot) -> bool:
    """Whether `assert_equal` finds nothing."""
    try:
        assert_equal(found, wanted)
    except AssertionError:
        return False
    return True
