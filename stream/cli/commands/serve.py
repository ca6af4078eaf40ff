"""Answer over HTTP which offers suit an event, from the model versions that a learner publishes.

Example: stream serve versions --set serve.port=9465

It follows the directory: a new version, or a new schema version, is in the answers a moment later, and none of them
mixes two. It needs no Kafka, and writes nothing into the directory. / describes the paths; POST /v1/recommend answers.
It listens on this machine alone unless serve.host says otherwise; serve.token asks for a token. SIGTERM and SIGINT end
it.
It comes with the extra: pip install 'stream-learner[serve]'
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stream.cli.arguments import Subparsers, add_settings_arguments, new_parser, settings_from


def add_parser(subparsers: Subparsers) -> None:
    """Declare `stream serve`."""
    parser = new_parser(subparsers, __name__)
    parser.add_argument(
        "directory", type=Path, nargs="?", metavar="DIRECTORY", help="model versions; publish.directory if absent"
    )
    parser.add_argument("--workers", type=int, metavar="N", help="processes that answer (the setting serve.workers)")
    add_settings_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until stopped."""
    import os

    # One request is one core's work: a second thread of a matrix product would only take it from another request.
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    from stream.errors import ConfigurationError
    from stream.installed.extras import require

    settings = settings_from(args, *([] if args.workers is None else [f"serve.workers={args.workers}"]))
    if args.directory is None and not settings.publish.directory:
        raise ConfigurationError("name a directory of model versions, or set publish.directory")
    for package in ("starlette", "uvicorn", "httptools"):
        require("serve", package, "stream serve")
    from stream.serving.run import serve_versions

    directory = args.directory or Path(settings.publish.directory)
    serve_versions(directory, settings.serve, lambda url: print(f"answering at {url}", flush=True))
    return 0
