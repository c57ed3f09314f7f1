"""The Grafana files: every query runs as the read-only role, panels do not overlap, and names agree."""

import json
from itertools import combinations
from typing import Any

import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from barton_pipeline.postgres.connection import transaction
from barton_pipeline_tests.builders import insert_companies, run_stages
from barton_pipeline_tests.conftest import PROJECT

FOLDER = PROJECT / "docs" / "how-to" / "operations" / "grafana"
DASHBOARD = json.loads((FOLDER / "dashboards" / "barton.json").read_text(encoding="utf-8"))


def test_every_query_runs_as_the_readonly_role_and_finds_something(db) -> None:
    insert_companies(db, "B1", 2)
    run_stages("B1")
    db.execute(
        "INSERT INTO marketing.bit_signals (company_id, signal_type, signal_timestamp) SELECT company_unique_id, t, now() FROM marketing.company_master, unnest(ARRAY['demo_request', 'reply']) t"
    )
    run_stages("B1")
    insert_companies(db, "B2", 1, first=9)
    db.execute("SELECT marketing.log_pipeline_error('x', NULL, 'something')")
    for panel in DASHBOARD["panels"]:
        (target,) = panel["targets"]
        with transaction(db.url) as connection, connection.cursor() as cursor:
            cursor.execute("SET LOCAL ROLE barton_readonly")
            cursor.execute(target["rawSql"])
            assert cursor.fetchall(), panel["title"]
            columns = [column.name for column in cursor.description or ()]
        shown = [override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]]
        assert set(shown) <= set(columns), panel["title"]
        if target["format"] == "time_series":
            assert columns[:2] == ["time", "metric"]


def test_grafanas_own_model_of_a_dashboard_knows_every_field() -> None:
    """What the model does not know, or takes for another type, does not come back; defaults come in addition."""

    def lost(ours: Any, theirs: Any, place: str = "") -> list[str]:
        if isinstance(ours, dict) and isinstance(theirs, dict):
            return [loss for key in ours for loss in lost(ours[key], theirs.get(key), f"{place}.{key}")]
        if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
            return [
                loss for n, pair in enumerate(zip(ours, theirs, strict=True)) for loss in lost(*pair, f"{place}[{n}]")
            ]
        return [] if ours == theirs else [place]

    def roundtrip(dashboard: dict[str, Any]) -> list[str]:
        return lost(dashboard, json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(dashboard))))

    plugins.register_default_plugins()
    assert roundtrip(DASHBOARD) == []
    wrong = json.loads(json.dumps(DASHBOARD))
    wrong["panels"][0]["options"]["colourMode"] = "value"
    assert roundtrip(wrong) == [".panels[0].options.colourMode"], "the model does not look"


def test_panels_do_not_overlap_and_names_agree() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)

    def cells(panel) -> set[tuple[int, int]]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        return {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }

    assert all(not cells(one) & cells(other) for one, other in combinations(panels, 2))
    source = yaml.safe_load((FOLDER / "provisioning" / "datasources" / "barton.yaml").read_text(encoding="utf-8"))[
        "datasources"
    ][0]
    assert {panel["datasource"]["uid"] for panel in panels} == {source["uid"]} and panels[0]["datasource"][
        "type"
    ] == source["type"]
    assert (
        yaml.safe_load((FOLDER / "provisioning" / "dashboards" / "barton.yaml").read_text(encoding="utf-8"))[
            "providers"
        ][0]["type"]
        == "file"
    )
