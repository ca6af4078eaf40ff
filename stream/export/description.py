"""What an exported graph cannot say itself: which column, row and slot each name has, and how an event is encoded."""

from __future__ import annotations

from typing import Any

from stream.encoding.features import KEY, slot_name
from stream.learner.core import LearnerCore
from stream.schema import Kind
from stream.scoring.version import EXPERTS

__all__ = ["BASE_COUNTS", "VALUE_COUNTS", "describe"]

BASE_COUNTS = ("rate", "recent_rate", "key", "key_recent", "key_offer", "offer_age", "key_age")
VALUE_COUNTS = ("key_value", "key_value_recent", "value_recent", "exposure", "recency", "own_inputs")

_HOW = {
    "numeric": "A number as it is, true 1, false 0; NaN if missing or of another type. Columns in the order listed.",
    "categorical": "One row: that of the value (a string as it is, a boolean or number as JSON writes it), `rare` if "
    "it has none, `missing` if the value is null, absent or of another type. row_weight 1.",
    "boolean": "As categorical, with the values true and false; 1 and 0 are these too.",
    "multi_categorical": "A row for each distinct value of the list, each with row_weight 1/sqrt(their number); a "
    "string is a list of one; of an empty list no row; one `missing` if it is null, absent or holds another type.",
    "key": "As categorical, if the event has a key; else no row at all.",
    "row_slot": "The slot of the feature that the row is of; row_event: the event's place in the batch, ascending.",
    "long_values": "Of a value with more than 64 characters: its first 32, an ellipsis, and the 32 hex digits of the "
    "XXH3-128 of its UTF-8.",
    "pair_offer": "The slot of an offer that the event could take; pair_event: the event's place in the batch.",
    "counts": "The pair's running counts, in the columns listed; 0 in those of attributes that the offer lacks.",
    "cells": "The sum of the key's weights for the offer and for its attribute values, of the input values' weights "
    "for these (times row_weight), and of the flags of input values that are attribute values of the offer.",
    "running": "The rate of all pairs, and the recent one; shares: the experts' weights, in the order listed.",
    "state": "counts and cells move with every event. Beside this file are those of the export (safetensors); "
    "stream.export.feeds.feeds_of reads them out of any version for an event, as `stream serve` does.",
}


def describe(learner: LearnerCore) -> dict[str, Any]:
    """Return the description as JSON values."""
    layout = learner.network.layout
    features, offers, rows = layout.features, layout.offers, layout.rows
    categorical = {}
    for name, kind in features.kinds.items():
        if kind is not Kind.NUMERIC:
            categorical[name] = {
                "kind": kind.value,
                **_rows(rows.vocabularies, features.categorical.slot(slot_name(name))),
            }
    key = _rows(rows.vocabularies, features.categorical.slot(KEY)) if KEY in features.categorical else None
    attributes = [name or "" for name in offers.attributes.names]
    attributes += [""] * (offers.columns.shape[1] - len(attributes))
    return {
        "format": 1,
        "strategy": learner.settings.strategy,
        "schema_version": learner.schema.version,
        "events_trained": learner.events_trained,
        "event_time_ms": learner.event_time_ms,
        "numeric": [name for name, _ in features.numeric.items()],
        "categorical": categorical,
        "key": key,
        "offers": {
            name: {"slot": slot, "attributes": dict(offers.of_offer[name])} for name, slot in offers.offers.items()
        },
        "counts": [*BASE_COUNTS, *(f"{count} {name}".strip() for name in attributes for count in VALUE_COUNTS)],
        "experts": list(EXPERTS),
        "how": _HOW,
    }


def _rows(vocabularies: Any, slot: int) -> dict[str, Any]:
    vocabulary = vocabularies[slot]
    return {
        "slot": slot,
        "missing": vocabulary.missing,
        "rare": vocabulary.rare,
        "values": dict(vocabulary.row_of),
    }
