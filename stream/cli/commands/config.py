"""Write a commented TOML file with every setting, or show the settings in force.

Example: stream config --output stream.toml

Without arguments: every setting at its default, with its meaning, unit and environment variable. With --config, --set
or --effective: the values that a command would run with, checked, secrets masked.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stream.cli.arguments import Subparsers, add_settings_arguments, new_parser, settings_from
from stream.errors import ConfigurationError


def add_parser(subparsers: Subparsers) -> None:
    """Declare `stream config`."""
    parser = new_parser(subparsers, __name__)
    parser.add_argument("--output", type=Path, metavar="FILE", help="write there, where no file is yet, not to stdout")
    parser.add_argument("--effective", action="store_true", help="show the values in force, the environment's included")
    add_settings_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print or write the settings.

    Raises:
        ConfigurationError: a setting is wrong, or the output file exists or cannot be written.
    """
    from stream.settings.root import Settings
    from stream.settings.show import commented_toml, effective_toml

    effective = args.effective or args.config is not None or args.assignments
    text = effective_toml(settings_from(args)) if effective else commented_toml(Settings)
    if args.output is None:
        print(text, end="")
        return 0
    try:
        with args.output.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigurationError(f"{args.output} cannot be written: {error.strerror}. Name another file.") from error
    return 0
