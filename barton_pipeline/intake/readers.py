"""Rows of an export file: CSV in any common dialect and encoding, or the first sheet of an XLSX workbook.

Belongs here: bytes to rows. Every record of the file comes out as a ``Row``, as a ``RejectedRow`` with its
line and the reason, or is counted in ``Table.blank``; memory does not grow with the file. Not here: what the
columns mean (mapping.py) and where the rows go (loading.py).
"""

import codecs
import contextlib
import csv
import io
import re
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from barton_pipeline.errors import InputError
from barton_pipeline.intake.encodings import CODE_PAGES, detect_encoding

DELIMITERS = ",;\t|"
SAMPLE_BYTES = 65_536
SAMPLE_LINES = 30
# A quoted value longer than this is a quote that was never closed; it bounds what is held in memory.
MAX_RECORD_CHARACTERS = 8_000_000
# The separator of a file with one column: no text file contains it.
NO_DELIMITER = "\x1f"
NUL_REPLACEMENT = "\ufffd"

_NOT_TEXT = {
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (.xls); save it as XLSX or CSV",
    b"\x1f\x8b": "compressed (gzip); unpack it first",
    b"%PDF": "a PDF document; export the table as CSV or XLSX",
    b"\x89PNG": "an image; export the table as CSV or XLSX",
}

csv.field_size_limit(min(sys.maxsize, 2**31 - 1))


class Row(NamedTuple):
    """One record: the number of its first physical line (or sheet row), and one text per header column."""

    line_number: int
    values: list[str]


class RejectedRow(NamedTuple):
    """A record that cannot be a row: reason is too_many_values, unterminated_quote or malformed_quotes."""

    line_number: int
    reason: str
    details: str
    raw: str


class Table:
    """An open file: ``header`` (distinct names, in file order), then ``rows()``, once, from top to bottom.

    ``blank`` counts the blank records met so far, ``notes`` says what an operator should know about the
    reading, ``bytes_done`` / ``bytes_total`` measure progress in the file.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.name = name
        self.notes: list[str] = []
        self.blank = 0
        self.bytes_total = file.seek(0, io.SEEK_END)
        file.seek(0)
        start = file.read(SAMPLE_BYTES)
        file.seek(0)
        self._file = file
        self._raw_record = ""  # the text of the record that _text_records gave last
        if not start:
            raise InputError(f"{name} is empty (0 bytes); nothing was loaded.")
        records: Iterator[Row | RejectedRow]
        if start.startswith(b"PK\x03\x04"):
            self.encoding = "xlsx"
            records = self._sheet_records()
        else:
            self.encoding = _text_encoding(start, name)
            if self.encoding in CODE_PAGES:
                self.notes.append(
                    f"read as {self.encoding}, the likeliest encoding; if names look wrong, name another (--encoding)"
                )
            records = self._text_records()
        self.header = self._read_header(records)
        self._rows = self._sized(records)
        first = next(self._rows, None)
        if first is None:
            raise InputError(f"{name} has a header but no rows; nothing was loaded.")
        self._first = first

    @property
    def bytes_done(self) -> int:
        """Bytes of the file read so far, at most ``bytes_total``."""
        return min(self._file.tell(), self.bytes_total)

    def rows(self) -> Iterator[Row | RejectedRow]:
        """Each record that is not blank, in file order. Raises InputError when the file cannot be read on."""
        yield self._first
        try:
            yield from self._rows
        except OSError as error:
            raise InputError(f"Reading {self.name} failed half-way: {error.strerror or error}.") from error

    def _read_header(self, records: Iterator[Row | RejectedRow]) -> list[str]:
        for record in records:
            if isinstance(record, RejectedRow):
                raise InputError(
                    f"The header of {self.name} (line {record.line_number}) cannot be read: {record.details}."
                )
            if any(value.strip() for value in record.values):
                return _distinct_names(record.values)
            self.blank += 1
        raise InputError(f"{self.name} holds only blank lines; nothing was loaded.")

    def _sized(self, records: Iterator[Row | RejectedRow]) -> Iterator[Row | RejectedRow]:
        """Rows with one value per column: short ones padded, long ones cut if only blanks are lost."""
        width = len(self.header)
        for record in records:
            if isinstance(record, RejectedRow):
                yield record
                continue
            values = record.values
            if not values[0].strip() and not any(value.strip() for value in values):
                self.blank += 1
                continue
            if len(values) < width:
                values.extend([""] * (width - len(values)))
            elif len(values) > width:
                extra = [value for value in values[width:] if value.strip()]
                if extra:
                    yield RejectedRow(
                        record.line_number,
                        "too_many_values",
                        f"{len(values)} values for {width} columns; too many: {', '.join(extra)[:200]}",
                        _csv_line(values) if self.encoding == "xlsx" else self._raw_record,
                    )
                    continue
                del values[width:]
            yield record

    def _text_records(self) -> Iterator[Row | RejectedRow]:
        text = io.TextIOWrapper(
            self._file,
            encoding=self.encoding,
            errors=_decoding_errors(self.encoding),
            newline="",  # line breaks inside quotes stay as they are
        )
        try:
            lines = _Lines(text)
            self._skip_preamble(lines)
            sample = lines.peek(SAMPLE_LINES)
            delimiter = self._declared_delimiter(lines, sample) or _detect_delimiter(line for _, line in sample)
            yield from self._records(lines, delimiter)
        finally:
            with contextlib.suppress(ValueError):  # the caller may have closed the file, and owns it
                text.detach()

    def _skip_preamble(self, lines: "_Lines") -> None:
        """LinkedIn writes "Notes:", a paragraph and a blank line before the header of Connections.csv."""
        sample = lines.peek(SAMPLE_LINES)
        if not sample or sample[0][1].strip().strip('",') != "Notes:":
            return
        for number, line in sample:
            if not line.strip():
                for _ in range(number):
                    next(lines)
                self.notes.append(f"lines 1 to {number} are LinkedIn's notes before the header; skipped")
                return

    def _declared_delimiter(self, lines: "_Lines", sample: list[tuple[int, str]]) -> str | None:
        """Excel's own first line ``sep=;`` names the delimiter and is not a record."""
        declared = re.fullmatch(r'"?sep=(.)"?[\r\n]*', sample[0][1]) if sample else None
        if declared is None:
            return None
        next(lines)
        return declared[1]

    def _records(self, lines: "_Lines", delimiter: str) -> Iterator[Row | RejectedRow]:
        width: int | None = None  # of the header, which is the first record that is not blank
        wrapped = False
        for number, line in lines:
            record: Row | RejectedRow
            if '"' in line:
                record = self._quoted_record(lines, number, line, delimiter, width, wrapped)
            else:
                self._raw_record = line
                record = Row(number, line.rstrip("\r\n").split(delimiter))
            if width is None and isinstance(record, Row) and any(value.strip() for value in record.values):
                inner = _unwrapped(record.values, delimiter)
                if inner is not None:
                    wrapped, record = True, Row(number, inner)
                width = len(record.values)
            yield record

    def _quoted_record(
        self, lines: "_Lines", number: int, line: str, delimiter: str, width: int | None, wrapped: bool
    ) -> Row | RejectedRow:
        taken = [(number, line)]
        ended_early = False

        def feed() -> Iterator[str]:
            nonlocal ended_early
            yield line
            size = len(line)
            for numbered in lines:
                taken.append(numbered)
                size += len(numbered[1])
                if size > MAX_RECORD_CHARACTERS:
                    break
                yield numbered[1]
            ended_early = True

        values = _parse(feed(), delimiter)
        if values is None and (len(taken) > 1 or ended_early):
            return _unterminated(lines, taken)
        malformed = values is None
        if values is None:
            values = _lenient_parse(line.rstrip("\r\n"), delimiter)
        self._raw_record = "".join(text for _, text in taken)
        if width is None:
            return Row(number, values)
        if len(values) == 1 and width > 1:
            inner = _unwrapped(values, delimiter)
            # with two columns a lone "Foo, Inc." is a short row rather than a wrapped line
            if inner is not None and (wrapped or (len(inner) == width and width > 2)):
                return Row(number, inner)
        if len(values) != width:
            if malformed:
                details = f"read as {len(values)} values for {width} columns; double the quotes inside values"
                return RejectedRow(number, "malformed_quotes", details, self._raw_record)
            if len(taken) > 1 and any(_looks_like_row(text, delimiter, width) for _, text in taken[1:]):
                return _unterminated(lines, taken)
            spaced = _parse([self._raw_record], delimiter, skipinitialspace=True)
            if spaced is not None and len(spaced) == width:
                return Row(number, spaced)
        return Row(number, values)

    def _sheet_records(self) -> Iterator[Row | RejectedRow]:
        import openpyxl  # type: ignore[import-untyped]  # heavy; only workbooks need it

        try:
            # read-only mode streams the sheet: python-calamine is faster but holds all of it
            workbook = openpyxl.load_workbook(self._file, read_only=True, data_only=True)
            sheets = [sheet for sheet in workbook.worksheets if sheet.sheet_state == "visible"]
        except Exception as error:  # openpyxl raises whatever the damaged part made it trip over
            raise self._damaged_workbook(str(error)) from error
        if not sheets:
            raise InputError(f"{self.name} has no visible worksheet.")
        if len(sheets) > 1:
            others = ", ".join(repr(sheet.title) for sheet in sheets[1:])
            self.notes.append(f"only the first sheet {sheets[0].title!r} was read, not {others}")
        sheet: Any = sheets[0]
        sheet.reset_dimensions()  # some writers state a size that is too small
        rows = sheet.iter_rows(values_only=True)
        number = 0
        while True:
            try:
                cells = next(rows, None)
            except Exception as error:
                raise self._damaged_workbook(f"after row {number}: {error}") from error
            if cells is None:
                return
            number += 1
            yield Row(number, [_cell_text(cell) for cell in cells] or [""])

    def _damaged_workbook(self, why: str) -> InputError:
        return InputError(f"{self.name} is not a readable XLSX workbook ({why}); save it again, or as CSV.")


@contextlib.contextmanager
def open_table(source: Path | str | BinaryIO, name: str | None = None) -> Iterator[Table]:
    """Open an export file (a path, or a seekable binary file with its name) as a Table.

    Raises InputError when it is missing, a directory, unreadable, empty, header-only, or not a table of text.
    """
    if not isinstance(source, Path | str):
        yield Table(source, name or "the file")
        return
    path = Path(source)
    with open_file(path) as file:
        yield Table(file, name or path.name)


@contextlib.contextmanager
def open_file(path: Path) -> Iterator[io.BufferedReader]:
    """Open a regular file for reading bytes; InputError says what is wrong with the path."""
    try:
        if path.is_dir():
            raise InputError(f"{path} is a directory; give a CSV, TSV or XLSX file.")
        if path.exists() and not path.is_file():
            raise InputError(f"{path} is not a regular file; save it to disk first.")
        file = path.open("rb")
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    with file:
        yield file


class _Lines(Iterator[tuple[int, str]]):
    """Numbered physical lines (line ends kept, NUL made storable) that can be put back."""

    def __init__(self, text: Iterable[str]) -> None:
        self._numbered = enumerate(text, 1)
        self._returned: deque[tuple[int, str]] = deque()

    def __next__(self) -> tuple[int, str]:
        if self._returned:
            return self._returned.popleft()
        number, line = next(self._numbered)
        return number, line.replace("\0", NUL_REPLACEMENT) if "\0" in line else line

    def put_back(self, lines: list[tuple[int, str]]) -> None:
        self._returned.extendleft(reversed(lines))

    def peek(self, count: int) -> list[tuple[int, str]]:
        lines = [line for _, line in zip(range(count), self, strict=False)]
        self.put_back(lines)
        return lines


def _read_as_cp1252(error: UnicodeError) -> tuple[str, int]:
    """Bytes that are not UTF-8 come from Windows or Latin-1 programs; also when only a few of them do."""
    assert isinstance(error, UnicodeDecodeError)
    wrong = error.object[error.start : error.end]
    text = "".join(
        bytes([byte]).decode("latin-1" if byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else "cp1252") for byte in wrong
    )
    return text, error.end


codecs.register_error("cp1252-fallback", _read_as_cp1252)


def _decoding_errors(encoding: str) -> str:
    """Only UTF-8 can fall back byte by byte; a damaged UTF-16 unit is shown as U+FFFD."""
    return "cp1252-fallback" if encoding.startswith("utf-8") else "replace"


def _text_encoding(start: bytes, name: str) -> str:
    for magic, what in _NOT_TEXT.items():
        if start.startswith(magic):
            raise InputError(f"{name} is {what}.")
    encoding = detect_encoding(start)
    text = start.decode(encoding, _decoding_errors(encoding))
    if len(re.findall(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", text)) > max(8, len(text) * 0.05):
        raise InputError(f"{name} is not a text table (binary data); give a CSV, TSV or XLSX file.")
    return encoding


def _detect_delimiter(lines: Iterable[str]) -> str:
    """The delimiter that cuts the header into most columns, weighed by how many records agree with it."""
    lines = [line for line in lines if line.strip()]
    best, best_score = NO_DELIMITER, 0.0
    for delimiter in DELIMITERS:
        widths = [len(values) for values in _sample_records(lines, delimiter)]
        if not widths or widths[0] < 2:
            continue
        agreeing = sum(width == widths[0] for width in widths) / len(widths)
        if widths[0] * agreeing > best_score:
            best, best_score = delimiter, widths[0] * agreeing
    return best


def _sample_records(lines: list[str], delimiter: str) -> Iterator[list[str]]:
    for values in csv.reader(lines, delimiter=delimiter):
        yield (_unwrapped(values, delimiter) or values) if len(values) == 1 else values


def _parse(lines: Iterable[str], delimiter: str, skipinitialspace: bool = False) -> list[str] | None:
    """The first record of lines by the CSV rules; None when its quotes break them."""
    try:
        return next(csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=skipinitialspace))
    except csv.Error:
        return None


def _lenient_parse(line: str, delimiter: str) -> list[str]:
    """One line with bare quotes in quoted values: a value ends at a quote before a delimiter or the end."""
    end = rf"(?:{re.escape(delimiter)}|$)"
    value = re.compile(rf'[ ]*"((?:[^"]|"(?![ ]*{end}))*)"[ ]*(?={end})|([^{re.escape(delimiter)}]*)', re.DOTALL)
    values, position = [], 0
    while True:
        found = value.match(line, position)
        assert found is not None, "the second alternative matches everywhere"
        values.append(found[1].replace('""', '"') if found[1] is not None else found[2])
        position = found.end() + 1
        if position > len(line):
            return values


def _unwrapped(values: list[str], delimiter: str) -> list[str] | None:
    """The columns of a line that was quoted as a whole; None when its single value is not such a line."""
    if len(values) != 1 or delimiter not in values[0]:
        return None
    try:
        records = list(csv.reader(io.StringIO(values[0], newline=""), delimiter=delimiter, strict=True))
    except csv.Error:
        records = [_lenient_parse(values[0], delimiter)]
    return records[0] if len(records) == 1 and len(records[0]) > 1 else None


def _looks_like_row(line: str, delimiter: str, width: int) -> bool:
    return width > 1 and len(next(csv.reader([line], delimiter=delimiter), [])) == width


def _unterminated(lines: _Lines, taken: list[tuple[int, str]]) -> RejectedRow:
    """Reject only the line where the quote opened; what it swallowed is read again as rows of its own."""
    lines.put_back(taken[1:])
    number, line = taken[0]
    return RejectedRow(
        number, "unterminated_quote", "a quote opens in this line and is not closed by the rules of CSV", line
    )


def _distinct_names(values: list[str]) -> list[str]:
    """Header names: unnamed columns become "Column n", a repeated name gets " (2)", " (3)" …"""
    names: list[str] = []
    seen: set[str] = set()
    for position, value in enumerate(values, 1):
        base = value.strip() or f"Column {position}"
        name, count = base, 1
        while name in seen:
            count += 1
            name = f"{base} ({count})"
        seen.add(name)
        names.append(name)
    return names


def _cell_text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell.replace("\0", NUL_REPLACEMENT)
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, datetime | date | time):
        return cell.isoformat()
    return str(cell)


def _csv_line(values: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(values)
    return line.getvalue()
