"""Serving ends in order when it is asked to, however early."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from stream.data.synthetic import SyntheticSettings, write
from stream.observe import Observer, Start
from stream.service import endpoints
from stream.service.serve import Outputs, serve
from stream.settings.load import load
from stream.settings.root import Settings


def test_a_signal_that_comes_before_the_first_poll_ends_the_service_in_order(tmp_path: Path) -> None:
    files = write(tmp_path / "files", SyntheticSettings(events=50, users=5, offers=4))
    letters = f"dead_letters.file={tmp_path / 'letters.jsonl'}"
    settings = load(Settings, assignments=["network.hidden=4", letters])

    class Impatient(Observer):
        def started(self, start: Start) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with endpoints.files(settings, files.interactions, files.schema, tmp_path / "checkpoints") as opened:
        summary = serve(opened, settings, Outputs(), Impatient(), stop_at_end=True)
    assert summary["events_read"] == 0
    assert list((tmp_path / "checkpoints").glob("*.ckpt")), "where it began is fixed"
    assert signal.getsignal(signal.SIGTERM) is before
