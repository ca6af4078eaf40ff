"""Learn from Kafka, or from the embedded log, until stopped: the long-running process.

Example: stream run --config stream.toml

It goes on from the newest checkpoint that counts. SIGTERM and SIGINT end it after the step in hand, with a checkpoint.
Exit codes: 0 stopped or ended; 2 a setting is wrong; 3 checkpoint; 4 log; 5 a newer learner took over; 6 one runs here
already; 7 the model is not finite; 8 a burst of invalid records. Standard error is a live view on a terminal, else
JSON lines (`--set view.style=...`).
"""

from __future__ import annotations

import argparse

from stream.cli.arguments import Subparsers, add_settings_arguments, new_parser, settings_from
from stream.cli.output_arguments import add_output_arguments, outputs_of

LOADS = True


def add_parser(subparsers: Subparsers) -> None:
    """Declare `stream run`."""
    parser = new_parser(subparsers, __name__)
    parser.add_argument(
        "--stop-at-end",
        action="store_true",
        help="end once all partitions have stood at their end for idle_seconds, and train the last, partial batch",
    )
    add_output_arguments(parser)
    add_settings_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Serve; returns 0 once stopped or ended, every other end is an error with its own code."""
    import sys

    from stream.metrics.serve import serve_metrics
    from stream.observe import CompositeObserver
    from stream.service import endpoints
    from stream.service.serve import require_accepted, serve
    from stream.view.open import open_view

    settings = settings_from(args, *(["evaluation.finite=true"] if args.stop_at_end else []))
    with open_view(settings.view, sys.stderr) as view, serve_metrics(settings.metrics) as served:
        if served.url is not None:
            view.listening(served.url)
        with endpoints.live(settings) as opened:
            observer = CompositeObserver([served.observer, view])
            summary = serve(opened, settings, outputs_of(args), observer, args.stop_at_end)
    if args.stop_at_end:
        require_accepted(summary)
    return 0
