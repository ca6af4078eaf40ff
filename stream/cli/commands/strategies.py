"""List the strategies by which the network can adapt: a name and a sentence each line."""

from __future__ import annotations

import argparse

from stream.cli.arguments import Subparsers, new_parser


def add_parser(subparsers: Subparsers) -> None:
    """Declare `stream strategies`."""
    new_parser(subparsers, __name__)


def run(args: argparse.Namespace) -> int:
    """Print each strategy of the registry with its sentence."""
    from stream.adaptation import STRATEGIES

    width = max(map(len, STRATEGIES))
    for name, strategy in STRATEGIES.items():
        print(f"{name:<{width}}  {strategy.sentence}")
    return 0
