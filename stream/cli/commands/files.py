"""Copy files that come with the package: the systemd unit and Prometheus' rules, or Grafana's dashboard.

Example: stream files deploy --to /etc/stream
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stream.cli.arguments import Subparsers, new_parser
from stream.shipped import SHIPPED, copy_shipped


def add_parser(subparsers: Subparsers) -> None:
    """Declare `stream files`."""
    parser = new_parser(subparsers, __name__)
    parser.add_argument("folder", choices=SHIPPED, help="which of them")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="the directory to write them into")


def run(args: argparse.Namespace) -> int:
    """Copy them and print their paths; a file that is there and another one is left alone (exit code 2)."""
    for path in copy_shipped(args.folder, args.to):
        print(path)
    return 0
