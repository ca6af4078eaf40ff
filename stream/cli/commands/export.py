"""Write a checkpoint's model for other runtimes: its arithmetic as an ONNX graph, and how to encode for it.

Example: stream export checkpoints --onnx model.onnx

Three files: model.onnx is the graph, from encoded events, running counts and cells to the published scores (within
1e-5 of ours); model.json says which row each name has and how an event is encoded; model.safetensors holds the running
counts and cells as they stood. The factors of mlet are merged. It comes with the extra: pip install
'stream-learner[onnx]'
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stream.cli.arguments import Subparsers, new_parser

LOADS = True


def add_parser(subparsers: Subparsers) -> None:
    """Declare `stream export`."""
    parser = new_parser(subparsers, __name__)
    parser.add_argument("checkpoint", type=Path, help="a checkpoint file, or a directory whose newest one is taken")
    parser.add_argument("--onnx", type=Path, required=True, metavar="FILE", help="the graph's file, FILE.onnx")


def run(args: argparse.Namespace) -> int:
    """Write the three files and name them."""
    from stream.checkpoint import read_at
    from stream.installed.extras import require
    from stream.learner.core import LearnerCore
    from stream.service.restore import learner_in

    require("onnx", "onnx", "stream export --onnx")
    from stream.export.writing import export_onnx

    learner, _ = learner_in(read_at(args.checkpoint), LearnerCore, device="cpu")
    for path in export_onnx(learner, args.onnx):
        print(f"{path}: {path.stat().st_size:,} bytes")
    return 0
