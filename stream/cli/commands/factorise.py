"""Make factors (strategy `mlet`) of a checkpoint's single tables, so that training with factors starts from them.

Example: stream factorise checkpoints factors/

The new checkpoint's model gives the same predictions; its strategy is the same with `mlet` added. Put it in a directory
of its own and let a learner with that strategy go on from there. Optimiser state of the tables is new. What it says at
the end is checked on made-up events that go through the features' values.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stream.cli.arguments import Subparsers, new_parser

LOADS = True


def add_parser(subparsers: Subparsers) -> None:
    """Declare `stream factorise`."""
    parser = new_parser(subparsers, __name__)
    parser.add_argument("checkpoint", type=Path, help="a checkpoint file, or a directory whose newest one is taken")
    parser.add_argument("out", type=Path, help="the new checkpoint file, or a directory to put it in")
    parser.add_argument("--inner", type=int, default=0, metavar="K", help="the inner dimension (`mlet.inner`)")


def run(args: argparse.Namespace) -> int:
    """Write the checkpoint with factors and say what became of sizes; raises ConfigurationError if it has some."""
    from stream.adaptation.mlet.convert import factorised, with_factors
    from stream.learner.core import LearnerCore
    from stream.service.rewrite import convert

    def change(learner: LearnerCore) -> LearnerCore:
        old = learner.settings
        return factorised(learner, with_factors(old, args.inner))

    print(convert(args.checkpoint, args.out, change))
    return 0
