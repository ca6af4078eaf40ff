"""What run, replay and demo share: a service of the real learner from start to summary, ended in order by signals."""

from __future__ import annotations

import gc
import json
import logging
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from stream.errors import ConfigurationError, RejectionOpen
from stream.observe import Observer

if TYPE_CHECKING:
    from stream.service.endpoints import Endpoints
    from stream.service.service import Service
    from stream.settings.root import Settings

__all__ = ["Outputs", "require_accepted", "serve"]


@dataclass(frozen=True, slots=True)
class Outputs:
    """Files to write.

    Attributes:
        summary: the summary at the end, as JSON; None for none.
        predictions: what was predicted for each event before it was trained, one JSON object a line; None for none.
    """

    summary: Path | None = None
    predictions: Path | None = None


def serve(
    endpoints: Endpoints, settings: Settings, outputs: Outputs, observer: Observer, stop_at_end: bool
) -> dict[str, Any]:
    """Run a learner on these endpoints until it ends or SIGTERM or SIGINT asks it to, and return its summary.

    Raises `ConfigurationError` if a file cannot be written, before anything is learned as far as that can be known,
    and what `stream.service.start.open_service` and `Service.run` raise.
    """
    from stream.learner.core import LearnerCore
    from stream.service.learner_settings import require_device
    from stream.service.restore import learner_of
    from stream.service.start import open_service
    from stream.settings.show import masked
    from stream.state import Tree

    def publisher(learner: Any) -> Any:
        if not settings.publish.directory:
            return None
        from stream.publish.of_learner import publisher_of

        return publisher_of(settings, learner, observer)

    def learner(tree: Tree | None) -> LearnerCore:
        return LearnerCore(settings) if tree is None else learner_of(tree, settings, LearnerCore)

    _require_writable(outputs.summary)
    require_device(settings.device)
    _rehearse()
    with _signals() as asked:
        service = open_service(
            endpoints,
            settings,
            learner,
            observer,
            stop_at_end=stop_at_end,
            predictions=outputs.predictions,
            settings_masked=masked(settings),
            new_publisher=publisher,
        )
        asked.passed_on_to(service)
        # What was loaded so far stays for good; looking through it again and again costs a tenth of the time.
        gc.collect()
        gc.freeze()
        try:
            summary = service.run()
        finally:
            gc.unfreeze()
    _write_summary(outputs.summary, summary)
    return summary


def require_accepted(summary: Mapping[str, Any]) -> None:
    """Raise `RejectionOpen` if a finite pass has ended with a rejected schema version, by its summary.

    The last thing of a command: the summary and all that is printed are there by then.
    """
    rejection = summary["schema_rejection"]
    if rejection is None:
        return
    which = "a schema version" if rejection["version"] is None else f"schema version {rejection['version']}"
    raise RejectionOpen(
        f"{which} was rejected and none has taken effect since, so what needed it was not learned "
        f"({summary['labels_dropped']:,} labels were dropped): {rejection['message']}"
    )


def _rehearse() -> None:
    """Compile, or load, the loops that training needs: before the log is asked for anything, and said."""
    from stream.service.rehearsal import rehearse

    log = logging.getLogger("stream.service")
    log.info("loading the compiled loops; the first time on a machine they are compiled, which takes up to a minute")
    started = time.monotonic()
    implementation = rehearse()
    log.info("the loops are %s, ready after %.1f s", implementation, time.monotonic() - started)


class _Asked:
    """Whether a signal has asked for the end, perhaps before there was a service that could be told."""

    def __init__(self) -> None:
        self._already = False
        self._service: Service | None = None

    def stop(self, number: int, frame: FrameType | None) -> None:
        """Handle the signal."""
        self._already = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if self._service is not None:
            self._service.stop()

    def passed_on_to(self, service: Service) -> None:
        """Stop this service when asked, at once if that has been."""
        self._service = service
        if self._already:
            service.stop()


@contextmanager
def _signals() -> Iterator[_Asked]:
    """Let the first SIGTERM or SIGINT end the service in order; a second SIGINT interrupts whatever it does."""
    asked = _Asked()
    former = {number: signal.signal(number, asked.stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield asked
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _require_writable(path: Path | None) -> None:
    """Refuse before the work rather than after it."""
    if path is not None and not path.parent.is_dir():
        raise ConfigurationError(
            f"the summary {path} cannot be written: there is no directory {path.parent}; make it first"
        )


def _write_summary(path: Path | None, summary: Mapping[str, Any]) -> None:
    if path is None:
        return
    temporary = path.with_name(f"{path.name}.part")
    try:
        temporary.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise ConfigurationError(
            f"the summary {path} cannot be written: {error.strerror}; name another file"
        ) from error
