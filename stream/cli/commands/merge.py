"""Store the product of a checkpoint's factored tables (strategy `mlet`) as single tables, for serving.

Example: stream merge checkpoints serving.ckpt

The new checkpoint's model gives the same predictions from smaller tables; its strategy is the same without `mlet`. It
is for `stream recommend` and `stream inspect`. A learner may go on from it, with single tables whose optimiser state is
new. What it says at the end is checked on made-up events that go through the features' values.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stream.cli.arguments import Subparsers, new_parser

LOADS = True


def add_parser(subparsers: Subparsers) -> None:
    """Declare `stream merge`."""
    parser = new_parser(subparsers, __name__)
    parser.add_argument("checkpoint", type=Path, help="a checkpoint file, or a directory whose newest one is taken")
    parser.add_argument("out", type=Path, help="the new checkpoint file, or a directory to put it in")


def run(args: argparse.Namespace) -> int:
    """Write the merged checkpoint and say what became of sizes; raises ConfigurationError if nothing is to merge."""
    from stream.adaptation.mlet.convert import merged
    from stream.service.rewrite import convert

    print(convert(args.checkpoint, args.out, merged))
    return 0
