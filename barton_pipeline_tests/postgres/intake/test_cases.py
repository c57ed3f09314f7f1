"""Cases of public bug reports (data/cases), loaded and run through every stage; check.sql is true when the result is right."""

from typing import Any

import pytest

from barton_pipeline.intake.loading import read_file
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.reports.status import report_batch
from barton_pipeline_tests.builders import run_stages
from barton_pipeline_tests.conftest import PROJECT

CASES = PROJECT / "barton_pipeline_tests" / "data" / "cases"


def load_and_run(db: Any, case: str) -> None:
    for path in sorted((CASES / case).glob("[0-9]_*")):
        with transaction(db.url) as connection:
            read_file(connection, path, batch="CASE")
    run_stages("CASE")


@pytest.mark.parametrize(
    "case",
    [
        "spreadsheet-errors-as-companies",
        "zero-width-space-in-people",
        "address-in-wrapping",
        "outlook-title-is-mr",
        "phone-out-of-a-spreadsheet",
        "company-list-with-a-contact",
        "html-entity-in-company",
        "xlsx-x000d",
        "last-first-and-doctor",
        "legal-forms-europe",
        "nobody-as-executive",
        "spa-is-not-a-legal-form-here",
        "surname-ma",
        "umlaut-written-out",
        "role-account-variants",
    ],
)
def test_case(db: Any, case: str) -> None:
    load_and_run(db, case)
    assert db.value((CASES / case / "check.sql").read_text()) is True


def test_the_client_encoding_of_the_surroundings_does_not_matter(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    load_and_run(db, "pgclientencoding-latin1")
    assert db.value("SELECT count(*) FROM marketing.company_master") > 0


def test_words_without_a_value_are_null_in_every_kind_of_file(db: Any, tmp_path: Any) -> None:
    files = {
        "companies": "Company,Website,City,Industry\nAcme,acme.com,#BEZUG!,N/A\n",
        "people": "Full Name,Company,Website,City,Title\nJo Doe,Acme,acme.com,#NV,#NAME?\n",
        "signals": "Company,Signal Type,Strength,Event Id\nAcme,visit,#DIV/0!,--\n",
        "outcomes": "Company,Outcome,Lead Id,Outcome Id\nAcme,won,\u200b,#¡REF!\n",
    }
    for kind, text in files.items():
        (tmp_path / f"{kind}.csv").write_text(text)
        with transaction(db.url) as connection:
            read_file(connection, tmp_path / f"{kind}.csv", kind=kind, batch="B1")
    assert db.query("SELECT company, company_city, industry FROM intake.company_raw_intake") == [("Acme", None, None)]
    assert db.query("SELECT company, city, title FROM intake.people_raw_intake") == [("Acme", None, None)]
    assert db.query("SELECT company, strength, external_id FROM intake.signals_raw_intake") == [("Acme", None, None)]
    assert db.query("SELECT company, lead_reference, external_id FROM intake.outcomes_raw_intake") == [
        ("Acme", None, None)
    ]


APOLLO = """\
First Name,Last Name,Title,Company,Company Name for Emails,Email,Work Direct Phone,Corporate Phone,# Employees,Industry,Person Linkedin Url,Website,\
Company Linkedin Url,City,State,Country,Company Address,Company City,Company State,Company Country,Company Phone,Apollo Contact Id,Apollo Account Id
Ada,Roe,CEO,Acme Works,Acme,ada@acmeworks.com,330-555-0102,330-555-0101,120,construction,,https://acmeworks.com,\
linkedin.com/company/acme,Bonn,NRW,Germany,1 Main St,Akron,Ohio,United States,330-555-0101,p1,a1
Bob,Roe,CFO,Acme Works,Acme,bob@acmeworks.com,,330-555-0101,120,construction,,https://acmeworks.com,\
linkedin.com/company/acme,Bonn,NRW,Germany,1 Main St,Akron,Ohio,United States,330-555-0101,p2,a1
"""


def test_a_file_of_contacts_brings_their_companies_in_one_load(db: Any, tmp_path: Any) -> None:
    (tmp_path / "contacts.csv").write_text(APOLLO)
    with transaction(db.url) as connection:
        report = read_file(connection, tmp_path / "contacts.csv", batch="B1")
    assert (report.kind, report.loaded, report.companies) == ("people", 2, 1)
    assert any("describes companies too" in note for note in report.notes)
    run_stages("B1")
    assert db.query(
        "SELECT company_name, employee_count, industry, city, phone, linkedin_url, source_record_id FROM marketing.company_master"
    ) == [("Acme Works", 120, "construction", "Akron", "+13305550101", "https://www.linkedin.com/company/acme", "a1")]
    assert db.value("SELECT count(*) FROM marketing.company_slots WHERE is_filled") == 2
    assert db.query("SELECT source_row FROM intake.people_raw_intake ORDER BY id") == [(2,), (3,)]
    raw = db.value("SELECT raw::text FROM intake.company_raw_intake")
    assert "ada" not in raw.lower().replace("canada", ""), "nothing of the person stands beside the company"
    with transaction(db.url) as connection:
        assert read_file(connection, tmp_path / "contacts.csv", batch="B1").already_loaded
    assert db.value("SELECT count(*) FROM intake.company_raw_intake") == 1


def test_people_only_when_the_operator_says_so(db: Any, tmp_path: Any) -> None:
    (tmp_path / "contacts.csv").write_text(APOLLO)
    with transaction(db.url) as connection:
        report = read_file(connection, tmp_path / "contacts.csv", batch="B1", kind="people")
    assert (report.companies, db.value("SELECT count(*) FROM intake.company_raw_intake")) == (0, 0)
    assert any("wait" in note for note in report.notes)
    run_stages("B1")
    with transaction(db.url) as connection:
        waiting = report_batch(connection, "B1").waiting_people
    assert (waiting.rows, waiting.companies, waiting.sample) == (2, 1, ("Acme Works",))


def test_the_address_of_a_chamber_of_commerce_is_the_companys(db: Any, tmp_path: Any) -> None:
    text = "Business Name,Contact Name,Contact Title,Address,City,State,Zip,Phone,Website\nAcme,Jo Doe,Owner,1 Main St,Akron,OH,02138,330-555-0101,acme.com\n"
    (tmp_path / "members.csv").write_text(text)
    with transaction(db.url) as connection:
        read_file(connection, tmp_path / "members.csv", batch="B1")
    columns = "company, company_address, company_city, company_state, company_postal_code, company_phone, website"
    assert db.query(f"SELECT {columns} FROM intake.company_raw_intake") == [
        ("Acme", "1 Main St", "Akron", "OH", "02138", "330-555-0101", "acme.com")
    ]
    assert db.query("SELECT full_name, title FROM intake.people_raw_intake") == [("Jo Doe", "Owner")]
