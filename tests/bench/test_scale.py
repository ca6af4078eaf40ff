"""Growth and sizing: that they measure what they say, on the smallest streams."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from stream.bench.scale.growth import Stretch, growth, stretches_table
from stream.bench.scale.occurred import cells_bound_bytes, occurred
from stream.bench.scale.sizing import BASE, Point, Size, measure_here, points, sizing_table
from stream.cli import main
from stream.network.cells import DIRECT_BYTES
from stream.network.pair_cells import PairCells
from stream.network.settings import NetworkSettings, OptimiserSettings


def test_growth_trains_as_many_events_as_asked_and_says_each_stretch() -> None:
    said: list[str] = []
    found = growth(3_000, said.append)
    assert found[-1].events == 3_000
    assert len(said) == len(found) == 3
    assert all(stretch.resident_bytes > 1 << 20 and stretch.cpu_us_an_event > 0 for stretch in found)


def test_a_stream_that_slows_down_is_seen() -> None:
    slower = [Stretch(1_000 * place, 100.0 + place, 1.0, 1 << 30) for place in range(20)]
    table = stretches_table(slower).splitlines()
    assert table[0].endswith("ratio 1.146")
    assert table[2].endswith("ratio 1.000")


def test_the_growth_command_writes_its_stretches(tmp_path: Path) -> None:
    out = tmp_path / "growth.json"
    assert main(["bench", "growth", "--events", "1000", "--out", str(out)]) == 0
    assert json.loads(out.read_text())[0]["events"] == 1_000


def test_a_point_is_measured_with_its_values_and_keys_known() -> None:
    rate, cpu, resident = measure_here(Size(inputs=6, offers=40, values=50, keys=20, batch=8, events=32))
    assert min(rate, cpu) > 0
    assert resident > 1 << 20


def test_each_size_is_varied_alone_up_to_the_most() -> None:
    found = list(points(1_000))
    assert all(replace(size, **{name: getattr(BASE, name)}) == BASE for name, size in found)
    assert {name for name, _ in found} == {"inputs", "offers", "values", "keys", "batch", "threads"}
    assert max(max(size.offers if name == "offers" else 0, size.inputs) for name, size in found) == 1_000


def test_the_sizing_table_has_a_row_a_point() -> None:
    table = sizing_table([Point("offers", replace(BASE, offers=5_000), 1_234.0, 81.5, 900 << 20)])
    assert table.splitlines()[2] == "| offers | 5,000 | 1,234 | 81.5 | 900 |"


def test_cells_stay_within_the_bound_that_is_said_and_that_is_what_their_arrays_take() -> None:
    said: list[str] = []
    found = occurred(3_000, keys=500, offers=200, cells=4_096, listed=True, say=said.append)
    assert len(said) == len(found) >= 2
    assert found[-1].cells["key_offer"] > 3_000
    assert found[-1].evictions > 10_000
    for held in found:
        assert max(held.cells.values()) <= 4_096
        assert held.cells_bytes <= held.cells_bound_bytes
    kinds = PairCells(NetworkSettings(pair_cells=4_096), OptimiserSettings(), torch.device("cpu"))
    for _, cells in kinds.registries():
        cells.begin(np.arange(4_096), 1, may_evict=True)
    assert sum(cells.nbytes for _, cells in kinds.registries()) + DIRECT_BYTES == cells_bound_bytes(4_096)


def test_the_memory_command_writes_what_it_held(tmp_path: Path) -> None:
    out = tmp_path / "memory.json"
    command = ["bench", "memory", "--events", "1000", "--keys", "50", "--offers", "20", "--cells", "2000"]
    assert main([*command, "--all", "--out", str(out)]) == 0
    held = json.loads(out.read_text())[-1]
    assert held["events"] == 1_000
    assert 0 < held["cells"]["key_offer"] <= 1_000
