"""A process like `stream run` on the embedded log, with the learner that only counts: it starts in a second.

python -m tests.service.counting_process SUMMARY [KEY=VALUE ...]; with SUMMARY "-" it serves until SIGTERM.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
from pathlib import Path

from stream.errors import StreamError
from stream.observe import Observer
from stream.service import endpoints
from stream.service.start import open_service
from stream.settings.load import load
from stream.settings.root import Settings
from tests.service.counting_learner import CountingLearner


def main(summary: str, *assignments: str) -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    settings = load(Settings, assignments=assignments)
    try:
        with endpoints.live(settings) as opened:
            service = open_service(opened, settings, CountingLearner, Observer(), stop_at_end=summary != "-")
            signal.signal(signal.SIGTERM, lambda number, frame: service.stop())
            print("ready", flush=True)
            result = service.run()
    except StreamError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        return error.exit_code
    if summary != "-":
        Path(summary).write_text(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
