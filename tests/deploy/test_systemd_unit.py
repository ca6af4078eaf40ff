"""The unit restarts what a restart can mend, leaves a bound for the last checkpoint, and locks the rest down."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stream import errors

UNIT = Path(__file__).parents[2] / "deploy" / "stream.service"


def _setting(name: str) -> str:
    (value,) = re.findall(rf"^{name}=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    return str(value)


def test_it_restarts_unless_a_restart_could_not_help_or_would_do_harm() -> None:
    stays_down = {int(code) for code in _setting("RestartPreventExitStatus").split()}
    assert _setting("Restart") == "on-failure"
    for lasting in (
        errors.ConfigurationError,
        errors.Fenced,
        errors.AlreadyRunning,
        errors.NonFinite,
        errors.DeadLetterBurst,
    ):
        assert lasting.exit_code in stays_down, lasting
    for passing in (errors.StreamError, errors.CheckpointError, errors.LogError, errors.BrokerUnavailable):
        assert passing.exit_code not in stays_down, passing


def test_a_stop_leaves_time_for_the_last_checkpoint() -> None:
    assert _setting("KillSignal") == "SIGTERM"
    assert int(_setting("TimeoutStopSec")) >= 60


def _analyze(tmp_path: Path, *arguments: str) -> str:
    """Run systemd's own reader over the unit, with a program that exists here in place of the installed one."""
    program = shutil.which("systemd-analyze")
    if program is None:
        reason = "systemd-analyze is not installed (Debian: apt-get install systemd)"
        if os.environ.get("STREAM_REQUIRE_ALL") == "1" and sys.platform == "linux":
            pytest.fail(reason)
        pytest.skip(reason)
    copy = tmp_path / "stream.service"
    text = UNIT.read_text(encoding="utf-8")
    copy.write_text(text.replace("/opt/stream/.venv/bin/stream", sys.executable), encoding="utf-8")
    done = subprocess.run(
        [program, *arguments, str(copy)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"LC_ALL": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_systemd_reads_the_unit_without_complaint(tmp_path: Path) -> None:
    assert _analyze(tmp_path, "verify", "--man=no") == ""


def test_systemd_rates_its_exposure_as_low(tmp_path: Path) -> None:
    _analyze(tmp_path, "security", "--offline=true", "--threshold=20")
