"""Unknown names are told of when one is new or has grown tenfold, not at each checkpoint."""

from __future__ import annotations

import pytest

from stream.service.mismatches import Mismatches


def test_a_steady_mismatch_is_told_of_once_in_each_power_of_ten(caplog: pytest.LogCaptureFixture) -> None:
    mismatches = Mismatches()
    for number in range(1, 1001):
        mismatches.look({"feature": [("colour", number)], "label": [], "shown": []})
    assert len(caplog.records) == 4
    mismatches.look({"feature": [("colour", 1001), ("size", 1)], "label": [("tea", 7)], "shown": []})
    assert [record.getMessage().split(",")[0] for record in caplog.records[4:]] == [
        "features that the schema lacks were ignored",
        "labels that no live offer has were dropped",
    ]
    assert caplog.records[4].getMessage().endswith("colour (1,001 times), size (1 times)")
