"""Score events with a checkpoint's model: the best offers of each event, with probabilities.

Events come as interactions, one a line, from a file or from standard input; `labels` may be left out. Each line of
output is {"id": ..., "schema_version": ..., "recommendations": [[offer, probability], ...]}, best first, out of the
offers that the event's `shown` admits. With --represent it is {"id": ..., "key": ..., "representation": [...]}: the
trunk's last hidden activations, which all offers and tasks share. The model is not changed.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path

from stream.cli.arguments import Subparsers, new_parser


def add_parser(subparsers: Subparsers) -> None:
    """Declare `stream recommend`."""
    parser = new_parser(subparsers, __name__)
    parser.add_argument("checkpoint", type=Path, help="a checkpoint file, or a directory whose newest one is taken")
    parser.add_argument(
        "--events", type=Path, metavar="FILE", help="interactions, one a line; standard input if absent"
    )
    parser.add_argument("--top", type=int, default=5, metavar="K", help="offers per event (default 5)")
    parser.add_argument(
        "--represent", action="store_true", help="print each event's shared representation instead of offers"
    )


def run(args: argparse.Namespace) -> int:
    """Print a line for each event; an event that is not valid ends the command with its reason."""
    import json

    from stream.checkpoint import newest, read_checkpoint
    from stream.errors import ConfigurationError, InvalidInteraction
    from stream.learner import Learner
    from stream.recommend import recommend, represent
    from stream.service.learner_settings import from_plain

    if args.top < 1:
        raise ConfigurationError(f"--top {args.top} asks for nothing; give at least 1")
    path: Path = args.checkpoint
    tree = (newest(path) if path.is_dir() else read_checkpoint(path)).tree()
    learner = Learner.from_state(tree["learner"], from_plain(tree["service"]["learner_settings"], device="cpu"))
    with ExitStack() as stack:
        try:
            stream = stack.enter_context(args.events.open("rb")) if args.events else sys.stdin.buffer
        except OSError as error:
            raise ConfigurationError(f"--events {args.events} cannot be read: {error.strerror}") from None
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                found = represent(learner, line) if args.represent else recommend(learner, line, args.top)
            except InvalidInteraction as error:
                raise InvalidInteraction(error.reason, f"line {number}: {error}") from None
            print(json.dumps(found, ensure_ascii=False))
    return 0
