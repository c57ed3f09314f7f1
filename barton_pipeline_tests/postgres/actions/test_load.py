"""A dry load: the counts of the real one, which of its companies are known, and nothing left behind."""

import random
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from barton_pipeline.actions.audit import Actor
from barton_pipeline.actions.batches import Loaded, load
from barton_pipeline.companies.matching import LoadedCompanies
from barton_pipeline.errors import InputError
from barton_pipeline.intake.loading import load_file
from barton_pipeline_tests.builders import insert_companies, run_stages

ANN = Actor("ann", "operator", "cli")
PLACES = ("intake.company_raw_intake", "intake.people_raw_intake", "intake.signals_raw_intake", "intake.loaded_files",
          "intake.rejected_rows", "marketing.pipeline_events", "marketing.actions")  # fmt: skip


def rows(db: Any) -> dict[str, int]:
    return {place: db.value(f"SELECT count(*) FROM {place}") for place in PLACES}


def dry(file: Path, **options: Any) -> Loaded:
    return load(None, ANN, file, judge=True, apply=False, **options)


def messy(seed: int) -> str:
    """A file with blank lines, too many values, quotes that are never closed, and rows of every verdict."""
    chosen = random.Random(seed)
    kinds = ["Company {0},company{0}.com,", "Company {0} LLC,https://www.company{0}.com/x,12", ",,", "", "Company {0},,", "x,company{0}.com,",
             "test,company{0}.com,", "Company {0},company{0}.com,1,surplus", '"Company {0}, Inc.","company{0}.com","many"',
             '"Company {0},company{0}.com,1', "Company {0},facebook.com/company{0},", "Company {0},not a site,1900000000"]  # fmt: skip
    lines = [chosen.choice(kinds).format(chosen.randrange(20)) for _ in range(chosen.randrange(1, 120))]
    return "\n".join(["Company,Website,Employees", "Company 1,company1.com,5", *lines]) + chosen.choice(
        ["", "\n", "\r\n\n"]
    )


@pytest.mark.parametrize("seed", range(8))
def test_a_dry_load_tells_what_the_real_one_does(db: Any, tmp_path: Path, seed: int) -> None:
    insert_companies(db, "B0", 7)
    run_stages("B0")
    (tmp_path / "messy.csv").write_text(messy(seed))
    before = rows(db)
    shown = dry(tmp_path / "messy.csv")
    assert rows(db) == before and shown.companies is not None

    done = load(None, ANN, tmp_path / "messy.csv", shown_count=shown.report.loaded)
    assert done.report == shown.report
    report = done.report
    assert (
        report.rejected == sum(report.rejected_by_reason.values())
        and report.rows_read == report.loaded + report.rejected
    )
    reasons = db.query("SELECT reason, count(*) FROM intake.rejected_rows GROUP BY 1 ORDER BY 1")
    assert dict(reasons) == report.rejected_by_reason
    known = db.value("SELECT count(*) FROM marketing.company_master")
    counts = run_stages(report.batch)
    assert (shown.companies.valid, shown.companies.invalid) == (
        counts["validated_companies"]["rows_out"],
        counts["validated_companies"]["rows_rejected"],
    )
    assert shown.companies.reasons == counts["validated_companies"]["reasons"]
    meant = db.value("SELECT count(*) FROM marketing.company_batches WHERE import_batch_id = %s", report.batch)
    new = db.value("SELECT count(*) FROM marketing.company_master") - known
    assert (shown.companies.companies, shown.companies.known) == (meant, meant - new)


def test_only_the_rows_of_the_file_are_judged(db: Any, tmp_path: Path) -> None:
    """The batch has rows already, judged and not, and one that a match was undone for."""
    insert_companies(db, "B1", 3)
    run_stages("B1")
    insert_companies(db, "B1", 2, first=50)
    db.execute("INSERT INTO intake.separate_names (domain, name_words) VALUES ('company1.com', 'company 1 llc')")
    (tmp_path / "more.csv").write_text(
        "Company,Website\nCompany 1,company1.com\nCompany 1 LLC,company1.com\nCompany 8,company8.com\nn/a,company9.com\n"
    )
    shown = dry(tmp_path / "more.csv", import_batch_id="B1")
    assert shown.companies == LoadedCompanies(valid=3, invalid=1, reasons={"name_placeholder": 1}, companies=3, known=1)
    assert db.value("SELECT count(*) FROM intake.company_raw_intake WHERE validated IS NULL") == 2


def test_a_file_that_is_loaded_already_says_so(db: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Company,Website\nA,a.com\nB,b.com,x\n")
    done = load(None, ANN, tmp_path / "a.csv")
    before = rows(db)
    shown = dry(tmp_path / "a.csv")
    assert rows(db) == before
    assert shown.companies is None and shown.report.already_loaded
    assert (shown.report.batch, shown.report.loaded, shown.report.rejected_by_reason) == (
        done.report.batch,
        1,
        {"too_many_values": 1},
    )


def test_only_companies_are_judged(db: Any, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("Full name,Company,Email\nAnn Ames,A,ann@a.com\n")
    assert dry(tmp_path / "people.csv").companies is None
    assert load(None, ANN, tmp_path / "people.csv", judge=False).companies is None


def test_the_given_columns_are_kept_in_the_register_and_the_audit(db: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Firma,Web,Company\nAcme,acme.com,x\n")
    done = load(None, ANN, tmp_path / "a.csv", columns={"company": "Firma", "website": "Web"})
    assert done.report.mapping == {"columns": {"company": ["Firma"], "website": ["Web"]}, "unused": ["Company"]}
    assert db.query("SELECT company, website FROM intake.company_raw_intake") == [("Acme", "acme.com")]
    assert db.query("SELECT column_mapping -> 'columns' ->> 'company' FROM intake.loaded_files") == [('["Firma"]',)]
    assert db.value("SELECT parameters -> 'columns' FROM marketing.actions") == {"company": "Firma", "website": "Web"}
    with pytest.raises(InputError, match="no column 'Nowhere'"):
        dry(tmp_path / "a.csv", columns={"company": "Nowhere"})


def test_the_loader_itself_can_run_dry(db: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Company,Website\nA,a.com\n")
    with closing(db.connect()) as connection:
        shown = load_file(connection, tmp_path / "a.csv", dry_run=True)
        assert rows(db)["intake.company_raw_intake"] == 0
        assert load_file(connection, tmp_path / "a.csv") == shown
    assert rows(db)["intake.company_raw_intake"] == 1


def test_the_application_may_judge_and_load(db: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BARTON_DATABASE_URL", db.app_url)
    (tmp_path / "a.csv").write_text("Company,Website\nA Works,aworks.com\n")
    shown = dry(tmp_path / "a.csv")
    assert shown.companies == LoadedCompanies(valid=1, invalid=0, reasons={}, companies=1, known=0)
    assert load(None, ANN, tmp_path / "a.csv", judge=True) == shown
