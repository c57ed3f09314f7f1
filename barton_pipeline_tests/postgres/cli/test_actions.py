"""Commands that change something: what they ask for, what they print, and the row that each leaves in the audit."""

import getpass
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from barton_pipeline.cli.main import barton
from barton_pipeline.errors import InputError
from barton_pipeline_tests.builders import insert_companies, run_stages
from barton_pipeline_tests.postgres.queue.test_requeue import dead, give_up


def run(*arguments: str) -> Any:
    """The JSON that a command prints."""
    return json.loads(CliRunner().invoke(barton, [*arguments, "--json"], catch_exceptions=False).stdout)


def test_a_dry_load_tells_counts_and_known_companies_and_loads_nothing(db: Any, tmp_path: Path) -> None:
    insert_companies(db, "B0", 2)
    run_stages("B0")
    file = tmp_path / "a.csv"
    file.write_text("Firma,Web\nCompany 1,company1.com\nNew Works,new.com\nn/a,ycorp.com\nA,b.com,c\n")
    options = [str(file), "--batch", "B1", "--map", "company=Firma", "--map", "website=Web"]
    shown = run("load", *options, "--dry-run")
    assert (shown["dry_run"], shown["loaded"], shown["rejected_by_reason"]) == (True, 3, {"too_many_values": 1})
    assert shown["companies"] == {
        "valid": 2,
        "invalid": 1,
        "reasons": {"name_placeholder": 1},
        "companies": 2,
        "known": 1,
    }
    said = CliRunner().invoke(barton, ["load", *options, "--dry-run"], catch_exceptions=False).stdout
    assert "3 companies would be loaded" in said and "2 companies, of which 1 are known already" in said
    assert "1 rejected: too_many_values" in said and "Nothing was loaded (--dry-run)" in said
    assert db.value("SELECT count(*) FROM intake.loaded_files") == 0

    done = run("load", *options)
    assert {**done, "dry_run": True, "companies": None} == {**shown, "companies": None}
    assert db.query("SELECT company FROM intake.company_raw_intake WHERE import_batch_id = 'B1' ORDER BY id") == [
        ("Company 1",),
        ("New Works",),
        ("n/a",),
    ]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (["company"], "is not FIELD=COLUMN"),
        (["company=Firma", "company=Web"], "--map gives company twice"),
        (["x=Firma"], "is not a field of companies"),
    ],
)
def test_columns_that_cannot_be_given(db: Any, tmp_path: Path, columns: list[str], said: str) -> None:
    (tmp_path / "a.csv").write_text("Firma,Web\nA,a.com\n")
    arguments = [argument for pair in columns for argument in ("--map", pair)]
    with pytest.raises(InputError, match=said):
        run("load", str(tmp_path / "a.csv"), "--kind", "companies", *arguments)


def test_errors_by_cause_and_their_end(db: Any) -> None:
    for batch, message in (("B1", "row 1 is gone"), ("B2", "row 2 is gone"), ("B1", "nobody answers")):
        db.execute("SELECT marketing.log_pipeline_error('t', NULL, %s, '{}', 'error', %s)", message, batch)
    gone, nobody = run("errors", "--by-cause")
    assert (gone["count"], gone["batches"], nobody["count"]) == (2, 2, 1)
    assert [
        row["id"] for row in run("errors", "--cause", gone["fingerprint"], "--type", "t", "--since", "2020-01-01")
    ] == [2, 1]
    assert run("errors", "--batch", "B1", "--resolve-cause", gone["fingerprint"], "--notes", "fixed") == {"ids": [1]}
    assert run("errors", "--resolve", "2", "--resolve", "3") == {"ids": [2, 3]}
    with pytest.raises(InputError, match="Errors 2, 3 are not open; see the open ones with: barton errors"):
        run("errors", "--resolve", "2", "--resolve", "3")
    with pytest.raises(InputError, match="No open error is meant"):
        run("errors", "--resolve-cause", "unknown")
    with pytest.raises(InputError, match="not both"):
        run("errors", "--resolve-cause", "x", "--cause", "x")
    assert db.query("SELECT DISTINCT resolved_by FROM marketing.pipeline_errors") == [(getpass.getuser(),)]


def test_dead_letters_are_tried_again_by_event_error_and_cause(db: Any) -> None:
    for number, batch in enumerate(("B1", "B2", "B3"), 1):
        insert_companies(db, batch, 1, first=number)
        give_up(db, batch, "the vendor is down" if batch == "B3" else "boom")
    first = dead(db)[0]
    assert run("retry", "--event", str(first))["batches"] == ["B1"]
    errors = {row["import_batch_id"]: row for row in run("errors")}
    assert run("retry", "--error", str(errors["B2"]["id"]))["batches"] == ["B2"]
    assert run("retry", "--cause", errors["B3"]["fingerprint"])["batches"] == ["B3"]
    assert dead(db) == [] and run("errors") == []
    with pytest.raises(InputError, match="No open error that is meant tells of an event"):
        run("retry", "--cause", errors["B3"]["fingerprint"])
    with pytest.raises(InputError, match="Name one batch"):
        run("retry", "B1", "--all")


def test_the_audit_shows_who_did_what(db: Any) -> None:
    insert_companies(db, "B1", 1)
    run("retry", "B1")
    run("vendors", "--off", "apify", "--reason", "too dear")
    run("undo", "B1", "--yes", "--reason", "wrong file")
    shown = run("audit")
    assert [(row["action"], row["reason"], row["outcome"]) for row in shown] == [
        ("undo", "wrong file", "done"),
        ("switch_vendor", "too dear", "done"),
        ("retry", None, "done"),
    ]
    assert {(row["actor"], row["role"], row["door"]) for row in shown} == {(getpass.getuser(), "admin", "cli")}
    assert [row["action"] for row in run("audit", "--action", "undo")] == ["undo"]
    assert len(run("audit", "--limit", "1")) == 1
    assert len(run("audit", "--since", "2020-01-01")) == 3 and run("audit", "--since", "2999-01-01T00:00+02:00") == []
    with pytest.raises(InputError, match="--since 'soon' is not a moment"):
        run("audit", "--since", "soon")
    assert "switch_vendor" in CliRunner().invoke(barton, ["audit"], catch_exceptions=False).stdout


def test_no_vendor_is_switched_for_an_unknown_batch(db: Any) -> None:
    with pytest.raises(InputError, match="holds no rows"):
        run("vendors", "--off", "apify", "--batch", "NOBODY")
    assert run("audit") == []


def test_a_model_is_learned_and_retired_by_name(db: Any) -> None:
    assert run("learn")["version"] is None
    assert run("learn", "--retire") == {"retired": None}
    assert [row["action"] for row in run("audit")] == ["retire_model", "learn"]
