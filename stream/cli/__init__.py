"""The command line: one module a command in `stream.cli.commands`, and nothing here but the way to them.

A command's module has a docstring, whose first line is its help; `add_parser(subparsers)`, which declares its
arguments with `new_parser`; and `run(args) -> int`, which returns the exit code. What is slow to import (torch, kafka,
pandas) is imported inside `run`, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import pkgutil
import sys
from collections.abc import Sequence

import stream
from stream.cli import commands
from stream.errors import LogError, StreamError

__all__ = ["build_parser", "command_names", "main"]


def command_names() -> list[str]:
    """Return the names of the commands, sorted; each is a module of `stream.cli.commands`, with _ for -."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(commands.__path__))


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="stream",
        description="Keep one multi-label network learning from Kafka while its features and offers change.",
        epilog="`stream COMMAND --help` has an example of each.",
    )
    parser.add_argument("--version", action="version", version=f"stream {stream.__version__}")
    subparsers = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND")
    for name in command_names():
        importlib.import_module(f"{commands.__name__}.{name.replace('-', '_')}").add_parser(subparsers)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, or that of the error that ended it (`stream.errors`).

    A wrong command line ends in SystemExit(2), as argparse has it.
    """
    # What a Kafka client warns of, attempt by attempt, a command says in one sentence at its end.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    parser = build_parser()
    args = parser.parse_args(arguments)
    if args.command is None:
        parser.print_help()
        return 0
    if args.loads and sys.stderr.isatty():
        print(f"stream {args.command}: loading ...", file=sys.stderr, flush=True)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
        return code
    except StreamError as error:
        print(f"stream {args.command}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone (`stream config | head`): not an error, but the interpreter would try
        # to flush once more on its way out and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:  # a full disk, say, where nothing of ours expects it
        print(f"stream {args.command}: {error}; see the path, its rights and the room that is left", file=sys.stderr)
        return LogError.exit_code
    except (MemoryError, RuntimeError) as error:
        # torch has no class of its own for it: "DefaultCPUAllocator: can't allocate memory: you tried to ..."
        if not isinstance(error, MemoryError) and "allocate" not in str(error):
            raise
        print(
            f"stream {args.command}: not enough memory: {str(error)[-200:] or 'none is left'}. Nothing of what was in "
            "hand is kept. Give the process more, or lower a bound, network.pair_cells or batch_size say "
            '("What bounds memory" in the documents)',
            file=sys.stderr,
        )
        return StreamError.exit_code
