"""A row that makes its stage fail is found and set aside; the rest of its batch goes on."""

from collections.abc import Callable

import psycopg2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg2.extensions import connection as Connection

from barton_pipeline.operations import replay
from barton_pipeline.pipeline import BY_NAME, NAMES
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.queue import events, upkeep
from barton_pipeline.queue.set_aside import failing_rows
from barton_pipeline.queue.upkeep import Requeued
from barton_pipeline.stages.runner import run_sql, run_stage
from barton_pipeline_tests.builders import break_rows, manual_run, repair, run_stages, stage_with

ROWS = st.integers(1, 200)


def trial(fails: Callable[[set[int]], bool], probes: list[tuple[int, int]]) -> Callable[[int, int], Exception | None]:
    def failure(first: int, last: int) -> Exception | None:
        probes.append((first, last))
        return ValueError() if fails(set(range(first, last + 1))) else None

    return failure


@given(last=ROWS, poison=st.sets(ROWS, max_size=12))
def test_exactly_the_failing_rows_are_found(last: int, poison: set[int]) -> None:
    poison = {row for row in poison if row <= last}
    probes: list[tuple[int, int]] = []
    found = failing_rows(trial(lambda rows: bool(rows & poison), probes), 1, last, 10)
    assert set(found) == (poison if len(poison) <= 10 else set())
    worked_on = sum(max(0, last - first + 1) for first, last in probes)
    assert worked_on <= last * (1 + 2 * len(poison)) + 20 * len(poison), "halves are rounded up"


@given(last=ROWS, pair=st.tuples(ROWS, ROWS))
def test_rows_that_fail_only_together_are_not_blamed(last: int, pair: tuple[int, int]) -> None:
    if pair[0] != pair[1]:
        assert failing_rows(trial(lambda rows: rows >= set(pair), []), 1, last, 10) == {}


def test_a_stage_that_fails_without_rows_or_no_longer_fails_has_none() -> None:
    assert failing_rows(trial(lambda rows: True, []), 1, 9, 10) == {}
    assert failing_rows(trial(lambda rows: False, []), 1, 9, 10) == {}


SETUP = """
    INSERT INTO intake.company_raw_intake (company, website, import_batch_id)
    SELECT 'Company ' || n, 'https://company' || n || '.com', 'B1' FROM generate_series(1, 200) AS n;
    INSERT INTO intake.people_raw_intake (full_name, title, email, website, import_batch_id)
    SELECT 'Ann Number' || n, 'CEO', 'ann@company' || n || '.com', 'https://company' || n || '.com', 'B1' FROM generate_series(1, 200) AS n;
    INSERT INTO intake.signals_raw_intake (website, signal_type, occurred_at, external_id, import_batch_id)
    SELECT 'https://company' || n || '.com', 'meeting_booked', '2026-01-01', 's' || n, 'B1' FROM generate_series(1, 200) AS n;
    INSERT INTO intake.outcomes_raw_intake (website, outcome_type, occurred_at, external_id, import_batch_id)
    SELECT 'https://company' || n || '.com', 'meeting', '2026-01-01', 'o' || n, 'B1' FROM generate_series(1, 200) AS n;
"""
# A defect that some rows bring to light: where, and for which rows; what a stage brings.
DEFECTS = {
    "validated_companies": (
        "intake.company_raw_intake",
        "NEW.validated AND NEW.company IN ('Company 7', 'Company 150')",
    ),
    "company_master": ("marketing.company_master", "NEW.company_name IN ('Company 7', 'Company 150')"),
    "enriched_contacts": ("marketing.people_master", "NEW.full_name IN ('Ann Number7', 'Ann Number150')"),
    "bit_scores": ("marketing.bit_signals", "NEW.external_id IN ('s7', 's150')"),
    "ple_scores": ("marketing.outcomes", "NEW.external_id IN ('o7', 'o150')"),
}
DONE = {
    "validated_companies": "SELECT count(*) FROM marketing.company_master",
    "company_master": "SELECT count(*) FROM marketing.company_master",
    "enriched_contacts": "SELECT count(*) FROM marketing.people_master",
    "bit_scores": "SELECT count(*) FROM marketing.bit_signals",
    "ple_scores": "SELECT count(*) FROM marketing.outcomes",
}


@pytest.mark.parametrize("stage", DEFECTS)
def test_two_poisoned_rows_of_two_hundred(db, stage: str, monkeypatch) -> None:
    db.execute(SETUP)
    break_rows(db, *DEFECTS[stage])
    monkeypatch.setenv("BARTON_DATABASE_URL", db.app_url)
    counts = run_stages("B1")
    assert db.query(DONE[stage]) == [(198,)]
    assert counts[stage]["rows_set_aside"] == 2
    assert db.query("SELECT last_value FROM marketing.company_number") == db.query(
        "SELECT count(*) FROM marketing.company_master"
    ), "the search has used up numbers"
    assert counts["sniper_targets"]["rows_in"] == (198 if stage in ("validated_companies", "company_master") else 200)
    letters = db.query(
        "SELECT first_record_id, import_batch_id FROM marketing.pipeline_events WHERE status = 'failed' ORDER BY id"
    )
    assert letters == [("7", "B1"), ("150", "B1")]
    errors = db.query(
        "SELECT record_id, event_type, error_message FROM marketing.pipeline_errors WHERE NOT resolved ORDER BY id"
    )
    assert [error[:2] for error in errors] == [("7", "row_set_aside"), ("150", "row_set_aside")]
    assert all("division by zero" in error[2] and "barton retry B1" in error[2] for error in errors)
    assert db.query("SELECT DISTINCT status FROM marketing.workflow_stats") == [("ok",)]

    run_stages("B1")
    assert db.query(DONE[stage]) == [(198,)], "a later run meets them again"

    repair(db, DEFECTS[stage][0])
    with transaction() as connection:
        assert upkeep.requeue(connection, "B1") == Requeued(2, ("B1",), 2, 2)
    run_stages("B1")
    assert db.query(DONE[stage]) == [(200,)]
    assert db.query("SELECT count(*) FROM marketing.pipeline_events WHERE status = 'failed'") == [(0,)]
    assert db.query("SELECT count(*) FROM marketing.pipeline_errors WHERE NOT resolved") == [(0,)]


@pytest.mark.parametrize(
    "rows", ["NEW.company_name < 'Company 2'", "NEW.company_name IS NOT NULL"], ids=["too many", "all"]
)
def test_a_stage_that_fails_on_many_rows_is_at_fault_itself(db, rows: str) -> None:
    db.execute(SETUP)
    break_rows(db, "marketing.company_master", rows)
    with pytest.raises(psycopg2.errors.DivisionByZero):
        run_stages("B1")
    assert db.query("SELECT count(*) FROM intake.company_raw_intake WHERE validated") == [(200,)]
    assert db.query("SELECT event_type FROM marketing.pipeline_errors") == [("company_master",)]


def test_a_row_that_waited_in_another_batch_is_the_one_set_aside(db) -> None:
    """B2's people wait for a company that B1 brings; the one that breaks B1's stage is B2's."""
    db.execute(
        """
        INSERT INTO intake.people_raw_intake (full_name, title, website, import_batch_id)
        VALUES ('Ann Number7', 'CEO', 'https://late.com', 'B2'), ('Bob Good', 'CFO', 'https://late.com', 'B2')
        """
    )
    run_stages("B2")
    break_rows(db, *DEFECTS["enriched_contacts"])
    db.execute(
        "INSERT INTO intake.company_raw_intake (company, website, import_batch_id) VALUES ('Late', 'late.com', 'B1')"
    )
    run_stages("B1")
    assert db.query("SELECT full_name FROM marketing.people_master") == [("Bob Good",)]
    assert db.query("SELECT import_batch_id FROM marketing.pipeline_events WHERE status = 'failed'") == [("B2",)]


def test_an_edited_row_is_tried_again(db) -> None:
    db.execute(SETUP)
    break_rows(db, "marketing.company_master", "NEW.company_name = 'Company 7'")
    run_stages("B1")
    db.execute("UPDATE intake.company_raw_intake SET company = 'Company Seven' WHERE id = 7")
    run_stages("B1")
    repair(db, "marketing.company_master")
    break_rows(db, "marketing.people_master", "NEW.full_name = 'Ann Number7' AND NEW.title = 'CFO'")
    db.execute("UPDATE intake.people_raw_intake SET title = 'CFO' WHERE id = 7")
    run_stages("B1")
    db.execute("UPDATE intake.people_raw_intake SET title = 'Chief Financial Officer' WHERE id = 7")
    run_stages("B1")
    assert db.query("SELECT count(*) FROM marketing.company_master") == [(200,)]
    assert db.query("SELECT title FROM marketing.people_master WHERE full_name = 'Ann Number7'") == [
        ("Chief Financial Officer",)
    ]
    assert (
        db.value("SELECT count(*) FROM marketing.pipeline_errors WHERE event_type = 'row_set_aside' AND resolved") == 2
    )
    assert db.value("SELECT count(*) FROM marketing.pipeline_errors WHERE NOT resolved") == 0
    assert db.value("SELECT count(*) FROM marketing.pipeline_events WHERE status = 'failed'") == 0


def test_the_lease_can_be_extended_while_a_row_is_looked_for(db) -> None:
    """A million rows take longer than a lease lasts: no trial may hold the rows that the heartbeat writes."""
    db.execute(SETUP)
    with db.connect() as connection:
        claim = events.accept(connection, "B1")
    assert claim
    run = manual_run("B1", NAMES, claim.lease_token)
    for stage in NAMES[:2]:
        run_stage(run, BY_NAME[stage])
    break_rows(db, *DEFECTS["company_master"])
    trials = []

    def work(connection: Connection, batch: str) -> dict[str, int]:
        db.execute("SELECT FROM marketing.pipeline_events WHERE status = 'processing' FOR UPDATE NOWAIT")
        trials.append(batch)
        return run_sql(connection, "company_master", batch=batch)

    assert run.must_hold
    assert run_stage(run, stage_with("company_master", work))["rows_out"] == 198
    assert len(trials) > 10


def test_replay_and_undo_know_rows_set_aside(db) -> None:
    db.execute(SETUP)
    break_rows(db, *DEFECTS["company_master"])
    run_stages("B1")
    repair(db, "marketing.company_master")
    assert not replay.replay(apply=False).differences
    db.execute("SELECT marketing.undo_batch('B1', 'test')")
    assert db.query("SELECT count(*) FROM intake.company_raw_intake") == [(0,)]
    assert db.query("SELECT count(*) FROM marketing.pipeline_events WHERE status = 'failed'") == [(0,)]


def test_the_stages_are_those_that_exist() -> None:
    assert set(DEFECTS) <= set(NAMES)
