"""Arguments that several commands share, so that each is spelt and explained once."""

from __future__ import annotations

import argparse
import inspect
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stream.settings.root import Settings

__all__ = ["Subparsers", "add_settings_arguments", "new_parser", "settings_from"]

Subparsers = Any  # argparse keeps the type of `add_subparsers()` to itself


def new_parser(subparsers: Subparsers, module: str) -> argparse.ArgumentParser:
    """Add the parser of a command, given the module's `__name__`; its name, help and `run` are taken from there."""
    loaded: ModuleType = sys.modules[module]
    text = inspect.cleandoc(loaded.__doc__ or "")
    parser: argparse.ArgumentParser = subparsers.add_parser(
        module.rpartition(".")[2].replace("_", "-"),
        help=text.partition("\n")[0].replace("%", "%%"),
        description=text.replace("%", "%%"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # Who waits for torch is told so at once: it takes seconds to import.
    parser.set_defaults(run=lambda args: loaded.run(args), loads=getattr(loaded, "LOADS", False))
    return parser


def add_settings_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--config FILE` and `--set KEY=VALUE` to a command that needs settings."""
    group = parser.add_argument_group("settings", "defaults, then --config, then STREAM_... variables, then --set")
    group.add_argument(
        "--config", type=Path, metavar="FILE", help="a TOML file; `stream config` writes a commented one"
    )
    group.add_argument(
        "--set",
        dest="assignments",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="set one setting, as in --set checkpoint.keep=5 (repeatable)",
    )


def settings_from(args: argparse.Namespace, *assignments: str) -> Settings:
    """Load the settings that a command line, its configuration file and the environment give.

    `assignments` are further texts KEY=VALUE, which the user's own `--set` overrides: a command's better defaults.

    Raises:
        ConfigurationError: one of them is wrong; see `stream.settings.load.load`.
    """
    from stream.settings.load import load
    from stream.settings.root import Settings

    return load(Settings, args.config, os.environ, [*assignments, *args.assignments])
