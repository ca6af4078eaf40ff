"""Score events with a checkpoint's model: the best offers of each event, with probabilities.

Example: stream recommend checkpoints --events events.jsonl --top 3

Events come as interactions, one a line, from a file or from standard input; `labels` may be left out. Each line of
output is {"id": ..., "schema_version": ..., "recommendations": [[offer, probability], ...]}, best first, out of the
offers that the event's `shown` admits. With --represent it is {"id": ..., "key": ..., "representation": [...]}: the
trunk's last hidden activations, which all offers and tasks share. The model is not changed.

With --explore what the model is unsure of may come forward, by the posterior that some strategies keep (bayes-output,
glmix, bayes-network): ucb ranks by the logit plus --explore-width standard deviations, thompson by a draw. A line then
also has "explored": [[offer, explored score as a probability, standard deviation of the logit], ...] in the same order.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path

from stream.cli.arguments import Subparsers, new_parser

LOADS = True


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
    parser.add_argument(
        "--explore", choices=("thompson", "ucb"), help="rank by scores that explore, not by the best guess"
    )
    parser.add_argument("--explore-seed", type=int, default=0, metavar="N", help="of the draws of thompson (default 0)")
    parser.add_argument(
        "--explore-width", type=float, default=1.0, metavar="W", help="standard deviations, at least 0 (default 1)"
    )


def run(args: argparse.Namespace) -> int:
    """Print a line for each event; an event that is not valid ends the command with its reason."""
    import json
    import math

    from stream.checkpoint import read_at
    from stream.errors import ConfigurationError, InvalidInteraction
    from stream.learner.core import LearnerCore
    from stream.log.line_file import opened_lines
    from stream.scoring.explore import Exploration
    from stream.scoring.recommend import recommend, represent
    from stream.service.restore import learner_in

    if args.top < 1:
        raise ConfigurationError(f"--top {args.top} asks for nothing; give at least 1")
    if args.explore_seed < 0 or not 0 <= args.explore_width < math.inf:
        raise ConfigurationError("--explore-seed is a whole number from 0 on, and --explore-width a finite one")
    learner, _ = learner_in(read_at(args.checkpoint), LearnerCore, device="cpu")
    explore = None
    if args.explore:
        explore = Exploration.of(learner, args.explore, width=args.explore_width, seed=args.explore_seed)
    with ExitStack() as stack:
        try:
            stream = stack.enter_context(args.events.open("rb")) if args.events else sys.stdin.buffer
        except OSError as error:
            raise ConfigurationError(f"--events {args.events} cannot be read: {error.strerror}") from None
        for number, line in enumerate(opened_lines(stream, args.events or "-"), 1):
            if not line.strip():
                continue
            try:
                found = represent(learner, line) if args.represent else recommend(learner, line, args.top, explore)
            except InvalidInteraction as error:
                raise InvalidInteraction(error.reason, f"line {number}: {error}") from None
            print(json.dumps(found, ensure_ascii=False))
    return 0
