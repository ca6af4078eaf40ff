"""Measure: `speed` gives events per second beside their limits, `adaptation` compares ways to follow a schema.

Example: stream bench adaptation --quick --out report

Figures of different machines cannot be compared; ratios and differences within one report can.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from stream.cli.arguments import Subparsers, new_parser

if TYPE_CHECKING:
    from stream.bench.speed import Workload
from stream.cli.log_arguments import add_log_arguments

_SPEED = """\
Measure events per second from memory, embedded log and Kafka beside their limits.

The workloads are W1 (20 numeric and 10 categorical inputs, 50 offers; batches of 1,024) and the demo data (batches of
64). One broker is started for each, on this machine. A figure is the median of the repeats, with the lowest and the
highest; the ratios are each within one repeat. With --large come W2 (100 numeric and 30 categorical inputs, 1,000
offers) and streams of 300, 1,000 and 5,000 offers that are all possible, from memory alone."""
_ADAPTATION = """\
Run every way to adapt over the same streams from the same seeds, and write a report: report.md, report.json, plots.

A run that was broken off goes on where it stopped when it is started again with the same DIR.

With --interactions and --schema, or with --topic, it runs on your own stream instead, from files or from the log that
the settings name, and says which strategy to use, by how much and at what cost, with intervals over blocks of time. DIR
then keeps a copy of the events compared. --quick takes two minutes on the last 20,000 events."""


LOADS = True


def add_parser(subparsers: Subparsers) -> None:
    """Declare `stream bench speed` and `stream bench adaptation`."""
    which = new_parser(subparsers, __name__).add_subparsers(title="what to measure", dest="which", required=True)
    speed = _parser(which, "speed", _SPEED, "stream bench speed --events 20000 --no-kafka")
    speed.add_argument("--events", type=int, default=20_000, help="events of each workload (default 20000)")
    speed.add_argument("--repeats", type=int, default=3, help="how often each is measured (default 3)")
    speed.add_argument("--no-kafka", action="store_true", help="leave Kafka out")
    speed.add_argument("--no-demo", action="store_true", help="leave the demo data out")
    speed.add_argument("--large", action="store_true", help="measure W2 and many offers too, from memory")
    speed.add_argument("--out", type=Path, metavar="FILE", help="write the figures there as JSON too")
    adaptation = _parser(which, "adaptation", _ADAPTATION, "stream bench adaptation --out report --quick")
    adaptation.add_argument("--out", type=Path, required=True, metavar="DIR", help="where report and runs are kept")
    adaptation.add_argument("--quick", action="store_true", help="a smoke run of about two minutes")
    adaptation.add_argument("--seeds", type=int, metavar="N", help="the most seeds of any arm (default: the plan's)")
    adaptation.add_argument(
        "--jobs", type=int, default=2, metavar="N", help="runs at a time, a process each (default 2)"
    )
    adaptation.add_argument("--streams", nargs="+", default=[], metavar="NAME", help="only these streams of the plan")
    adaptation.add_argument("--arms", nargs="+", default=[], metavar="NAME", help="only these arms")
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
    own = adaptation.add_argument_group("your own stream")
    own.add_argument("--interactions", type=Path, metavar="FILE", help="interactions, one a line")
    own.add_argument("--schema", type=Path, metavar="FILE", help="schema versions, one a line")
    own.add_argument("--topic", action="store_true", help="read the interactions topic of the settings' log")
    own.add_argument("--since", metavar="TIME", help="of the topic: records that arrived at or after this, ISO 8601")
    own.add_argument("--until", metavar="TIME", help="of the topic: records that arrived before this, ISO 8601")
    own.add_argument("--events", type=int, metavar="N", help="the last N events (default 100000, quick 20000)")
    add_log_arguments(adaptation)


def _parser(which: Subparsers, name: str, text: str, example: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = which.add_parser(
        name,
        help=text.partition("\n")[0],
        description=text,
        epilog=f"Example: {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Measure what was asked for."""
    return _adaptation(args) if args.which == "adaptation" else _speed(args)


def _adaptation(args: argparse.Namespace) -> int:
    from rich.console import Console

    from stream.bench.adaptation.command import Wanted, bench_adaptation
    from stream.errors import ConfigurationError

    if args.topic or args.interactions or args.schema:
        return _own(args)
    if args.since or args.until or args.events:
        raise ConfigurationError("--since, --until and --events are of your own stream; add --topic or --interactions")
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


def _own(args: argparse.Namespace) -> int:
    from rich.console import Console

    from stream.bench.own.command import EVENTS, QUICK_EVENTS, WantedOwn, bench_own
    from stream.bench.own.opening import opened_files, opened_log
    from stream.bench.own.reading import Range, keep_range
    from stream.cli.log_arguments import log_settings_from
    from stream.errors import ConfigurationError

    if args.topic == bool(args.interactions or args.schema) or bool(args.interactions) != bool(args.schema):
        raise ConfigurationError(
            "Your own stream is --interactions FILE with --schema FILE, or --topic; give one of both"
        )
    if args.streams or args.kept or args.report_only or args.plan:
        raise ConfigurationError("--streams, --from, --report-only and --plan are of the plan, not of your own stream")
    events, seeds = args.events or (QUICK_EVENTS if args.quick else EVENTS), args.seeds or 1
    if min(events, seeds) < 1:
        raise ConfigurationError("--events and --seeds have to be 1 at least")
    settings = log_settings_from(args)
    wanted = Range(events, _time_ms(args.since), _time_ms(args.until))
    with opened_log(settings) if args.topic else opened_files(args.interactions, args.schema) as opened:
        kept = keep_range(opened, wanted, settings, args.out)
    bench_own(kept, args.out, WantedOwn(args.quick, args.arms, seeds, args.jobs, args.minutes), Console())
    return 0


def _time_ms(text: str | None) -> int | None:
    from stream.errors import ConfigurationError
    from stream.settings.root import start_time_ms

    if text is None:
        return None
    try:
        return start_time_ms(text)
    except ValueError as error:
        raise ConfigurationError(
            f"{text} is no time with its zone ({error}); write one such as 2026-01-31T06:00:00+00:00"
        ) from error


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
        for workload in _large(place, args.events) if args.large else ():
            figures += measure(workload, place, repeats=args.repeats, kafka=False, say=print, only_memory=True)
    print(f"\n{speed_table(figures)}")
    if args.out:
        args.out.write_text(speed_json(figures), encoding="utf-8")
    return 0


def _large(place: Path, events: int) -> Iterator[Workload]:
    """Yield the workloads of --large, each of so many events that it takes some seconds."""
    import dataclasses

    from stream.bench.speed import Workload
    from stream.data import synthetic
    from stream.network.settings import NetworkSettings
    from stream.settings.root import Settings

    wide = Settings(batch_size=1024, batch_age_seconds=0, network=NetworkSettings(hidden=(256, 256)))
    many = Settings(batch_size=256, batch_age_seconds=0)
    wanted = {"W2": (dataclasses.replace(synthetic.W2, events=min(events, 4096)), wide)}
    for offers in (300, 1_000, 5_000):
        number = min(events, 2_000_000 // offers)
        wanted[f"{offers:,} offers"] = (dataclasses.replace(synthetic.W1, offers=offers, events=number), many)
    for name, (stream, settings) in wanted.items():
        made = synthetic.write(place / name, stream)
        yield Workload(name, made.interactions, made.schema, settings)
