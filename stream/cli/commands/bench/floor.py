"""Compare what is published with the best of simple experts, and see that units, outliers and tails do not matter.

The streams are those of `bench adaptation` (their first 20,000 events), the six parts of the Open Bandit sample with
and without 1 / propensity as weights, and thirty made ones: rates 0.0005 to 0.5, one offer to a thousand, with and
without signal, with a rate that jumps. DIR gets report.md, a plot of the mixture's weights and floor.json.gz. All of it
takes some ten minutes a seed on one core, --quick two.

Example: stream bench floor --quick --out floor
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
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="how often, each with its seed (default 1)")
    parser.add_argument("--quick", action="store_true", help="the beginning of each stream only")
    parser.add_argument("--share", type=float, default=1.0, metavar="X", help="this share of each stream (default 1)")
    parser.add_argument("--streams", nargs="+", default=[], metavar="NAME", help="only streams that begin so")
    parser.add_argument(
        "--from",
        dest="kept",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="run nothing, make the report anew from the floor.json.gz of one call or of several together",
    )


def run(args: argparse.Namespace) -> int:
    """Run it, and write the report."""
    import torch

    from stream.bench.floor.command import Wanted, bench_floor
    from stream.errors import ConfigurationError

    if args.seeds < 1 or not 0.0 < args.share <= 1.0:
        raise ConfigurationError("--seeds is 1 at least, and --share above 0 and 1 at most")
    torch.set_num_threads(1)
    wanted = Wanted(args.seeds, args.quick, args.streams, share=args.share)
    bench_floor(args.out, wanted, args.kept, print)
    return 0
