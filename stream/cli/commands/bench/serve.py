"""Measure the answers: how fresh they are, what one costs by the number of offers, and what swaps of versions do.

fresh: a broker, a learner and a scorer run here, events come at 500 a second and questions at 50: the time from an
event, and from a schema version, to the first answer that reflects it. offers: one request over 1,000 and 100,000
offers, and batches. swaps: a version a second under load, with schema changes. DIR gets report.md and serve.json; parts
that an earlier call has measured stay in it.

Example: stream bench serve --out serve --parts fresh offers
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stream.cli.arguments import Subparsers, new_parser

LOADS = True


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = new_parser(subparsers, __name__)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the report is written")
    parser.add_argument("--parts", nargs="+", default=["fresh", "offers", "swaps"], metavar="PART", help="which parts")
    parser.add_argument("--offers", type=int, nargs="+", default=[1_000, 100_000], metavar="N", help="catalogue sizes")
    parser.add_argument("--seconds", type=float, default=20.0, metavar="S", help="of requests by size (default 20)")
    parser.add_argument("--fresh-seconds", type=float, default=120.0, metavar="S", help="of freshness (default 120)")
    parser.add_argument("--swap-seconds", type=float, default=300.0, metavar="S", help="of swaps (default 300)")


def run(args: argparse.Namespace) -> int:
    """Measure, and write the report."""
    from stream.bench.serve.command import PARTS, Wanted, bench_serve
    from stream.errors import ConfigurationError

    if unknown := set(args.parts).difference(PARTS):
        raise ConfigurationError(f"--parts {' '.join(sorted(unknown))}: known are {', '.join(PARTS)}")
    wanted = Wanted(tuple(args.parts), tuple(args.offers), args.seconds, args.fresh_seconds, args.swap_seconds)
    bench_serve(args.out, wanted, print)
    return 0
