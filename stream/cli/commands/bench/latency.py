"""Measure how long an event takes from its arrival until it is trained, at half the rate that can be trained.

W1 (20 numeric and 10 categorical inputs, 50 offers) comes through an embedded log, from a process of its own that says
in each event's `ts` when it was sent. First it is measured how many events a second can be trained, then so much of
that is sent. Settings are the defaults, checkpoints included; batches are of 64 and of 1,024.

Example: stream bench latency --seconds 30
"""

from __future__ import annotations

import argparse

from stream.cli.arguments import Subparsers, new_parser

LOADS = True


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = new_parser(subparsers, __name__)
    parser.add_argument("--seconds", type=float, default=20.0, help="for how long events are sent (default 20)")
    parser.add_argument("--load", type=float, default=0.5, help="part of the rate that can be trained (default 0.5)")
    parser.add_argument("--events", type=int, default=20_000, help="events by which the rate is found (default 20000)")


def run(args: argparse.Namespace) -> int:
    """Measure, and print a table."""
    import dataclasses
    import tempfile
    from pathlib import Path

    from stream.bench.latency import measure, table
    from stream.bench.speed.workload import workloads
    from stream.errors import ConfigurationError
    from stream.service.rehearsal import rehearse

    if args.seconds < 3 or args.events < 1 or args.load <= 0:
        raise ConfigurationError("--seconds has to be 3 at least, --events 1, and --load more than 0.")
    rehearse()
    found = []
    with tempfile.TemporaryDirectory(prefix="stream-bench-") as temporary:
        place = Path(temporary)
        (workload,) = workloads(place, ("W1",), args.events)
        for size in (64, 1024):
            settings = dataclasses.replace(workload.settings, batch_size=size)
            sized = dataclasses.replace(workload, name=f"W1, batches of {size:,}", settings=settings)
            found.append(measure(sized, place / str(size), args.seconds, args.load, print))
    print(f"\n{table(found)}")
    return 0
