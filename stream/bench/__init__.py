"""Benchmarks that anyone can run: each figure stands beside its limit, measured in the same run."""
