"""Measure: `stream bench speed` gives events per second from memory, embedded log and Kafka beside their limits.

The workloads are W1 (20 numeric and 10 categorical inputs, 50 offers; batches of 1,024) and the demo data (batches of
64). One broker is started for each, on this machine. Figures of different machines cannot be compared; the ratios can.
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
    parser.add_argument("--no-kafka", action="store_true", help="leave Kafka out")
    parser.add_argument("--no-demo", action="store_true", help="leave the demo data out")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures there as JSON too")


def run(args: argparse.Namespace) -> int:
    """Measure each workload and print a table with ratios to the bare torch step."""
    import dataclasses
    import json
    import tempfile

    import torch

    from stream.bench.speed import Figure, Workload, measure
    from stream.data import journey, synthetic
    from stream.settings.root import Settings

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
            figures += measure(workload, place / f"run-{workload.name}", kafka=not args.no_kafka, say=print)
    bare = {f.workload: f.events_per_second for f in figures if f.source == "bare torch step"}
    print(f"\n{'workload':>14}  {'source':<34} {'events/s':>10}  share of the bare step")
    for figure in figures:
        share = figure.events_per_second / bare[figure.workload]
        print(f"{figure.workload:>14}  {figure.source:<34} {figure.events_per_second:>10,.0f}  {share:.3f}")
    if args.out:
        args.out.write_text(json.dumps([dataclasses.asdict(figure) for figure in figures], indent=2) + "\n")
    return 0
