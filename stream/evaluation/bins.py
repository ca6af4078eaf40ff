"""The bins that logits are pooled in."""

from __future__ import annotations

__all__ = ["BINS", "PER_UNIT"]

BINS = 2048
PER_UNIT = 64
"""Bins of a logit of 1."""
