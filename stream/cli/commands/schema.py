"""Show the schema, publish a change of it, or compare two of its versions.

These look at the schema topic, that is at everything published, whether or not event time has reached it yet.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stream.cli.arguments import Subparsers, new_parser
from stream.cli.log_arguments import add_log_arguments, log_settings_from, place_of
from stream.errors import ConfigurationError, InvalidVersion

if TYPE_CHECKING:
    from stream.log.schema_history import SchemaHistory
    from stream.schema import Change, Schema, Version
    from stream.settings.root import Settings


def add_parser(subparsers: Subparsers) -> None:
    """Declare `stream schema show`, `publish` and `diff`."""
    actions = new_parser(subparsers, __name__).add_subparsers(
        title="actions", dest="action", metavar="ACTION", required=True
    )

    show = actions.add_parser("show", help="print the schema", description="Print the schema after its last version.")
    show.add_argument("--version", type=int, metavar="N", help="the schema after version N in place of the last")
    show.add_argument("--json", action="store_true", help="as one JSON object")

    publish = actions.add_parser(
        "publish",
        help="publish changes under the next version number",
        description="Publish changes, in order and together, under the next version number. They are checked against "
        "the schema first; where another publisher comes first, they get the number after.",
    )
    publish.add_argument("file", nargs="?", type=Path, metavar="FILE", help="a JSON list of changes; - reads stdin")
    publish.add_argument(
        "--change", action="append", default=[], metavar="JSON", help="one change, after the file's (repeatable)"
    )
    when = publish.add_mutually_exclusive_group(required=True)
    when.add_argument(
        "--ts",
        metavar="TIME",
        help="event time from which it is in force: Unix milliseconds, or a time with its zone, as in "
        "2026-01-31T06:00:00+00:00",
    )
    when.add_argument("--at-once", action="store_true", help="take the last version's time, so it is in force at once")
    publish.add_argument("--dry-run", action="store_true", help="check and print, but publish nothing")

    diff = actions.add_parser(
        "diff", help="print what two versions differ in", description="Print what leads from version A to version B."
    )
    diff.add_argument("a", type=int, metavar="A", help="a version number; 0 is the empty schema")
    diff.add_argument("b", type=int, metavar="B", help="another")

    for action in (show, publish, diff):
        add_log_arguments(action)


def run(args: argparse.Namespace) -> int:
    """Do what the action says.

    Raises:
        ConfigurationError: an argument is wrong, or a version does not exist.
        SchemaRejected: a learner would reject what was to be published; nothing was.
        LogError: the log cannot be read or written.
    """
    settings = log_settings_from(args)
    match args.action:
        case "show":
            _show(settings, args.version, args.json)
        case "diff":
            from stream.schema import describe, diff

            history = _read(settings)
            _print_lines(describe(diff(history.at(args.a), history.at(args.b))), "no difference")
        case _:
            _publish(settings, args)
    return 0


def _show(settings: Settings, number: int | None, as_json: bool) -> None:
    from stream.schema import Schema, describe, diff

    history = _read(settings)
    schema = history.schema if number is None else history.at(number)
    if as_json:
        state = schema.state()
        shown = {
            "version": schema.version,
            "event_time_ms": schema.event_time_ms,
            "features": dict(state["features"]),
            "labels": dict(state["labels"]),
        }
        print(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    _print_heading(schema)
    _print_lines([line[2:] for line in describe(diff(Schema.empty(), schema))], "nothing is live")


def _publish(settings: Settings, args: argparse.Namespace) -> None:
    from stream.log.publish import next_version, publish_embedded, publish_kafka
    from stream.schema import describe

    ts = None if args.at_once else _time_ms(args.ts)
    changes = _changes(args.file, args.change, ts or 0)

    def make(history: SchemaHistory) -> Version:
        return next_version(history, changes, ts)

    if args.dry_run:
        version = make(_read(settings))
    elif settings.log.directory:
        version = publish_embedded(Path(settings.log.directory), settings.topics.schema, make)
    else:
        from stream.log.connection import Connection

        version = publish_kafka(Connection(settings.kafka), settings.topics.schema, make)
    done = "would be published" if args.dry_run else "published"
    print(f"version {version.version}, in force from {version.ts}, {done} to {place_of(settings)}")
    _print_lines(describe(version.changes), "it changes nothing")


def _read(settings: Settings) -> SchemaHistory:
    from stream.log.publish import read_embedded, read_kafka

    if settings.log.directory:
        history = read_embedded(Path(settings.log.directory), settings.topics.schema)
    else:
        from stream.log.connection import Connection

        history = read_kafka(Connection(settings.kafka), settings.topics.schema)
    for sentence in history.rejected:
        print(f"rejected, {sentence}", file=sys.stderr)
    return history


def _changes(file: Path | None, texts: Sequence[str], ts: int) -> tuple[Change, ...]:
    from stream.schema import parse_version

    listed = [] if file is None else _listed(file)
    try:
        listed += [json.loads(text) for text in texts]
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"--change is not JSON: {error}.") from error
    if not listed:
        raise ConfigurationError("Give the changes: a FILE that lists them, or --change JSON.")
    try:
        return parse_version(json.dumps({"version": 1, "ts": ts, "changes": listed}).encode()).changes
    except InvalidVersion as error:
        raise ConfigurationError(f"This is no schema version: {error}.") from error


def _listed(file: Path) -> list[object]:
    try:
        value = json.loads(sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{file} is not JSON: {error}.") from error
    if isinstance(value, dict):  # a version as it stands in a schema file; its number and time are not taken
        value = value.get("changes")
    if not isinstance(value, list):
        raise ConfigurationError(f"{file} holds no list of changes.")
    return value


def _time_ms(text: str) -> int:
    from stream.settings.root import start_time_ms

    try:
        return int(text)
    except ValueError:
        pass
    try:
        return start_time_ms(text)
    except ValueError:
        raise ConfigurationError(
            f"--ts {text} is neither Unix milliseconds nor a time with its zone, such as 2026-01-31T06:00:00+00:00."
        ) from None


def _print_heading(schema: Schema) -> None:
    when = "" if schema.event_time_ms is None else f", in force from {schema.event_time_ms}"
    print(f"version {schema.version}{when}: {len(schema.features)} features, {len(schema.labels)} labels")


def _print_lines(lines: Sequence[str], otherwise: str) -> None:
    for line in lines or [otherwise]:
        print(line)
