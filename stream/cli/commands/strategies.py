"""List the strategies by which the network can adapt: a name and a sentence each line.

Example: stream strategies
"""

from __future__ import annotations

import argparse

from stream.cli.arguments import Subparsers, new_parser


def add_parser(subparsers: Subparsers) -> None:
    """Declare `stream strategies`."""
    new_parser(subparsers, __name__)


def run(args: argparse.Namespace) -> int:
    """Print each method of the catalogue with its sentence."""
    from stream.adaptation import METHODS

    width = max(map(len, METHODS))
    for name, entry in METHODS.items():
        print(f"{name:<{width}}  {entry.sentence}")
    return 0
