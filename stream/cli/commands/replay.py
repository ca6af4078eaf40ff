"""Make one causal pass over files: the loop of `stream run`, with files in place of a log.

Interactions are taken in the order of their event time, whatever the order of the lines. With --checkpoint, a pass that
was interrupted goes on where its last checkpoint stands.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stream.cli.arguments import Subparsers, add_settings_arguments, new_parser, settings_from
from stream.cli.output_arguments import add_output_arguments, outputs_of


def add_parser(subparsers: Subparsers) -> None:
    """Declare `stream replay`."""
    parser = new_parser(subparsers, __name__)
    parser.add_argument("--interactions", type=Path, required=True, metavar="FILE", help="interactions, one a line")
    parser.add_argument("--schema", type=Path, required=True, metavar="FILE", help="schema versions, one a line")
    parser.add_argument("--checkpoint", type=Path, metavar="DIR", help="keep checkpoints there, and resume from them")
    add_output_arguments(parser)
    add_settings_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Replay; without --summary the summary goes to standard output."""
    import json
    import logging

    from stream.observe import Observer
    from stream.service import endpoints
    from stream.service.serve import require_accepted, serve

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    settings = settings_from(args, "evaluation.finite=true")
    with endpoints.files(settings, args.interactions, args.schema, args.checkpoint) as opened:
        summary = serve(opened, settings, outputs_of(args), Observer(), stop_at_end=True)
    if args.summary is None:
        print(json.dumps(summary, indent=2), flush=True)
    require_accepted(summary)
    return 0
