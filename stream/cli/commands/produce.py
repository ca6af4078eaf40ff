"""Send a stream to Kafka or to an embedded log, from two files or generated, each version before what needs it.

Example: stream produce --interactions events.jsonl --schema schema.jsonl --log mylog

The records keep the order of the files, are keyed by the entity and bear the time of sending. `--journey` is the demo's
data (the extra `demo`); `--synthetic` a seeded stream with a known truth.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from stream.cli.arguments import Subparsers, new_parser
from stream.cli.log_arguments import add_log_arguments, log_settings_from, place_of
from stream.errors import ConfigurationError

if TYPE_CHECKING:
    from stream.log.produce import Entry


def add_parser(subparsers: Subparsers) -> None:
    """Declare `stream produce`."""
    parser = new_parser(subparsers, __name__)
    parser.add_argument("--interactions", type=Path, metavar="FILE", help="interactions, one JSON value a line")
    parser.add_argument("--schema", type=Path, metavar="FILE", help="schema versions, one JSON value a line")
    parser.add_argument("--journey", action="store_true", help="the Complete Journey in place of files")
    parser.add_argument("--synthetic", metavar="SCENARIO", help="a synthetic scenario in place of files")
    parser.add_argument("--events", type=int, metavar="N", help="of generated data, the first N events")
    parser.add_argument("--seed", type=int, default=0, help="of a synthetic stream (default 0)")
    parser.add_argument("--rate", type=float, metavar="EVENTS", help="at most so many interactions a second")
    add_log_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Send everything and say how much that was.

    Raises:
        ConfigurationError: there is nothing to send, or a file cannot be read.
        LogError: a topic does not exist, or a record could not be written.
    """
    from stream.log.produce import in_order, produce
    from stream.log.writer import writing

    settings = log_settings_from(args)
    if args.rate is not None and not 0 < args.rate < float("inf"):
        raise ConfigurationError(f"--rate {args.rate:g} is no rate; give a number above 0, or leave it out.")
    if args.events is not None and args.events < 0:
        raise ConfigurationError(f"--events {args.events} is no number of events; give one from 0.")
    started = time.monotonic()
    with ExitStack() as stack:
        interactions, schema = _files(args, stack)
        lines = [stack.enter_context(_opened(path)) for path in (interactions, schema)]
        total_bytes = sum(path.stat().st_size for path in (interactions, schema) if path is not None)
        sent = stack.enter_context(_progress(total_bytes))
        writers = stack.enter_context(writing(settings.kafka, settings.log, settings.topics))
        events = produce(in_order(*lines), writers, args.rate, sent)
    seconds = time.monotonic() - started
    print(f"{events:,} interactions sent to {place_of(settings)} in {seconds:.1f} s")
    return 0


def _files(args: argparse.Namespace, stack: ExitStack) -> tuple[Path | None, Path | None]:
    sources = [args.interactions is not None or args.schema is not None, args.journey, args.synthetic is not None]
    if sum(sources) != 1:
        raise ConfigurationError(
            "Say what to send: --interactions and --schema, or --journey, or --synthetic SCENARIO."
        )
    if sources[0]:
        return args.interactions, args.schema
    directory = Path(stack.enter_context(TemporaryDirectory(prefix="stream-produce-")))
    if args.journey:
        from stream.data import journey

        files = journey.write(directory, args.events)
        return files.interactions, files.schema
    from stream.data import synthetic

    known = {} if args.events is None else {"events": args.events}
    made = synthetic.write(directory, synthetic.scenario(args.synthetic, args.seed, **known))
    return made.interactions, made.schema


@contextmanager
def _opened(path: Path | None) -> Iterator[Iterator[bytes]]:
    if path is None:
        yield iter(())
        return
    from stream.log.line_file import opened_lines

    try:
        file = path.open("rb")
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from error
    with file:
        yield opened_lines(file, path)


@contextmanager
def _progress(total_bytes: int) -> Iterator[Callable[[Entry], None]]:
    """Show a bar on a terminal; elsewhere nothing."""
    if not sys.stderr.isatty():
        yield lambda entry: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Sending", total=total_bytes)
        yield lambda entry: progress.advance(task, len(entry.value) + 1)
