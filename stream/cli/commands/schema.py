"""Show the schema, publish a change of it, or compare two of its versions.

Example: stream schema publish --log mylog --at-once --change '{"op": "add_label", "name": "tea"}'

These look at the schema topic, that is at everything published, whether or not event time has reached it yet.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream.cli.arguments import Subparsers, new_parser
from stream.cli.log_arguments import add_log_arguments, log_settings_from, place_of
from stream.errors import ConfigurationError, InvalidVersion

if TYPE_CHECKING:
    from stream.log.schema_history import SchemaHistory
    from stream.schema import Schema, Version
    from stream.schema.diff import Renames
    from stream.settings.root import Settings


def add_parser(subparsers: Subparsers) -> None:
    """Declare `stream schema show`, `publish`, `diff` and `history`."""
    actions = new_parser(subparsers, __name__).add_subparsers(
        title="actions", dest="action", metavar="ACTION", required=True
    )

    show = actions.add_parser(
        "show",
        help="print the schema",
        description="Print the schema after its last version.",
        epilog="Example: stream schema show --version 3",
    )
    show.add_argument("--version", type=int, metavar="N", help="the schema after version N in place of the last")
    show.add_argument("--json", action="store_true", help="as one JSON object")

    publish = actions.add_parser(
        "publish",
        help="publish changes under the next version number",
        description="Publish changes, in order and together, under the next version number. They are checked against "
        "the schema first; if another publisher comes first, they get the number after.",
        epilog="Example: stream schema publish changes.json --ts 2026-01-31T06:00:00+00:00 --dry-run",
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
    publish.add_argument(
        "--far", action="store_true", help="publish it although its time is decades off; without, that is refused"
    )
    publish.add_argument("--author", metavar="NAME", help="who makes the change; kept and shown, without effect")
    publish.add_argument("--comment", metavar="TEXT", help="why it is made; kept and shown, without effect")
    publish.add_argument("--dry-run", action="store_true", help="check and print, but publish nothing")

    diff = actions.add_parser(
        "diff",
        help="print what two versions differ in",
        description="Print what leads from version A to version B.",
        epilog="Example: stream schema diff 3 5",
    )
    diff.add_argument("a", type=int, metavar="A", help="a version number; 0 is the empty schema")
    diff.add_argument("b", type=int, metavar="B", help="another")

    log = actions.add_parser(
        "history",
        help="print what changed, when, and who made it and why",
        description="Print every version: when it takes effect, its author and comment, and its changes.",
        epilog="Example: stream schema history --json",
    )
    log.add_argument("--json", action="store_true", help="as one JSON object")

    for action in (log, show, publish, diff):
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
            _print_lines(
                describe(diff(history.at(args.a), history.at(args.b), _renames(history, args))), "no difference"
            )
        case "history":
            _history(_read(settings), args.json)
        case _:
            _publish(settings, args)
    return 0


def _renames(history: SchemaHistory, args: argparse.Namespace) -> Renames:
    from stream.schema.diff import renames

    low, high = sorted((args.a, args.b))
    features, labels = renames(applied.version for applied in history.applied[low:high])
    if args.a <= args.b:
        return features, labels
    return {new: old for old, new in features.items()}, {new: old for old, new in labels.items()}


def _history(history: SchemaHistory, as_json: bool) -> None:
    from stream.records.event_time import utc
    from stream.schema import describe

    if as_json:
        versions = [
            {
                "version": applied.version.version,
                "ts": applied.version.ts,
                "event_time_ms": applied.schema.event_time_ms,
                "offset": applied.offset,
                "author": applied.version.author,
                "comment": applied.version.comment,
                "changes": describe(applied.version.changes),
            }
            for applied in history.applied
        ]
        print(json.dumps({"versions": versions, "rejected": list(history.rejected)}, indent=2, ensure_ascii=False))
        return
    for applied in history.applied:
        version, effect = applied.version, applied.schema.event_time_ms or 0
        who = "" if version.author is None else f", by {version.author}"
        why = "" if version.comment is None else f": {version.comment}"
        print(f"version {version.version}, in force from {effect} ({utc(effect)}){who}{why}")
        _print_lines([f"  {line}" for line in describe(version.changes)], "  it changes nothing")
    if not history.applied:
        print("no version yet")


def _show(settings: Settings, number: int | None, as_json: bool) -> None:
    from stream.schema import Schema, describe, describe_aliases, diff

    history = _read(settings)
    schema = history.schema if number is None else history.at(number)
    if as_json:
        state = schema.state()
        shown = {
            "version": schema.version,
            "event_time_ms": schema.event_time_ms,
            "features": dict(state["features"]),
            "labels": dict(state["labels"]),
            "feature_aliases": {old: alias._asdict() for old, alias in schema.feature_aliases.items()},
            "label_aliases": {old: alias._asdict() for old, alias in schema.label_aliases.items()},
        }
        print(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    _print_heading(schema)
    lines = [line[2:] for line in describe(diff(Schema.empty(), schema))]
    _print_lines([*lines, *describe_aliases(schema)], "nothing is live")


def _publish(settings: Settings, args: argparse.Namespace) -> None:
    from stream.log.far import require_near, require_not_too_far_ahead
    from stream.log.publish import next_version, publish_embedded, publish_kafka
    from stream.records.event_time import utc
    from stream.schema import describe

    ts = None if args.at_once else _time_ms(args.ts)
    given = _given(args.file, args.change, ts or 0)
    author, comment = args.author or given.author, args.comment or given.comment
    max_ahead_ms = round(settings.version_max_ahead_seconds * 1000)
    now_ms = round(time.time() * 1000)

    def make(history: SchemaHistory) -> Version:
        version = next_version(history, given.changes, ts, author, comment)
        if not args.far:
            require_near(history, version, now_ms)
        if not settings.log.directory:
            require_not_too_far_ahead(version, now_ms, max_ahead_ms)
        published_to.append(history.schema)
        return version

    published_to: list[Schema] = []

    if args.dry_run:
        version = make(_read(settings))
    elif settings.log.directory:
        version = publish_embedded(Path(settings.log.directory), settings.topics.schema, make)
    else:
        from stream.log.connection import Connection

        version = publish_kafka(Connection(settings.kafka), settings.topics.schema, make, max_ahead_ms)
    done = "would be published" if args.dry_run else "published"
    effect = published_to[-1].event_time_of(version)
    when = f"in force from {effect} ({utc(effect)})"
    if effect != version.ts:
        when += f", the largest ts so far, not from its own {version.ts} ({utc(version.ts)})"
    print(f"version {version.version}, {when}, {done} to {place_of(settings)}")
    _print_lines(describe(version.changes), "it changes nothing")


def _read(settings: Settings) -> SchemaHistory:
    from stream.log.publish import read_embedded, read_kafka

    if settings.log.directory:
        history = read_embedded(Path(settings.log.directory), settings.topics.schema)
    else:
        from stream.log.connection import Connection

        max_ahead_ms = round(settings.version_max_ahead_seconds * 1000)
        history = read_kafka(Connection(settings.kafka), settings.topics.schema, max_ahead_ms=max_ahead_ms)
    for sentence in history.rejected:
        print(f"rejected, {sentence}", file=sys.stderr)
    return history


def _given(file: Path | None, texts: Sequence[str], ts: int) -> Version:
    """Return what is to be published, with the number 1; a version's own number and time are not taken."""
    from stream.schema import parse_version

    whole: dict[str, Any] = {"changes": []} if file is None else _read_json(file)
    try:
        listed = [*whole["changes"], *(json.loads(text) for text in texts)]
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"--change is not JSON: {error}.") from error
    if not listed:
        raise ConfigurationError("Give the changes: a FILE that lists them, or --change JSON.")
    try:
        return parse_version(json.dumps({**whole, "version": 1, "ts": ts, "changes": listed}).encode())
    except InvalidVersion as error:
        raise ConfigurationError(f"This is no schema version: {error}.") from error


def _read_json(file: Path) -> dict[str, Any]:
    """Return a version as it stands in a schema file, or a list of changes as its changes."""
    try:
        value = json.loads(sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}.") from error
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            raise ConfigurationError(
                f"{file} holds more than one JSON value; one version is published at a time: give one, or a list of "
                "its changes. `stream produce --schema FILE` sends a whole file."
            ) from error
        raise ConfigurationError(f"{file} is not JSON: {error}.") from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{file} is not JSON: {error}.") from error
    whole = {"changes": value} if isinstance(value, list) else value
    if not isinstance(whole, dict) or not isinstance(whole.get("changes"), list):
        raise ConfigurationError(f"{file} holds no list of changes.")
    return whole


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
    from stream.records.event_time import utc

    when = (
        "" if schema.event_time_ms is None else f", in force from {schema.event_time_ms} ({utc(schema.event_time_ms)})"
    )
    print(f"version {schema.version}{when}: {len(schema.features)} features, {len(schema.labels)} labels")


def _print_lines(lines: Sequence[str], otherwise: str) -> None:
    for line in lines or [otherwise]:
        print(line)
