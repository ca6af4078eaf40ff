"""Measure: `speed` gives events per second beside their limits, `adaptation` compares ways to follow a schema.

Example: stream bench adaptation --quick --out report

Figures of different machines cannot be compared; ratios and differences within one report can.
"""

from __future__ import annotations

import importlib
import pkgutil

from stream.cli.arguments import Subparsers, new_parser

LOADS = True


def add_parser(subparsers: Subparsers) -> None:
    """Declare each benchmark: a module of this package, written as a command's is."""
    which = new_parser(subparsers, __name__).add_subparsers(title="what to measure", dest="which", required=True)
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}").add_parser(which)
