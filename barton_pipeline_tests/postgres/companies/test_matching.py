"""Promotion where rows change and batches meet: matches follow their rows, gaps are filled, nobody waits for ever."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg2
import pytest

from barton_pipeline.companies.matching import unmatch
from barton_pipeline.errors import InputError
from barton_pipeline.operations import replay
from barton_pipeline.pipeline import NAMES
from barton_pipeline_tests.builders import break_rows, insert_companies, repair, run_stages

DESCRIBED = ("industry", "num_employees", "founded_year", "company_phone", "company_city", "company_state", "company_postal_code",
             "company_country", "company_linkedin_url", "facebook_url", "twitter_url", "sic_codes", "company_name_for_emails",
             "company_street")  # fmt: skip


def companies_of_rows(db) -> list[tuple[int, str]]:
    return db.query(
        "SELECT m.intake_id, c.domain FROM marketing.company_matches m JOIN marketing.company_master c USING (company_unique_id) ORDER BY 1"
    )


def test_a_match_follows_its_row(db) -> None:
    insert_companies(db, "B1", 2)
    run_stages("B1")
    assert companies_of_rows(db) == [(1, "company1.com"), (2, "company2.com")]
    db.execute("UPDATE intake.company_raw_intake SET website = 'elsewhere.com' WHERE id = 1")
    db.execute("UPDATE intake.company_raw_intake SET website = NULL WHERE id = 2")
    counts = run_stages("B1")["company_master"]
    assert companies_of_rows(db) == [(1, "elsewhere.com")]
    assert (counts["rows_out"], counts["rows_rejected"], counts["companies_new"]) == (1, 1, 1)
    assert db.value("SELECT count(*) FROM marketing.company_master") == 3, "a company once promoted stays"


def test_rows_nobody_judged_are_not_promoted(db) -> None:
    insert_companies(db, "B1", 2)
    assert run_stages("B1", ("company_master", "company_slots"))["company_master"]["rows_out"] == 0
    assert db.value("SELECT count(*) FROM marketing.company_master") == 0


def test_rows_of_one_batch_complete_each_other(db) -> None:
    for column, value in zip(DESCRIBED, ("mining", "51-200", "1901", "+1 304 555 0100", "Bonn", "NRW", "53111", "Germany",
                                         "linkedin.com/company/a", "facebook.com/a", "twitter.com/a", "1011", "A", "Way 1"), strict=True):  # fmt: skip
        db.execute(
            f"INSERT INTO intake.company_raw_intake (company, website, {column}, import_batch_id) VALUES ('A Works', 'aworks.com', %s, 'B1')",
            value,
        )
    run_stages("B1")
    ((score, *values),) = db.query(
        """SELECT data_quality_score, industry, employee_count, founded_year, phone, city, state, postal_code, country, linkedin_url,
        facebook_url, twitter_url, sic_codes, company_name_for_emails, address FROM marketing.company_master"""
    )
    assert score == 100
    assert values == ["mining", 51, 1901, "+13045550100", "Bonn", "NRW", "53111", "Germany", "https://www.linkedin.com/company/a",
                      "facebook.com/a", "twitter.com/a", "1011", "A", "Bonn"]  # fmt: skip


def test_two_batches_that_complete_the_same_companies_at_once(db) -> None:
    insert_companies(db, "B0", 400)
    run_stages("B0", ("raw_intake", "validated_companies", "company_master", "company_slots"))
    for batch, direction in (("B1", "ASC"), ("B2", "DESC")):
        db.execute(
            f"""INSERT INTO intake.company_raw_intake (company, website, industry, company_city, import_batch_id)
            SELECT company, website, 'mining', 'Bonn', %s FROM intake.company_raw_intake WHERE import_batch_id = 'B0' ORDER BY id {direction}""",
            batch,
        )
        run_stages(batch, ("raw_intake", "validated_companies"))
    problems, barrier = [], threading.Barrier(2)

    def promote(batch: str) -> None:
        try:
            barrier.wait()
            run_stages(batch, ("company_master", "company_slots"))
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=promote, args=(batch,)) for batch in ("B1", "B2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert db.query(
        "SELECT industry, city, data_quality_score, count(*) FROM marketing.company_master GROUP BY 1, 2, 3"
    ) == [("mining", "Bonn", 30, 400)]
    assert db.value("SELECT count(*) FROM marketing.company_batches") == 1200


def twins(db) -> None:
    """Rows 1 and 3 are Acme Inc, rows 2 and 4 Acme LLC, which told the industry and, like row 1, the city."""
    for name, industry, city in [("Acme Inc", None, "Bonn"), ("Acme LLC", "mining", "Bonn"), ("ACME Inc.", None, None), ("Acme, LLC", None, None)]:  # fmt: skip
        db.execute(
            "INSERT INTO intake.company_raw_intake (company, website, industry, company_city, import_batch_id) VALUES (%s, 'acme.com', %s, %s, 'B1')",
            name, industry, city,
        )  # fmt: skip
    run_stages("B1")


COMPANIES = "SELECT company_name, industry, city FROM marketing.company_master ORDER BY company_unique_id"


def test_a_match_can_be_undone_for_good(db) -> None:
    twins(db)
    assert db.query(COMPANIES) == [("Acme LLC", "mining", "Bonn")], "the fullest row names the company"
    ((before,),) = db.query("SELECT company_unique_id FROM marketing.company_master")
    with db.connect() as connection:
        assert unmatch(connection, 1, "two firms") == 2
    run_stages("B1")
    assert db.query(COMPANIES) == [("Acme LLC", "mining", "Bonn"), ("Acme Inc", None, "Bonn")]
    for batch, name, company in (
        ("B2", "ACME, Inc", "Acme Inc"),
        ("B3", "acme llc", "Acme LLC"),
        ("B4", "Acme", "Acme LLC"),
    ):
        db.execute(
            "INSERT INTO intake.company_raw_intake (company, website, import_batch_id) VALUES (%s, 'www.acme.com', %s)",
            name,
            batch,
        )
        run_stages(batch)
        assert db.value("SELECT company_name FROM marketing.company_batches JOIN marketing.company_master USING (company_unique_id) WHERE company_batches.import_batch_id = %s", batch) == company  # fmt: skip
    assert db.value("SELECT count(*) FROM marketing.company_slots") == 6
    assert db.value("SELECT company_unique_id FROM marketing.company_master WHERE company_name = 'Acme LLC'") == before


def test_what_only_the_undone_rows_told_leaves_the_company(db) -> None:
    insert = "INSERT INTO intake.company_raw_intake (company, website, industry, company_city, import_batch_id) VALUES (%s, 'acme.com', %s, %s, %s)"
    db.execute(insert, "Acme Inc", None, "Bonn", "B1")
    run_stages("B1")
    db.execute(insert, "Acme LLC", "mining", "Bonn", "B2")
    run_stages("B2")
    assert db.query(COMPANIES) == [("Acme Inc", "mining", "Bonn")]
    with db.connect() as connection:
        unmatch(connection, 2, None)
    assert db.query(COMPANIES) == [("Acme Inc", None, "Bonn")]
    assert db.value("SELECT count(*) FROM marketing.company_batches WHERE import_batch_id = 'B2'") == 0
    event = db.query(
        "SELECT event_type, import_batch_id FROM marketing.pipeline_events WHERE status = 'pending' AND event_type LIKE 'continue%%'"
    )
    assert event == [("continue_at_validated_companies", "B2")]
    run_stages("B2")
    assert db.query(COMPANIES) == [("Acme Inc", None, "Bonn"), ("Acme LLC", "mining", "Bonn")]
    db.execute(
        "INSERT INTO intake.people_raw_intake (full_name, title, company, website, import_batch_id) VALUES ('Ann Example', 'CEO', 'ACME LLC', 'acme.com', 'B2')"
    )
    assert run_stages("B2")["enriched_contacts"]["slots_filled"] == 1
    assert db.value("SELECT c.company_name FROM marketing.people_master p JOIN marketing.company_master c USING (company_unique_id)") == "Acme LLC"  # fmt: skip


TELL = """INSERT INTO intake.company_raw_intake (company, website, industry, company_city, company_phone, company_postal_code, sic_codes,
    import_batch_id) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"""


def test_the_same_facts_give_the_same_score_however_they_came(db) -> None:
    db.execute(TELL, "One Row", "onerow.com", "mining", "Bonn", None, None, None, "B1")
    db.execute(TELL, "One Batch", "batch.com", "mining", None, None, None, None, "B1")
    db.execute(TELL, "One Batch", "batch.com", None, "Bonn", None, None, None, "B1")
    db.execute(TELL, "Two Batches", "two.com", "mining", None, None, None, None, "B1")
    run_stages("B1")
    db.execute(TELL, "Two Batches", "two.com", None, "Bonn", None, None, None, "B2")
    run_stages("B2")
    facts = "SELECT DISTINCT industry, city, address, data_quality_score FROM marketing.company_master"
    assert db.query(facts) == [("mining", "Bonn", "Bonn", 30)]
    db.execute("UPDATE marketing.company_master SET phone = '+13045550100' WHERE domain = 'onerow.com'")
    assert db.value("SELECT data_quality_score FROM marketing.company_master WHERE domain = 'onerow.com'") == 40


FIRST, MIDDLE, LAST = "Acme Inc", "Acme LLC", "Acme Corp."


@pytest.mark.parametrize(
    ("told", "left"),
    [
        # (name, industry, city, phone, postal code, SIC codes) of one row a batch; what Acme Inc keeps when Acme LLC has gone
        ([(FIRST, None, "Bonn", None, None, None), (MIDDLE, "mining", "Bonn", None, "53111", "10")],
         (None, "Bonn", "Bonn", None, None, None)),
        ([(FIRST, None, None, None, None, None), (MIDDLE, "mining", "Bonn", "+13045550100", None, "10"),
          (LAST, "milling", "Köln", None, "50667", None)],
         ("milling", "Köln", "Köln, 50667", None, "50667", None)),
        ([(FIRST, None, None, None, None, None), (MIDDLE, "mining", None, None, None, None),
          (LAST, "milling", None, None, None, None), ("ACME", "mining", None, None, None, None)],
         ("milling", None, None, None, None, None)),
    ],
    ids=["two rows", "the others tell something else", "one of the others tells the same, later"],
)  # fmt: skip
def test_after_an_undone_match_a_replay_finds_no_difference(db, told, left) -> None:
    for number, row in enumerate(told):
        name, *facts = row
        db.execute(TELL, name, "acme.com", *facts, f"B{number}")
        run_stages(f"B{number}")
    assert db.value("SELECT count(*) FROM marketing.company_master") == 1
    ((row,),) = db.query("SELECT id FROM intake.company_raw_intake WHERE company = %s", MIDDLE)
    with db.connect() as connection:
        assert unmatch(connection, row, None) == 1
    for (batch,) in db.query(
        "SELECT DISTINCT import_batch_id FROM marketing.pipeline_events WHERE status = 'pending' ORDER BY 1"
    ):
        run_stages(batch)
    kept = "SELECT industry, city, address, phone, postal_code, sic_codes FROM marketing.company_master WHERE company_name <> %s"
    assert db.query(kept, MIDDLE) == [left]
    assert replay.replay(apply=False).differences == ()


def test_a_match_that_cannot_be_undone_says_why(db) -> None:
    twins(db)
    with db.connect() as connection, pytest.raises(InputError, match="correct the name or the website"):
        unmatch(connection, 4, None)
    with db.connect() as connection, pytest.raises(InputError, match="Intake row 99 is matched to no company"):
        unmatch(connection, 99, None)


def test_a_row_edited_after_it_was_judged_is_not_promoted_with_its_old_domain(db) -> None:
    insert_companies(db, "B1", 2)
    run_stages("B1", ("validated_companies",))
    db.execute("UPDATE intake.company_raw_intake SET website = 'elsewhere.com' WHERE id = 1")
    run_stages("B1", ("company_master",))
    assert companies_of_rows(db) == [(2, "company2.com")]
    run_stages("B1")
    assert companies_of_rows(db) == [(1, "elsewhere.com"), (2, "company2.com")]


def test_ids_roll_over_and_then_end(db) -> None:
    insert_companies(db, "B1", 3)
    db.execute(
        "INSERT INTO marketing.barton_id_history (barton_id, entity, change) VALUES ('04.04.01.84.99998.001', 'company', 'given')"
    )
    db.query("SELECT setval('marketing.company_number', 99998)")
    run_stages("B1", ("validated_companies", "company_master", "company_slots"))
    assert [i for (i,) in db.query("SELECT company_unique_id FROM marketing.company_master ORDER BY 1")] == [
        "04.04.01.84.99999.001",
        "04.04.01.85.00001.001",
        "04.04.01.85.00002.001",
    ]
    assert (
        db.value("SELECT count(*) FROM marketing.company_slots WHERE company_slot_unique_id LIKE '04.04.05.85.%%'") == 6
    )


@pytest.mark.parametrize(
    ("table", "ids"),
    [
        ("company_master", "company_unique_id"),
        ("people_master", "person_unique_id"),
        ("company_batches", "company_unique_id"),
    ],
)
def test_numbers_that_failed_attempts_drew_are_drawn_again(db, table: str, ids: str) -> None:
    """A sequence does not roll back: retries of a batch of a million would use up the ID grammar."""
    insert_companies(db, "B1", 150)
    db.execute(
        "INSERT INTO intake.people_raw_intake (full_name, website, import_batch_id) "
        "SELECT 'Ann Number' || n, 'company' || n || '.com', 'B1' FROM generate_series(1, 150) AS n"
    )
    break_rows(db, f"marketing.{table}")
    for _ in range(2):
        with pytest.raises(psycopg2.errors.DivisionByZero):
            run_stages("B1")
    repair(db, f"marketing.{table}")
    run_stages("B1")
    shown = "people_master" if table == "people_master" else "company_master"
    assert db.value(f"SELECT max(substr({ids}, 13, 5)) FROM marketing.{shown}") == "00150"


def test_numbers_are_not_given_back_while_somebody_draws_nor_those_that_were_given(db) -> None:
    def last() -> int:
        return db.value("SELECT last_value FROM marketing.company_number")

    insert_companies(db, "B1", 5)
    run_stages("B1")
    db.execute("DELETE FROM marketing.company_master")
    db.query("SELECT setval('marketing.company_number', 70)")
    with closing(db.connect()) as other:
        other.cursor().execute("SELECT pg_advisory_xact_lock_shared(hashtextextended('barton.numbers', 0))")
        db.query("SELECT marketing.give_back_numbers()")
        assert last() == 70
    db.query("SELECT marketing.give_back_numbers()")
    assert last() == 5, "retired IDs are given for ever"


def test_numbers_stay_unique_while_batches_that_fail_and_batches_that_do_not_meet(db) -> None:
    batches = [f"{kind}-{n}" for n in range(3) for kind in ("GOOD", "BAD")]
    for n, batch in enumerate(batches):
        insert_companies(db, batch, 20, first=1 + 20 * n)
    break_rows(db, "marketing.company_master", "NEW.import_batch_id LIKE 'BAD%%'")
    with ThreadPoolExecutor(len(batches)) as pool:
        for _ in range(2):
            list(pool.map(lambda batch: run_stages(batch, NAMES[:4]), batches))
    assert db.value("SELECT count(*) FROM marketing.company_master") == 60
    assert (
        db.value("SELECT count(*) FROM intake.company_raw_intake WHERE 'processing_failed' = ANY (validation_reasons)")
        == 60
    )
