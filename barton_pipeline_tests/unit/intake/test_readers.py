"""Bytes to rows: dialects, encodings, broken files; and that no record ever vanishes."""

import csv
import io
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barton_pipeline.errors import InputError
from barton_pipeline.intake import readers
from barton_pipeline.intake.readers import RejectedRow, Row, Table, open_table


class Reading:
    """A file read to its end."""

    def __init__(self, data: bytes | str) -> None:
        with open_table(io.BytesIO(data.encode() if isinstance(data, str) else data), "test.csv") as table:
            records = list(table.rows())
        self.table: Table = table
        self.header = table.header
        self.rows = [record for record in records if isinstance(record, Row)]
        self.values = [row.values for row in self.rows]
        self.lines = [row.line_number for row in self.rows]
        self.rejected = [record for record in records if isinstance(record, RejectedRow)]
        self.blank = table.blank


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (b"", "utf-8-sig"),
        (b"", "cp1252"),
        (b"", "utf-16"),
        (b"", "utf-16-le"),
        (b"", "utf-16-be"),
        (b"\xff\xfe", "utf-16-le"),
        (b"\xfe\xff", "utf-16-be"),
        (b"", "utf-32"),
    ],
)
def test_encodings(mark: bytes, encoding: str) -> None:
    reading = Reading(mark + "Company,City\nCafé Noël – “Bar”,Zürich\n".encode(encoding))
    assert reading.header == ["Company", "City"]
    assert reading.values == [["Café Noël – “Bar”", "Zürich"]]


def test_a_few_bytes_of_another_encoding_do_not_spoil_the_rest() -> None:
    assert Reading("Company,City\nCafé,A\n".encode() + b"Caf\xe9,B\n").values == [["Café", "A"], ["Café", "B"]]


def test_a_latin1_byte_far_behind_the_start() -> None:
    data = b"Company,City\n" + b"Plain,Town\n" * 20_000 + b"Caf\xe9,Z\xfcrich\n"
    assert Reading(data).values[-1] == ["Café", "Zürich"]


@pytest.mark.parametrize("delimiter", list(",;\t|"))
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends(delimiter: str, end: str) -> None:
    rows = [["Company", "Web, site; or\tboth", "City"], ["A", "B", "C"], ["D", "", "F"]]
    quoted = end.join(delimiter.join(f'"{value}"' for value in row) for row in rows)
    reading = Reading(quoted)
    assert [reading.header, *reading.values] == rows
    assert reading.lines == [2, 3]


def test_delimiters_inside_header_names_do_not_mislead() -> None:
    reading = Reading("Name, legal;Website;City\nFoo, Inc.;foo.com;Athens\n")
    assert reading.header == ["Name, legal", "Website", "City"]
    assert reading.values == [["Foo, Inc.", "foo.com", "Athens"]]


def test_excel_says_which_delimiter() -> None:
    reading = Reading("sep=;\r\nCompany;City\r\nA,B;C\r\n")
    assert (reading.header, reading.values, reading.lines) == (["Company", "City"], [["A,B", "C"]], [3])


def test_one_column_keeps_its_commas() -> None:
    assert Reading('Company\nFoo, Inc.\n"Bar, LLC"\n').values == [["Foo, Inc."], ["Bar, LLC"]]


def test_quoted_line_breaks_and_the_line_where_a_record_begins() -> None:
    reading = Reading('Company,Notes\n"A","one\ntwo\r\n\nfour"\nB,x\n')
    assert reading.values == [["A", "one\ntwo\r\n\nfour"], ["B", "x"]]
    assert reading.lines == [2, 6]


def test_blank_lines_are_counted() -> None:
    reading = Reading("\n  \nCompany,City\n\nA,B\n,\n \t \nC,D\n\n")
    assert (reading.values, reading.lines, reading.blank) == ([["A", "B"], ["C", "D"]], [5, 8], 6)


def test_wholly_quoted_lines() -> None:
    reading = Reading('Company,Site,City\n"A,a.com,""Athens, OH"""\nB,b.com,C\n"D","d.com",E\n')
    assert reading.values == [["A", "a.com", "Athens, OH"], ["B", "b.com", "C"], ["D", "d.com", "E"]]


def test_wholly_quoted_file_with_header() -> None:
    reading = Reading('"Company,City"\n"A,""B\nC"""\n"D,E"\n"F"\n')
    assert reading.header == ["Company", "City"]
    assert (reading.values, reading.lines) == ([["A", "B\nC"], ["D", "E"], ["F", ""]], [2, 4, 5])


def test_a_quoted_name_alone_is_a_short_row() -> None:
    assert Reading('Company,City\n"Foo, Inc."\n').values == [["Foo, Inc.", ""]]


def test_duplicate_and_missing_headers_stay_apart() -> None:
    reading = Reading("Name,Name,,Name (2),,Name\na,b,c,d,e,f\n")
    assert reading.header == ["Name", "Name (2)", "Column 3", "Name (2) (2)", "Column 5", "Name (3)"]


def test_ragged_rows() -> None:
    reading = Reading('Company,City\nA\nB,C,, \nD,E,,lost\n"F",G,"x,y"\n')
    assert reading.values == [["A", ""], ["B", "C"]]
    assert [(row.line_number, row.reason) for row in reading.rejected] == [
        (4, "too_many_values"),
        (5, "too_many_values"),
    ]
    assert "lost" in reading.rejected[0].details
    assert reading.rejected[1].raw == '"F",G,"x,y"\n'


def test_nul_bytes_become_storable() -> None:
    reading = Reading(b'Company,City\nA\x00B,"C\x00"\n')
    assert reading.values == [["A\ufffdB", "C\ufffd"]]


def test_unterminated_quote_costs_one_line() -> None:
    reading = Reading('Company,City\nA,B\n"C,D\nE,F\nG,H\n')
    assert reading.values == [["A", "B"], ["E", "F"], ["G", "H"]]
    assert [(row.line_number, row.reason, row.raw) for row in reading.rejected] == [(3, "unterminated_quote", '"C,D\n')]


def test_a_stray_quote_does_not_swallow_the_rows_up_to_the_next_quote() -> None:
    reading = Reading('Company,City,State\n"A,B,C\nD,E,F\n"G, Inc.",H,I\nJ,K,L"\n')
    assert reading.values == [["D", "E", "F"], ["G, Inc.", "H", "I"], ["J", "K", 'L"']]
    assert [row.line_number for row in reading.rejected] == [2]


def test_a_stray_quote_closed_by_another_one_does_not_join_rows() -> None:
    reading = Reading('Company,City,State\n"A,B,C\nD,E,F\nG,H,"\nJ,K,L\n')
    assert ["D", "E", "F"] in reading.values
    assert ["J", "K", "L"] in reading.values
    assert reading.rejected[0].line_number == 2


def test_an_endless_quote_is_given_up_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "MAX_RECORD_CHARACTERS", 1_000)
    reading = Reading('Company,City\n"A,B\n' + "C,D\n" * 5_000 + 'E,"F"\n')
    assert [row.line_number for row in reading.rejected] == [2]
    assert len(reading.values) == 5_001


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ('"Joe "The Man" Smith",Athens', ['Joe "The Man" Smith', "Athens"]),
        ('"Big" Al\'s,Athens', ['"Big" Al\'s', "Athens"]),
        ('12" Pizza,Athens', ['12" Pizza', "Athens"]),
        ('"A" , "B, C"', ["A", "B, C"]),
        ('A, "B, C"', ["A", "B, C"]),
    ],
)
def test_common_misuse_of_quotes_is_understood(line: str, values: list[str]) -> None:
    assert Reading(f"Company,City\n{line}\nNext,Row\n").values == [values, ["Next", "Row"]]


def test_quotes_beyond_repair_are_reported() -> None:
    reading = Reading('Company,City\n"Joe "x", y" Smith",Athens\nNext,Row\n')
    assert reading.values == [["Next", "Row"]]
    assert [(row.line_number, row.reason) for row in reading.rejected] == [(2, "malformed_quotes")]


def test_very_long_values() -> None:
    long = "x" * 3_000_000
    assert Reading(f'Company,Notes\nA,"{long}\n{long}"\nB,{long}\n').values == [["A", f"{long}\n{long}"], ["B", long]]


def test_linkedin_notes_before_the_header() -> None:
    reading = Reading('Notes:\n"When exporting, you may notice, well"\n\nFirst Name,Company\nAda,Engine Ltd\n')
    assert (reading.header, reading.values, reading.lines) == (["First Name", "Company"], [["Ada", "Engine Ltd"]], [5])
    assert reading.table.notes


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"\n \n\n", "only blank lines"),
        (b"Company,City\n", "no rows"),
        (b"Company,City\n\n,\n", "no rows"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4, "image"),
        (b"\xd0\xcf\x11\xe0" + bytes(100), "old Excel"),
        (b"\x1f\x8b\x08" + bytes(100), "compressed"),
        (bytes(range(256)) * 20, "binary"),
        (b"PK\x03\x04 not really a workbook", "XLSX"),
        (b'"Company,City\nA,B\n', "header"),
    ],
)
def test_files_that_are_no_table(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Reading(data)


def test_paths_that_are_no_file(tmp_path: Path) -> None:
    for path, message in [(tmp_path, "directory"), (tmp_path / "none.csv", "No such file"), (tmp_path / "x\0", "null")]:
        with pytest.raises(InputError, match=message), open_table(path):
            pass


def test_xlsx(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    from datetime import datetime

    workbook = openpyxl.Workbook()
    sheet = workbook.active
    sheet.append([])
    sheet.append(["Company", "# Employees", "Phone", "Since", "Public"])
    sheet.append(["Foo, “Inc.”", 500, 5139750613.0, datetime(2024, 3, 1), True])
    sheet.append([])
    sheet.append(["Bar", 1.5])
    sheet.append(["Baz", None, None, None, None, "extra"])
    workbook.create_sheet("Other")
    path = tmp_path / "book.xlsx"
    workbook.save(path)
    reading = Reading(path.read_bytes())
    assert reading.header == ["Company", "# Employees", "Phone", "Since", "Public"]
    assert reading.values == [
        ["Foo, “Inc.”", "500", "5139750613", "2024-03-01T00:00:00", "TRUE"],
        ["Bar", "1.5", "", "", ""],
    ]
    assert (reading.lines, reading.blank) == ([3, 5], 2)
    assert [(row.line_number, row.reason, row.raw) for row in reading.rejected] == [
        (6, "too_many_values", "Baz,,,,,extra")
    ]
    assert "Other" in reading.table.notes[0]


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "big.csv"
    with path.open("w") as file:
        file.write("Company,Website,City\n")
        file.writelines(f'"Company, {number}",https://example-{number}.com,Athens\n' for number in range(40_000))
    tracemalloc.start()
    with open_table(path) as table:
        count = sum(1 for _ in table.rows())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 40_000
    assert peak < path.stat().st_size / 3


# without control characters: a small file full of them is taken for binary data, rightly
CELL = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\t\n\r"), max_size=20)


@settings(deadline=None)
@given(
    rows=st.lists(st.lists(CELL, min_size=3, max_size=3), min_size=1, max_size=8),
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_whatever_a_csv_writer_writes_is_read_back(
    rows: list[list[str]], delimiter: str, end: str, encoding: str
) -> None:
    rows = [["x" + first, *rest] for first, *rest in rows]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([["Company", "Website", "City"], *rows])
    reading = Reading((text.getvalue() + end * 2).encode(encoding))
    assert reading.values == rows
    assert reading.rejected == []


@settings(deadline=None, max_examples=400)
@given(
    lines=st.lists(
        st.lists(st.sampled_from([",", '"', '""', " ", "a", ",,", '","']), max_size=8), min_size=1, max_size=8
    ),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_every_line_is_loaded_or_reported(lines: list[list[str]], end: str) -> None:
    tokens = [f"T{number:03}" for number in range(len(lines))]
    text = end.join(
        "".join([*pieces[: len(pieces) // 2], token, *pieces[len(pieces) // 2 :]])
        for pieces, token in zip(lines, tokens, strict=True)
    )
    reading = Reading(f"A,B,C{end}{text}")
    seen = "".join(value for values in reading.values for value in values)
    seen += "".join(row.raw for row in reading.rejected)
    assert [seen.count(token) for token in tokens] == [1] * len(tokens)
    numbers = reading.lines + [row.line_number for row in reading.rejected]
    assert len(set(numbers)) == len(numbers)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=300))
def test_any_bytes_give_rows_or_a_clear_error(data: bytes) -> None:
    try:
        reading = Reading(b"A,B\n" + data)
    except InputError:
        return
    assert all(len(values) == len(reading.header) for values in reading.values)
