"""From a batch to the last hidden activations: input layer, trunk, and what a method has put on the trunk.

The arithmetic is that of `stream.network.input_layer`, `stream.network.trunk`, and of the patched and the
kernel trunk, without gradients.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from stream.encoding.batch import Batch
from stream.scoring.loops import pool, standardise

__all__ = ["Inputs", "Trunk"]

Arrays = Mapping[str, np.ndarray]

_GELU_SCALE, _GELU_CUBIC = math.sqrt(2.0 / math.pi), 0.044715


class Inputs:
    """The input layer of one version."""

    def __init__(self, arrays: Arrays, numeric: list[int]) -> None:
        self._arrays = arrays
        self._numeric = np.array(numeric, dtype=np.int64)
        projection = arrays["input/projection"]
        self._projection = projection.reshape(-1, projection.shape[-1])
        self._factor = arrays.get("input/factor")

    def read(self, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        """Return numeric inputs as their normal scores, 0 if missing, and the mask of missing `(B, slots)`."""
        a = self._arrays
        scores = np.zeros(batch.numeric.shape, dtype=np.float32)
        missing = np.zeros(batch.numeric.shape, dtype=np.float32)
        if len(self._numeric):
            standardise(
                batch.numeric,
                self._numeric,
                a["statistics/points"],
                a["statistics/scores"],
                a["statistics/known"],
                scores,
                missing,
            )
        return scores, missing

    def pooled(self, batch: Batch) -> np.ndarray:
        """Return what the projections read `(B, slots, dim)`."""
        rows = self._arrays["input/rows"]
        slots = self._arrays["input/projection"].shape[0]
        found = np.zeros((len(batch), slots, rows.shape[1]), dtype=np.float32)
        pool(batch.rows, batch.row_event, batch.row_slot, batch.row_weight, rows, found)
        if self._factor is None:
            return found
        return np.asarray(np.einsum("bsk,skd->bsd", found, self._factor))

    def forward(self, batch: Batch) -> np.ndarray:
        """Return `z` `(B, width)`."""
        a = self._arrays
        scores, missing = self.read(batch)
        z = self.pooled(batch).reshape(len(batch), -1) @ self._projection
        z += a["input/bias"][0]
        z += scores @ a["input/numeric"][: scores.shape[1]]
        z += missing @ a["input/missing"][: scores.shape[1]]
        return np.asarray(z)

    def parts(
        self, batch: Batch, numeric: Mapping[str, int], categorical: Mapping[str | None, int]
    ) -> dict[str | None, np.ndarray]:
        """Return what each input adds to `z` of the batch's one event, `(width,)` by name; None is the key."""
        a = self._arrays
        scores, missing = self.read(batch)
        pooled = self.pooled(batch)[0]
        found: dict[str | None, np.ndarray] = {
            name: pooled[slot] @ a["input/projection"][slot] for name, slot in categorical.items()
        }
        for name, slot in numeric.items():
            found[name] = scores[0, slot] * a["input/numeric"][slot] + missing[0, slot] * a["input/missing"][slot]
        return found


class Trunk:
    """The trunk of one version; `told` is what the version says of it beside its arrays."""

    def __init__(self, arrays: Arrays, told: Mapping[str, Any]) -> None:
        self._arrays = arrays
        self._layers = [
            (arrays[f"trunk/{layer}/weight"][0], arrays[f"trunk/{layer}/bias"][0]) for layer in range(told["layers"])
        ]
        patches = told.get("patches")
        self._patches = {int(layer) for layer in patches["layers"]} if patches else set()
        self._serial = bool(patches and patches["serial"])
        self.by_task = bool(self._patches)
        """Whether each task has hidden activations of its own."""
        self._kernels = told.get("kernels")

    def forward(self, z: np.ndarray, task: int, batch: Batch) -> np.ndarray:
        """Return the last hidden activations `(n, width)` of `z` `(n, width)`, as `task` has them.

        The rows of `z` are the batch's events, or, of a batch of one event, any number of its variants.
        """
        bent = hidden = self._bent(0, z, z, task)
        for layer, (weight, bias) in enumerate(self._layers, 1):
            total = hidden @ weight + bias
            bent = self._bent(layer, total, total if self._serial else hidden, task)
            hidden = hidden + bent if hidden.shape == bent.shape else bent
        return np.asarray(hidden) if self._kernels is None else self._through_kernels(hidden, batch)

    def _bent(self, layer: int, total: np.ndarray, inputs: np.ndarray, task: int) -> np.ndarray:
        if layer in self._patches:
            down, down_bias, up, up_bias = (
                self._arrays[f"trunk/patch/{layer}/{name}"][task] for name in ("down", "down_bias", "up", "up_bias")
            )
            total = total + _gelu(inputs @ down + down_bias) @ up + up_bias
        return np.asarray(np.maximum(total, 0.0))

    def _through_kernels(self, hidden: np.ndarray, batch: Batch) -> np.ndarray:
        """Pass each event's activations through the kernel of its domain, or through the common one."""
        assert self._kernels is not None
        of_row = {int(row): slot for row, slot in self._kernels["slot_of_row"]}
        common = self._kernels["common"]
        rows = batch.rows[batch.row_slot == self._kernels["domain_slot"]].tolist() if of_row else []
        if len(rows) != len(batch):
            slots = [common] * len(hidden)
        else:
            slots = [of_row.get(row, common) for row in rows]
            slots = slots * len(hidden) if len(slots) == 1 else slots
        out = hidden.copy()
        for slot in {slot for slot in slots if slot is not None}:
            chosen = [place for place, one in enumerate(slots) if one == slot]
            out[chosen] = self._kernel(hidden[chosen], slot)
        return out

    def _kernel(self, g: np.ndarray, slot: int) -> np.ndarray:
        assert self._kernels is not None
        mix, decodes = self._kernels["states"][str(slot)]
        if mix == 0.0:
            return np.asarray(g)

        def linear(name: str, before: np.ndarray) -> np.ndarray:
            weight, bias = self._arrays[f"trunk/kernel/{name}"], self._arrays[f"trunk/kernel/{name}_bias"]
            return np.asarray(before @ weight[slot] + bias[slot])

        inside = np.maximum(linear("encoder_in", g), 0.0)
        middle = linear("encoder_out", inside)
        middle = middle[:, : middle.shape[1] // 2]
        known = linear("projection", middle)
        if decodes:
            known = known + linear("decoder_out", np.maximum(linear("decoder_in", middle), 0.0))
        mixed: np.ndarray = np.float32(1.0 - mix) * g + np.float32(mix) * known if mix != 1.0 else known
        return mixed


def _gelu(v: np.ndarray) -> np.ndarray:
    bent: np.ndarray = 0.5 * v * (1.0 + np.tanh(_GELU_SCALE * (v + _GELU_CUBIC * v**3)))
    return bent
