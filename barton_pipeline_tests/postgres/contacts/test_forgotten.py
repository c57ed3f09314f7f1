"""Who asked to be forgotten does not come back, however name and address are written next time."""

import hashlib
from typing import Any

import pytest

from barton_pipeline.intake.loading import read_file
from barton_pipeline.postgres.connection import transaction
from barton_pipeline_tests.builders import run_stages

COMPANIES = "Company,Website\nWexley Paper,wexleypaper.com\n"
HEADER = "Full Name,Title,Company,Website,Email\n"


def load(db: Any, folder: Any, kind: str, text: str, batch: str) -> None:
    path = folder / f"{kind}_{batch}.csv"
    path.write_text(text)
    with transaction(db.url) as connection:
        read_file(connection, path, kind=kind, batch=batch)


def come_again(db: Any, folder: Any, row: str) -> list[str]:
    load(db, folder, "people", HEADER + row + "\n", "B2")
    run_stages("B2")
    return [name for (name,) in db.query("SELECT full_name FROM marketing.people_master")]


@pytest.fixture
def forgotten(db: Any, tmp_path: Any) -> Any:
    load(db, tmp_path, "companies", COMPANIES, "B1")
    load(db, tmp_path, "people", HEADER + "Mara Quint,CEO,Wexley Paper,wexleypaper.com,mara.quint@gmail.com\n", "B1")
    load(db, tmp_path, "people", "Full Name,Title,Company\nMara Quint,CEO,Wexley Paper\n", "B1b")
    run_stages("B1")
    run_stages("B1b")
    db.query("SELECT * FROM marketing.forget_person('mara.quint@gmail.com', 'asked')")
    return db


def test_rows_that_name_the_company_without_its_domain_go_too(forgotten: Any) -> None:
    assert forgotten.query("SELECT * FROM intake.people_raw_intake") == []


@pytest.mark.parametrize(
    "row",
    [
        "Mara Quint,CEO,Wexley Paper,,",
        '"Quint, Mara",CEO,Wexley Paper,,',
        "QUINT Mara,CEO,Wexley Paper,,",
        "Dr. Mara J. Quint,CEO,Wexley Paper,,",
        '"Mara Quint, CPA",CEO,Wexley Paper,,',
        '"Quint, Dr. Mara J.",CEO,Wexley Paper,,',
        "Mára Quínt,CEO,Wexley Paper Inc.,,",
        "M. Quint,CEO,Wexley Paper,,",
        "Marie Other,CEO,Wexley Paper,,maraquint@gmail.com",
        "Marie Other,CEO,Wexley Paper,,Mara.Quint+News@GoogleMail.com",
        "Marie Other,CEO,Wexley Paper,,mailto:mara.quint@gmail.com",
        "Marie Other,CEO,Wexley Paper,,'m.araquint@gmail.com",
        "Marie Other,CEO,Wexley Paper,,Mara Quint <mara.quint@gmail.com>",
        "Mara Quint,CEO,Wexley Paper,https://facebook.com/wexley,",
        "Mara Quint,CEO,Wexley Paper,,mara@web.de",
    ],
)
def test_the_same_person_stays_away(forgotten: Any, tmp_path: Any, row: str) -> None:
    assert come_again(forgotten, tmp_path, row) == []
    assert forgotten.query("SELECT outcome_reasons, full_name, email FROM intake.people_raw_intake") == [
        (["suppressed"], None, None)
    ]


@pytest.mark.parametrize(
    "row",
    [
        "Mark Quint,CEO,Wexley Paper,,",
        "Mara Quintero,CEO,Wexley Paper,,",
        "Sara Quint,CEO,Wexley Paper,,mara.quint@wexleypaper.com",
        "Marie Other,CEO,Wexley Paper,,mara@gmail.com",
    ],
)
def test_others_are_not_kept_away(forgotten: Any, tmp_path: Any, row: str) -> None:
    assert come_again(forgotten, tmp_path, row) == [row.split(",")[0]]


@pytest.mark.parametrize(
    "row", ['"Quint, Mara",CEO,Wexley Paper,,', "Eve Other,CEO,Wexley Paper,,mara+x@wexleypaper.com"]
)
def test_hashes_made_before_normalisation_still_match(db: Any, tmp_path: Any, row: str) -> None:
    for identity in ("name:mara quint@wexleypaper.com", "email:mara@wexleypaper.com"):
        db.execute(
            "INSERT INTO marketing.suppressed_people (identity_hash, reason) VALUES (%s, 'asked')",
            hashlib.sha256(identity.encode()).hexdigest(),
        )
    load(db, tmp_path, "companies", COMPANIES, "B1")
    run_stages("B1")
    assert come_again(db, tmp_path, row) == []


def test_forgetting_one_does_not_take_another_with_the_same_initial(db: Any, tmp_path: Any) -> None:
    load(db, tmp_path, "companies", COMPANIES, "B1")
    rows = "Mara Quint,CEO,Wexley Paper,,mara@wexleypaper.com\nMark Quint,CFO,Wexley Paper,,mark@wexleypaper.com\n"
    load(db, tmp_path, "people", HEADER + rows, "B1")
    run_stages("B1")
    db.query("SELECT * FROM marketing.forget_person('mara+x@wexleypaper.com', 'asked')")
    assert db.query("SELECT full_name FROM marketing.people_master") == [("Mark Quint",)]
