"""The audit row and the transaction of an action under attack: two at once, killed half-way, run twice, without rights."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest

from barton_pipeline.actions.audit import Actor, RepeatedRequest, carry_out, carry_out_in_steps
from barton_pipeline.actions.batches import backfill, load, retry, start_over, undo
from barton_pipeline.actions.errors import resolve_errors
from barton_pipeline.actions.people import forget
from barton_pipeline.actions.rollbacks import reverse_rollback, roll_back
from barton_pipeline.actions.vendors import switch_vendor
from barton_pipeline.error_log import ErrorFilter
from barton_pipeline.errors import BartonError, InputError
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.reports.actions import list_actions
from barton_pipeline_tests.builders import insert_companies, run_stages
from barton_pipeline_tests.conftest import PROJECT

ANN = Actor("ann", "operator", "cli")
BOB = Actor("bob", "admin", "web", request_id="R-1")


def log_error(db: Any, message: str = "row 1 is gone") -> ErrorFilter:
    return ErrorFilter(ids=(db.value("SELECT marketing.log_pipeline_error('t', NULL, %s)", message),))


def open_errors(db: Any) -> int:
    return int(db.value("SELECT count(*) FROM marketing.pipeline_errors WHERE NOT resolved"))


def outcomes(db: Any) -> list[tuple[str, str]]:
    return db.query("SELECT actor, outcome FROM marketing.actions ORDER BY id")


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What each call returns or raises, all started at the same moment."""
    barrier = threading.Barrier(len(calls))
    results: list[Any] = [None] * len(calls)

    def run(place: int, call: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            results[place] = call()
        except Exception as error:
            results[place] = error

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_a_row_says_who_did_what_and_why(db: Any) -> None:
    wanted = log_error(db)
    before = datetime.now(UTC) - timedelta(seconds=5)
    resolve_errors(None, BOB, wanted, reason="fixed", shown_count=1)
    with transaction() as connection:
        (row,) = list_actions(connection, action="resolve_errors", since=before)
        assert list_actions(connection, action="undo") == []
        assert list_actions(connection, since=row.at + timedelta(seconds=1)) == []
    assert (row.actor, row.role, row.door, row.request_id) == ("bob", "admin", "web", "R-1")
    assert (row.action, row.parameters, row.reason) == ("resolve_errors", {"ids": list(wanted.ids or ())}, "fixed")
    assert (row.shown_count, row.done_count, row.outcome, row.error) == (1, 1, "done", None)
    assert row.ended_at == row.at > before and row.database_user == db.value("SELECT session_user")
    assert db.query("SELECT resolved_by, resolution_notes FROM marketing.pipeline_errors") == [("bob", "fixed")]


def test_the_columns_that_say_who_hold_the_actor(db: Any) -> None:
    insert_companies(db, "B1", 2)
    db.execute(
        "INSERT INTO intake.people_raw_intake (full_name, title, email, website, import_batch_id) "
        "VALUES ('Ann Ames', 'CEO', 'ann@company1.com', 'company1.com', 'B1')"
    )
    run_stages("B1")
    me = db.value("SELECT session_user::text")
    assert db.query("SELECT DISTINCT changed_by FROM marketing.barton_id_history") == [(me,)]
    switch_vendor(None, ANN, "apify", False, reason="dear")
    switch_vendor(None, Actor("eve", "admin", "web"), "apify", True)
    roll_back(None, ANN, "manual")
    reverse_rollback(None, Actor("eve", "admin", "web"), "manual")
    forget(None, ANN, "ann@company1.com")
    undo(None, ANN, "B1", reason="wrong")
    assert db.query("SELECT changed_by FROM marketing.vendor_switches") == [("eve",)]
    assert db.query("SELECT DISTINCT created_by FROM marketing.suppressed_people") == [("ann",)]
    assert db.query("SELECT action, started_by, ended_by FROM marketing.operations ORDER BY id") == [
        ("manual", "ann", "eve"),
        ("undo_batch", "ann", "ann"),
    ]
    retired = db.query("SELECT DISTINCT changed_by FROM marketing.barton_id_history WHERE change = 'retired'")
    assert retired == [("ann",)]


def test_an_edited_row_closes_its_error_in_the_name_of_who_edits(db: Any) -> None:
    db.execute(
        "SELECT marketing.log_pipeline_error('row_set_aside', '1', 'm', '{\"table\": \"intake.company_raw_intake\"}', 'error', 'B1')"
    )
    db.execute(
        "SELECT set_config('barton.actor', 'ann', true); "
        "SELECT intake.settle_set_aside('intake.company_raw_intake', 1, 'B1')"
    )
    assert db.query("SELECT resolved_by FROM marketing.pipeline_errors") == [("ann",)]


def test_a_failure_leaves_a_row_and_nothing_else(db: Any) -> None:
    with pytest.raises(InputError, match="Batch NONE has nothing to undo"):
        undo(None, ANN, "NONE", reason="why not")
    with pytest.raises(psycopg2.errors.DivisionByZero), carry_out(
        None, ANN, "x", {}, reason=None, shown_count=None, apply=True
    ) as work, work.connection.cursor() as cursor:  # fmt: skip
        cursor.execute("INSERT INTO marketing.vendor_switches (vendor, enabled) VALUES ('apify', false)")
        cursor.execute("SELECT 1 / 0")
    with pytest.raises(KeyboardInterrupt), carry_out(None, ANN, "y", {}, reason=None, shown_count=None, apply=True):
        raise KeyboardInterrupt
    rows = db.query("SELECT action, outcome, error, done_count FROM marketing.actions ORDER BY id")
    assert rows == [
        ("undo", "failed", "Batch NONE has nothing to undo.", None),
        ("x", "failed", "division by zero", None),
        ("y", "failed", "KeyboardInterrupt", None),
    ]
    assert db.value("SELECT count(*) FROM marketing.vendor_switches") == 0


def test_a_failing_preview_leaves_no_row(db: Any) -> None:
    with pytest.raises(InputError):
        undo(None, ANN, "NONE", apply=False)
    assert outcomes(db) == []


def test_a_lost_connection_leaves_a_row(db: Any) -> None:
    wanted = log_error(db)
    with pytest.raises(psycopg2.Error), carry_out(
        None, ANN, "x", {}, reason=None, shown_count=None, apply=True
    ) as work:  # fmt: skip
        db.execute("SELECT pg_terminate_backend(%s)", work.connection.get_backend_pid())
        resolve_errors(work.connection, ANN, wanted)
    assert outcomes(db) == [("ann", "failed")] and open_errors(db) == 1


@pytest.mark.parametrize("user", ["barton_app", None])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE marketing.actions SET actor = 'eve'",
        "DELETE FROM marketing.actions",
        "TRUNCATE marketing.actions",
        "DELETE FROM marketing.actions WHERE false",
    ],
)
def test_rows_are_never_changed_not_even_by_the_owner(db: Any, user: str | None, statement: str) -> None:
    switch_vendor(None, ANN, "apify", False)
    refused = psycopg2.errors.InsufficientPrivilege if user else psycopg2.errors.IntegrityConstraintViolation
    with pytest.raises(refused):
        db.execute(f"SET LOCAL ROLE {user}; {statement}" if user else statement)
    assert outcomes(db) == [("ann", "done")]


def test_who_only_reads_views_does_not_see_who_did_what(db: Any) -> None:
    for statement in ("SELECT FROM marketing.actions", "INSERT INTO marketing.actions (action) VALUES ('x')"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            db.execute(f"SET LOCAL ROLE barton_readonly; {statement}")


def test_the_database_user_of_a_row_is_the_sessions(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BARTON_DATABASE_URL", db.app_url)
    switch_vendor(None, ANN, "apify", False)
    assert db.query("SELECT actor, database_user = session_user FROM marketing.actions") == [("ann", True)]


def test_the_same_request_is_carried_out_once(db: Any) -> None:
    wanted = log_error(db)
    resolve_errors(None, BOB, wanted)
    with pytest.raises(
        RepeatedRequest, match=r"Request R-1 \(resolve_errors\) was received before, .*: done\. Nothing"
    ) as again:
        resolve_errors(None, BOB, wanted)
    assert again.value.recorded.done_count == 1
    with pytest.raises(RepeatedRequest, match="resolve_errors"):
        start_over(None, BOB, "B1")
    assert outcomes(db) == [("bob", "done")], "an attempt that was refused before it began is none"
    with pytest.raises(InputError):
        resolve_errors(None, ANN, wanted)
    assert outcomes(db) == [("bob", "done"), ("ann", "failed")], "without a request every attempt counts"


def test_a_request_that_failed_is_told_again_and_not_tried_again(db: Any) -> None:
    with pytest.raises(InputError):
        start_over(None, BOB, "B1")
    insert_companies(db, "B1", 1)
    with pytest.raises(RepeatedRequest, match=r"failed \(Batch 'B1' holds no rows"):
        start_over(None, BOB, "B1")


def test_the_same_request_twice_at_once(db: Any) -> None:
    insert_companies(db, "B1", 1)
    db.execute("UPDATE marketing.pipeline_events SET status = 'processed', processed_at = now()")
    results = at_once(*[lambda: start_over(None, BOB, "B1")] * 4)
    assert sorted(type(result).__name__ for result in results) == ["RepeatedRequest"] * 3 + ["StartedOver"]
    assert db.value("SELECT count(*) FROM marketing.pipeline_events WHERE status = 'pending'") == 1
    assert outcomes(db) == [("bob", "done")]


def test_the_same_request_twice_at_once_when_the_first_fails(db: Any) -> None:
    """The second must not do what the first was refused: it waits, and finds the failure."""

    def slow() -> None:
        with carry_out(None, BOB, "x", {}, reason=None, shown_count=None, apply=True):
            time.sleep(0.5)
            raise BartonError("no")

    def later() -> None:
        time.sleep(0.2)
        switch_vendor(None, BOB, "apify", False)

    results = at_once(slow, later)
    assert isinstance(results[1], RepeatedRequest) and results[1].recorded.outcome == "failed"
    assert db.value("SELECT count(*) FROM marketing.vendor_switches") == 0 and outcomes(db) == [("bob", "failed")]


def test_the_same_request_twice_at_once_in_steps(db: Any) -> None:
    insert_companies(db, "B1", 1)
    ran: list[str] = []

    def run(batches: Any, progress: Any) -> list[dict[str, Any]]:
        ran.extend(batches)
        time.sleep(0.3)
        return []

    results = at_once(*[lambda: backfill(None, BOB, run, import_batch_ids=["B1"])] * 3)
    assert sorted(type(result).__name__ for result in results) == ["Backfilled"] + ["RepeatedRequest"] * 2
    assert ran == ["B1"] and outcomes(db) == [("bob", "started"), ("bob", "done")]


def test_two_people_at_once_do_it_once(db: Any) -> None:
    insert_companies(db, "B1", 50)
    run_stages("B1")
    results = at_once(*[lambda: undo(None, ANN, "B1")] * 3)
    assert sorted(type(result).__name__ for result in results) == ["InputError"] * 2 + ["Undone"]
    assert sorted(outcome for _, outcome in outcomes(db)) == ["done", "failed", "failed"]
    assert db.value("SELECT count(*) FROM marketing.operations") == 1


def test_a_connection_with_open_work_is_refused(db: Any) -> None:
    with closing(db.connect()) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        with pytest.raises(ValueError, match="must be in none"):
            switch_vendor(connection, ANN, "apify", False)
        connection.rollback()
        connection.autocommit = True
        with pytest.raises(ValueError, match="autocommit"):
            switch_vendor(connection, ANN, "apify", False)
    assert outcomes(db) == []


KILLED = """
import sys, time
from barton_pipeline.actions.audit import Actor, {manager}
from barton_pipeline.actions.errors import resolve_errors
from barton_pipeline import error_log
from barton_pipeline.error_log import ErrorFilter
with {manager}(None, Actor("bob", "admin", "web", "R-1"), "x", {{}}, reason=None, shown_count=None, apply=True) as work:
    error_log.resolve(work.connection, ErrorFilter(event_type="t"), None)
    print("half-way", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("manager", ["carry_out", "carry_out_in_steps"])
def test_killed_half_way(db: Any, manager: str) -> None:
    wanted = log_error(db)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED.format(manager=manager)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        env=dict(os.environ),
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "half-way\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    deadline = time.monotonic() + 30
    while db.value(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'tuple' OR locktype = 'transactionid' AND pid <> pg_backend_pid()"
    ):
        assert time.monotonic() < deadline, "the server has not noticed"
        time.sleep(0.05)
    assert open_errors(db) == 1
    if manager == "carry_out":
        assert outcomes(db) == []
        resolve_errors(None, BOB, wanted)  # nothing was done, so the same request may try again
        assert outcomes(db) == [("bob", "done")]
        return
    with transaction() as connection:
        (row,) = list_actions(connection)
    assert (row.outcome, row.ended_at) == ("started", None)
    with pytest.raises(RepeatedRequest, match="started"):
        resolve_errors(None, BOB, wanted)


def test_steps_leave_their_beginning_and_their_end(db: Any) -> None:
    insert_companies(db, "B1", 1)
    problem = {"from": "B1", "to": "B1", "run_id": "r", "problem": "p"}
    backfill(None, ANN, lambda batches, progress: [problem], match="B*", reason="new rules")
    with pytest.raises(InputError, match="No batch matches 'x'"):
        backfill(None, ANN, lambda batches, progress: [], match="x")
    with pytest.raises(ZeroDivisionError), carry_out_in_steps(
        None, ANN, "z", {}, reason=None, shown_count=None, apply=True
    ):  # fmt: skip
        _ = 1 / 0
    with transaction() as connection:
        rows = list_actions(connection)
    assert [(row.action, row.outcome, row.done_count, row.error) for row in rows] == [
        ("z", "failed", None, "division by zero"),
        ("backfill", "failed", None, "No batch matches 'x'; see the batches with: barton status"),
        ("backfill", "done", 1, None),
    ]
    assert rows[2].parameters == {"import_batch_ids": [], "match": "B*", "batches": 1, "problems": 1}
    assert rows[2].ended_at is not None and rows[2].ended_at > rows[2].at and rows[2].reason == "new rules"
    assert len(outcomes(db)) == 6


def test_nothing_of_a_forgotten_person_is_in_the_audit(db: Any) -> None:
    insert_companies(db, "B1", 1)
    db.execute(
        "INSERT INTO intake.people_raw_intake (full_name, title, email, linkedin_url, website, import_batch_id) "
        "VALUES ('Ann Ames', 'CEO', 'Ann.Ames@company1.com', 'https://linkedin.com/in/ann-ames', 'company1.com', 'B1')"
    )
    run_stages("B1")
    person = db.value("SELECT person_unique_id FROM marketing.people_master")
    for wanted in ("nobody at all", "https://linkedin.com/in/ann-ames", "Ann.Ames@company1.com", person):
        try:
            forget(None, ANN, wanted, reason="asked")
        except InputError as error:
            assert wanted in str(error), "the caller is told whom"
    text = " ".join(row for (row,) in db.query("SELECT lower(a::text) FROM marketing.actions a ORDER BY id"))
    assert not [word for word in ("ames", "company1", "linkedin.com", "nobody at") if word in text]
    nobody, by_profile, by_address, by_id = (
        found for (found,) in db.query("SELECT parameters FROM marketing.actions ORDER BY id")
    )
    assert nobody == {"hashes": None} and by_id == {"person_unique_id": person}
    kept = {row for (row,) in db.query("SELECT identity_hash FROM marketing.suppressed_people")}
    assert kept.issuperset([*by_profile["hashes"], *by_address["hashes"]])
    assert [outcome for _, outcome in outcomes(db)][:2] == ["failed", "done"]


def test_a_load_is_in_the_audit_with_its_batch(db: Any, tmp_path: Any) -> None:
    (tmp_path / "companies.csv").write_text("Company,Website\nA,a.com\n")
    report = load(None, ANN, tmp_path / "companies.csv").report
    assert load(None, ANN, tmp_path / "companies.csv").report.already_loaded
    rows = db.query(
        "SELECT parameters ->> 'import_batch_id', parameters -> 'already_loaded', done_count FROM marketing.actions ORDER BY id"
    )
    assert rows == [(report.batch, False, 1), (report.batch, True, 0)]
    with pytest.raises(InputError):
        load(None, ANN, tmp_path / "none.csv")
    assert outcomes(db)[2] == ("ann", "failed")


def test_which_dead_letters_must_be_said_in_one_way(db: Any) -> None:
    several: list[dict[str, Any]] = [
        {},
        {"every": True, "import_batch_id": "B1"},
        {"event_ids": [1], "errors": ErrorFilter()},
    ]
    for given in several:
        with pytest.raises(InputError, match="Name one batch"):
            retry(None, ANN, **given)
    with pytest.raises(InputError, match="an empty filter would mean all"):
        resolve_errors(None, ANN, ErrorFilter())
