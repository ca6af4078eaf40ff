"""Loops compiled by numba, and whether that can be done here."""
