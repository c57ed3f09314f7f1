"""Cases of public bug reports (data/cases), loaded and run through every stage; check.sql is true when the result is right."""

from typing import Any

import pytest

from barton_pipeline.intake.loading import read_file
from barton_pipeline.postgres.connection import transaction
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
