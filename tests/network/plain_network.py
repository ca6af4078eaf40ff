"""The default network once more, slow and by name: a logit for each event and offer, in float64, for autograd."""

from __future__ import annotations

from typing import Any

import torch

from stream.encoding.features import KEY
from stream.learner.core import LearnerCore
from stream.records.interaction import Interaction
from stream.schema import Kind
from tests.network.dense import dense

Leaves = dict[str, torch.Tensor]


def leaves(learner: LearnerCore) -> Leaves:
    """Return every weight of the network as a float64 leaf, by part and table."""
    network = learner.network
    found = {f"{part}/{name}": table.weight for part, module in network.parts() for name, table in module.tables()}
    found |= {f"pairs/{name}": dense(cells) for name, cells in network.pairs.pair_tables()}
    return {name: weight.double().requires_grad_() for name, weight in found.items()}


def plain_logit(
    learner: LearnerCore, leaf: Leaves, event: Interaction, offer: str, numeric: dict[str, Any], counts: torch.Tensor
) -> torch.Tensor:
    """Return the logit of one offer; ``numeric`` holds standardised values, None where missing."""
    network = learner.network
    z = leaf["input/bias"][0].clone()
    rows: list[tuple[int, int, float, str]] = []
    for name, kind in network.layout.features.kinds.items():
        slot = network.layout.features.slot(name)
        if kind is Kind.NUMERIC:
            value = numeric[name]
            z = z + (leaf["input/missing"][slot] if value is None else value * leaf["input/numeric"][slot])
            continue
        vocabulary = network.layout.rows.vocabularies[slot]
        values = plain_values(event.features.get(name), kind)
        if values is None:
            rows.append((slot, vocabulary.missing, 1.0, ""))
        else:
            share = 1.0 / len(values) ** 0.5 if values and kind is Kind.MULTI_CATEGORICAL else 1.0
            rows += [
                (
                    slot,
                    vocabulary.row_of.get(value, vocabulary.rare),
                    share,
                    value if value in vocabulary.row_of else "",
                )
                for value in values
            ]
    if network.settings.entity_embedding and event.key is not None:
        slot = network.layout.features.categorical.slot(KEY)
        vocabulary = network.layout.rows.vocabularies[slot]
        known = event.key in vocabulary.row_of
        rows.append((slot, vocabulary.row_of.get(event.key, vocabulary.rare), 1.0, event.key if known else ""))
    for slot, row, share, _ in rows:
        embedded = leaf["input/rows"][row]
        if "input/factor" in leaf:
            embedded = embedded @ leaf["input/factor"][slot]
        z = z + share * (embedded @ leaf["input/projection"][slot])
    hidden = torch.relu(z)
    for index in range(len(network.settings.hidden) - 1):
        bent = torch.relu(hidden @ leaf[f"trunk/{index}/weight"][0] + leaf[f"trunk/{index}/bias"][0])
        hidden = hidden + bent if bent.shape == hidden.shape else bent
    return _pair(learner, leaf, event, offer, hidden, rows, counts)


def _pair(
    learner: LearnerCore,
    leaf: Leaves,
    event: Interaction,
    offer: str,
    hidden: torch.Tensor,
    rows: list[tuple[int, int, float, str]],
    counts: torch.Tensor,
) -> torch.Tensor:
    network, offers = learner.network, learner.network.layout.offers
    place = offers.offers.slot(offer)
    key = 0 if event.key is None else network.layout.keys.row_of.get(event.key, -1) + 1
    logit = (
        hidden @ leaf["output/offer"][place] + leaf["output/offer_bias"][place] + leaf["pairs/key_offer"][key, place]
    )
    for attribute, value in offers.of_offer[offer].items():
        slot = offers.attributes.get(attribute)
        if slot is None:
            continue
        column = int(offers.columns[place, slot])
        logit = logit + hidden @ leaf["output/value"][column] + leaf["output/value_bias"][column]
        logit = logit + leaf["pairs/key_value"][key, column]
        for categorical, row, share, text in rows:
            logit = logit + share * leaf["pairs/wide"][row + 1, column]
            if text == value:
                logit = logit + leaf["pairs/flags"][categorical, slot]
    inside = torch.relu(counts @ leaf["pairs/mixer_in"] + leaf["pairs/mixer_bias"][0])
    return logit + inside @ leaf["pairs/mixer_out"][0] + counts @ leaf["pairs/linear"]


def plain_values(value: Any, kind: Kind) -> list[str] | None:
    """Return the values of a feature as the contract reads them, None where it is missing or mistyped."""
    if value is None:
        return None
    if kind is Kind.BOOLEAN:
        return ["true" if value else "false"] if value in (0, 1) and not isinstance(value, str) else None
    if kind is Kind.CATEGORICAL:
        if isinstance(value, list):
            return None
        return [value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else repr(value)]
    if isinstance(value, list):
        return list(dict.fromkeys(value))
    return [value] if isinstance(value, str) else None


__all__ = ["Leaves", "leaves", "plain_logit", "plain_values"]
