"""Train on a stream whose names never repeat, and compare step time and memory at its end with a tenth of the way.

Keys, values, unknown inputs: each event has its own; every thousand events features and offers go and others come. Two
million events, which the default is, take some twenty minutes on one core.

Example: stream bench growth --events 200000
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stream.cli.arguments import Subparsers, new_parser

LOADS = True


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = new_parser(subparsers, __name__)
    parser.add_argument("--events", type=int, default=2_000_000, help="how many events (default 2000000)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the stretches there as JSON too")


def run(args: argparse.Namespace) -> int:
    """Train, and say how each stretch went."""
    import dataclasses
    import json

    import torch

    from stream.bench.scale.growth import growth, stretches_table
    from stream.errors import ConfigurationError

    if args.events < 1:
        raise ConfigurationError(f"--events {args.events} measures nothing; give at least 1.")
    torch.set_num_threads(1)
    found = growth(args.events, print)
    print(f"\n{stretches_table(found)}")
    if args.out:
        args.out.write_text(json.dumps([dataclasses.asdict(stretch) for stretch in found], indent=2) + "\n")
    return 0
