"""Measure events per second from memory, embedded log and Kafka beside their limits, and beside other libraries.

The workloads are W1 (20 numeric and 10 categorical inputs, 50 offers; batches of 1,024) and the demo data (batches of
64). One broker is started for each, on this machine. A figure is the median of the repeats, with the lowest and the
highest; the ratios are each within one repeat. With --large come W2 (100 numeric and 30 categorical inputs, 1,000
offers), streams of 300, 1,000 and 5,000 offers that are all possible, and a catalogue of 2,200 films with a schema
version every three events, from memory alone. --former measures the code of before its loops were compiled in turn
with today's; it needs a clone with its history. --peers does so with deep-river, scikit-learn and Vowpal Wabbit from
the same bytes on W1 and W2: each gets an environment of its own in the user's cache, once (deep-river's has 5.5 GB).

Example: stream bench speed --events 20000 --no-kafka
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stream.cli.arguments import Subparsers, new_parser

LOADS = True


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = new_parser(subparsers, __name__)
    parser.add_argument("--events", type=int, default=20_000, help="events of each workload (default 20000)")
    parser.add_argument("--repeats", type=int, default=3, help="how often each is measured (default 3)")
    parser.add_argument("--no-kafka", action="store_true", help="leave Kafka out")
    parser.add_argument("--no-demo", action="store_true", help="leave the demo data out")
    parser.add_argument("--only-memory", action="store_true", help="leave every log out")
    parser.add_argument("--large", action="store_true", help="measure W2, many offers and many versions too")
    parser.add_argument("--former", action="store_true", help="measure the code of before beside today's")
    parser.add_argument("--peers", action="store_true", help="measure other libraries beside ours, on W1 and W2")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures there as JSON too")


def run(args: argparse.Namespace) -> int:
    """Measure what was asked for."""
    import tempfile

    import torch

    from stream.bench.speed.figure import Figure
    from stream.bench.speed.measure import measure
    from stream.bench.speed.peers import PEERS
    from stream.bench.speed.table import speed_json, speed_table
    from stream.bench.speed.workload import LARGE, workloads
    from stream.errors import ConfigurationError

    for name in ("events", "repeats"):
        if getattr(args, name) < 1:
            raise ConfigurationError(f"--{name} {getattr(args, name)} measures nothing; give at least 1.")
    if args.out is not None and not args.out.parent.is_dir():
        raise ConfigurationError(f"--out {args.out}: there is no directory {args.out.parent}; make it first.")
    torch.set_num_threads(1)
    names = ("W1",) if args.no_demo else ("W1", "demo")
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="stream-bench-") as temporary:
        place = Path(temporary)
        for workload in workloads(place, names + (LARGE if args.large else ()), args.events):
            figures += measure(
                workload,
                place / f"run-{workload.name}",
                repeats=args.repeats,
                say=print,
                logs=workload.name not in LARGE and not args.only_memory,
                kafka=not args.no_kafka,
                former=args.former,
                peers=PEERS if args.peers and workload.name in ("W1", "W2") else (),
            )
    print(f"\n{speed_table(figures)}")
    if args.out:
        args.out.write_text(speed_json(figures), encoding="utf-8")
    return 0
