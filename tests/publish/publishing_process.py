"""A process that publishes a made-up model until it is stopped or killed, fenced by a commit file as a learner is.

python -m tests.publish.publishing_process DIRECTORY COMMIT_FILE STEPS [KEY=VALUE ...]; settings are those of `publish`,
and `begin=N` trains so many steps first, as a checkpoint of then would have it. STEPS 0: until it is ended.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

from stream.errors import StreamError
from stream.log.file_commit import FileCommitLog
from stream.log.protocol import Commit
from stream.observe import Observer
from stream.publish.publisher import Publisher
from stream.publish.retention import Retention
from stream.publish.settings import PublishSettings
from stream.publish.store import VersionStore
from tests.publish.made_models import MadeModel


def trained(steps: int) -> MadeModel:
    """Return the model after so many steps, offers coming and going among them."""
    model = MadeModel(rows=500)
    for _ in range(steps):
        step(model)
    return model


def step(model: MadeModel) -> None:
    """One step; which one it is, the model's events say."""
    model.train()
    number = model.events // 3
    if number % 7 == 0:
        model.add(f"new{number}")
    if number % 7 == 3 and number > 7:
        model.remove(f"new{number - 3}")


class Said(Observer):
    """Prints what was published, a line each."""

    def version_published(self, kind: str, version: int, schema_version: int, size_bytes: int, seconds: float) -> None:
        print(json.dumps({"kind": kind, "version": version}), flush=True)

    def publishing_failed(self, sentence: str) -> None:
        print(json.dumps({"failed": sentence}), flush=True)


def main(directory: str, commit_file: str, steps: str, *assignments: str) -> int:
    given = {key: json.loads(value) for key, value in (one.split("=") for one in assignments)}
    begin, pause_before = given.pop("begin", 0), given.pop("pause_before_takeover", False)
    settings = PublishSettings(
        **{"directory": directory, "delta_seconds": 0.01, "full_seconds": 0.2, "share": 1.0, **given}
    )
    model = trained(begin)
    log = FileCommitLog(Path(commit_file), Path(commit_file).with_name("letters"))
    commit = log.fence() or Commit(0, "", {0: 0}, 0)
    if pause_before:
        print(json.dumps({"stopped": os.getpid()}), flush=True)
        os.kill(os.getpid(), signal.SIGSTOP)
    store = VersionStore(Path(directory), "made", Retention(settings.full_versions, settings.disk_bytes))
    publisher = Publisher(store, settings, model.snapshot, None, Said())
    try:
        publisher.take_over(lambda: log.commit(commit, ()), anything=True)
        number = 0
        while not int(steps) or number < int(steps):
            step(model)
            publisher.trained(0.5)
            publisher.tend()
            time.sleep(0.003)
            number += 1
        publisher.finish()
    except StreamError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        publisher.close()
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
