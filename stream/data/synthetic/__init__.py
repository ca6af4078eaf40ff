"""Synthetic streams whose truth is known: any features, offers and users, any schedule of schema changes, drift.

The logit of an offer is additive in the inputs, in the user and in the offer's bias; labels are drawn from it. So the
smallest loss that any model could have is known for every event, and a learner's loss can be read beside it.
"""

from stream.data.synthetic.files import SyntheticFiles, Truth, read_truth, write
from stream.data.synthetic.generator import SyntheticEvent, generate
from stream.data.synthetic.scenarios import SCENARIOS, SENTENCES, W1, W2, scenario
from stream.data.synthetic.settings import ScheduledChanges, SyntheticSettings
from stream.data.synthetic.truth import GROUP

__all__ = [
    "GROUP",
    "SCENARIOS",
    "SENTENCES",
    "W1",
    "W2",
    "ScheduledChanges",
    "SyntheticEvent",
    "SyntheticFiles",
    "SyntheticSettings",
    "Truth",
    "generate",
    "read_truth",
    "scenario",
    "write",
]
