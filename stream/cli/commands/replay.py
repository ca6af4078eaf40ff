"""Make one causal pass over files: the loop of `stream run`, with files in place of a log.

Example: stream replay --interactions events.jsonl --schema schema.jsonl --checkpoint checkpoints --summary summary.json

Interactions are taken in the order of their event time, whatever the order of the lines. With --checkpoint, a pass that
was interrupted goes on where its last checkpoint stands.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stream.cli.arguments import Subparsers, add_settings_arguments, new_parser, settings_from
from stream.cli.output_arguments import add_output_arguments, outputs_of

LOADS = True


def add_parser(subparsers: Subparsers) -> None:
    """Declare `stream replay`."""
    parser = new_parser(subparsers, __name__)
    parser.add_argument("--interactions", type=Path, required=True, metavar="FILE", help="interactions, one a line")
    parser.add_argument("--schema", type=Path, required=True, metavar="FILE", help="schema versions, one a line")
    parser.add_argument("--checkpoint", type=Path, metavar="DIR", help="keep checkpoints there, and resume from them")
    parser.add_argument(
        "--dead-letters",
        type=Path,
        metavar="FILE",
        help="keep records that cannot be used there; else they are kept in the checkpoint directory, or not at all",
    )
    add_output_arguments(parser)
    add_settings_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Replay; without --summary the summary goes to standard output."""
    import json
    import logging
    import sys

    from stream.log.letter_box import FileLetters, letters_of
    from stream.service import endpoints
    from stream.service.serve import require_accepted, serve
    from stream.view.dead_letters import dead_letter_lines
    from stream.view.open import open_view

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    settings = settings_from(args, "evaluation.finite=true", "view.style=lines")
    with (
        endpoints.files(settings, args.interactions, args.schema, args.checkpoint, args.dead_letters) as opened,
        open_view(settings.view, sys.stderr, sum(opened.source.end_offsets().values())) as view,
    ):
        summary = serve(opened, settings, outputs_of(args), view, stop_at_end=True)
        if opened.letters is not None:
            kept_in = str(opened.letters) if opened.letters_kept else None
            letters = (kept.letter for kept in letters_of(FileLetters(opened.letters).entries()))
            for line in dead_letter_lines(letters, kept_in):
                print(line, file=sys.stderr)
    if args.summary is None:
        print(json.dumps(summary, indent=2), flush=True)
    require_accepted(summary)
    return 0
