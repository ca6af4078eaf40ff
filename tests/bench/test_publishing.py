"""The benchmark of publishing measures what it says on a stream of a second or two."""

from __future__ import annotations

from pathlib import Path

from stream.bench.publishing import measure, table


def test_a_short_run_publishes_and_follows(tmp_path: Path) -> None:
    (found,) = measure(tmp_path, ("W1",), 2.0, 400.0, lambda said: None)
    assert found.fulls >= 1
    assert min(found.full_bytes, found.delta_bytes) > 0
    assert 0 < found.share < 1
    text = table([found])
    assert text.count("| W1 |") == 2
    widths = {line.count("|") for line in text.split("\n\n")[0].splitlines()}
    assert len(widths) == 1
