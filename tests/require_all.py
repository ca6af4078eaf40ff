"""With STREAM_REQUIRE_ALL=1, as `.ci/run` sets it, a test that is skipped has failed.

A machine that checks changes has every component that the tests need. A skip there would hide that nothing was tested.
Only tests marked `gpu`, or `mount` for want of the right to mount, may still be skipped.
"""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

VARIABLE = "STREAM_REQUIRE_ALL"


def refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn the report of a skip into one of a failure that names the reason of the skip."""
    if not os.environ.get(VARIABLE) or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    report.outcome = "failed"
    report.longrepr = f"{VARIABLE} is set, so this may not be skipped. {reason}"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if not any(item.get_closest_marker(name) for name in ("gpu", "mount")):
        refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    refuse_skip(report)
    return report
