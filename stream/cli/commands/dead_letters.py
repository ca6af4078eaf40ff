"""Look at the records that could not be used, by reason, and send interactions again that were mended.

Example: stream dead-letters list --log mylog

`list` groups them, `show` prints one whole, `resend` appends interactions to their topic once more, with their own keys
and values, to the partitions from which they came. What was sent again is remembered, and left out the next time.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream.cli.arguments import Subparsers, new_parser
from stream.cli.log_arguments import add_log_arguments, log_settings_from, place_of
from stream.errors import ConfigurationError

if TYPE_CHECKING:
    from stream.log.letter_box import Kept, LetterBox
    from stream.log.resend import Selection, Wanted
    from stream.settings.root import Settings

DECLINED = 1
"""Exit code if an operator was asked and did not say yes."""


def add_parser(subparsers: Subparsers) -> None:
    """Declare `stream dead-letters list`, `show` and `resend`."""
    actions = new_parser(subparsers, __name__).add_subparsers(
        title="actions", dest="action", metavar="ACTION", required=True
    )
    listed = actions.add_parser(
        "list",
        help="count them by reason",
        description="Count the dead letters by reason, with the newest sentence.",
        epilog="Example: stream dead-letters list --learner stream",
    )
    shown = actions.add_parser(
        "show",
        help="print one whole",
        description="Print one dead letter whole: why, where from, its key and value.",
        epilog="Example: stream dead-letters show 0:17",
    )
    shown.add_argument("place", nargs="?", metavar="PLACE", help="which one, as list names it; the newest without")
    resent = actions.add_parser(
        "resend",
        help="send interactions again",
        description="Append the interactions of dead letters to their topic once more. They are counted first, and "
        "nothing is sent without --yes or an answer at the terminal.",
        epilog="Example: stream dead-letters resend --reason missing_id --limit 100 --dry-run",
    )
    resent.add_argument("places", nargs="*", metavar="PLACE", help="which ones, as list names them; all without")
    resent.add_argument("--limit", type=int, metavar="N", help="at most the N oldest of those that can be sent")
    resent.add_argument("--again", action="store_true", help="those too that were sent again before")
    resent.add_argument("--dry-run", action="store_true", help="say what would be sent, and send nothing")
    resent.add_argument("--yes", action="store_true", help="send without asking")
    for action in (listed, shown, resent):
        action.add_argument(
            "--reason", action="append", default=[], metavar="REASON", help="only those of this reason (repeatable)"
        )
        action.add_argument(
            "--learner", action="append", default=[], metavar="NAME", help="only those of this learner (repeatable)"
        )
        action.add_argument("--json", action="store_true", help="as one JSON object")
    for action in (listed, shown):
        action.add_argument("--file", type=Path, metavar="FILE", help="a file of dead letters, as replay writes it")
    for action in (listed, shown, resent):
        add_log_arguments(action)


def run(args: argparse.Namespace) -> int:
    """Do what the action says; returns 1 if an operator did not confirm.

    Raises:
        ConfigurationError: an argument is wrong, or there is no such letter.
        LogError: the log cannot be reached, or refuses.
        Fenced: somebody else began to send again meanwhile.
    """
    from stream.log.letter_box import letter_box

    settings = log_settings_from(args)
    box = letter_box(settings, getattr(args, "file", None))
    if args.action == "list":
        return _list(args, box)
    if args.action == "show":
        return _show(args, box)
    return _resend(args, box, settings)


@dataclass(slots=True)
class _Group:
    """The letters of one reason."""

    count: int = 0
    died_before: int = 0
    learners: Counter[str] = field(default_factory=Counter)
    topics: Counter[str] = field(default_factory=Counter)
    first_ts: int = 0
    last_ts: int = 0
    message: str = ""
    newest: str = ""
    origins: list[Any] = field(default_factory=list)

    def add(self, kept: Kept) -> None:
        letter = kept.letter
        self.first_ts = min(self.first_ts, letter.ts_ms) if self.count else letter.ts_ms
        if letter.ts_ms >= self.last_ts:
            self.last_ts, self.message, self.newest = letter.ts_ms, letter.message, kept.place
        self.count += 1
        self.died_before += letter.resent > 0
        self.learners[letter.learner] += 1
        self.topics[letter.topic] += 1
        self.origins.append(letter.origin)


def _list(args: argparse.Namespace, box: LetterBox) -> int:
    from stream.log.letter_box import Kept, Sent

    wanted = _wanted(args)
    groups: dict[str, _Group] = {}
    sent: set[Any] = set()
    others = 0
    for entry in box.entries():
        if isinstance(entry, Kept):
            if wanted.means(entry):
                groups.setdefault(entry.letter.reason, _Group()).add(entry)
        elif isinstance(entry, Sent):
            sent.add(entry.origin)
        else:
            others += 1
    ordered = sorted(groups.items(), key=lambda pair: (-pair[1].count, pair[0]))
    found: list[dict[str, Any]] = [
        {
            "reason": reason,
            "count": group.count,
            "sent_again": sum(origin in sent for origin in group.origins),
            "died_before": group.died_before,
            "topics": dict(group.topics),
            "learners": dict(group.learners),
            "first_ts": group.first_ts,
            "last_ts": group.last_ts,
            "newest": group.newest,
            "message": group.message,
        }
        for reason, group in ordered
    ]
    total = sum(group.count for group in groups.values())
    if args.json:
        print(json.dumps({"dead_letters": total, "of_others": others, "reasons": found}, ensure_ascii=False, indent=2))
        return 0
    print(f"{total:,} dead letters in {box.name}{f'; {others:,} records there are of others' if others else ''}")
    for group in found:
        learners = ", ".join(map(str, group["learners"]))
        print(f"\n{group['count']:>9,}  {group['reason']}: {group['message']}")
        print(f"{'':11}{_dated(group['first_ts'])} to {_dated(group['last_ts'])}, learner {learners}")
        counts = f"{group['sent_again']:,} were sent again, {group['died_before']:,} had died before"
        print(f"{'':11}{counts}; the newest: stream dead-letters show {group['newest']}")
    return 0


def _show(args: argparse.Namespace, box: LetterBox) -> int:
    from stream.log.file_commit import fields_of
    from stream.log.letter_box import Kept, Sent

    wanted = _wanted(args, [] if args.place is None else [args.place])
    newest: Kept | None = None
    sent: Counter[Any] = Counter()
    for entry in box.entries():
        if isinstance(entry, Sent):
            sent[entry.origin] += 1
        elif isinstance(entry, Kept) and wanted.means(entry):
            newest = entry if newest is None or entry.letter.ts_ms >= newest.letter.ts_ms else newest
    if newest is None:
        which = "no dead letter of that kind" if args.place is None else f"no dead letter {args.place} of that kind"
        raise ConfigurationError(f"There is {which} in {box.name}; see `stream dead-letters list`.")
    held = {"place": newest.place, "sent_again": sent[newest.letter.origin], **fields_of(newest.letter)}
    if args.json:
        print(json.dumps(held, ensure_ascii=False, indent=2))
        return 0
    held["ts"] = f"{held['ts']} ({_dated(newest.letter.ts_ms)})"
    value = held.pop("value")
    width = max(map(len, held))
    for name, content in held.items():
        print(f"{name:<{width}}  {content if isinstance(content, str) else json.dumps(content)}")
    if newest.letter.value_bytes is None:
        print(f"{'value':<{width}}  {_printable(value)}")
    return 0


def _resend(args: argparse.Namespace, box: LetterBox, settings: Settings) -> int:
    from stream.log.resend import posting, resend, select

    if args.limit is not None and args.limit < 1:
        raise ConfigurationError(f"--limit {args.limit} leaves nothing to send; give at least 1.")
    with posting(box, settings) as post:
        wanted = _wanted(args, args.places, args.limit, args.again)
        selection = select(box, settings.topics.interactions, wanted, post)
        if args.places and (unknown := len(set(args.places)) - len(selection.places) - selection.left_out.total()) > 0:
            raise ConfigurationError(
                f"Of the places named, {unknown} hold no dead letter of that kind in {box.name}; see "
                "`stream dead-letters list`."
            )
        if not args.json:
            _describe(selection, settings)
        sent = 0
        confirmed = not selection.places or args.dry_run or args.yes or _confirmed(args, len(selection.places))
        if confirmed and selection.places and not args.dry_run:
            sent = resend(box, selection.places, post)
    if args.json:
        told = {
            "selected": len(selection.places),
            "sent": sent,
            "dry_run": args.dry_run,
            "places": selection.places,
            "reasons": dict(selection.reasons),
            "died_before": selection.died_before,
            "left_out": dict(selection.left_out),
        }
        print(json.dumps(told, ensure_ascii=False, indent=2))
    elif args.dry_run:
        print("Nothing was sent: this was a dry run.")
    else:
        print(f"{sent:,} sent." if sent else "Nothing was sent.")
    return 0 if confirmed else DECLINED


def _describe(selection: Selection, settings: Settings) -> None:
    print(
        f"{len(selection.places):,} interactions to send again to {settings.topics.interactions}, {place_of(settings)}"
    )
    for reason, count in selection.reasons.most_common():
        print(f"{count:>9,}  {reason}")
    if selection.died_before:
        print(f"{selection.died_before:>9,}  of these had been sent again before, and died once more")
    for why, count in selection.left_out.most_common():
        print(f"{count:>9,}  stay: {why}")


def _confirmed(args: argparse.Namespace, count: int) -> bool:
    if args.json or not sys.stdin.isatty():
        raise ConfigurationError(
            f"{count:,} interactions would be sent again, and there is no terminal to ask at. Say --yes, or --dry-run."
        )
    return input(f"Send {count:,} now? [y/N] ").strip().lower() in ("y", "yes")


def _wanted(
    args: argparse.Namespace, places: list[str] | None = None, limit: int | None = None, again: bool = False
) -> Wanted:
    from stream.log.resend import Wanted

    return Wanted(frozenset(args.reason), frozenset(args.learner), frozenset(places or ()), limit, again)


def _dated(ts_ms: int) -> str:
    try:
        return datetime.fromtimestamp(ts_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return f"{ts_ms} ms"


def _printable(value: Any) -> str:
    if isinstance(value, str):
        return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in value)
    return json.dumps(value)
