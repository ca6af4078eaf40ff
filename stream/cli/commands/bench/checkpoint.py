"""Measure for how long a checkpoint stops training, by its size, vocabulary included.

One learner grows by values that it has never seen. At each size its checkpoint is made in the foreground, which is how
long training stands still if `checkpoint.in_background` is false, and in the background: for how long training stands
still then, how long it takes until the checkpoint is official, how fast training is meanwhile, and how much memory both
processes take beyond what the one had.

Example: stream bench checkpoint --megabytes 12 76
"""

from __future__ import annotations

import argparse

from stream.cli.arguments import Subparsers, new_parser

LOADS = True


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = new_parser(subparsers, __name__)
    parser.add_argument(
        "--megabytes", type=int, nargs="+", default=[12, 76, 139, 261], help="sizes (default 12 76 139 261)"
    )
    parser.add_argument("--repeats", type=int, default=5, help="how often each is measured (default 5)")


def run(args: argparse.Namespace) -> int:
    """Measure, and print a table."""
    import tempfile
    from pathlib import Path

    from stream.bench.checkpoint import measure, table
    from stream.errors import ConfigurationError

    if args.repeats < 1 or min(args.megabytes) < 1:
        raise ConfigurationError("--repeats and --megabytes of less than 1 measure nothing; give at least 1.")
    with tempfile.TemporaryDirectory(prefix="stream-bench-") as place:
        found = measure(Path(place), [size * 1_000_000 for size in args.megabytes], args.repeats, print)
    print(f"\n{table(found)}")
    return 0
