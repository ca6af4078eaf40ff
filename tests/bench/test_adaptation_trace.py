"""A trace comes back from its file as it went in, and nothing else is taken for one."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from stream.bench.adaptation.trace import Trace
from stream.errors import ConfigurationError


def test_a_trace_comes_back_as_it_went_in(tmp_path: Path) -> None:
    trace = Trace.empty(3)
    trace.recall[1] = 0.5
    trace.frozen[2] = True
    trace.histogram[1, 7] = 4
    trace.train_seconds = 1.5
    trace.kl_nats = [(2, 0.25)]
    trace.notes = {"epochs": 2}
    trace.save(tmp_path / "deep" / "trace.npz")
    again = Trace.load(tmp_path / "deep" / "trace.npz")
    for each in fields(Trace):
        one, two = getattr(trace, each.name), getattr(again, each.name)
        if isinstance(one, np.ndarray):
            assert one.dtype == two.dtype
            np.testing.assert_array_equal(one, two)
        else:
            assert one == two
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["trace.npz"]


@pytest.mark.parametrize("content", [b"", b"not a zip", None])
def test_what_is_no_trace_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "trace.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="no trace of a run"):
        Trace.load(path)
