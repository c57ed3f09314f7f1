"""Promotion where rows change and batches meet: matches follow their rows, gaps are filled, nobody waits for ever."""

import threading

from .builders import insert_companies, run_stages

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


def test_ids_roll_over_and_then_end(db) -> None:
    insert_companies(db, "B1", 3)
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
