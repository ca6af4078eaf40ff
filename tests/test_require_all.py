"""The switch that turns skips into failures is tried on a small suite of its own."""

import os
import subprocess
import sys
from pathlib import Path

SUITE = """
import pytest

def test_passes():
    pass

def test_skips_itself():
    pytest.skip("no such thing here")

@pytest.mark.skipif(True, reason="not on this machine")
def test_is_skipped():
    pass

@pytest.mark.gpu
@pytest.mark.skipif(True, reason="no CUDA device")
def test_of_the_gpu():
    pass

@pytest.mark.xfail(reason="known", strict=True)
def test_fails_as_expected():
    assert False

@pytest.fixture
def broker():
    pytest.skip("no broker")

def test_with_a_broker(broker):
    pass
"""
MODULE_SKIP = 'import pytest\npytest.importorskip("no_such_module_anywhere", reason="module is missing")\n'


def closing_lines(directory: Path, require_all: str, *, module_skip: bool) -> str:
    (directory / "test_suite.py").write_text(SUITE)
    if module_skip:
        (directory / "test_module.py").write_text(MODULE_SKIP)
    (directory / "pytest.ini").write_text("[pytest]\nmarkers =\n    gpu: needs a GPU\n")
    root = Path(__file__).parent.parent
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(root)}
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-ra", "-p", "tests.require_all", str(directory)],
        env={**os.environ, **alone, "STREAM_REQUIRE_ALL": require_all},
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stdout


def test_without_the_switch_a_missing_component_is_a_skip_with_its_reason(tmp_path: Path) -> None:
    output = closing_lines(tmp_path, require_all="", module_skip=True)
    assert "1 passed, 5 skipped, 1 xfailed" in output
    for reason in ("no such thing here", "not on this machine", "no broker", "module is missing"):
        assert reason in output


def test_with_the_switch_every_skip_but_those_of_the_gpu_is_a_failure(tmp_path: Path) -> None:
    output = closing_lines(tmp_path, require_all="1", module_skip=False)
    # What is skipped before the body of the test has begun, pytest counts as an error.
    assert "1 failed, 1 passed, 1 skipped, 1 xfailed, 2 errors" in output
    assert output.count("may not be skipped") >= 3


def test_with_the_switch_a_module_that_is_skipped_whole_is_a_failure(tmp_path: Path) -> None:
    output = closing_lines(tmp_path, require_all="1", module_skip=True)
    assert "1 error" in output
    assert "module is missing" in output
