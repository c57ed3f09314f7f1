"""Triggers raise the right events; the queue moves them as docs/explanation/event-protocol.md says."""

import contextlib
import io
import json
import threading
import uuid

import psycopg2
import pytest

from barton_pipeline.errors import InputError
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.queue import events, listening, upkeep
from barton_pipeline.reports.batches import check_known_batch
from barton_pipeline_tests.builders import insert_companies

INSERT = "INSERT INTO intake.company_raw_intake(company, website, import_batch_id) VALUES ('Test Co','https://test.com','TEST-001')"


def events_of(db, **where):
    condition = " AND ".join(f"{column} = %s" for column in where) or "true"
    return db.query(
        f"SELECT event_type, payload, n_rows, status, attempts FROM marketing.pipeline_events WHERE {condition} ORDER BY id",
        *where.values(),
    )


def states(db) -> set[str]:
    return {status for (status,) in db.query("SELECT DISTINCT status FROM marketing.pipeline_events")}


def test_the_original_acceptance_statements(db) -> None:
    db.execute(INSERT)
    db.execute("UPDATE intake.company_raw_intake SET website = 'https://new.com' WHERE company = 'Test Co'")
    created, updated = events_of(db)
    assert (created[0], created[1]["company"], created[1]["website"]) == (
        "company_created",
        "Test Co",
        "https://test.com",
    )
    assert (updated[0], updated[1]["website"], updated[1]["import_batch_id"]) == (
        "company_updated",
        "https://new.com",
        "TEST-001",
    )


def test_changes_of_no_business_column_and_empty_statements_raise_nothing(db) -> None:
    db.execute(INSERT)
    db.execute("UPDATE intake.company_raw_intake SET validated = true, validated_at = now(), website = website")
    db.execute("INSERT INTO intake.company_raw_intake (company, import_batch_id) SELECT 'x', 'B' WHERE false")
    assert len(events_of(db)) == 1


@pytest.mark.parametrize(("rows", "expected"), [(1, 1), (100, 100), (101, 1), (10_000, 1), (25_000, 3)])
def test_many_rows_are_coalesced_and_none_is_uncounted(db, rows: int, expected: int) -> None:
    insert_companies(db, "B1", rows)
    found = events_of(db)
    assert len(found) == expected
    assert sum(event[2] for event in found) == rows


def test_a_statement_of_several_batches_raises_events_for_each(db) -> None:
    db.execute(
        "INSERT INTO intake.company_raw_intake (company, import_batch_id) SELECT 'c', 'B' || n % 3 FROM generate_series(1, 900) n"
    )
    assert {(event[1]["import_batch_id"], event[2]) for event in events_of(db)} == {
        ("B0", 300),
        ("B1", 300),
        ("B2", 300),
    }


# Rows 1 and 2 exist; each statement brings row 3 and edits row 1, as far as it can.
MERGE = """
    MERGE INTO intake.company_raw_intake r USING (VALUES (1, 'one'), (2, NULL), (3, 'three')) AS given (id, website) ON r.id = given.id
    WHEN MATCHED THEN UPDATE SET website = coalesce(given.website, r.website)
    WHEN NOT MATCHED THEN INSERT (company, website, import_batch_id) VALUES ('c', given.website, 'B')
"""
UPSERT = """
    INSERT INTO intake.company_raw_intake (id, company, website, import_batch_id) OVERRIDING SYSTEM VALUE
    VALUES (1, 'c', 'one', 'B'), (2, 'c', 'old', 'B'), (3, 'c', 'three', 'B')
    ON CONFLICT (id) DO UPDATE SET website = excluded.website
"""


@pytest.mark.parametrize(
    ("statement", "raised"),
    [
        (MERGE, [("company_created", "3"), ("company_updated", "1")]),
        (UPSERT, [("company_created", "3"), ("company_updated", "1")]),
        ("COPY intake.company_raw_intake (company, website, import_batch_id) FROM STDIN", [("company_created", "3")]),
    ],
    ids=["merge", "upsert", "copy"],
)
def test_every_way_to_write_rows_raises_the_right_events(db, statement: str, raised: list[tuple[str, str]]) -> None:
    db.execute(
        "INSERT INTO intake.company_raw_intake (company, website, import_batch_id) VALUES ('c', 'old', 'B'), ('c', 'old', 'B')"
    )
    db.execute("DELETE FROM marketing.pipeline_events")
    with transaction(db.url) as connection, connection.cursor() as cursor:
        if statement.startswith("COPY"):
            cursor.copy_expert(statement, io.StringIO("c\tthree\tB\n"))
        else:
            cursor.execute(statement)
    assert db.query("SELECT event_type, first_record_id FROM marketing.pipeline_events ORDER BY 1") == raised


def test_a_savepoint_takes_its_events_with_it(db) -> None:
    db.execute(f"BEGIN; {INSERT}; SAVEPOINT s; {INSERT.replace('TEST-001', 'GONE')}; ROLLBACK TO s; COMMIT")
    assert [event[1]["import_batch_id"] for event in events_of(db)] == ["TEST-001"]


def test_rolled_back_rows_leave_no_event(db) -> None:
    with contextlib.suppress(ZeroDivisionError), transaction(db.url) as connection, connection.cursor() as cursor:
        cursor.execute(INSERT)
        raise ZeroDivisionError
    assert events_of(db) == []


def test_a_nine_kilobyte_row_does_not_break_the_insert(db) -> None:
    db.execute(
        "INSERT INTO intake.company_raw_intake (company, website, import_batch_id) VALUES (%s, 'x.com', 'BIG')",
        "ü" * 9000,
    )
    assert len(events_of(db)) == 1


def test_listeners_are_woken_and_the_payload_is_small(db) -> None:
    with contextlib.closing(db.connect()) as listener:
        listening.start_listening(listener)
        insert_companies(db, "B1", 500)
        (payload,) = listening.listen(listener, 5)
        assert len(payload) < 500 and json.loads(payload)["rows"] == 1


def test_a_user_with_rights_on_the_table_alone_can_insert(db) -> None:
    role = f"only_intake_{uuid.uuid4().hex[:8]}"
    db.execute(f"CREATE ROLE {role}")
    try:
        db.execute(f"GRANT USAGE ON SCHEMA intake TO {role}; GRANT INSERT ON intake.company_raw_intake TO {role}")
        db.execute(f"SET LOCAL ROLE {role}; {INSERT}")
        assert len(events_of(db)) == 1
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            db.execute(f"SET LOCAL ROLE {role}; SELECT * FROM marketing.pipeline_events")
    finally:
        db.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def accept(db, batch: str = "B1"):
    with transaction(db.url) as connection:
        return events.accept(connection, batch)


def test_accept_takes_all_due_events_once(db) -> None:
    insert_companies(db, "B1", 3)
    with transaction(db.url) as connection:
        (ready,) = events.ready_batches(connection, 10)
    assert (ready.import_batch_id, ready.rows) == ("B1", 3)
    claim = accept(db)
    assert claim is not None and claim.entry_stage == "raw_intake" and claim.events == 3
    insert_companies(db, "B1", 1, first=50)
    assert accept(db) is None, "a second run started while the first is at work"
    with transaction(db.url) as connection:
        assert events.ready_batches(connection, 10) == []


def test_eight_acceptors_at_once_make_one_claim(db) -> None:
    insert_companies(db, "B1", 5)
    claims, barrier = [], threading.Barrier(8)

    def try_to_accept() -> None:
        barrier.wait()
        claims.append(accept(db))

    threads = [threading.Thread(target=try_to_accept) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(claim is not None for claim in claims) == 1


def test_finish_needs_the_token_that_holds_the_events(db) -> None:
    insert_companies(db, "B1", 2)
    claim = accept(db)
    assert claim is not None
    with pytest.raises(events.LeaseLost), transaction(db.url) as connection:
        events.finish(connection, str(uuid.uuid4()), "B1", "sniper_targets", must_hold=True)
    assert states(db) == {"processing"}
    with transaction(db.url) as connection:
        assert events.finish(connection, claim.lease_token, "B1", "sniper_targets", must_hold=True) == 2
    assert states(db) == {"processed"}


def test_failures_are_delayed_then_dead_then_requeued(db) -> None:
    insert_companies(db, "B1", 1)
    limit = events.settings().max_attempts
    for attempt in range(1, limit + 1):
        claim = accept(db)
        assert claim is not None
        with transaction(db.url) as connection:
            retried, dead = events.fail(connection, claim.lease_token, "boom")
        assert (retried, dead) == ((1, 0) if attempt < limit else (0, 1))
        assert accept(db) is None, "the delay was not kept"
        db.execute("UPDATE marketing.pipeline_events SET available_at = now() WHERE status = 'pending'")
    ((severity, message),) = db.query("SELECT severity, error_message FROM marketing.pipeline_errors")
    assert severity == "critical" and "barton retry B1" in message
    with transaction(db.url) as connection:
        assert upkeep.requeue(connection, "B1").events == 1
    assert accept(db) is not None
    assert db.value("SELECT count(*) FROM marketing.vw_unresolved_errors") == 0


def test_an_event_that_kills_its_workers_ends_sooner(db) -> None:
    insert_companies(db, "B1", 1)
    for _ in range(events.settings().max_crashes):
        claim = accept(db)
        assert claim is not None
        with transaction(db.url) as connection:
            events.fail(connection, claim.lease_token, "vanished", crashed=True)
        db.execute("UPDATE marketing.pipeline_events SET available_at = now() WHERE status = 'pending'")
    assert states(db) == {"failed"}


def test_events_no_run_can_work_on_end_visibly(db) -> None:
    db.query("SELECT marketing.notify_pipeline_event('message_sent', '{\"record_id\": 1}', 'B1')")
    db.query("SELECT marketing.notify_pipeline_event('signal_recorded', '{}')")
    with transaction(db.url) as connection:
        assert upkeep.settle_unroutable(connection) == 2
    assert [event[3] for event in events_of(db)] == ["processed", "failed"]
    assert db.value("SELECT count(*) FROM marketing.vw_unresolved_errors") == 1


def test_events_of_an_unknown_type_fail_visibly_and_are_not_claimed(db) -> None:
    db.execute(INSERT)
    db.execute("SELECT marketing.notify_pipeline_event('company_exploded', '{}', 'TEST-001')")
    with transaction(db.url) as connection:
        claim = events.accept(connection, "TEST-001")
        assert claim is not None and claim.events == 1
        assert upkeep.settle_unroutable(connection) == 1
    assert events_of(db, event_type="company_exploded")[0][3:] == ("failed", 0)
    assert "company_exploded" in db.value("SELECT error_message FROM marketing.pipeline_errors")


def test_a_batch_with_nothing_but_unroutable_events_is_not_claimed(db) -> None:
    db.execute("SELECT marketing.notify_pipeline_event('message_sent', '{}', 'TEST-001')")
    with transaction(db.url) as connection:
        assert events.accept(connection, "TEST-001") is None
    assert states(db) == {"pending"}


def test_a_run_that_never_came_to_be_costs_no_attempt(db) -> None:
    db.execute(INSERT)
    with transaction(db.url) as connection:
        claim = events.accept(connection, "TEST-001")
        assert claim is not None and events.give_back(connection, claim.lease_token) == 1
        assert events.give_back(connection, claim.lease_token) == 0
    assert events_of(db)[0][3:] == ("pending", 0)


def test_a_clock_that_jumps_back_delays_nothing_for_long(db) -> None:
    db.execute(INSERT)
    with transaction(db.url) as connection:
        claim = events.accept(connection, "TEST-001")
        assert not events.open_leases(connection)[0].expired
    db.execute("UPDATE marketing.pipeline_events SET lease_until = now() + interval '1 year'")
    with transaction(db.url) as connection:
        assert events.open_leases(connection)[0].expired
        assert claim and events.fail(connection, claim.lease_token, "x") == (1, 0)
        assert events.accept(connection, "TEST-001") is None, "the retry is not yet due"
    db.execute("UPDATE marketing.pipeline_events SET available_at = now() + interval '1 year'")
    with transaction(db.url) as connection:
        assert [batch.import_batch_id for batch in events.ready_batches(connection, 5)] == ["TEST-001"]
        assert events.accept(connection, "TEST-001") is not None


def test_rows_that_raised_no_event_are_found(db) -> None:
    aged = "now() - interval '1 hour'"
    db.execute(
        f"""SET LOCAL session_replication_role = replica;
        INSERT INTO intake.company_raw_intake (company, import_batch_id, updated_at) VALUES ('x', 'B1', {aged}), ('y', 'B1', {aged}), ('young', 'B2', now());
        INSERT INTO intake.people_raw_intake (full_name, import_batch_id, updated_at) VALUES ('x', 'B1', {aged}), ('x', 'B3', {aged});
        INSERT INTO intake.signals_raw_intake (signal_type, import_batch_id, created_at) VALUES ('reply', 'B4', {aged})"""
    )
    db.execute(
        "INSERT INTO intake.company_raw_intake (company, import_batch_id, updated_at) VALUES ('announced', 'B5', '2020-01-01')"
    )
    with transaction(db.url) as connection:
        assert upkeep.reconcile(connection) == ["B1", "B3", "B4"]
    queued = db.query(
        "SELECT import_batch_id, event_type FROM marketing.pipeline_events WHERE event_type LIKE 'continue%%' ORDER BY 1"
    )
    assert queued == [
        ("B1", "continue_at_raw_intake"),
        ("B3", "continue_at_enriched_contacts"),
        ("B4", "continue_at_bit_scores"),
    ]
    with transaction(db.url) as connection:
        assert upkeep.reconcile(connection) == [], "once is enough"
    assert "2 row(s) of batch B1" in db.value("SELECT error_message FROM marketing.pipeline_errors ORDER BY id LIMIT 1")


def test_half_transitions_are_impossible(db) -> None:
    db.execute(INSERT)
    for change in ("status = 'processing'", "status = 'processed'", "lease_token = gen_random_uuid()", "status = 'x'"):
        with pytest.raises(psycopg2.errors.CheckViolation):
            db.execute(f"UPDATE marketing.pipeline_events SET {change}")


def test_helper_functions_of_the_contract(db) -> None:
    first = db.value("SELECT marketing.notify_pipeline_event('company_created', '{\"import_batch_id\": \"B9\"}')")
    second = db.value("SELECT marketing.notify_pipeline_event('company_created', '{}', 'B9')")
    assert db.value("SELECT marketing.mark_event_processed(%s)", first) is True
    assert db.value("SELECT marketing.mark_event_processed(%s)", first) is False
    assert db.value("SELECT marketing.mark_event_failed(%s, 'why')", second) is True
    error = db.value("SELECT id FROM marketing.vw_unresolved_errors WHERE error_message = 'why'")
    assert db.value("SELECT marketing.resolve_pipeline_error(%s, 'me', 'done')", error) is True
    assert db.value("SELECT marketing.log_pipeline_error('t', '1', 'm', '{}', 'warning')") > 0


def test_unknown_batches_are_named(db) -> None:
    with pytest.raises(InputError, match="holds no rows"), transaction(db.url) as connection:
        check_known_batch(connection, "NOBODY")
    with pytest.raises(psycopg2.errors.CheckViolation):
        db.execute("INSERT INTO intake.company_raw_intake (company, import_batch_id) VALUES ('x', 'not a key!')")


def test_few_rows_go_before_many_and_nobody_waits_for_ever(db) -> None:
    def order() -> list[str]:
        with transaction() as connection:
            return [batch.import_batch_id for batch in events.ready_batches(connection, 10)]

    insert_companies(db, "FILE", 500)
    insert_companies(db, "ROW", 1)
    insert_companies(db, "ROW-LATER", 1)
    assert order() == ["ROW", "ROW-LATER", "FILE"]
    db.execute(
        "UPDATE marketing.pipeline_events SET created_at = now() - interval '3 minutes' WHERE import_batch_id = 'FILE'"
    )
    assert order() == ["FILE", "ROW", "ROW-LATER"]
