"""Run every way to adapt over the same streams from the same seeds; write report.md, report.json.gz and plots.

A run that was broken off goes on where it stopped when it is started again with the same DIR.

With --interactions and --schema, or with --topic, it runs on your own stream instead, from files or from the log that
the settings name, and says which strategy to use, by how much and at what cost, with intervals over blocks of time. DIR
then keeps a copy of the events compared. --quick takes two minutes on the last 20,000 events.

Example: stream bench adaptation --out report --quick
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stream.cli.arguments import Subparsers, new_parser
from stream.cli.log_arguments import add_log_arguments

LOADS = True


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = new_parser(subparsers, __name__)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where report and runs are kept")
    parser.add_argument("--quick", action="store_true", help="a smoke run of about two minutes")
    parser.add_argument("--seeds", type=int, metavar="N", help="the most seeds of any arm (default: the plan's)")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="runs at a time, a process each (default 2)")
    parser.add_argument("--streams", nargs="+", default=[], metavar="NAME", help="only these streams of the plan")
    parser.add_argument("--arms", nargs="+", default=[], metavar="NAME", help="only these arms")
    parser.add_argument("--minutes", type=float, metavar="N", help="begin no run after so many minutes, then report")
    parser.add_argument("--report-only", action="store_true", help="run nothing, report on the runs that are there")
    parser.add_argument(
        "--from",
        dest="kept",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="run nothing, make the report anew from the report.json.gz of one call or of several together",
    )
    parser.add_argument("--plan", action="store_true", help="say how much work it is, and stop")
    own = parser.add_argument_group("your own stream")
    own.add_argument("--interactions", type=Path, metavar="FILE", help="interactions, one a line")
    own.add_argument("--schema", type=Path, metavar="FILE", help="schema versions, one a line")
    own.add_argument("--topic", action="store_true", help="read the interactions topic of the settings' log")
    own.add_argument("--since", metavar="TIME", help="of the topic: records that arrived at or after this, ISO 8601")
    own.add_argument("--until", metavar="TIME", help="of the topic: records that arrived before this, ISO 8601")
    own.add_argument("--events", type=int, metavar="N", help="the last N events (default 100000, quick 20000)")
    add_log_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Compare the plan's arms, or those chosen for the user's own stream."""
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
