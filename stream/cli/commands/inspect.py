"""Say what is inside a checkpoint: the model's counts, schema and digests, and the offsets that it goes on from.

Example: stream inspect checkpoints --json
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stream.cli.arguments import Subparsers, new_parser

LOADS = True


def add_parser(subparsers: Subparsers) -> None:
    """Declare `stream inspect`."""
    parser = new_parser(subparsers, __name__)
    parser.add_argument("checkpoint", type=Path, help="a checkpoint file, or a directory whose newest one is taken")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print what is inside; raises `CheckpointMissing` or `CheckpointCorrupt` if there is nothing to be read."""
    import json

    from stream.checkpoint import read_at
    from stream.records.event_time import utc
    from stream.service.inside import inside

    found = inside(read_at(args.checkpoint))
    if args.json:
        print(json.dumps(found, indent=2))
        return 0
    del found["model"]["reliability"]  # a table: --json has it
    width = max(map(len, found))
    if isinstance(when := found.get("event_time_ms"), int):
        found["event_time_ms"] = f"{when} ({utc(when)})"
    for name, value in found.items():
        print(f"{name:<{width}}  {json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value}")
    return 0
