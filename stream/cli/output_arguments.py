"""Arguments of the commands that serve a learner: the files that it writes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stream.service.serve import Outputs

__all__ = ["add_output_arguments", "outputs_of"]


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--summary FILE` and `--predictions FILE`."""
    parser.add_argument("--summary", type=Path, metavar="FILE", help="write the summary there at the end (JSON)")
    parser.add_argument(
        "--predictions",
        type=Path,
        metavar="FILE",
        help="write what was predicted for each event before it was trained, one JSON object a line",
    )


def outputs_of(args: argparse.Namespace) -> Outputs:
    """Return the files that the command line names."""
    from stream.service.serve import Outputs

    return Outputs(args.summary, args.predictions)
