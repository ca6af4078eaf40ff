"""The network's state: as a tree with slots unchanged, and as entries by name for the digest."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import torch

from stream.encoding.offers import Offers
from stream.network.network import Network
from stream.network.part import Owner
from stream.network.table import Table
from stream.state import Tree

__all__ = [
    "frozen_entries",
    "is_finite",
    "named_entries",
    "network_state",
    "parameter_counts",
    "parameters_in_use",
    "restore_network",
]


def _layers(network: Network) -> Iterator[tuple[str, Table]]:
    for layer, part in network.parts():
        for name, table in part.tables():
            yield f"{layer}/{name}", table


def network_state(network: Network) -> Tree:
    """Return everything that the network is, as a state tree."""
    return {
        "rows": network.layout.rows.state(),
        "features": network.layout.features.state(),
        "offers": network.layout.offers.state(),
        "keys": network.layout.keys.state(),
        "matches": network.layout.matches.copy(),
        "muted": network.layout.muted.cpu().numpy(),
        "statistics": network.statistics.state(),
        "weights": network.weights.state(),
        "experts": network.experts.state(),
        "tables": {name: table.state() for name, table in _layers(network)},
        "cells": network.cells.state(),
        "counts": network.counts.state(network.layout.keys.rows_used + 1),
        "extra": {name: part.extra_state() for name, part in network.parts()},
        "evictions": network.layout.evictions,
    }


def restore_network(network: Network, tree: Tree) -> None:
    """Take back what :func:`network_state` returned; the settings must be those under which it was written."""
    network.layout.rows.restore(tree["rows"])
    network.layout.features.restore(tree["features"])
    network.layout.offers.restore(tree["offers"])
    network.layout.keys.restore(tree["keys"])
    network.layout.matches = tree["matches"].copy()
    network.layout.muted = torch.from_numpy(tree["muted"].copy()).to(network.device)
    network.statistics.restore(tree["statistics"])
    network.weights.restore(tree["weights"])
    network.experts.restore(tree["experts"])
    for name, table in _layers(network):
        table.restore(tree["tables"][name])
    network.cells.restore(tree["cells"])
    network.counts.restore(tree["counts"])
    for name, part in network.parts():
        part.restore_extra(tree["extra"][name])
    network.layout.evictions = int(tree["evictions"])


def _count_inputs(network: Network) -> list[tuple[str, int]]:
    offers = network.layout.offers
    return network.pairs.mixer.input_rows(list(offers.attributes.items()), offers.tasks.names.items())


def _named_rows(network: Network) -> Iterator[tuple[str, Table, list[tuple[str, int]]]]:
    """Yield each table with the names of its rows in use."""
    features, offers = network.layout.features, network.layout.offers
    owned: dict[Owner, list[tuple[str, int]]] = {
        Owner.NUMERIC: list(features.numeric.items()),
        Owner.CATEGORICAL: list(features.categorical.items()),
        Owner.COUNT_INPUT: _count_inputs(network),
        Owner.TASK: list(offers.tasks.names.items()),
        Owner.VALUE_ROW: [(network.layout.row_name(row), row) for row, _, _ in network.layout.rows.owners()],
        Owner.OFFER: list(offers.offers.items()),
        Owner.ATTRIBUTE_VALUE: list(offers.values.items()),
        Owner.PART: [("", 0)],
    }
    for layer, part in network.parts():
        for name, table in part.tables():
            own = table.names
            yield f"{layer}/{name}", table, owned[part.owner_of(name, table)] if own is None else list(own.items())


def _match_slots(offers: Offers) -> list[int]:
    """Return the match slots of the live tasks in the order of names."""
    attributes = [slot for _, slot in sorted(offers.attributes.items())]
    tasks = [slot for _, slot in sorted(offers.tasks.names.items())]
    return [task * offers.attribute_limit + attribute for task in tasks for attribute in attributes]


def _cell_names(network: Network, kind: str) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Return name and place of each row and of each column that a kind of cells may have."""
    layout = network.layout
    if kind == "wide":
        rows = [(layout.row_name(row), row + 1) for row, _, _ in layout.rows.owners()]
    else:
        rows = [(key, row + 1) for key, row in layout.keys.row_of.items()]
    return rows, list((layout.offers.offers if kind == "key_offer" else layout.offers.values).items())


def weight_entries(network: Network, *, frozen_only: bool = False) -> Iterator[tuple[str, object]]:
    """Yield weights and optimiser state by name; with ``frozen_only`` those that a running warm-up does not train."""
    for name, table, rows in _named_rows(network):
        fresh = table.fresh.cpu().numpy()
        by_name = None
        if name == "pairs/flags":
            by_name = _match_slots(network.layout.offers)
        for row_name, row in rows:
            if not (frozen_only and fresh[row]):
                yield f"{name}/{row_name}", table.named_row(row, by_name)
    for name, cells in network.pairs.pair_tables():
        rows, columns = _cell_names(network, name)
        if frozen_only:
            rows = [(label, row) for label, row in rows if not cells.fresh_rows[row]]
            columns = [(label, column) for label, column in columns if not cells.fresh_columns[column]]
        for row_name, labels, places in cells.named(rows, columns, trained=True):
            yield f"pairs/{name}/{row_name}", json.dumps(labels).encode() + cells.weights[places, :2].tobytes()


def frozen_entries(network: Network) -> Iterator[tuple[str, object]]:
    """Yield what a running warm-up must leave as it is: parameters, optimiser state, statistics of surviving inputs."""
    yield from weight_entries(network, frozen_only=True)
    for part_name, part in network.parts():
        for extra_name, extra in part.frozen_extra():
            yield f"{part_name}/{extra_name}", extra
    for name, slot in network.layout.features.numeric.items():
        if not network.statistics.new[slot]:
            yield f"statistics/{name}", network.statistics.named(slot)


def named_entries(network: Network) -> Iterator[tuple[str, object]]:
    """Yield all state by name, for the digest."""
    yield from weight_entries(network)
    for name, table, rows in _named_rows(network):
        fresh = table.fresh.cpu().numpy()
        yield f"fresh/{name}", sorted(row_name for row_name, row in rows if fresh[row])
        yield f"held/{name}", sorted(row_name for row_name, row in rows if table.held[row])
    yield "cells/clock", network.cells.clock
    for name, cells in network.pairs.pair_tables():
        rows, columns = _cell_names(network, name)
        for row_name, labels, places in cells.named(rows, columns):
            held = cells.seen[places].tobytes() + cells.counts[places].tobytes()
            yield f"cells/{name}/{row_name}", json.dumps(labels).encode() + held
        yield f"fresh/pairs/{name}/rows", sorted(label for label, row in rows if cells.fresh_rows[row])
        yield (
            f"fresh/pairs/{name}/columns",
            sorted(label for label, column in columns if cells.fresh_columns[column]),
        )
    for name, slot in network.layout.features.numeric.items():
        yield f"statistics/{name}", [*network.statistics.named(slot), bool(network.statistics.new[slot])]
    yield "weights", network.weights.state()
    yield "experts", network.experts.state()
    rows_of = network.layout.rows
    for row, _, _ in rows_of.owners():
        entry = [int(rows_of.last_seen[row]), float(rows_of.mass[row]), float(rows_of.presence[row])]
        yield f"vocabulary/{network.layout.row_name(row)}", entry
    for name, slot in network.layout.features.categorical.items():
        vocabulary = rows_of.vocabularies[slot]
        yield f"vocabulary_events/{name}", vocabulary.events
        yield f"vocabulary_candidates/{name}", list(vocabulary.candidates.items())
    for key, row in network.layout.keys.row_of.items():
        yield f"keys/{key}", int(network.layout.keys.last_seen[row])
    offers = network.layout.offers
    yield "offers/attributes", {name: offers.of_offer[name] for name in offers.offers}
    yield "offers/tasks", offers.tasks.named()
    yield "offers/muted", sorted(name for name, slot in offers.offers.items() if network.layout.muted[slot])
    yield "offers/departed", list(offers.state()["departed"])
    for part_name, part in network.parts():
        for extra_name, extra in part.named_extra():
            yield f"{part_name}/{extra_name}", extra
    yield "evictions", [network.layout.evictions, rows_of.evictions]
    yield from network.counts.named(
        [(key, row + 1) for key, row in network.layout.keys.row_of.items()],
        sorted(offers.offers.items()),
        sorted(offers.values.items()),
    )


def parameters_in_use(network: Network) -> int:
    """Return how many parameters are in use."""
    dense = sum(live * table.row_size for table, live in _rows_in_use(network))
    return dense + sum(cells.used for _, cells in network.pairs.pair_tables())


def parameter_counts(network: Network) -> tuple[int, int]:
    """Return how many parameters are in use, and how many of them a warm-up would train."""
    total = fresh = 0
    for table, live in _rows_in_use(network):
        size = table.row_size
        total += live * size
        fresh += min(live, _number(table.fresh)) * size
    # No cell is counted as fresh: those of new names begin with what occurs, and to look for them would cost a walk
    # over all cells with every version.
    return total + sum(cells.used for _, cells in network.pairs.pair_tables()), fresh


def _number(marked: torch.Tensor) -> int:
    """Return how many are marked; NumPy is the quicker of the two to start."""
    return int(np.count_nonzero(marked.cpu().numpy()))


def _rows_in_use(network: Network) -> Iterator[tuple[Table, int]]:
    """Yield each table with how many of its rows are in use; after every batch, so without their names."""
    features, offers = network.layout.features, network.layout.offers
    owned = {
        Owner.NUMERIC: len(features.numeric),
        Owner.CATEGORICAL: len(features.categorical),
        Owner.COUNT_INPUT: len(_count_inputs(network)),
        Owner.TASK: len(offers.tasks.names),
        Owner.VALUE_ROW: network.layout.rows.live,
        Owner.OFFER: len(offers.offers),
        Owner.ATTRIBUTE_VALUE: len(offers.values),
        Owner.PART: 1,
    }
    for _, part in network.parts():
        for name, table in part.tables():
            yield table, owned[part.owner_of(name, table)] if table.names is None else len(table.names)


def is_finite(network: Network) -> bool:
    """Say whether every weight and optimiser moment is a number."""
    tables = all(table.is_finite() for _, table in _layers(network))
    return tables and all(cells.is_finite() for _, cells in network.pairs.pair_tables())
