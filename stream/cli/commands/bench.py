"""Measure: `speed` gives events per second beside their limits, `adaptation` compares ways to follow a schema.

Figures of different machines cannot be compared; ratios and differences within one report can.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stream.cli.arguments import Subparsers, new_parser

_SPEED = """\
Measure events per second from memory, embedded log and Kafka beside their limits.

The workloads are W1 (20 numeric and 10 categorical inputs, 50 offers; batches of 1,024) and the demo data (batches of
64). One broker is started for each, on this machine. A figure is the median of the repeats, with the lowest and the
highest; the ratios are each within one repeat."""
_ADAPTATION = """\
Run every way to adapt over the same streams from the same seeds, and write a report: report.md, report.json, plots.

A run that was broken off goes on where it stopped when it is started again with the same DIR."""


def add_parser(subparsers: Subparsers) -> None:
    """Declare `stream bench speed` and `stream bench adaptation`."""
    which = new_parser(subparsers, __name__).add_subparsers(title="what to measure", dest="which", required=True)
    speed = _parser(which, "speed", _SPEED)
    speed.add_argument("--events", type=int, default=20_000, help="events of each workload (default 20000)")
    speed.add_argument("--repeats", type=int, default=3, help="how often each is measured (default 3)")
    speed.add_argument("--no-kafka", action="store_true", help="leave Kafka out")
    speed.add_argument("--no-demo", action="store_true", help="leave the demo data out")
    speed.add_argument("--out", type=Path, metavar="FILE", help="write the figures there as JSON too")
    adaptation = _parser(which, "adaptation", _ADAPTATION)
    adaptation.add_argument("--out", type=Path, required=True, metavar="DIR", help="where report and runs are kept")
    adaptation.add_argument("--quick", action="store_true", help="a smoke run of about two minutes")
    adaptation.add_argument("--seeds", type=int, metavar="N", help="the most seeds of any arm (default: the plan's)")
    adaptation.add_argument(
        "--jobs", type=int, default=2, metavar="N", help="runs at a time, a process each (default 2)"
    )
    adaptation.add_argument("--streams", nargs="+", default=[], metavar="NAME", help="only these streams of the plan")
    adaptation.add_argument("--arms", nargs="+", default=[], metavar="NAME", help="only these arms of the plan")
    adaptation.add_argument(
        "--minutes", type=float, metavar="N", help="begin no run after so many minutes, then report"
    )
    adaptation.add_argument("--report-only", action="store_true", help="run nothing, report on the runs that are there")
    adaptation.add_argument(
        "--from",
        dest="kept",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="run nothing, make the report anew from the report.json of one call or of several together",
    )
    adaptation.add_argument("--plan", action="store_true", help="say how much work it is, and stop")


def _parser(which: Subparsers, name: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = which.add_parser(
        name,
        help=text.partition("\n")[0],
        description=text,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Measure what was asked for."""
    return _adaptation(args) if args.which == "adaptation" else _speed(args)


def _adaptation(args: argparse.Namespace) -> int:
    from rich.console import Console

    from stream.bench.adaptation.command import Wanted, bench_adaptation

    wanted = Wanted(
        quick=args.quick,
        seeds=args.seeds,
        streams=args.streams,
        arms=args.arms,
        workers=args.jobs,
        only_plan=args.plan,
        minutes=args.minutes,
        only_report=args.report_only,
        kept=args.kept,
    )
    bench_adaptation(args.out, wanted, Console())
    return 0


def _speed(args: argparse.Namespace) -> int:
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
    if args.out is not None and not args.out.parent.is_dir():
        raise ConfigurationError(f"--out {args.out}: there is no directory {args.out.parent}; make it first.")
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
