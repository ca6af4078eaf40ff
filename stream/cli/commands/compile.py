"""Compile what training is quick by, so that the first start need not: at installation, say.

Example: stream compile
"""

from __future__ import annotations

import argparse
import time

from stream.cli.arguments import Subparsers, new_parser


def add_parser(subparsers: Subparsers) -> None:
    """Declare `stream compile`."""
    new_parser(subparsers, __name__)


def run(args: argparse.Namespace) -> int:
    """Compile every loop, or find that it is compiled already, and say how long that took."""
    from stream.service.rehearsal import rehearse

    print("compiling; the first time on a machine this takes up to a minute ...", flush=True)
    started = time.perf_counter()
    implementation = rehearse()
    print(f"{implementation} loops are ready after {time.perf_counter() - started:.1f} s")
    return 0
