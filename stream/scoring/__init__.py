"""Scoring without training, and without torch: what a published version, a file or a learner says of events."""
