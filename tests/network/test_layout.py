"""A layout of names to rows stands without a network, and what applies schema changes stands without a step."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from stream.network.layout import Layout
from stream.network.settings import NetworkSettings, OptimiserSettings
from stream.schema import Kind

CPU = torch.device("cpu")
SMALL = NetworkSettings(hidden=(4,), embedding_dim=2, pair_hidden=2, vocabulary_capacity=64)


def test_a_name_has_its_rows_without_any_weight() -> None:
    layout = Layout(SMALL, CPU)
    assert layout.features.add("price", Kind.NUMERIC) == 0
    first, second = (layout.features.add(name, Kind.CATEGORICAL) for name in ("shop", "town"))
    layout.offers.add("soap", {"brand": "b"})
    layout.reserve()
    assert layout.features.slot("town") == second != first == layout.features.slot("shop")
    rows = [row for slot in (first, second) for row in layout.rows.vocabularies[slot].rows()]
    names = [layout.row_name(row) for row in rows]
    assert len(set(names)) == len(names), "no two rows have one name"
    assert {'["feature shop"] missing', '["feature town"] rare'} <= set(names)
    assert layout.matches.shape == (layout.rows.reserved, layout.offers.match_slots)
    assert not layout.muted.any()
    assert len(layout.muted) >= layout.offers.offers.capacity


def test_there_is_room_for_every_name_whatever_comes() -> None:
    layout = Layout(SMALL, CPU)
    for number in range(40):
        layout.offers.add(f"o{number}", {f"a{number % 3}": f"v{number}"})
        layout.reserve()
    assert len(layout.muted) >= layout.offers.offers.capacity >= 40
    assert (layout.matches == -1).all()


@pytest.fixture
def parts() -> dict[str, Any]:
    from stream.network.network import Network

    network = Network(SMALL, OptimiserSettings(), 1, "cpu", lambda network: None)
    return {
        "layout": network.layout,
        "statistics": network.statistics,
        "inputs": network.input,
        "output": network.output,
        "pairs": network.pairs,
        "counts": network.counts,
    }


def test_names_gives_rows_and_takes_them_back_whole(parts: dict[str, Any]) -> None:
    from stream.network.names import Names

    names = Names(SMALL, **parts)
    names.add_feature("price", Kind.NUMERIC, silent=False)
    names.add_feature("shop", Kind.CATEGORICAL, silent=False)
    slot = names.add_offer("soap", {"brand": "b"})
    weights = parts["inputs"].numeric.weight
    assert weights[0].any(), "a new input starts from its seed"
    assert parts["output"].offer.fresh[slot]
    names.remove_feature("price", fold=False)
    names.remove_offer("soap")
    assert not weights[0].any(), "what leaves is zeroed"
    assert not parts["output"].offer.fresh[slot]
    assert names.add_offer("milk", {}) == slot, "a slot that is free is given again"
