"""Measure: `stream bench speed` gives events per second from memory, embedded log and Kafka beside their limits.

The workloads are W1 (20 numeric and 10 categorical inputs, 50 offers; batches of 1,024) and the demo data (batches of
64). One broker is started for each, on this machine. A figure is the median of the repeats, with the lowest and the
highest. Figures of different machines cannot be compared; the ratios, each within one repeat, can.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stream.cli.arguments import Subparsers, new_parser


def add_parser(subparsers: Subparsers) -> None:
    """Declare `stream bench`."""
    parser = new_parser(subparsers, __name__)
    parser.add_argument("which", choices=("speed",), help="what to measure")
    parser.add_argument("--events", type=int, default=20_000, help="events of each workload (default 20000)")
    parser.add_argument("--repeats", type=int, default=3, help="how often each is measured (default 3)")
    parser.add_argument("--no-kafka", action="store_true", help="leave Kafka out")
    parser.add_argument("--no-demo", action="store_true", help="leave the demo data out")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures there as JSON too")


def run(args: argparse.Namespace) -> int:
    """Measure each workload and print a table with ratios to the bare torch step and to the raw poll."""
    import dataclasses
    import tempfile

    import torch

    from stream.bench.speed import Figure, Workload, measure
    from stream.bench.speed_table import speed_json, speed_table
    from stream.data import journey, synthetic
    from stream.errors import ConfigurationError
    from stream.settings.root import Settings

    for name in ("events", "repeats"):
        if getattr(args, name) < 1:
            raise ConfigurationError(f"--{name} {getattr(args, name)} measures nothing; give at least 1.")
    torch.set_num_threads(1)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="stream-bench-") as temporary:
        place = Path(temporary)
        made = synthetic.write(place / "w1", dataclasses.replace(synthetic.W1, events=args.events))
        large = Settings(batch_size=1024, batch_age_seconds=0)
        workloads = [Workload("W1", made.interactions, made.schema, large)]
        if not args.no_demo:
            demo = journey.write(place / "demo", args.events)
            small = Settings(batch_age_seconds=0)
            small = dataclasses.replace(
                small, evaluation=dataclasses.replace(small.evaluation, attribute="category", finite=True)
            )
            workloads.append(Workload("demo data", demo.interactions, demo.schema, small))
        for workload in workloads:
            run = place / f"run-{workload.name}"
            figures += measure(workload, run, repeats=args.repeats, kafka=not args.no_kafka, say=print)
    print(f"\n{speed_table(figures)}")
    if args.out:
        args.out.write_text(speed_json(figures), encoding="utf-8")
    return 0
