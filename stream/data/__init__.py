"""Streams to learn from: the Complete Journey demo data and a synthetic one with known ground truth.

`journey` needs the optional extra `demo`, but only once its tables are read; `synthetic` needs nothing.
Both speak the contract's forms (interactions and schema versions as JSON objects, one a line in a file).
"""
