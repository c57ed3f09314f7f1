"""People from imports: matching to companies, one person once, the best candidate in each slot, honest verdicts."""

import threading

import pytest

from barton_pipeline.addresses import verification
from barton_pipeline.addresses.checks import MxLookup
from barton_pipeline.postgres.connection import transaction
from barton_pipeline_tests.builders import insert_companies, run_stages
from barton_pipeline_tests.unit.addresses.test_checks import dns_server

SLOTS = """
    SELECT s.slot_type, p.full_name FROM marketing.company_slots s LEFT JOIN marketing.people_master p USING (person_unique_id)
    WHERE s.company_unique_id = '04.04.01.84.00001.001' ORDER BY s.slot_type
"""


def add_person(db, name: str | None, title: str | None, batch: str = "P1", **columns: str | None) -> None:
    row = {
        "full_name": name,
        "title": title,
        "company": "Company 1",
        "website": "company1.com",
        "import_batch_id": batch,
        **columns,
    }
    db.execute(
        f"INSERT INTO intake.people_raw_intake ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))})",
        *row.values(),
    )


def outcomes(db) -> list[tuple[str, list[str]]]:
    return db.query("SELECT outcome, outcome_reasons FROM intake.people_raw_intake ORDER BY id")


@pytest.fixture
def companies(db):
    insert_companies(db, "B1", 3)
    db.execute(
        "INSERT INTO intake.company_raw_intake (company, website, import_batch_id) VALUES "
        "('Shared North', 'shared9.com', 'B1'), ('Shared South', 'shared9.com', 'B1'), ('Twin', 'twin1.com', 'B1'), ('Twin', 'twin2.com', 'B1')"
    )
    run_stages("B1")
    return db


@pytest.mark.parametrize(
    ("columns", "outcome", "reason"),
    [
        ({}, "matched", "by_domain_and_name"),
        ({"company": "Another Spelling"}, "matched", "by_domain"),
        ({"company": None, "website": None, "email": "ann@company1.com"}, "matched", "by_domain"),
        ({"website": None}, "matched", "by_name"),
        ({"company": "Shared South", "website": "shared9.com"}, "matched", "by_domain_and_name"),
        ({"company": "Shared", "website": "shared9.com"}, "company_ambiguous", "domain_shared_by_companies"),
        ({"company": "Twin", "website": None}, "company_ambiguous", "name_shared_by_companies"),
        ({"company": "Nobody Knows", "website": "nobodyknows.com"}, "company_unknown", "no_such_company"),
        ({"company": "Company 1", "website": "elsewhere.com"}, "company_unknown", "no_such_company"),
        ({"company": "Nobody", "website": None, "email": "ann@gmail.com"}, "company_unknown", "no_such_company"),
        ({"company": None, "website": None}, "invalid", "company_missing"),
        ({"full_name": None}, "invalid", "name_missing"),
    ],
)
def test_each_row_ends_with_an_outcome_and_its_reason(companies, columns, outcome, reason) -> None:
    add_person(companies, **{"name": "Ann Example", "title": "CEO", **{k: v for k, v in columns.items() if k != "full_name"},
                             **({"name": None} if "full_name" in columns else {})})  # fmt: skip
    run_stages("P1")
    assert outcomes(companies) == [(outcome, [reason])]


def test_a_person_waits_for_the_company(companies) -> None:
    add_person(companies, "Ann Example", "CEO", company="Late Works", website="lateworks.com")
    run_stages("P1")
    companies.execute(
        "INSERT INTO intake.company_raw_intake (company, website, import_batch_id) VALUES ('Late Works', 'lateworks.com', 'B2')"
    )
    assert run_stages("B2")["enriched_contacts"]["slots_filled"] == 1


def test_the_best_candidate_fills_and_history_is_kept(companies) -> None:
    add_person(companies, "Gil Manager", "General Manager")
    add_person(companies, "Fay Former", "Former CEO")
    add_person(companies, "Joe Joint", "President & CFO")
    add_person(companies, "Hal Human", "HR Director")
    run_stages("P1")
    assert companies.query(SLOTS) == [("CEO", "Gil Manager"), ("CFO", "Joe Joint"), ("HR", "Hal Human")]
    add_person(companies, "Cleo Chief", "CEO", batch="P2")
    run_stages("P2")
    assert companies.query(SLOTS)[0] == ("CEO", "Cleo Chief")
    history = companies.query(
        "SELECT outcome, full_name FROM marketing.contact_enrichment JOIN marketing.people_master USING (person_unique_id) "
        "WHERE contact_enrichment.company_slot_unique_id = '04.04.05.84.00001.001' ORDER BY contact_enrichment.id"
    )
    assert history == [
        ("filled", "Gil Manager"),
        ("runner_up", "Joe Joint"),
        ("replaced", "Gil Manager"),
        ("filled", "Cleo Chief"),
        ("runner_up", "Gil Manager"),
    ]
    run_stages("P2")
    assert companies.value("SELECT count(*) FROM marketing.contact_enrichment") == len(history) + 2


@pytest.mark.parametrize(("employees", "chief"), [(None, "Joe Joint"), (50, "Joe Joint"), (51, None)])
def test_one_person_may_hold_two_offices_of_a_small_company(
    companies, employees: int | None, chief: str | None
) -> None:
    companies.execute("UPDATE marketing.company_master SET employee_count = %s", employees)
    add_person(companies, "Joe Joint", "President & CFO", email="joe@company1.com")
    companies.execute(
        "INSERT INTO intake.signals_raw_intake (company, website, signal_type, occurred_at, import_batch_id) "
        "SELECT 'Company 1', 'company1.com', unnest(ARRAY['demo_request', 'meeting_booked']), now(), 'P1'"
    )
    run_stages("P1")
    assert companies.query(SLOTS) == [("CEO", chief), ("CFO", "Joe Joint"), ("HR", None)]
    assert companies.value("SELECT right(company_slot_unique_id, 9) FROM marketing.people_master") == companies.value(
        "SELECT right(company_slot_unique_id, 9) FROM marketing.company_slots WHERE slot_type = 'CFO' AND person_unique_id IS NOT NULL"
    ), "the main office is that of the surer part of the title"
    assert companies.value("SELECT count(*) FROM marketing.email_verification") == 1
    assert companies.query("SELECT contacts_ready + contacts_held FROM marketing.sniper_targets") == [(1,)]
    add_person(companies, "Cleo Chief", "Executive Director", batch="P2")
    run_stages("P2")
    assert companies.query(SLOTS) == [("CEO", "Cleo Chief"), ("CFO", "Joe Joint"), ("HR", None)]
    assert companies.value(
        "SELECT array_agg(reason) FROM marketing.contact_enrichment WHERE outcome = 'runner_up'"
    ) == (["holds another office first"] if chief else None)


def test_a_person_seen_twice_is_one_and_a_newer_title_counts(companies) -> None:
    add_person(companies, "Ánn Exámple", "CEO", email="ann@company1.com")
    add_person(companies, "Ann Example, PhD", "CEO", linkedin_url="https://linkedin.com/in/ann")
    run_stages("P1")
    assert companies.query("SELECT email, linkedin_url FROM marketing.people_master") == [
        ("ann@company1.com", "https://linkedin.com/in/ann")
    ]
    add_person(companies, "Ann Example", "Former CEO", batch="P2")
    run_stages("P2")
    assert companies.value("SELECT count(*) FROM marketing.people_master") == 1
    assert companies.query(SLOTS)[0] == ("CEO", None)


def test_father_and_son_are_two_people_and_an_address_tells_who_is_meant(companies) -> None:
    add_person(companies, "John Smith, Sr.", "Chairman", email="senior@company1.com")
    add_person(companies, "Smith Jr., John", "CEO", email="john@company1.com")
    add_person(companies, "John Smith", "CEO", email="john@company1.com")
    run_stages("P1")
    people = "SELECT full_name, person_key, email FROM marketing.people_master ORDER BY person_key"
    both = [
        ("John Smith Jr", "john smith jr", "john@company1.com"),
        ("John Smith Sr", "john smith sr", "senior@company1.com"),
    ]
    found = companies.query(people)
    assert [row[1:] for row in found] == [row[1:] for row in both]
    add_person(companies, "John Smith", "Chairman", email="senior@company1.com", batch="P2")
    run_stages("P2")
    assert [row[1:] for row in companies.query(people)] == [row[1:] for row in both]
    add_person(companies, "John Smith", "CFO", email="js@company1.com", batch="P3")
    run_stages("P3")
    assert companies.value("SELECT count(*) FROM marketing.people_master") == 3, "nothing says which of them it is"


@pytest.mark.parametrize("batches", [("P1", "P1", "P1"), ("P1", "P2", "P3"), ("P3", "P2", "P1")])
def test_father_and_son_with_one_address_are_told_apart_by_their_names(companies, batches: tuple[str, ...]) -> None:
    for batch, name in zip(batches, ["John Smith, Sr.", "John Smith, Jr.", "John Smith Jr"], strict=True):
        add_person(companies, name, "Partner", email="office@company1.com", batch=batch)
    for batch in sorted(set(batches)):
        run_stages(batch)
    people = "SELECT array_agg(person_key ORDER BY person_key) FROM marketing.people_master"
    assert companies.value(people) == ["john smith jr", "john smith sr"]
    add_person(companies, "John Smith", "Partner", email="office@company1.com", batch="P4")
    run_stages("P4")
    assert companies.value(people) == ["john smith", "john smith jr", "john smith sr"], (
        "nothing says which of them it is"
    )


@pytest.mark.parametrize(
    ("columns", "phone", "reasons"),
    [
        ({"phone": "(330) 555-0101 x12", "country": "United States"}, "+13305550101 ext. 12", ["by_domain_and_name"]),
        ({"phone": "0711 2345678", "country": "Deutschland"}, "+497112345678", ["by_domain_and_name"]),
        ({"phone": "call me", "mobile_phone": "'+44 20 7946 0958"}, "+442079460958", ["by_domain_and_name"]),
        ({"phone": "5.13975E+09"}, None, ["by_domain_and_name", "phone_invalid"]),
        ({}, None, ["by_domain_and_name"]),
    ],
)
def test_a_number_is_read_as_those_of_companies(
    companies, columns: dict[str, str], phone: str, reasons: list[str]
) -> None:
    add_person(companies, "Ann Example", "CEO", **columns)
    run_stages("P1")
    run_stages("P1")
    assert companies.value("SELECT phone FROM marketing.people_master") == phone
    assert outcomes(companies) == [("matched", reasons)]


def test_a_full_name_is_shown_and_split_as_it_is_spoken(companies) -> None:
    add_person(companies, "van der Berg, Dr. Ludwig A., MBA", "CEO")
    add_person(companies, None, "CFO", first_name="Mary Ann", last_name="Lee, CPA")
    run_stages("P1")
    assert companies.query("SELECT full_name, first_name, last_name FROM marketing.people_master ORDER BY 1") == [
        ("Ludwig A. van der Berg", "Ludwig", "van der Berg"),
        ("Mary Ann Lee", "Mary Ann", "Lee"),
    ]


def test_two_batches_with_people_of_one_company_at_once(companies) -> None:
    for batch in ("P1", "P2"):
        for number in range(30):
            add_person(
                companies, f"Person {chr(65 + number % 26)}{number} Q", "CEO" if number % 2 else "CFO", batch=batch
            )
    problems = []

    def work(batch: str) -> None:
        try:
            run_stages(batch)
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(batch,)) for batch in ("P1", "P2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert companies.value("SELECT count(*) FROM marketing.people_master") == 30
    assert (
        companies.value(
            "SELECT count(*) FROM marketing.people_master p JOIN marketing.company_slots s USING (company_slot_unique_id) "
            "WHERE s.person_unique_id <> p.person_unique_id"
        )
        == 0
    )


def test_verdicts_are_honest_kept_and_made_again_when_dns_is_back(companies) -> None:
    for number, address in enumerate(
        ["ann@mx-acme.com", "info@mx-acme.com", "bad@@acme.com", "x@mailinator.com", "y@gone-acme.com"]
    ):
        add_person(companies, f"Person {'abcde'[number]}", "CEO", email=address)
    run_stages("P1", ("raw_intake", "validated_companies", "company_master", "company_slots", "enriched_contacts"))

    def verify(mx: MxLookup) -> dict:
        with transaction(companies.url) as connection:
            return verification.run(connection, "P1", mx)

    offline = MxLookup(1.0, nameservers=[("127.0.0.1", 9)])
    assert verify(offline)["addresses_checked"] == 5
    assert verify(offline)["addresses_checked"] == 0, "checked again though nothing can have changed"
    with dns_server() as server:
        assert verify(MxLookup(1.0, nameservers=[server]))["addresses_checked"] == 3
    assert dict(companies.query("SELECT email, status FROM marketing.email_verification")) == {
        "ann@mx-acme.com": "unknown", "info@mx-acme.com": "unknown", "bad@@acme.com": "invalid", "x@mailinator.com": "invalid",
        "y@gone-acme.com": "invalid"}  # fmt: skip
    companies.execute(
        "UPDATE marketing.email_verification SET source = 'vendor', status = 'valid', rules_version = 'old' WHERE email LIKE 'ann%%'"
    )
    assert verify(offline)["addresses_checked"] == 0, "a vendor's verdict was overwritten"
    assert companies.value("SELECT email_verified FROM marketing.people_master WHERE email = 'ann@mx-acme.com'") is True
