"""Train on many keys over many offers, and state what is resident beside the bound of the cells in bytes.

Only pairs that occurred have a cell, and the longest unseen leave past the bound. Thirty offers are listed in an event,
or everything is possible (`--all`: then an event costs what all offers cost).

Example: stream bench memory --events 200000 --keys 100000
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stream.cli.arguments import Subparsers, new_parser

LOADS = True


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = new_parser(subparsers, __name__)
    parser.add_argument("--events", type=int, default=10_000_000, help="how many events (default 10000000)")
    parser.add_argument("--keys", type=int, default=5_000_000, help="how many keys (default 5000000)")
    parser.add_argument("--offers", type=int, default=2_000, help="how many offers (default 2000)")
    parser.add_argument("--cells", type=int, default=4_000_000, help="network.pair_cells (default 4000000)")
    parser.add_argument("--all", action="store_true", help="everything is possible in each event")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the stretches there as JSON too")


def run(args: argparse.Namespace) -> int:
    """Train, and say what each stretch left."""
    import dataclasses
    import json

    import torch

    from stream.bench.scale.occurred import occurred
    from stream.errors import ConfigurationError

    if min(args.events, args.keys, args.offers, args.cells) < 1:
        raise ConfigurationError("--events, --keys, --offers and --cells measure nothing below 1; give at least 1.")
    torch.set_num_threads(1)
    found = occurred(args.events, args.keys, args.offers, args.cells, not args.all, print)
    if args.out:
        args.out.write_text(json.dumps([dataclasses.asdict(held) for held in found], indent=2) + "\n")
    return 0
