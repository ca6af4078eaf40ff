"""Model versions that a learner has published: which there are, which is served; promote one, or roll back.

Example: stream models rollback --directory versions --reason "answers looked wrong since noon"

A rollback serves the full version before the served one, or the one named, and lasts until the next promotion, whatever
the learner publishes meanwhile. A promotion serves the newest full version that passed the gate, or the one named, even
if the gate refused it, and lets the learner's versions through again. Followers of the directory see either at once.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream.cli.arguments import Subparsers, add_settings_arguments, new_parser, settings_from

if TYPE_CHECKING:
    from stream.publish.pointer import Pointer

LOADS = False


def add_parser(subparsers: Subparsers) -> None:
    """Declare `stream models`."""
    actions = new_parser(subparsers, __name__).add_subparsers(
        title="actions", dest="action", metavar="ACTION", required=True
    )
    listed = actions.add_parser(
        "list",
        help="one line a full version, newest first",
        description="Print one line for each full version, newest first, with what the gate said of it.",
        epilog="Example: stream models list --directory versions",
    )
    shown = actions.add_parser(
        "show",
        help="what is said of one, as JSON",
        description="Print what is said of a full version, or of what is served, as JSON.",
        epilog="Example: stream models show 12 --directory versions",
    )
    promoted = actions.add_parser(
        "promote",
        help="serve a version, and let the learner's through again",
        description="Serve a full version, even one that the gate refused, and end a rollback.",
        epilog="Example: stream models promote --directory versions",
    )
    rolled_back = actions.add_parser(
        "rollback",
        help="serve an earlier version until the next promotion",
        description="Serve an earlier full version until the next promotion, whatever is published meanwhile.",
        epilog='Example: stream models rollback --directory versions --reason "worse since noon"',
    )
    which = {
        shown: "what is served",
        promoted: "the newest that passed the gate",
        rolled_back: "the one before the served",
    }
    for action, absent in which.items():
        action.add_argument("version", type=int, nargs="?", help=f"a full version; {absent}, if absent")
    rolled_back.add_argument("--reason", default="no reason was given", help="why; the learner and list say it")
    for action in (listed, shown, promoted, rolled_back):
        action.add_argument("--directory", type=Path, metavar="DIR", help="the versions; publish.directory, if absent")
        add_settings_arguments(action)


def run(args: argparse.Namespace) -> int:
    """Do what is asked, and say what is served now."""
    from stream.errors import ConfigurationError
    from stream.publish import operate

    directory: Path | None = args.directory or _configured(args)
    if directory is None:
        raise ConfigurationError("publish.directory is not set; name the versions with --directory")
    if args.action == "list":
        pointer = operate.required_pointer(directory)
        for one in operate.listed(directory, pointer):
            print(_line(one))
        _say(pointer)
    elif args.action == "show":
        _show(directory, args.version)
    elif args.action == "promote":
        _say(operate.promote(directory, args.version))
    else:
        _say(operate.roll_back(directory, args.reason, args.version))
    return 0


def _configured(args: argparse.Namespace) -> Path | None:
    directory = settings_from(args).publish.directory
    return Path(directory) if directory else None


def _line(one: Any) -> str:
    gate = one.members.get("gate", {})
    loss = one.members.get("loss")
    shown = "-" if loss is None else f"{loss:.5f}"
    return (
        f"{one.version:>8}  {one.state:<8} {_time(one.made_ms)}  schema {one.members['schema_version']:<5} "
        f"{one.members['events_trained']:>10,} events  loss {shown}  {one.size_bytes:>13,} bytes  "
        f"{gate.get('sentence', '')}"
    )


def _show(directory: Path, version: int | None) -> None:
    import json
    from dataclasses import asdict

    from stream.errors import PublishError
    from stream.publish import operate
    from stream.publish.files import FULL, REFUSED, file_name

    pointer = operate.required_pointer(directory)
    if version is None:
        print(json.dumps(asdict(pointer), indent=2, ensure_ascii=False))
        return
    for kind in (FULL, REFUSED):
        path = directory / file_name(kind, version)
        if path.exists():
            print(json.dumps(operate.members_of(path), indent=2, ensure_ascii=False))
            return
    raise PublishError(f"{directory} has no full version {version}; stream models list shows those that it has")


def _say(pointer: Pointer) -> None:
    served = f"version {pointer.version}" if pointer.version else "nothing yet"
    said = f"served: {served}, schema version {pointer.schema_version}, {pointer.events_trained:,} events trained"
    if pointer.hold is not None:
        said += f"; held since {_time(pointer.hold.since_ms)} until stream models promote: {pointer.hold.reason}"
    print(said)


def _time(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
