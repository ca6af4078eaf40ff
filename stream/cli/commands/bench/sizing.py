"""Say what a stream's sizes cost: events per second and resident memory as inputs, offers, values, keys, batch grow.

One size at a time goes up, the others stay at a middle (30 inputs, 100 offers of which 30 are shown, 10,000 values,
10,000 keys, batches of 256, one thread). Each point is a process of its own; all of them take some twenty minutes.

Example: stream bench sizing --most 100000
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stream.cli.arguments import Subparsers, new_parser

LOADS = True


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = new_parser(subparsers, __name__)
    parser.add_argument("--most", type=int, default=10_000_000, help="leave out what is larger (default 10000000)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the points there as JSON too")


def run(args: argparse.Namespace) -> int:
    """Measure each point, and print the table."""
    import dataclasses
    import json

    from stream.bench.scale.sizing import sizing, sizing_table

    found = sizing(args.most, print)
    print(f"\n{sizing_table(found)}")
    if args.out:
        args.out.write_text(json.dumps([dataclasses.asdict(point) for point in found], indent=2) + "\n")
    return 0
