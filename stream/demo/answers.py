"""The demo's last word: a scorer of its own process answers from what was just published, and says how fresh it is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from stream.publish.pointer import read_pointer
from stream.records.event_time import utc

__all__ = ["QUESTIONS", "ask_a_scorer", "last_questions"]

QUESTIONS = 3
_START_SECONDS = 60.0
_MEMBERS = ("id", "key", "ts", "features", "shown")


def last_questions(interactions: Path, number: int = QUESTIONS) -> list[dict[str, Any]]:
    """Return the last events of a file that had offers to take, as questions: without what was taken."""
    found: list[dict[str, Any]] = []
    for line in reversed(interactions.read_bytes().splitlines()):
        event = json.loads(line)
        if event.get("shown") != []:
            found.append({name: event[name] for name in _MEMBERS if name in event})
        if len(found) == number:
            break
    return found


def ask_a_scorer(
    versions: Path, questions: Sequence[dict[str, Any]], events_trained: int, say: Callable[[str], None]
) -> bool:
    """Start `stream serve`, put the questions, and tell the answers; return whether there were any.

    `events_trained` is what the learner knew at its end: the answers say how much of it they know.
    """
    if read_pointer(versions) is None:
        say("No model version was published, so nothing answers.")
        return False
    command = [sys.executable, "-m", "stream", "serve", str(versions), "--set", "serve.port=0"]
    begun = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            url = re.search(r"http://\S+", line)
            if url is None:
                say(f"`stream serve` did not start: {line.strip()}")
                return False
            model = _ready(url[0], process)
            if model is None:
                say("`stream serve` had no version to answer from within a minute.")
                return False
            say(f"`stream serve` answers at {url[0]} after {time.monotonic() - begun:.1f} s.")
            for question in questions:
                asked = time.perf_counter()
                answer = _call(f"{url[0]}/v1/recommend", {**question, "k": 3})
                took_ms = 1000 * (time.perf_counter() - asked)
                offers = ", ".join(f"{one['offer']} {one['probability']:.1%}" for one in answer["offers"])
                say(f"  {question.get('key') or 'nobody'}: {offers} ({took_ms:.1f} ms)")
            known = "none" if model["event_time_ms"] is None else utc(model["event_time_ms"])
            say(
                f"They come from model version {model['model_version']}, published {model['age_seconds']:.1f} s ago, "
                f"schema version {model['schema_version']}; it knows {model['events_trained']:,} of "
                f"{events_trained:,} events, the newest of {known}."
            )
            return True
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


def _ready(url: str, process: subprocess.Popen[str]) -> dict[str, Any] | None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            return _call(f"{url}/v1/model")
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    return None


def _call(url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
        return found
