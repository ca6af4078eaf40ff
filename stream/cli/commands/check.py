"""Look at interactions and schema versions, and tell line by line what is wrong and what looks wrong.

Example: stream check --interactions events.jsonl --schema schema.jsonl

Nothing is changed, and no learner is disturbed. Without a file it looks at the topics of the log, up to their ends of
now; with one file and --log or --bootstrap-servers, the other comes from the log. - is standard input.

Wrong is what a learner refuses: a dead letter, a rejected version. What looks wrong is taken, but something in it has
no effect or is probably not meant: a name that is not live (and what it is close to), a label outside `shown`, a value
that its feature's kind does not take, a time in another unit, a feature that is always missing. Exit code 0: nothing;
1: something is wrong; 10: something looks wrong.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from stream.cli.arguments import Subparsers, new_parser
from stream.cli.log_arguments import add_log_arguments, log_settings_from
from stream.errors import ConfigurationError

if TYPE_CHECKING:
    from stream.log.protocol import Record
    from stream.service.item import Plausible
    from stream.settings.root import Settings

    Records = Iterator[tuple[Record, str]]


def add_parser(subparsers: Subparsers) -> None:
    """Declare `stream check`."""
    parser = new_parser(subparsers, __name__)
    parser.add_argument("--interactions", type=Path, metavar="FILE", help="interactions, one a line; - for stdin")
    parser.add_argument("--schema", type=Path, metavar="FILE", help="schema versions, one a line; - for stdin")
    parser.add_argument("--limit", type=int, metavar="N", help="look at the first N interactions only")
    parser.add_argument("--all", action="store_true", help="show every finding, not the first of each severity")
    parser.add_argument("--json", action="store_true", help="as one JSON object")
    add_log_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print what was found; returns 0, 1 or 10 by its severity.

    Raises:
        ConfigurationError: a file cannot be read, or both are standard input.
        LogError: a topic cannot be read.
    """
    import json

    from stream.check.findings import Findings, Severity
    from stream.check.interactions import InteractionCheck
    from stream.check.report import as_json, as_lines, finish
    from stream.check.versions import VersionCheck

    if str(args.interactions) == str(args.schema) == "-":
        raise ConfigurationError("--interactions and --schema cannot both be standard input; name a file for one.")
    if args.limit is not None and args.limit < 0:
        raise ConfigurationError(f"--limit {args.limit} is no number of interactions; give one from 0.")
    settings = log_settings_from(args)
    from_log = (args.interactions is None and args.schema is None) or bool(
        settings.log.directory or args.bootstrap_servers
    )
    plausible = _plausible(settings) if from_log and not settings.log.directory else None
    findings = Findings()
    versions = None
    if args.schema is not None or from_log:
        ahead = None if args.schema is not None or plausible is None else plausible.version_max_ahead_ms
        versions = VersionCheck(findings, ahead)
        for record, place in _versions(args.schema, settings):
            versions.saw(record, place)
    events = InteractionCheck(findings, versions, plausible if args.interactions is None else None)
    if args.interactions is not None or from_log:
        for record, place in islice(_interactions(args.interactions, settings), args.limit):
            events.saw(record, place)
    finish(findings, events, versions)
    if args.json:
        print(json.dumps(as_json(findings, events, versions), indent=2, ensure_ascii=False))
    else:
        for line in as_lines(findings, events, versions, args.all):
            print(line)
    if findings.number(Severity.WRONG):
        return 1
    return 10 if findings.number(Severity.LOOKS_WRONG) else 0


def _versions(path: Path | None, settings: Settings) -> Records:
    from stream.check.inputs import lines_of, versions_of

    if path is not None:
        return lines_of(path)
    if settings.log.directory:
        from stream.log.embedded_source import EmbeddedSchemaSource

        return versions_of(EmbeddedSchemaSource(Path(settings.log.directory), settings.topics.schema), 30.0)
    from stream.log.connection import Connection
    from stream.log.kafka_schema import KafkaSchemaSource

    return versions_of(
        KafkaSchemaSource(Connection(settings.kafka), settings.topics.schema), settings.kafka.request_seconds
    )


def _interactions(path: Path | None, settings: Settings) -> Records:
    from stream.check.inputs import lines_of, records_of

    if path is not None:
        return lines_of(path)
    if settings.log.directory:
        from stream.log.embedded_source import EmbeddedInteractionSource

        return records_of(EmbeddedInteractionSource(Path(settings.log.directory), settings.topics.interactions), 0.5)
    from stream.log.connection import Connection
    from stream.log.kafka_source import KafkaInteractionSource

    return records_of(KafkaInteractionSource(Connection(settings.kafka), settings.topics.interactions), 0.5)


def _plausible(settings: Settings) -> Plausible:
    from stream.service.start import plausible_of

    return plausible_of(settings)
