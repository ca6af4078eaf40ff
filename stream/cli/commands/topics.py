"""Check the three topics, and create those that are missing.

Example: stream topics --create --log mylog

Without --create nothing is changed. A topic that is there is never changed: what is wrong with it is said, and the exit
code is 4.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from stream.cli.arguments import Subparsers, new_parser
from stream.cli.log_arguments import add_log_arguments, log_settings_from, place_of
from stream.errors import ConfigurationError, LogError

if TYPE_CHECKING:
    from stream.settings.root import Settings


def add_parser(subparsers: Subparsers) -> None:
    """Declare `stream topics`."""
    parser = new_parser(subparsers, __name__)
    parser.add_argument("--create", action="store_true", help="create the topics that are missing")
    parser.add_argument("--partitions", type=int, default=4, help="of the interactions, on creation (default 4)")
    parser.add_argument(
        "--replication-factor", type=int, default=-1, metavar="N", help="on creation (default: the broker's)"
    )
    add_log_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print a line for each topic; returns 0 if all is well.

    Raises:
        ConfigurationError: an argument is wrong.
        LogError: the log cannot be reached, or a topic is missing or unfit.
    """
    settings = log_settings_from(args)
    if args.partitions < 1:
        raise ConfigurationError(f"--partitions {args.partitions} leaves no place for a record; give at least 1.")
    lines = _embedded(settings, args) if settings.log.directory else _kafka(settings, args)
    for name, partitions, faults in lines:
        print(f"{name}: " + ("; ".join(faults) or f"{partitions} partition{'s' * (partitions != 1)}, as it should be"))
    unfit = [name for name, _, faults in lines if faults]
    if unfit:
        raise LogError(f"{place_of(settings)} has {len(unfit)} unfit or missing of {len(lines)} topics; see above.")
    return 0


def _kafka(settings: Settings, args: argparse.Namespace) -> list[tuple[str, int, list[str]]]:
    from stream.log.connection import Connection
    from stream.log.topics import create_topics, describe_topics, wanted_topics

    connection = Connection(settings.kafka)
    wanted = wanted_topics(settings.topics, args.partitions)
    if args.create:
        create_topics(connection, wanted, args.replication_factor)
    return [(state.name, state.partitions, state.faults) for state in describe_topics(connection, wanted)]


def _embedded(settings: Settings, args: argparse.Namespace) -> list[tuple[str, int, list[str]]]:
    from stream.log.embedded import EmbeddedTopic

    directory, topics = Path(settings.log.directory), settings.topics
    lines: list[tuple[str, int, list[str]]] = []
    for name, partitions in ((topics.interactions, args.partitions), (topics.schema, 1)):
        try:
            present = len(EmbeddedTopic(directory, name).partitions)
        except LogError:
            present = 0
        if not present and args.create:
            present = len(EmbeddedTopic.create(directory, name, partitions).partitions)
        faults = [] if present else ["it does not exist"]
        if present and name == topics.schema and present != 1:
            faults.append(f"it has {present} partitions and needs exactly one")
        lines.append((name, present, faults))
    return lines
