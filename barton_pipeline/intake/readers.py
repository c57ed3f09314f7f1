"""Rows of an export file: CSV in any common dialect and encoding, or the first sheet of an XLSX workbook.

Belongs here: bytes to rows. Every record of the file comes out as a ``Row``, as a ``RejectedRow`` with its
line and the reason, or is counted in ``Table.blank``; memory does not grow with the file. Not here: what the
columns mean (mapping.py) and where the rows go (loading.py).
"""

import codecs
import contextlib
import csv
import io
import itertools
import re
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from barton_pipeline.errors import InputError
from barton_pipeline.intake.encodings import CODE_PAGES, check_encoding, detect_encoding
from barton_pipeline.intake.workbooks import NUL_REPLACEMENT, Workbook, is_encrypted

DELIMITERS = ",;\t|"
SAMPLE_BYTES = 65_536
SAMPLE_LINES = 30
# A quoted value longer than this is a quote that was never closed; it bounds what is held in memory.
MAX_RECORD_CHARACTERS = 8_000_000
# What is kept of a line that is too long to be a record.
RAW_OF_TOO_LONG = 1_000
# The separator of a file with one column: no text file contains it.
NO_DELIMITER = "\x1f"
# A heading above the header, such as a row of merged cells, stands in one of the first rows.
HEADER_WITHIN = 10
OLE = b"\xd0\xcf\x11\xe0"

_NOT_TEXT = {
    OLE: "an old Excel workbook (.xls); save it as XLSX or CSV",
    b"\x1f\x8b": "compressed (gzip); unpack it first",
    b"%PDF": "a PDF document; export the table as CSV or XLSX",
    b"\x89PNG": "an image; export the table as CSV or XLSX",
}

csv.field_size_limit(min(sys.maxsize, 2**31 - 1))


@dataclass(frozen=True)
class ReadOptions:
    """What the operator knows better than the reader can find out; None: find out.

    ``header_row`` is the line (or sheet row) of the header, counted from 1. ``sheet`` is a worksheet's name.
    """

    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    header_row: int | None = None


class Row(NamedTuple):
    """One record: the number of its first physical line (or sheet row), one text per header column, and how the file wrote it."""

    line_number: int
    values: list[str]
    raw: str = ""


class RejectedRow(NamedTuple):
    """A record that cannot be a row: reason is too_many_values, unterminated_quote, malformed_quotes or line_too_long."""

    line_number: int
    reason: str
    details: str
    raw: str


class Table:
    """An open file: ``header`` (distinct names, in file order), then ``rows()``, once, from top to bottom.

    ``blank`` counts the blank records met so far, ``notes`` says what an operator should know about the
    reading, ``bytes_done`` / ``bytes_total`` measure progress in the file.
    """

    def __init__(
        self,
        file: BinaryIO,
        name: str,
        options: ReadOptions | None = None,
        known_columns: Callable[[Sequence[str]], int] = lambda header: 0,
    ) -> None:
        self._options = options or ReadOptions()
        self._known_columns = known_columns
        self.name = name
        self.notes: list[str] = []
        self.blank = 0
        self.bytes_total = file.seek(0, io.SEEK_END)
        file.seek(0)
        start = file.read(SAMPLE_BYTES)
        file.seek(0)
        self._file = file
        if not start:
            raise InputError(f"{name} is empty (0 bytes); nothing was loaded.")
        records: Iterator[Row | RejectedRow]
        if start.startswith(b"PK\x03\x04"):
            self.encoding = "xlsx"
            records = self._sheet_records()
        else:
            if start.startswith(OLE) and is_encrypted(start, file):
                raise InputError(f"{name} is encrypted; remove its password in Excel and save it, or save it as CSV.")
            named = self._options.encoding
            self.encoding = check_encoding(named) if named else _text_encoding(start, name)
            if self.encoding in CODE_PAGES and not named:
                self.notes.append(
                    f"read as {self.encoding}, the likeliest encoding; if names look wrong, name another (--encoding)"
                )
            records = self._text_records()
        self.header, records = self._read_header(records)
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

    def _read_header(self, records: Iterator[Row | RejectedRow]) -> tuple[list[str], Iterator[Row | RejectedRow]]:
        """The header, and the records below it."""
        if self._options.header_row is not None:
            return self._named_header(records, self._options.header_row)
        first = next(self._filled(records), None)
        if first is None:
            raise InputError(f"{self.name} holds only blank lines; nothing was loaded.")
        below = list(itertools.islice(records, HEADER_WITHIN - 1))
        lines: list[Row | RejectedRow] = [first, *below]
        place = self._header_place(lines)
        header = self._header_values(lines[place])
        if place:
            self.notes.append(f"what stands above the header in line {lines[place].line_number} was skipped")
        return _distinct_names(header), itertools.chain(lines[place + 1 :], records)

    def _named_header(
        self, records: Iterator[Row | RejectedRow], wanted: int
    ) -> tuple[list[str], Iterator[Row | RejectedRow]]:
        for record in records:
            if record.line_number >= wanted:
                return _distinct_names(self._header_values(record)), records
        raise InputError(f"{self.name} has no line {wanted} for the header.")

    def _filled(self, records: Iterator[Row | RejectedRow]) -> Iterator[Row | RejectedRow]:
        for record in records:
            if isinstance(record, RejectedRow) or any(value.strip() for value in record.values):
                yield record
            else:
                self.blank += 1

    def _header_place(self, lines: list[Row | RejectedRow]) -> int:
        """The first line, unless a later one names at least two columns more that are known, and more than half as many again."""
        known = [self._known_columns(_distinct_names(line.values)) if isinstance(line, Row) else 0 for line in lines]
        best = max(range(len(lines)), key=lambda place: (known[place], -place))
        return best if known[best] >= known[0] + 2 and known[best] > 1.5 * known[0] else 0

    def _header_values(self, record: Row | RejectedRow) -> list[str]:
        if isinstance(record, RejectedRow):
            raise InputError(f"The header of {self.name} (line {record.line_number}) cannot be read: {record.details}.")
        return record.values

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
                        record.raw or _csv_line(values),
                    )
                    continue
                del values[width:]
            yield record

    def _text_records(self) -> Iterator[Row | RejectedRow]:
        text = io.TextIOWrapper(
            self._file,
            encoding=self.encoding,
            errors=_decoding_errors(self.encoding),
            newline=self._line_end(),
        )
        try:
            lines = _Lines(_physical_lines(text))
            self._skip_preamble(lines)
            sample = lines.peek(SAMPLE_LINES)
            declared = self._declared_delimiter(lines, sample)
            delimiter = (
                self._options.delimiter
                or declared
                or _detect_delimiter(line for number, line in sample if number >= (self._options.header_row or 1))
            )
            yield from self._records(lines, delimiter)
        finally:
            with contextlib.suppress(ValueError):  # the caller may have closed the file, and owns it
                text.detach()

    def _line_end(self) -> str:
        """Where lines end: at line feeds if there are any, because a lone carriage return is then part of a value.

        Line breaks are kept as they are, for those inside quotes.
        """
        start = self._file.read(SAMPLE_BYTES)
        self._file.seek(0)
        return "\n" if b"\n" in start else ""

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
            if isinstance(line, _TooLong):
                details = f"the line has more than {MAX_RECORD_CHARACTERS:,} characters; is it no table, or are its line ends lost?"
                record = RejectedRow(number, "line_too_long", details, str(line))
            elif '"' in line:
                record = self._quoted_record(lines, number, line, delimiter, width, wrapped)
            else:
                record = Row(number, line.rstrip("\r\n").replace("\r", " ").split(delimiter), line)
            if width is None and isinstance(record, Row) and any(value.strip() for value in record.values):
                inner = _unwrapped(record.values, delimiter)
                if inner is not None:
                    wrapped, record = True, Row(number, inner, record.raw)
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
                if size > MAX_RECORD_CHARACTERS or isinstance(numbered[1], _TooLong):
                    break
                yield numbered[1]
            ended_early = True

        values = _parse(feed(), delimiter)
        if values is None and (len(taken) > 1 or ended_early):
            return _unterminated(lines, taken)
        malformed = values is None
        if values is None:
            values = _lenient_parse(line.rstrip("\r\n"), delimiter)
        raw = "".join(text for _, text in taken)
        if width is None:
            return Row(number, values, raw)
        if len(values) == 1 and width > 1:
            inner = _unwrapped(values, delimiter)
            # with two columns a lone "Foo, Inc." is a short row rather than a wrapped line
            if inner is not None and (wrapped or (len(inner) == width and width > 2)):
                return Row(number, inner, raw)
        if len(values) != width:
            if malformed:
                details = f"read as {len(values)} values for {width} columns; double the quotes inside values"
                return RejectedRow(number, "malformed_quotes", details, raw)
            if len(taken) > 1 and any(_looks_like_row(text, delimiter, width) for _, text in taken[1:]):
                return _unterminated(lines, taken)
            spaced = _parse([raw], delimiter, skipinitialspace=True)
            if spaced is not None and len(spaced) == width:
                return Row(number, spaced, raw)
        return Row(number, values, raw)

    def _sheet_records(self) -> Iterator[Row | RejectedRow]:
        workbook = Workbook(self._file, self.name, self._options.sheet)
        self.notes += workbook.notes
        for number, values in enumerate(workbook.rows(), 1):
            yield Row(number, values)


@contextlib.contextmanager
def open_table(
    source: Path | str | BinaryIO,
    name: str | None = None,
    options: ReadOptions | None = None,
    known_columns: Callable[[Sequence[str]], int] = lambda header: 0,
) -> Iterator[Table]:
    """Open an export file (a path, or a seekable binary file with its name) as a Table.

    ``known_columns`` counts the columns of a possible header whose meaning is known: it tells a header from what stands above it.

    Raises InputError when it is missing, a directory, unreadable, empty, header-only, or not a table of text.
    """
    if not isinstance(source, Path | str):
        yield Table(source, name or "the file", options, known_columns)
        return
    path = Path(source)
    with open_file(path) as file:
        yield Table(file, name or path.name, options, known_columns)


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


class _TooLong(str):
    """The beginning of a line that is longer than any record may be."""


def _physical_lines(text: io.TextIOWrapper) -> Iterator[str]:
    """The lines of a text with their ends; of one that is too long only the beginning, so that memory stays bounded."""
    while line := text.readline(MAX_RECORD_CHARACTERS):
        if len(line) < MAX_RECORD_CHARACTERS or line.endswith(("\n", "\r")):
            yield line
            continue
        while (rest := text.readline(MAX_RECORD_CHARACTERS)) and not rest.endswith(("\n", "\r")):
            pass
        yield _TooLong(line[:RAW_OF_TOO_LONG])


class _Lines(Iterator[tuple[int, str]]):
    """Numbered physical lines (line ends kept, NUL made storable) that can be put back."""

    def __init__(self, text: Iterable[str]) -> None:
        self._numbered = enumerate(text, 1)
        self._returned: deque[tuple[int, str]] = deque()

    def __next__(self) -> tuple[int, str]:
        if self._returned:
            return self._returned.popleft()
        number, line = next(self._numbered)
        if "\0" in line:
            line = line.replace("\0", NUL_REPLACEMENT)
        return number, line

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
    for values in csv.reader(map(_without_lone_returns, lines), delimiter=delimiter):
        yield (_unwrapped(values, delimiter) or values) if len(values) == 1 else values


def _without_lone_returns(line: str) -> str:
    """The csv module takes a carriage return outside quotes for the end of a line that is not the end of its string."""
    return line.replace("\r\n", "\n").replace("\r", " ")


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
    return width > 1 and len(next(csv.reader([_without_lone_returns(line)], delimiter=delimiter), [])) == width


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


def _csv_line(values: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(values)
    return line.getvalue()
