"""Measure what publishing costs training, and deltas beside full versions: bytes, and time to apply.

One learner is fed at a pace while it publishes, and a follower takes every version. Times are CPU milliseconds, so that
what else the machine does counts little. The share of the time holds all threads: the copy, gate, files and pointer.

Example: stream bench publish --streams demo W1 --seconds 60
"""

from __future__ import annotations

import argparse

from stream.cli.arguments import Subparsers, new_parser

LOADS = True


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = new_parser(subparsers, __name__)
    parser.add_argument("--streams", nargs="+", default=["demo", "W1"], metavar="NAME", help="which (default demo W1)")
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S", help="of each (default 60)")
    parser.add_argument("--rate", type=float, default=500.0, metavar="N", help="events a second (default 500)")


def run(args: argparse.Namespace) -> int:
    """Measure, and print tables."""
    import tempfile
    from pathlib import Path

    from stream.bench.publishing import measure, table
    from stream.bench.speed.workload import LARGE
    from stream.errors import ConfigurationError

    if args.seconds <= 0 or args.rate <= 0:
        raise ConfigurationError("--seconds and --rate of nothing measure nothing; give more than 0")
    known = ("W1", "demo", *LARGE)
    if unknown := set(args.streams).difference(known):
        raise ConfigurationError(f"--streams {' '.join(sorted(unknown))}: known are {', '.join(known)}")
    with tempfile.TemporaryDirectory(prefix="stream-bench-") as place:
        found = measure(Path(place), tuple(args.streams), args.seconds, args.rate, print)
    print(f"\n{table(found)}")
    return 0
