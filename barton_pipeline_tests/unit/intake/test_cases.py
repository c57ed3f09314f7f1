"""Files of the kinds that public bug reports are about (data/cases), read as whoever wrote them meant them."""

import io
import warnings

import pytest

from barton_pipeline.errors import InputError
from barton_pipeline.intake.mapping import count_known_columns
from barton_pipeline.intake.readers import ReadOptions, RejectedRow, Row, open_table
from barton_pipeline_tests.conftest import PROJECT

CASES = PROJECT / "barton_pipeline_tests" / "data" / "cases"


def read(case: str, **options) -> tuple[list[str], list[dict[str, str]], list[str]]:
    """Header, rows and notes."""
    (path,) = (CASES / case).glob("[0-9]_*")
    with open_table(path, options=ReadOptions(**options), known_columns=count_known_columns) as table:
        rows = list(table.rows())
        assert all(isinstance(row, Row) for row in rows)
        return table.header, [dict(zip(table.header, row[1], strict=True)) for row in rows], table.notes


def test_a_lone_return_in_a_crlf_file_is_part_of_the_value() -> None:
    _, rows, _ = read("bare-cr-in-a-name")
    assert [row["Company"] for row in rows] == ["Jasmin Pumps", rows[1]["Company"]]


def test_a_row_of_groups_above_the_header_is_skipped() -> None:
    header, rows, notes = read("group-row-above-the-header")
    assert count_known_columns(header) >= 2 and rows
    assert any("above the header" in note for note in notes)


def test_cyrillic_of_windows_is_read_and_said() -> None:
    _, rows, notes = read("windows-1251")
    assert "Ромашка" in rows[0]["Company"]
    assert any("--encoding" in note for note in notes)
    assert read("windows-1251", encoding="windows-1251")[2] == [], "whoever names it need not be told"


def test_leading_zeros_that_a_number_format_shows() -> None:
    _, rows, _ = read("xlsx-zip-code-format")
    assert any("02138" in row.values() for row in rows)


def test_the_carriage_return_of_open_xml() -> None:
    _, rows, _ = read("xlsx-x000d")
    assert not any("_x000D_" in value for row in rows for value in row.values())
    assert {row["Company"].strip() for row in rows} == {"Raven Pumps"}


def test_formulas_whose_results_were_not_saved_are_told() -> None:
    notes = read("xlsx-formulas-without-results")[2]
    assert any("formulas whose results were never saved" in note for note in notes)


def test_strict_open_xml_is_named_for_what_it_is() -> None:
    with pytest.raises(InputError, match="is a Strict Open XML workbook"):
        read("strict-open-xml")


def test_no_warning_of_the_library_reaches_the_operator() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read("xlsx-library-warnings")[1]
        with pytest.raises(InputError):
            read("strict-open-xml")


def test_an_encrypted_workbook_is_named_for_what_it_is() -> None:
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1000) + "EncryptedPackage".encode("utf-16-le") + bytes(1000)
    with pytest.raises(InputError, match="is encrypted"), open_table(io.BytesIO(ole), "x.xlsx"):
        pass
    with pytest.raises(InputError, match=r"an old Excel workbook"), open_table(io.BytesIO(ole[:900]), "x.xls"):
        pass


def test_a_line_that_is_too_long_is_rejected_and_the_rest_is_read(monkeypatch) -> None:
    monkeypatch.setattr("barton_pipeline.intake.readers.MAX_RECORD_CHARACTERS", 10_000)
    data = b"Company,Website\nFirst,first.com\n" + b"x" * 50_000 + b"\nLast,last.com\n"
    with open_table(io.BytesIO(data), "x.csv") as table:
        rows = list(table.rows())
    assert [type(row) for row in rows] == [Row, RejectedRow, Row]
    rejected = rows[1]
    assert isinstance(rejected, RejectedRow)
    assert (rejected.line_number, rejected.reason, len(rejected.raw)) == (3, "line_too_long", 1_000)


@pytest.mark.parametrize("options", [{"header_row": 3}, {"header_row": 3, "delimiter": ";"}])
def test_the_operator_names_the_header_and_the_delimiter(options) -> None:
    data = b"Report of today\n;;\nCompany;Website\nA;a.com\n"
    with open_table(io.BytesIO(data), "x.csv", ReadOptions(**options)) as table:
        assert (table.header, [row[1] for row in table.rows()]) == (["Company", "Website"], [["A", "a.com"]])


def test_a_sheet_by_its_name(tmp_path) -> None:
    import openpyxl

    workbook = openpyxl.Workbook()
    workbook.active.title = "Read me"
    workbook.active.append(["nothing here"])
    sheet = workbook.create_sheet("Firms")
    sheet.append(["Company", "Website"])
    sheet.append(["A", "a.com"])
    workbook.save(tmp_path / "x.xlsx")
    with open_table(tmp_path / "x.xlsx", options=ReadOptions(sheet="firms")) as table:
        assert table.header == ["Company", "Website"]
    with (
        pytest.raises(InputError, match="has no sheet 'x'; it has 'Read me', 'Firms'"),
        open_table(tmp_path / "x.xlsx", options=ReadOptions(sheet="x")),
    ):
        pass
