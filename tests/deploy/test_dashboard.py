"""The dashboard as a file: every panel says what it shows, and asks for what exists."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from stream.metrics.catalogue import BORROWED, CATALOGUE

DASHBOARD = json.loads((Path(__file__).parents[2] / "dashboards" / "stream.json").read_text(encoding="utf-8"))
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
ALERTS = (Path(__file__).parents[2] / "deploy" / "alerts.yml").read_text(encoding="utf-8")


def test_every_panel_has_a_title_a_description_and_a_unit() -> None:
    assert len(PANELS) > 30
    for panel in PANELS:
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]


def test_the_data_source_is_a_variable_everywhere() -> None:
    asked = [panel["datasource"] for panel in PANELS]
    asked += [target["datasource"] for panel in PANELS for target in panel["targets"]]
    asked += [one["datasource"] for one in DASHBOARD["annotations"]["list"] if not one.get("builtIn")]
    asked += [one["datasource"] for one in DASHBOARD["templating"]["list"] if one["type"] == "query"]
    assert {json.dumps(one) for one in asked} == {json.dumps({"type": "prometheus", "uid": "${datasource}"})}
    assert DASHBOARD["templating"]["list"][0]["type"] == "datasource"
    assert "id" not in DASHBOARD, "an id belongs to one Grafana and keeps others from importing the file"


def test_every_expression_keeps_to_the_chosen_instances() -> None:
    for panel in PANELS:
        for target in panel["targets"]:
            selectors = re.findall(r"(?:stream|process)_\w+(\{[^}]*\})?", target["expr"])
            assert selectors
            assert all('instance=~"$instance"' in selector for selector in selectors), target["expr"]


def test_no_two_panels_overlap_and_none_leaves_the_grid() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert 0 <= place["x"] <= place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) is panel["title"]
    identities = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(identities)) == len(identities)


def test_every_metric_of_the_catalogue_is_looked_at_and_every_name_looked_at_is_in_the_catalogue() -> None:
    known = {definition.name for definition in (*CATALOGUE, *BORROWED)}
    expressions = json.dumps(DASHBOARD) + ALERTS
    asked = set(re.findall(r"\b(?:stream|process)_[a-z0-9_]+", expressions))
    asked = {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked}
    assert asked <= known
    unseen = {definition.name for definition in CATALOGUE} - asked
    assert unseen == {"stream_checkpoint_number", "stream_model_warmups"}
