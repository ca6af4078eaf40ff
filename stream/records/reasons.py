"""Why a record could not be used, and why a warm-up ended: every word that there is, once.

Who raises takes a member, so that mypy finds a word that is not here; who counts (`stream.metrics`) starts a series for
each member. The words are few and hold nothing of a record: they are values of a metric's label.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = [
    "DEAD_LETTER_REASONS",
    "REJECTION_REASONS",
    "DeadLetterReason",
    "InteractionFault",
    "RejectionReason",
    "Unreadable",
    "VersionFault",
    "WarmupEnd",
]


class Unreadable(StrEnum):
    """A record's value is not one JSON object by the strict reading (`stream.records.strict_json`)."""

    NO_VALUE = "no_value"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    NOT_OBJECT = "not_object"
    NOT_FINITE = "not_finite"
    TOO_DEEP = "too_deep"
    DUPLICATE_KEY = "duplicate_key"


class InteractionFault(StrEnum):
    """An object of the topic `interactions` is no interaction, or waited in vain for its schema version."""

    MISSING_ID = "missing_id"
    MISSING_TS = "missing_ts"
    MISSING_FEATURES = "missing_features"
    MISSING_LABELS = "missing_labels"
    INVALID_ID = "invalid_id"
    INVALID_KEY = "invalid_key"
    INVALID_TS = "invalid_ts"
    INVALID_FEATURES = "invalid_features"
    INVALID_LABELS = "invalid_labels"
    INVALID_SHOWN = "invalid_shown"
    INVALID_SCHEMA_VERSION = "invalid_schema_version"
    INVALID_WEIGHT = "invalid_weight"
    TS_AHEAD = "ts_ahead"
    TS_BEHIND = "ts_behind"
    VERSION_MISSING = "version_missing"
    VERSION_REJECTED = "version_rejected"


class VersionFault(StrEnum):
    """An object of the topic `feature-schema` is no version, or one that the schema in force cannot take."""

    MISSING_VERSION = "missing_version"
    MISSING_TS = "missing_ts"
    MISSING_CHANGES = "missing_changes"
    INVALID_VERSION = "invalid_version"
    INVALID_TS = "invalid_ts"
    INVALID_CHANGES = "invalid_changes"
    INVALID_AUTHOR = "invalid_author"
    INVALID_COMMENT = "invalid_comment"
    INVALID_CHANGE = "invalid_change"
    UNKNOWN_MEMBER = "unknown_member"
    UNKNOWN_OP = "unknown_op"
    UNKNOWN_KIND = "unknown_kind"
    TS_AHEAD = "ts_ahead"
    VERSION_GAP = "version_gap"
    VERSION_CONFLICT = "version_conflict"
    FEATURE_ABSENT = "feature_absent"
    FEATURE_LIVE = "feature_live"
    FEATURE_ALIASED = "feature_aliased"
    LABEL_ABSENT = "label_absent"
    LABEL_LIVE = "label_live"
    LABEL_ALIASED = "label_aliased"


class WarmupEnd(StrEnum):
    """Why a warm-up is over."""

    FLATTENED = "flattened"
    BOUND = "bound"
    BUDGET = "budget"
    REMOVED = "removed"


DeadLetterReason = Unreadable | InteractionFault
RejectionReason = Unreadable | VersionFault

DEAD_LETTER_REASONS: tuple[DeadLetterReason, ...] = (*Unreadable, *InteractionFault)
REJECTION_REASONS: tuple[RejectionReason, ...] = (*Unreadable, *VersionFault)
