"""Arguments of the commands that talk to a log: the settings, and short forms of the two that say where it is."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from stream.cli.arguments import add_settings_arguments, settings_from

if TYPE_CHECKING:
    from stream.settings.root import Settings

__all__ = ["add_log_arguments", "log_settings_from", "place_of"]


def add_log_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--bootstrap-servers` or `--log`, and the settings' own arguments."""
    places = parser.add_mutually_exclusive_group()
    places.add_argument("--bootstrap-servers", metavar="HOST:PORT,...", help="short for --set kafka.bootstrap_servers=")
    places.add_argument("--log", metavar="DIRECTORY", help="an embedded log; short for --set log.directory=")
    add_settings_arguments(parser)


def log_settings_from(args: argparse.Namespace) -> Settings:
    """Load the settings; the short forms win over files and variables, as `--set` does."""
    short = []
    if args.bootstrap_servers is not None:
        short = [f"kafka.bootstrap_servers={args.bootstrap_servers}", "log.directory="]
    elif args.log is not None:
        short = [f"log.directory={args.log}"]
    return settings_from(args, *short)


def place_of(settings: Settings) -> str:
    """Say in words where the log of these settings is."""
    if settings.log.directory:
        return f"the embedded log in {settings.log.directory}"
    return f"Kafka at {', '.join(settings.kafka.bootstrap_servers)}"
