"""Rollbacks, undoing a batch, backup and restore: what stops, what comes back, and that nothing is lost."""

import json
import shutil
import subprocess
import threading
import time
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from click.testing import CliRunner

from barton_pipeline import doctor
from barton_pipeline.cli.main import barton
from barton_pipeline.errors import BartonError, InputError
from barton_pipeline.operations import backup, retention, rollbacks, undo
from barton_pipeline.postgres.connection import connect, dsn_parameters, transaction
from barton_pipeline.queue import events, listening
from barton_pipeline_tests.builders import insert_companies, run_stages
from barton_pipeline_tests.conftest import PROJECT
from barton_pipeline_tests.dagster.test_end_to_end import dagster_dev, settled, wait_for

OPS = PROJECT / "sql" / "ops"
PEOPLE = "INSERT INTO intake.people_raw_intake (full_name, title, email, website, import_batch_id) VALUES (%s, %s, %s, %s, %s)"


def count_events(db, batch: str) -> int:
    return db.value("SELECT count(*) FROM marketing.pipeline_events WHERE import_batch_id = %s", batch)


def notified(db) -> bool:
    """Whether an insert wakes listeners."""
    with closing(connect(db.url)) as listener:
        listening.start_listening(listener)
        db.execute("SELECT marketing.notify_pipeline_event('message_sent', '{}', 'N')")
        return bool(listening.listen(listener, 0.5))


def roll_back(rollback: str, target: str = "") -> None:
    with transaction() as connection:
        rollbacks.roll_back(connection, rollback, target)


def reverse(rollback: str, target: str = "") -> int | None:
    with transaction() as connection:
        return rollbacks.reverse(connection, rollback, target)


def source_of(db, function: str) -> str:
    return db.value(f"SELECT prosrc FROM pg_proc WHERE oid = 'marketing.{function}'::regproc")


def test_silence_stops_notifications_and_keeps_the_queue(db) -> None:
    before = source_of(db, "wake_listeners")
    assert notified(db)
    roll_back("silence")
    insert_companies(db, "B1", 2)
    assert not notified(db) and count_events(db, "B1") == 2
    (told,) = [finding for finding in doctor.examine() if finding.name == "rollbacks"]
    assert told.state == "warning" and "silence since" in told.found
    with pytest.raises(InputError, match="in force already"):
        roll_back("silence")
    reverse("silence")
    assert notified(db) and source_of(db, "wake_listeners") == before
    with pytest.raises(InputError, match="not in force"):
        reverse("silence")


@pytest.mark.parametrize("trigger", rollbacks.event_triggers())
def test_one_trigger_is_dropped_and_made_again_as_it_was(db, trigger: str) -> None:
    definition = "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = %s"
    before = db.value(definition, trigger)
    roll_back("trigger", trigger)
    assert db.query(definition, trigger) == []
    reverse("trigger", trigger)
    assert db.value(definition, trigger) == before


def test_what_a_dropped_trigger_missed_is_caught_up(db) -> None:
    insert_companies(db, "B1", 1)
    run_stages("B1")
    roll_back("trigger", "company_raw_intake_insert_events")
    insert_companies(db, "B2", 1, first=2)
    db.execute(PEOPLE, "Ann Ames", "CEO", "ann@company1.com", "company1.com", "B3")
    assert (count_events(db, "B2"), count_events(db, "B3")) == (0, 1), "the other triggers go on"
    queued = reverse("trigger", "company_raw_intake_insert_events")
    assert queued is not None and queued >= 2
    assert count_events(db, "B2") == 1
    with pytest.raises(InputError, match="is not a trigger that raises events; they are"):
        roll_back("trigger", "company_master_touch")


def test_paused_triggers_catch_up_with_every_kind_of_change(db) -> None:
    for number in (1, 2, 3, 4):
        insert_companies(db, f"B{number}", 1, first=number)
        run_stages(f"B{number}")
    db.execute("UPDATE marketing.operations SET details = '{}'")
    roll_back("pause")
    counted = db.value("SELECT count(*) FROM marketing.pipeline_events")
    insert_companies(db, "NEW", 1, first=9)
    db.execute(PEOPLE, "Ann Ames", "CEO", "ann@company1.com", "company1.com", "PEOPLE")
    db.execute(
        "INSERT INTO intake.signals_raw_intake (website, signal_type, occurred_at, import_batch_id) VALUES ('company1.com', 'reply', '2026-01-01', 'SIGNALS')"
    )
    db.execute(
        "INSERT INTO intake.outcomes_raw_intake (website, outcome_type, occurred_at, import_batch_id) VALUES ('company1.com', 'won', '2026-01-01', 'OUTCOMES')"
    )
    db.execute("UPDATE intake.company_raw_intake SET website = 'https://company22.com' WHERE import_batch_id = 'B2'")
    db.execute(
        "INSERT INTO marketing.bit_signals (company_id, signal_type, signal_timestamp) SELECT company_unique_id, 'demo_request', now() FROM marketing.company_master WHERE import_batch_id = 'B3'"
    )
    assert db.value("SELECT count(*) FROM marketing.pipeline_events") == counted, "no table raises events"
    # only what changed since then is queued: the batches above are older than the margin
    db.execute(
        "UPDATE intake.company_raw_intake SET updated_at = now() - interval '1 hour' WHERE import_batch_id = 'B4'"
    )
    db.execute(
        "ALTER TABLE marketing.company_master DISABLE TRIGGER USER; UPDATE marketing.company_master SET updated_at = now() - interval '1 hour' WHERE import_batch_id = 'B4'; ALTER TABLE marketing.company_master ENABLE TRIGGER USER"
    )
    db.execute(
        "ALTER TABLE marketing.company_slots DISABLE TRIGGER USER; UPDATE marketing.company_slots SET updated_at = now() - interval '1 hour'; ALTER TABLE marketing.company_slots ENABLE TRIGGER USER"
    )
    queued = reverse("pause")
    pending = {
        batch for (batch,) in db.query("SELECT import_batch_id FROM marketing.pipeline_events WHERE status = 'pending'")
    }
    assert {"NEW", "PEOPLE", "SIGNALS", "OUTCOMES", "B2", "B3"} <= pending and queued == len(pending)
    for batch in pending:
        run_stages(batch)
    assert db.value("SELECT count(*) FROM marketing.pipeline_events WHERE status = 'pending'") == 0
    assert (
        db.value("SELECT count(*) FROM marketing.outcomes") == 1
        and db.value("SELECT count(*) FROM marketing.sniper_targets") == 1
    )
    insert_companies(db, "AFTER", 1, first=10)
    assert count_events(db, "AFTER") == 1


def test_a_change_that_began_before_the_pause_is_caught_up(db) -> None:
    """Its rows bear the time its transaction began."""
    with closing(connect(db.url)) as early:
        with early.cursor() as cursor:
            cursor.execute("SELECT now()")
            time.sleep(0.2)
            roll_back("pause")
            cursor.execute(
                "INSERT INTO intake.company_raw_intake (company, website, import_batch_id) VALUES ('Late', 'late.com', 'LATE')"
            )
        early.commit()
    assert count_events(db, "LATE") == 0
    reverse("pause")
    assert count_events(db, "LATE") == 1


def test_a_pause_that_meets_a_run_in_the_other_order_tries_again(db) -> None:
    """pause takes tables one after the other; whoever holds a later one and then wants an earlier one is in its way."""
    first, last = db.query(
        "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgfoid = 'marketing.raise_events'::regproc ORDER BY oid"
    )[:: db.value("SELECT count(*) - 1 FROM pg_trigger WHERE tgfoid = 'marketing.raise_events'::regproc")]

    def run_in_the_other_order() -> None:
        with closing(db.connect()) as run, run, run.cursor() as cursor:
            cursor.execute("SET LOCAL deadlock_timeout = '20s'")  # the pause is to notice first
            cursor.execute(f"LOCK TABLE {last[0]} IN ROW EXCLUSIVE MODE")
            time.sleep(1.5)
            cursor.execute(f"LOCK TABLE {first[0]} IN ROW EXCLUSIVE MODE")

    other = threading.Thread(target=run_in_the_other_order)
    other.start()
    time.sleep(0.5)
    roll_back("pause")
    other.join()
    insert_companies(db, "B1", 1)
    assert count_events(db, "B1") == 0


def test_the_application_cannot_do_what_is_the_owners(db, monkeypatch) -> None:
    monkeypatch.setenv("BARTON_DATABASE_URL", db.app_url)
    for action in ("silence", "pause"):
        with pytest.raises(BartonError, match="needs the owner of the schema"):
            roll_back(action)
    roll_back("manual")  # a record only
    reverse("manual")
    insert_companies(db, "B1", 2)
    run_stages("B1")
    with transaction() as connection:
        assert undo.undo_batch(connection, "B1", "test")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM marketing.pipeline_events", "UPDATE marketing.pipeline_events SET payload = '{}'",
        "UPDATE marketing.pipeline_events SET event_type = 'x'", "DELETE FROM marketing.pipeline_errors",
        "UPDATE marketing.pipeline_errors SET error_message = 'all is well'", "DELETE FROM marketing.operations",
        "UPDATE marketing.operations SET started_by = 'somebody'", "DELETE FROM marketing.ple_models", "TRUNCATE marketing.pipeline_events",
        "DELETE FROM marketing.vendor_calls", "DELETE FROM marketing.barton_id_history", "UPDATE marketing.barton_id_history SET change = 'given'",
        "DROP TABLE marketing.outcomes", "CREATE TABLE marketing.mine ()", "ALTER TABLE marketing.company_master DISABLE TRIGGER USER",
        "CREATE TRIGGER x AFTER INSERT ON marketing.outcomes FOR EACH STATEMENT EXECUTE FUNCTION marketing.raise_events()",
        "DROP FUNCTION marketing.undo_batch", "SET ROLE barton_owner",
    ],
)  # fmt: skip
def test_the_application_may_not(db, monkeypatch, statement: str) -> None:
    with transaction(db.url) as connection, connection.cursor() as cursor:
        cursor.execute("SET LOCAL SESSION AUTHORIZATION barton_app")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(statement)
        connection.rollback()


def test_old_events_and_errors_are_purged_by_the_application(db, monkeypatch) -> None:
    insert_companies(db, "B1", 1)
    run_stages("B1")
    db.execute(
        "UPDATE marketing.pipeline_events SET created_at = now() - interval '99 days', processed_at = now() - interval '99 days'"
    )
    monkeypatch.setenv("BARTON_DATABASE_URL", db.app_url)
    with closing(connect()) as connection:
        assert retention.purge(connection)["processed_events"] > 0
    assert db.value("SELECT count(*) FROM marketing.pipeline_events") == 0


def test_undoing_a_batch_leaves_what_others_brought(db) -> None:
    insert_companies(db, "B1", 2)
    run_stages("B1")
    insert_companies(db, "B2", 2, first=2)  # company 2 again, company 3 new
    db.execute(PEOPLE, "Ann Ames", "CEO", "ann@company2.com", "company2.com", "B1")
    db.execute(PEOPLE, "Ann Ames", "CEO", "ann@company2.com", "company2.com", "B2")
    db.execute(PEOPLE, "Bob Baker", "CFO", "bob@company2.com", "company2.com", "B2")
    db.execute(PEOPLE, "Cid Cole", "CEO", "cid@company3.com", "company3.com", "B2")
    for website in ("company1.com", "company3.com"):
        db.execute("INSERT INTO intake.signals_raw_intake (website, signal_type, occurred_at, import_batch_id) VALUES (%s, 'demo_request', %s, 'B2')", website, time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime()))  # fmt: skip
    run_stages("B1")
    run_stages("B2")
    third = db.value("SELECT company_unique_id FROM marketing.company_master WHERE domain = 'company3.com'")
    assert db.value("SELECT count(*) FROM marketing.sniper_targets") == 2
    result = CliRunner().invoke(
        barton, ["undo", "B2", "--yes", "--json", "--reason", "wrong file"], catch_exceptions=False
    )
    gone = {row["place"]: row["n"] for row in json.loads(result.output)}
    assert (
        gone["companies"],
        gone["companies that stay"],
        gone["people of companies that stay"],
        gone["signals"],
        gone["people rows"],
    ) == (1, 2, 1, 2, 3)
    assert [name for (name,) in db.query("SELECT full_name FROM marketing.people_master ORDER BY 1")] == ["Ann Ames"]
    assert db.value("SELECT count(*) FROM marketing.company_slots") == 6
    assert db.query("SELECT DISTINCT import_batch_id FROM marketing.company_batches") == [("B1",)]
    run_stages("B1")
    assert db.value("SELECT count(*) FROM marketing.sniper_targets") == 0, "the signal went with the batch"
    assert db.value("SELECT count(*) FROM marketing.pipeline_events WHERE status <> 'processed'") == 0

    ((target, details),) = db.query("SELECT target, details FROM marketing.operations WHERE action = 'undo_batch'")
    assert (
        target == "B2"
        and details["company_ids"] == [third]
        and details["reason"] == "wrong file"
        and details["run_again"] == ["B1"]
    )
    insert_companies(db, "B2", 1, first=3)
    run_stages("B2")
    again = db.value("SELECT company_unique_id FROM marketing.company_master WHERE domain = 'company3.com'")
    assert (
        again != third
        and db.value(
            "SELECT count(*) FROM marketing.barton_id_history WHERE barton_id = %s AND change = 'retired'", third
        )
        == 1
    )


def test_undoing_is_refused_while_a_run_works_and_when_there_is_nothing(db) -> None:
    insert_companies(db, "B1", 1)
    with transaction() as connection:
        events.accept(connection, "B1")
    for batch, says in (("B1", "A run is at work on batch B1"), ("NONE", "Batch NONE has nothing to undo")):
        with pytest.raises(InputError, match=says), transaction() as connection:
            undo.undo_batch(connection, batch, "test")
    assert db.value("SELECT count(*) FROM intake.company_raw_intake") == 1


def test_a_company_that_was_written_to_stays(db) -> None:
    insert_companies(db, "B1", 2)
    run_stages("B1")
    db.execute(
        "INSERT INTO marketing.messages_outbound (company_id, recipient) SELECT company_unique_id, 'x@company1.com' FROM marketing.company_master WHERE domain = 'company1.com'"
    )
    with transaction() as connection:
        undo.undo_batch(connection, "B1", "test")
    assert db.query("SELECT domain FROM marketing.company_master") == [("company1.com",)]


@pytest.mark.skipif(shutil.which("psql") is None, reason="psql is not installed")
def test_the_statements_run_under_psql(db) -> None:
    parameters = dsn_parameters(db.url)
    environment = {"PGPASSWORD": parameters.pop("password", ""), "PATH": "/usr/bin:/bin:/usr/local/bin"}
    dsn = " ".join(f"{name}={value}" for name, value in parameters.items())

    def psql(file: str, *variables: str) -> str:
        command = ["psql", "-X", "-v", "ON_ERROR_STOP=1", *variables, "-d", dsn, "-f", str(OPS / file)]
        return subprocess.run(
            command, check=True, env=environment, capture_output=True, text=True, cwd=OPS.parent.parent
        ).stdout

    printed = psql("trigger_test.sql")
    assert (
        "company_created |     2" in printed
        and "company_updated |     1" in printed
        and "company_created |    101" in printed
    )
    assert db.value("SELECT count(*) FROM intake.company_raw_intake") == 0 == count_events(db, "TRIGGER-TEST")
    for name in ("silence_notifications", "pause_triggers", "manual_runs"):
        psql(f"{name}.sql", "-1")
        psql(f"{name}.undo.sql", "-1")
    variables = ("-1", "-v", "trigger=bit_signals_insert_events", "-v", "place=marketing.bit_signals")
    psql("drop_trigger.sql", *variables)
    assert db.value("SELECT count(*) FROM pg_trigger WHERE tgname = 'bit_signals_insert_events'") == 0
    psql("drop_trigger.undo.sql", *variables)
    assert db.value("SELECT count(*) FROM pg_trigger WHERE tgname = 'bit_signals_insert_events'") == 1
    assert db.value("SELECT count(*) FROM marketing.operations WHERE ended_at IS NULL") == 0
    psql("remove_everything.sql", "-1")
    assert db.value("SELECT count(*) FROM pg_namespace WHERE nspname IN ('intake', 'marketing')") == 0


def test_backup_and_restore_give_every_row_back(db, tmp_path: Path) -> None:
    insert_companies(db, "B1", 5)
    run_stages("B1")
    tables = [
        name
        for (name,) in db.query(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('intake', 'marketing') ORDER BY 1"
        )
    ]

    def content() -> dict[str, str]:
        return {
            table: db.value(f"SELECT md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM {table} t")
            for table in tables
        }

    before = content()
    archive = tmp_path / "everything.dump"
    with pytest.raises(InputError, match="is not there"):
        backup.restore(archive)
    assert backup.remove_everything(archive) == len(tables)
    assert db.value("SELECT count(*) FROM pg_namespace WHERE nspname IN ('intake', 'marketing')") == 0
    with pytest.raises(InputError, match="exists"):
        backup.backup(archive)
    backup.restore(archive)
    assert content() == before
    insert_companies(db, "B2", 1, first=6)
    run_stages("B2")
    assert db.value("SELECT count(*) FROM marketing.company_master") == 6, "IDs go on where they were"
    with pytest.raises(InputError, match="has the schema"):
        backup.restore(archive)


@pytest.mark.slow
def test_every_rollback_on_a_live_pipeline_under_load(db, tmp_path: Path) -> None:
    if not dsn_parameters(db.url)["host"].startswith("/"):
        pytest.skip("two minutes; on this server the rollbacks are tested one by one")
    log, numbers = tmp_path / "dagster.log", iter(range(1, 1000))

    def load(*batches: str) -> None:
        for batch in batches:
            insert_companies(db, batch, 3, first=next(numbers) * 3)

    def done(*batches: str) -> None:
        wait_for(
            lambda: all(settled(db, batch) for batch in batches), 120, f"{batches} not done: {log.read_text()[-3000:]}"
        )

    with dagster_dev(log):
        load("A1", "A2")
        roll_back("silence")
        load("S1", "S2")
        done("A1", "A2", "S1", "S2")  # the sensor looks for itself
        reverse("silence")

        roll_back("trigger", "company_raw_intake_insert_events")
        load("T1")
        time.sleep(6)
        assert count_events(db, "T1") == 0
        reverse("trigger", "company_raw_intake_insert_events")
        done("T1")

        load("P0")
        roll_back("pause")
        load("P1", "P2")
        time.sleep(6)
        assert db.value("SELECT count(*) FROM marketing.pipeline_events WHERE import_batch_id IN ('P1', 'P2')") == 0
        reverse("pause")
        done("P0", "P1", "P2")

        roll_back("manual")
        time.sleep(6)  # a tick that was under way
        load("M1", "M2")
        time.sleep(6)
        assert (
            db.value(
                "SELECT count(*) FROM marketing.pipeline_events WHERE import_batch_id IN ('M1', 'M2') AND status = 'pending'"
            )
            == 6
        )
        assert CliRunner().invoke(barton, ["run", "M1"], catch_exceptions=False).exit_code == 0
        assert settled(db, "M1") and not settled(db, "M2")
        reverse("manual")
        done("M2")

        backup.remove_everything(tmp_path / "everything.dump")
        time.sleep(6)
        backup.restore(tmp_path / "everything.dump")
        load("R1")
        done("R1")
    batches = ["A1", "A2", "S1", "S2", "T1", "P0", "P1", "P2", "M1", "M2", "R1"]
    assert db.value("SELECT count(*) FROM marketing.company_master") == 3 * len(batches)
    assert db.value("SELECT count(*) FROM marketing.company_slots") == 9 * len(batches)
    assert db.value("SELECT count(*) FROM marketing.pipeline_events WHERE status = 'failed'") == 0
