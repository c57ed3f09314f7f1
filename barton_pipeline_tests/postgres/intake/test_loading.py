"""Files into Postgres: every record accounted for, once, whole or not at all."""

import csv
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barton_pipeline.errors import DatabaseError, InputError
from barton_pipeline.intake import loading, values
from barton_pipeline.intake.loading import LoadReport, load_file
from barton_pipeline_tests.conftest import PROJECT

DATA = Path(os.environ.get("BARTON_TEST_DATA", PROJECT.parent / "shared" / "data"))


@pytest.fixture
def connection(db: Any) -> Iterator[Any]:
    with closing(db.connect()) as connection:
        yield connection


def query(connection: Any, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection, connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall()


def write(folder: Path, text: str, name: str = "companies.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


def load(connection: Any, path: Path, **options: Any) -> LoadReport:
    report = load_file(connection, path, **options)
    assert report.rows_read == report.loaded + report.rejected
    return report


def test_rows_arrive_as_they_were(connection: Any, tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "Company,Website,Employees,Website,Notes\n"
        '" Foo, Inc. ",,"1,200",foo.com,"a\nb\\N\t""q"" 100%s"\n\nBar,bar.com\n',
    )
    report = load(connection, path, batch="T-1")
    assert (report.kind, report.source, report.loaded, report.rejected, report.blank) == ("companies", "plain", 2, 0, 1)
    rows = query(
        connection,
        """SELECT company, website, num_employees, industry, import_batch_id, source_system, source_file, source_row,
                  raw, validated
           FROM intake.company_raw_intake ORDER BY id""",
    )
    assert rows[0] == (
        "Foo, Inc.", "foo.com", "1,200", None, "T-1", "plain", "companies.csv", 2,
        {"Company": " Foo, Inc. ", "Website": "", "Employees": "1,200", "Website (2)": "foo.com",
         "Notes": 'a\nb\\N\t"q" 100%s'},
        None,
    )  # fmt: skip
    assert rows[1][:3] == ("Bar", "bar.com", None)
    assert rows[1][7] == 5


def test_rejected_rows_are_kept_with_line_and_reason(connection: Any, tmp_path: Path) -> None:
    path = write(tmp_path, 'Company,Website\nA,a.com\nB,b.com,"ex\ttra\\"\n"C,c.com\nD,d.com\n')
    report = load(connection, path, batch="T-1")
    assert (report.rows_read, report.loaded, report.rejected) == (4, 2, 2)
    assert query(
        connection,
        """SELECT r.line_number, r.reason, r.raw, f.import_batch_id
           FROM intake.rejected_rows r JOIN intake.loaded_files f ON f.id = r.file_id ORDER BY r.line_number""",
    ) == [
        (3, "too_many_values", 'B,b.com,"ex\ttra\\"\n', "T-1"),
        (4, "unterminated_quote", '"C,c.com\n', "T-1"),
    ]
    assert [row.line_number for row in report.rejected_sample] == [3, 4]


def test_many_rejected_rows(connection: Any, tmp_path: Path) -> None:
    path = write(tmp_path, "Company,Website\n" + f"A,a.com,{'x' * 500}\n" * 3_000)
    report = load(connection, path)
    assert (report.loaded, report.rejected, len(report.rejected_sample)) == (0, 3_000, 10)
    assert query(connection, "SELECT count(*), count(DISTINCT line_number) FROM intake.rejected_rows") == [
        (3_000, 3_000)
    ]


def test_the_register_says_what_was_done(connection: Any, tmp_path: Path) -> None:
    report = load(connection, write(tmp_path, "Company,Website,Rank\nA,a.com,1\n,,\nB,b.com,2,3\n"), batch="T-1")
    assert query(
        connection,
        """SELECT import_batch_id, kind, file_name, sha256, source, rows_read, rows_loaded, rows_rejected, rows_blank,
                  column_mapping FROM intake.loaded_files""",
    ) == [("T-1", "companies", "companies.csv", report.sha256, "plain", 2, 1, 1, 1, report.mapping)]
    assert report.mapping == {"columns": {"company": ["Company"], "website": ["Website"]}, "unused": ["Rank"]}
    assert json.loads(json.dumps(report.to_dict()))["rejected_sample"][0]["reason"] == "too_many_values"


def test_the_same_content_again_is_a_no_op(connection: Any, tmp_path: Path) -> None:
    path = write(tmp_path, "Company,Website\nA,a.com\n")
    first = load(connection, path, batch="T-1")
    again = load(connection, path.rename(tmp_path / "renamed.csv"), batch="T-1")
    assert (again.already_loaded, again.batch, again.loaded, again.mapping) == (True, "T-1", 1, first.mapping)
    without_batch = load(connection, tmp_path / "renamed.csv")
    assert (without_batch.already_loaded, without_batch.batch) == (True, "T-1")
    assert query(connection, "SELECT count(*) FROM intake.company_raw_intake") == [(1,)]

    other = load(connection, tmp_path / "renamed.csv", batch="T-2")
    assert not other.already_loaded
    assert query(connection, "SELECT import_batch_id FROM intake.company_raw_intake ORDER BY 1") == [("T-1",), ("T-2",)]


def test_one_file_may_be_loaded_as_two_kinds(connection: Any, tmp_path: Path) -> None:
    path = write(tmp_path, "First Name,Company,Website\nAda,A,a.com\n")
    assert load(connection, path, batch="T-1", kind="people").kind == "people"
    assert load(connection, path, batch="T-1", kind="companies").already_loaded is False
    assert query(connection, "SELECT company, source_row FROM intake.company_raw_intake") == [("A", 2)]
    assert query(connection, "SELECT first_name, company FROM intake.people_raw_intake") == [("Ada", "A")]


def test_new_batch_keys_take_no_key_in_use(connection: Any, tmp_path: Path) -> None:
    today = f"{date.today():%Y%m%d}"
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO intake.company_raw_intake (company, website, import_batch_id) VALUES ('A', 'a.com', %s)",
            [f"{today}-MY-LIST-B1"],
        )
    first = load(connection, write(tmp_path, "Company,Website\nA,a.com\n", "my list.csv"))
    second = load(connection, write(tmp_path, "Company,Website\nB,b.com\n", "my list.csv"))
    assert [first.batch, second.batch] == [f"{today}-MY-LIST-B2", f"{today}-MY-LIST-B3"]


def test_two_loaders_at_once_load_once(db: Any, tmp_path: Path) -> None:
    path = write(tmp_path, "Company,Website\n" + "".join(f"C{n},c{n}.com\n" for n in range(2_000)))

    def one(_: int) -> LoadReport:
        with closing(db.connect()) as connection:
            return load_file(connection, path)

    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(one, range(4)))
    assert sorted(report.already_loaded for report in reports) == [False, True, True, True]
    assert len({report.batch for report in reports}) == 1
    with closing(db.connect()) as connection:
        assert query(connection, "SELECT count(*) FROM intake.company_raw_intake") == [(2_000,)]


def test_an_error_leaves_nothing_behind(connection: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "Company,Website\n" + "".join(f"C{n},c{n}.com,x\nD{n},d.com\n" for n in range(5_000)))
    with connection, connection.cursor() as cursor:
        cursor.execute("ALTER TABLE intake.company_raw_intake ADD CHECK (company <> 'D4000') NOT VALID")
    with pytest.raises(DatabaseError, match="nothing was loaded"):
        load_file(connection, path)

    def broken(done: int, total: int) -> None:
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_file(connection, path, progress=broken)
    with pytest.raises(InputError, match="not a batch key"):
        load_file(connection, path, batch="a b")
    with pytest.raises(InputError, match="not a kind"):
        load_file(connection, path, kind="leads")
    for table in ["loaded_files", "rejected_rows", "company_raw_intake"]:
        assert query(connection, f"SELECT count(*) FROM intake.{table}") == [(0,)]


def test_a_failing_disk_is_told_as_it_is(connection: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any) -> Iterator[bytes]:
        yield b""
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(loading, "_intake_lines", failing)
    with pytest.raises(InputError, match="Input/output error"):
        load_file(connection, write(tmp_path, "Company,Website\nA,a.com\n"))


def test_progress_runs_from_start_to_end(connection: Any, tmp_path: Path) -> None:
    path = write(tmp_path, "Company,Website\n" + "".join(f"Company {n},https://c{n}.com\n" for n in range(5_000)))
    seen: list[tuple[int, int]] = []
    load_file(connection, path, progress=lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert len(seen) > 5
    assert seen[0] == (0, path.stat().st_size)
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)


def test_relative_dates_of_signals(connection: Any, tmp_path: Path) -> None:
    text = "Company,Signal Type,Occurred At,Source\nA,reply,-3d,crm\nB,reply,2025-01-31T10:00:00Z,\nC,reply,-3 days,x\n"
    before = datetime.now(UTC) - timedelta(days=3, seconds=1)
    assert load(connection, write(tmp_path, text, "signals.csv")).kind == "signals"
    rows = query(
        connection, "SELECT occurred_at, source_system, raw->>'Occurred At' FROM intake.signals_raw_intake ORDER BY id"
    )
    moment = datetime.fromisoformat(rows[0][0])
    assert before <= moment <= before + timedelta(minutes=5)
    assert rows[0][1:] == ("crm", "-3d")
    assert rows[1:] == [("2025-01-31T10:00:00Z", None, "2025-01-31T10:00:00Z"), ("-3 days", "x", "-3 days")]


def test_xlsx_loads(connection: Any, tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    workbook = openpyxl.Workbook()
    for row in [["Company", "Website", "# Employees"], ["A", "a.com", 12], ["B", None, None]]:
        workbook.active.append(row)
    workbook.save(tmp_path / "book.xlsx")
    assert load(connection, tmp_path / "book.xlsx").loaded == 2
    assert query(connection, "SELECT company, website, num_employees FROM intake.company_raw_intake ORDER BY id") == [
        ("A", "a.com", "12"),
        ("B", None, None),
    ]


CELL = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\t\n\r\b\f\v\\"), max_size=15)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=20))
def test_any_text_round_trips(connection: Any, tmp_path: Path, rows: list[tuple[str, str, str]]) -> None:
    header = ["Company", "Website", '100% \\ "Notes"']
    rows = [("x" + company, website, notes) for company, website, notes in rows]
    path = tmp_path / "any.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(header)
        writer.writerows(rows)
    with connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM intake.company_raw_intake; DELETE FROM intake.loaded_files")
    assert load(connection, path).rejected == 0
    stored = query(connection, "SELECT company, website, raw FROM intake.company_raw_intake ORDER BY id")
    assert stored == [
        (values.clean(company), values.read(website) or None, dict(zip(header, (company, website, notes), strict=True)))
        for company, website, notes in rows
    ]


def test_the_samples_load_without_a_rejected_row(connection: Any) -> None:
    samples = PROJECT / "samples"
    found = {}
    for name in ["breweries.csv", "people.csv", "signals.csv"]:
        report = load(connection, samples / name, batch="SAMPLE-1")
        found[report.kind] = (report.loaded, report.rejected, report.blank)
    assert found == {"companies": (648, 0, 0), "people": (125, 0, 0), "signals": (76, 0, 0)}
    # people and signals are about breweries of the sample, and say that they are invented
    assert query(
        connection,
        """SELECT count(*) FROM (SELECT company, source_system FROM intake.people_raw_intake
               UNION ALL SELECT company, source_system FROM intake.signals_raw_intake) s
           WHERE source_system <> 'sample' OR company NOT IN (SELECT company FROM intake.company_raw_intake)""",
    ) == [(0,)]


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data sets are not here (BARTON_TEST_DATA)")
def test_the_real_files_load_whole(connection: Any) -> None:
    files = {
        "wv_companies.csv": 442,
        "opendata500.csv": 529,
        "export_headers/apollo_accounts_export_12rows.csv": 12,
    }
    for name, rows in files.items():
        report = load(connection, DATA / name, kind="companies")
        assert (report.loaded, report.rejected) == (rows, 0)
    # three of its rows hold industries with bare commas ("Hotels, Casinos, Resorts")
    fortune = load(connection, DATA / "fortune500_2025.csv")
    assert fortune.loaded == 497
    assert [row.line_number for row in fortune.rejected_sample] == [227, 268, 375]
    assert query(
        connection, "SELECT count(*) FROM intake.company_raw_intake WHERE website IS NULL AND source_file LIKE 'wv%'"
    ) == [(111,)]
