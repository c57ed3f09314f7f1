"""The stages on real Postgres: what a batch becomes, that a second run changes nothing, and what a failure leaves."""

import contextlib
import threading
import uuid
from pathlib import Path

import psycopg2
import pytest

from barton_pipeline.intake.loading import load_file
from barton_pipeline.pipeline import BY_NAME, NAMES
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.queue import events
from barton_pipeline.reports.batches import count_reasons, list_batches, list_stages
from barton_pipeline.stages.lease import record_death
from barton_pipeline.stages.runner import run_stage
from barton_pipeline_tests.builders import claim_batch, insert_companies, manual_run, run_stages, stage_with
from barton_pipeline_tests.conftest import PROJECT

WV_BATCH = "20251024-WV-B1"


def load(db, path: Path, batch: str):
    with contextlib.closing(db.connect()) as connection:
        return load_file(connection, path, batch=batch)


def open_events(db) -> int:
    return db.value("SELECT count(*) FROM marketing.pipeline_events WHERE status <> 'processed'")


def test_262_companies_get_786_slots(db) -> None:
    insert_companies(db, "B1", 262)
    counts = run_stages("B1")
    assert counts["company_master"]["companies_new"] == 262
    assert counts["company_slots"]["rows_out"] == 786
    assert db.value("SELECT count(*) FROM marketing.company_slots") == 786
    assert open_events(db) == 0


def test_west_virginia(db, data_dir: Path) -> None:
    assert load(db, data_dir / "wv_companies.csv", WV_BATCH).loaded == 442
    counts = run_stages(WV_BATCH)
    assert counts["validated_companies"]["rows_in"] == 442
    assert counts["validated_companies"]["reasons"] == {"website_missing": 111}
    assert counts["company_master"]["rows_out"] == 331
    assert db.value("SELECT count(*) FROM marketing.company_slots") == 3 * 331
    assert {
        name for (name,) in db.query("SELECT company_name FROM marketing.company_master WHERE domain = 'apus.edu'")
    } == {
        "American Public University System",
        "American Military University",
    }
    before = (fingerprint(db), db.value("SELECT count(*) FROM marketing.pipeline_events"))
    assert load(db, data_dir / "wv_companies.csv", WV_BATCH).already_loaded
    run_stages(WV_BATCH)
    assert (fingerprint(db), db.value("SELECT count(*) FROM marketing.pipeline_events")) == before
    load(db, data_dir / "wv_companies.csv", "20251025-WV-B2")
    again = run_stages("20251025-WV-B2")
    assert (again["company_master"]["companies_new"], again["company_master"]["companies_joined"]) == (0, 331)
    assert db.value("SELECT count(*) FROM marketing.company_slots") == 3 * 331
    assert db.value("SELECT count(*) FROM marketing.pipeline_events WHERE event_type <> 'company_created'") == db.value(
        "SELECT count(*) FROM marketing.pipeline_events WHERE import_batch_id = %s AND event_type <> 'company_created'",
        WV_BATCH,
    )


def fingerprint(db) -> list[tuple[str, int, str]]:
    """Changes whenever any row of a pipeline table is written."""
    tables = [
        *("intake.company_raw_intake", "intake.people_raw_intake", "intake.signals_raw_intake"),
        *(
            "marketing.company_master",
            "marketing.company_batches",
            "marketing.company_matches",
            "marketing.company_slots",
        ),
        *("marketing.people_master", "marketing.contact_enrichment", "marketing.email_verification"),
        *("marketing.bit_signals", "marketing.bit_results", "marketing.ple_results", "marketing.sniper_targets"),
    ]
    return [(t, *db.query(f"SELECT count(*), coalesce(max(xmin::text::bigint), 0)::text FROM {t}")[0]) for t in tables]


def test_the_sample_batch_run_twice_changes_no_row(db) -> None:
    samples = PROJECT / "samples"
    for name, kind in (("breweries", "companies"), ("people", "people"), ("signals", "signals")):
        with contextlib.closing(db.connect()) as connection:
            load_file(connection, samples / f"{name}.csv", kind=kind, batch="DEMO")
    first = run_stages("DEMO")
    assert first["sniper_targets"]["rows_out"] > 0
    assert first["enriched_contacts"]["slots_filled"] > 50
    assert open_events(db) == 0
    before = fingerprint(db)
    run_stages("DEMO")
    assert fingerprint(db) == before
    assert db.query("SELECT company_id FROM marketing.v_sniper_targets") == db.query(
        "SELECT DISTINCT ON (greatest(ple_score, bit_intent_score), company_id) company_id FROM marketing.sniper_targets "
        "ORDER BY greatest(ple_score, bit_intent_score) DESC, company_id"
    )


def test_one_company_however_it_is_written(db) -> None:
    for name, website in [
        ("Café Example Works, Inc.", "http://www.cafeworks.com/about?x=1"),
        ("CAFE EXAMPLE WORKS", "cafeworks.com"),
        ("The Cafe Example Works LLC", "https://shop.cafeworks.com"),
        ("Other Firm", "https://cafeworks.com"),
    ]:
        db.execute(
            "INSERT INTO intake.company_raw_intake (company, website, import_batch_id) VALUES (%s, %s, 'B1')",
            name,
            website,
        )
    counts = run_stages("B1")
    assert (counts["company_master"]["companies_new"], counts["company_master"]["repeated_rows"]) == (2, 2)
    assert dict(db.query("SELECT rule, count(*) FROM marketing.company_matches GROUP BY rule")) == {
        "new_company": 2,
        "same_batch": 2,
    }


def test_further_mentions_fill_gaps_and_never_overwrite(db) -> None:
    db.execute(
        "INSERT INTO intake.company_raw_intake (company, website, company_city, import_batch_id) VALUES ('A Co', 'acme1.com', 'Bonn', 'B1')"
    )
    run_stages("B1")
    db.execute(
        """INSERT INTO intake.company_raw_intake (company, website, company_city, industry, num_employees, import_batch_id)
        VALUES ('A Co', 'www.acme1.com', 'Paris', 'mining', '51-200', 'B2')"""
    )
    run_stages("B2")
    assert db.query("SELECT city, industry, employee_count, import_batch_id FROM marketing.company_master") == [
        ("Bonn", "mining", 51, "B1")
    ]
    assert open_events(db) == 0, "the update was attributed to another batch and would start a second run"


def test_ids_follow_intake_order(db) -> None:
    insert_companies(db, "B1", 30)
    run_stages("B1")
    names = [
        name for (name,) in db.query("SELECT company_name FROM marketing.company_master ORDER BY company_unique_id")
    ]
    assert names == [f"Company {n} Inc" for n in range(1, 31)]


def test_an_edited_row_is_judged_again(db) -> None:
    db.execute("INSERT INTO intake.company_raw_intake (company, import_batch_id) VALUES ('Bolt Works', 'B1')")
    run_stages("B1")
    assert db.query("SELECT validated, validation_reasons FROM intake.company_raw_intake") == [
        (False, ["website_missing"])
    ]
    db.execute("UPDATE intake.company_raw_intake SET website = 'boltworks.com'")
    assert run_stages("B1")["company_master"]["companies_new"] == 1


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("company", "  ", "name_missing"),
        ("company", "X", "name_too_short"),
        ("company", "Test Company, LLC", "name_placeholder"),
        ("website", "N/A", "website_missing"),
        ("website", "https://www.facebook.com/acme", "website_is_social"),
        ("website", "https://facebook.com/acme", "website_missing"),
        ("website", "ftp://acme.com", "website_invalid"),
        ("website", "http://10.0.0.1", "website_invalid"),
        ("website", "http://localhost", "website_invalid"),
        ("website", "acme.nosuchtld", "website_invalid"),
        ("website", "example.com", "website_invalid"),
        ("num_employees", "many", "employees_invalid"),
        ("num_employees", "0", "employees_invalid"),
        ("founded_year", "1", "founded_invalid"),
        ("company_phone", "12", "phone_invalid"),
        ("company_linkedin_url", "https://linkedin.com/in/somebody", "linkedin_invalid"),
    ],
)
def test_reason_codes(db, column: str, value: str, reason: str) -> None:
    row = {"company": "Acme Works", "website": "acmeworks.com", "import_batch_id": "B1", column: value}
    db.execute(
        f"INSERT INTO intake.company_raw_intake ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))})",
        *row.values(),
    )
    run_stages("B1", ("raw_intake", "validated_companies"))
    ((validated, reasons, notes),) = db.query(
        "SELECT validated, validation_reasons, validation_notes FROM intake.company_raw_intake"
    )
    assert reason in reasons and notes
    assert validated is (reason.split("_")[0] in ("employees", "founded", "phone", "linkedin"))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("500", 500),
        ("500.0", 500),
        ("2,100,000", 2_100_000),
        ("51-200", 51),
        ("10,001+", 10_001),
        ("NA", None),
        ("1-10 employees", 1),
    ],
)
def test_employee_numbers(db, given: str, expected: int | None) -> None:
    db.execute(
        "INSERT INTO intake.company_raw_intake (company, website, num_employees, import_batch_id) VALUES ('Acme Works', 'a1.com', %s, 'B')",
        given,
    )
    run_stages("B", ("raw_intake", "validated_companies"))
    assert db.query("SELECT employee_count, validation_reasons FROM intake.company_raw_intake") == [(expected, [])]


def test_two_batches_with_the_same_companies_at_once(db) -> None:
    insert_companies(db, "B1", 400)
    db.execute(
        "INSERT INTO intake.company_raw_intake (company, website, import_batch_id) "
        "SELECT company, website, 'B2' FROM intake.company_raw_intake ORDER BY id DESC"
    )
    problems, barrier = [], threading.Barrier(2)

    def promote(batch: str) -> None:
        try:
            run_stages(batch, NAMES[:2])
            barrier.wait()
            run_stages(batch, NAMES[2:])
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=promote, args=(batch,)) for batch in ("B1", "B2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert db.value("SELECT count(*) FROM marketing.company_master") == 400
    assert db.value("SELECT count(*) FROM marketing.company_slots") == 1200
    assert db.query("SELECT import_batch_id, count(*) FROM marketing.company_batches GROUP BY 1 ORDER BY 1") == [
        ("B1", 400),
        ("B2", 400),
    ]


def test_a_partial_run_hands_over_to_the_next_stage(db) -> None:
    insert_companies(db, "B1", 3)
    run_stages("B1", NAMES[:3])
    with transaction(db.url) as connection:
        claim = events.accept(connection, "B1")
    assert claim is not None and claim.entry_stage == "company_slots"
    run_stages("B1", NAMES[3:], token=claim.lease_token)
    assert open_events(db) == 0
    assert db.value("SELECT count(*) FROM marketing.ple_results") == 3


def test_rows_that_arrive_during_a_run_get_a_run_of_their_own(db) -> None:
    insert_companies(db, "B1", 3)
    run = manual_run("B1")
    run_stage(run, BY_NAME["raw_intake"])
    insert_companies(db, "B1", 2, first=10)
    for stage in NAMES[1:]:
        run_stage(run, BY_NAME[stage])
    with transaction(db.url) as connection:
        claim = events.accept(connection, "B1")
    assert claim is not None and (claim.entry_stage, claim.events) == ("raw_intake", 2)


def test_a_failing_stage_rolls_back_tells_the_story_and_returns_its_events(db) -> None:
    insert_companies(db, "B1", 3)
    with transaction(db.url) as connection:
        claim = events.accept(connection, "B1")
    assert claim is not None

    def break_it(connection, batch):
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM intake.company_raw_intake")
            cursor.execute("SELECT 1 / 0")

    with pytest.raises(psycopg2.errors.DivisionByZero):
        run_stage(manual_run("B1", token=claim.lease_token), stage_with("raw_intake", break_it))
    assert db.value("SELECT count(*) FROM intake.company_raw_intake") == 3
    assert db.query("SELECT DISTINCT status, attempts FROM marketing.pipeline_events") == [("pending", 1)]
    assert db.query("SELECT workflow_name, status, batch_id FROM marketing.workflow_stats") == [
        ("raw_intake", "error", "B1")
    ]
    ((message, details),) = db.query("SELECT error_message, error_details FROM marketing.pipeline_errors")
    assert "division by zero" in message and "barton run B1" in details["remedy"]


def test_a_run_that_lost_its_lease_writes_nothing(db) -> None:
    insert_companies(db, "B1", 3)
    with pytest.raises(events.LeaseLost):
        run_stages("B1", token=str(uuid.uuid4()))
    assert db.value("SELECT count(*) FROM marketing.batch_stages") == 0
    assert db.value("SELECT count(*) FROM marketing.pipeline_errors") == 0


def test_ids_cannot_be_changed_nor_slots_removed(db) -> None:
    insert_companies(db, "B1", 2)
    run_stages("B1")
    for change in (
        "UPDATE marketing.company_master SET company_unique_id = '04.04.01.84.99999.001'",
        "UPDATE marketing.company_slots SET company_slot_unique_id = '04.04.05.84.99999.001'",
        "DELETE FROM marketing.company_slots WHERE slot_type = 'CEO'",
        "DELETE FROM marketing.barton_id_history",
        "UPDATE marketing.barton_id_history SET barton_id = 'x'",
    ):
        with pytest.raises(psycopg2.errors.IntegrityConstraintViolation):
            db.execute(change)
    db.execute("DELETE FROM marketing.company_master WHERE company_unique_id = '04.04.01.84.00001.001'")
    assert db.value("SELECT count(*) FROM marketing.barton_id_history WHERE change = 'retired'") == 4
    run_stages("B1")
    assert db.value("SELECT max(company_unique_id) FROM marketing.company_master") == "04.04.01.84.00003.001", (
        "an ID was reused"
    )


def test_reports(db) -> None:
    insert_companies(db, "B1", 5)
    db.execute("INSERT INTO intake.company_raw_intake (company, import_batch_id) VALUES ('No Site', 'B1')")
    run_stages("B1")
    with transaction(db.url) as connection:
        (batch,) = list_batches(connection)
        assert (batch.state, batch.rows, batch.rejected, batch.companies, batch.slots) == ("done", 6, 1, 5, 15)
        assert [reason.reason for reason in count_reasons(connection, "B1")] == ["website_missing"]
        assert all(stage.completed_at for stage in list_stages(connection, "B1"))


@pytest.mark.parametrize(
    ("completed", "died_in"), [((), "raw_intake"), (("raw_intake", "validated_companies"), "company_master")]
)
def test_a_run_that_died_without_a_word_is_counted_for_the_stage_it_was_in(db, completed, died_in: str) -> None:
    insert_companies(db, "B1", 1)
    token = claim_batch(db, "B1").lease_token
    run = manual_run("B1", token=token)
    for stage in completed:
        run_stage(run, BY_NAME[stage])
    with transaction() as connection:
        record_death(connection, "B1", run.run_id, token, "error", "the worker vanished")
    assert db.query(
        "SELECT workflow_name, status, error_message FROM marketing.workflow_stats WHERE status <> 'ok'"
    ) == [(died_in, "error", "the worker vanished")]
