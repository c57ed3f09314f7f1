"""The rows of one sheet of an XLSX workbook, as text that shows what its cells show.

Belongs here: everything that knows openpyxl. Not here: what is a header and what a row (``readers``).
"""

import re
import warnings
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any, BinaryIO

from barton_pipeline.errors import InputError

NUL_REPLACEMENT = "\ufffd"
# Rows in which formulas without a saved result are looked for: a program that saves none saves none anywhere.
FORMULA_ROWS = 200
# Excel and LibreOffice write these where a formula failed.
_STRICT = b"http://purl.oclc.org/ooxml/"
# A number format of zeros and separators only, such as 00000 (ZIP codes) or 000-00-0000: leading zeros are part of what is shown.
_PADDED = re.compile(r"[0\-/. ]*0[0\-/. ]*")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


class Workbook:
    """An open workbook. ``notes`` says what an operator should know about the reading."""

    def __init__(self, file: BinaryIO, name: str, sheet: str | None = None) -> None:
        """Raises InputError when it is damaged, Strict Open XML, without a visible sheet, or has no sheet of that name."""
        self._file = file
        self._name = name
        self.notes: list[str] = []
        self._sheet = self._choose(self._load(data_only=True), sheet)

    def rows(self) -> Iterator[list[str]]:
        """Each row's cells, from the first row of the sheet on. Raises InputError when the sheet cannot be read on."""
        number = 0
        with _quiet():
            cells = self._cells(self._sheet)
            while True:
                try:
                    row = next(cells, None)
                except Exception as error:  # openpyxl raises whatever the damaged part made it trip over
                    raise self._damaged(f"after row {number}: {error}") from error
                if row is None:
                    return
                number += 1
                yield row

    def _cells(self, sheet: Any) -> Iterator[list[str]]:
        for row in sheet.iter_rows():
            yield [_shown(cell) for cell in row] or [""]

    def _load(self, data_only: bool) -> Any:
        import openpyxl  # heavy; only workbooks need it

        try:
            with _quiet():
                # read-only mode streams the sheet: python-calamine is faster but holds all of it
                return openpyxl.load_workbook(self._file, read_only=True, data_only=data_only)
        except Exception as error:
            raise self._damaged(str(error)) from error

    def _choose(self, workbook: Any, wanted: str | None) -> Any:
        sheets = [sheet for sheet in workbook.worksheets if sheet.sheet_state == "visible"]
        if not sheets:
            if self._is_strict():
                raise InputError(
                    f"{self._name} is a Strict Open XML workbook, which is not read; "
                    "save it as an Excel workbook (.xlsx) or as CSV."
                )
            raise InputError(f"{self._name} has no visible worksheet.")
        chosen = self._named(workbook, wanted) if wanted else sheets[0]
        if len(sheets) > 1 and not wanted:
            others = ", ".join(repr(sheet.title) for sheet in sheets[1:])
            self.notes.append(f"only the first sheet {chosen.title!r} was read, not {others}; another: --sheet NAME")
        chosen.reset_dimensions()  # some writers state a size that is too small
        self._check_formulas(chosen.title)
        return chosen

    def _named(self, workbook: Any, wanted: str) -> Any:
        for sheet in workbook.worksheets:
            if sheet.title.strip().casefold() == wanted.strip().casefold():
                return sheet
        titles = ", ".join(repr(sheet.title) for sheet in workbook.worksheets)
        raise InputError(f"{self._name} has no sheet {wanted!r}; it has {titles}.")

    def _is_strict(self) -> bool:
        try:
            with zipfile.ZipFile(self._file) as archive, archive.open("xl/workbook.xml") as part:
                return _STRICT in part.read(4096)
        except (KeyError, OSError, zipfile.BadZipFile):
            return False

    def _check_formulas(self, title: str) -> None:
        """Programs that write formulas without calculating them leave cells that are empty until Excel has saved the file."""
        with _quiet():
            written, shown = (self._load(data_only)[title] for data_only in (False, True))
            empty = 0
            for formulas, values in zip(
                written.iter_rows(max_row=FORMULA_ROWS), shown.iter_rows(max_row=FORMULA_ROWS), strict=False
            ):
                for formula, value in zip(formulas, values, strict=False):
                    empty += formula.data_type == "f" and value.value is None
        if empty:
            self.notes.append(
                f"{empty} cells hold formulas whose results were never saved, and were read as empty; open the workbook in Excel "
                "or LibreOffice, save it, and load it again"
            )

    def _damaged(self, why: str) -> InputError:
        return InputError(f"{self._name} is not a readable XLSX workbook ({why}); save it again, or as CSV.")


def is_encrypted(start: bytes, file: BinaryIO) -> bool:
    """Whether an OLE file is a workbook with a password rather than an old .xls: its directory names EncryptedPackage."""
    file.seek(0)
    found = "EncryptedPackage".encode("utf-16-le") in file.read(1_000_000)
    file.seek(0)
    return found or "EncryptedPackage".encode("utf-16-le") in start


class _quiet(warnings.catch_warnings):
    """What openpyxl warns of (default styles, drop-down lists) is nothing an operator can act on."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.simplefilter("ignore")


def _shown(cell: Any) -> str:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, str):
        return _unescaped(value).replace("\0", NUL_REPLACEMENT)
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    if isinstance(value, int):
        return _padded(value, cell.number_format)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value)


def _unescaped(text: str) -> str:
    """OOXML writes characters that XML cannot hold, and a carriage return, as _x000D_ (ECMA-376, 22.4.2.4)."""
    if "_x" not in text:
        return text
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def _padded(number: int, number_format: str) -> str:
    """The number as a format of zeros shows it: 2138 in 00000 is 02138."""
    if number < 0 or not number_format or not _PADDED.fullmatch(number_format.replace("\\", "").replace('"', "")):
        return str(number)
    pattern = number_format.replace("\\", "").replace('"', "")
    digits = str(number).zfill(pattern.count("0"))
    shown: list[str] = []
    rest = list(digits)
    for character in reversed(pattern):
        shown.append(rest.pop() if character == "0" else character)
    return "".join(rest) + "".join(reversed(shown))
