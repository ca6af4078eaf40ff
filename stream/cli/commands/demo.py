"""Run the whole job on real data: broker, producer, learner, live view; at the end a summary and a plot.

Example: stream demo

The data is The Complete Journey, published by 84.51 for research and educational purposes, whose package calls it
simulated: a year of grocery baskets, 1,118 offers that start and end on recorded dates. It needs the optional package
of the extra `demo`. Ctrl-C ends the demo early and still gives summary and plot.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stream.cli.arguments import Subparsers, add_settings_arguments, new_parser, settings_from

LOADS = True


def add_parser(subparsers: Subparsers) -> None:
    """Declare `stream demo`."""
    parser = new_parser(subparsers, __name__)
    parser.add_argument("--events", type=int, metavar="N", help="only the first N of the 65,970 events")
    parser.add_argument(
        "--broker",
        choices=("auto", "kafka", "embedded"),
        default="auto",
        help="kafka: a real one or nothing; embedded: plain files; auto: kafka, or embedded where there is none",
    )
    parser.add_argument(
        "--bootstrap-servers", metavar="HOST:PORT", help="a Kafka that runs already, in place of our own"
    )
    parser.add_argument("--strategy", help="short for --set strategy=...")
    parser.add_argument("--seed", help="short for --set seed=...")
    parser.add_argument("--out", type=Path, default=Path("build/demo"), metavar="DIR", help="where results go")
    parser.add_argument("--data", type=Path, default=Path("build/data"), metavar="DIR", help="where the data is kept")
    add_settings_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run the demo; returns 0 once every event has been learned from, 1 if it was ended early."""
    import sys

    from stream.demo.run import Demo, run_demo
    from stream.errors import ConfigurationError

    if args.events is not None and args.events < 1:
        raise ConfigurationError(f"--events {args.events} leaves nothing to learn from; give at least 1.")
    short = [f"{name}={value}" for name in ("strategy", "seed") if (value := getattr(args, name)) is not None]
    args.assignments = [*short, *args.assignments]
    demo = Demo(args.out, args.data, args.events, args.broker, args.bootstrap_servers)
    return run_demo(demo, lambda *defaults: settings_from(args, *defaults), sys.stdout)
