"""One file into the intake tables: read, mapped and COPYed in one transaction, every record accounted for.

Belongs here: the COPY stream, the register of files and of rejected rows. Not here: parsing
files (readers.py), the meaning of columns (mapping.py), judging values (the stages).
"""

import hashlib
import json
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from collections.abc import Mapping as ReadOnlyDict
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from json.encoder import encode_basestring as _json_string
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import Json

from barton_pipeline.batch_keys import check_batch_key, new_batch_key
from barton_pipeline.errors import DatabaseError, InputError
from barton_pipeline.intake.mapping import (
    Mapping,
    check_kind,
    count_known_columns,
    guess_kind,
    map_columns,
    map_companies_of_people,
)
from barton_pipeline.intake.readers import ReadOptions, RejectedRow, Table, open_file, open_table
from barton_pipeline.intake.values import reader

TABLES = {
    "companies": "intake.company_raw_intake",
    "people": "intake.people_raw_intake",
    "signals": "intake.signals_raw_intake",
    "outcomes": "intake.outcomes_raw_intake",
}
CHUNK_BYTES = 32_768
REJECTED_SAMPLE = 10
# "-3d" in a signal's date: three days before loading (columns.yaml)
DAYS_AGO = re.compile(r"-([0-9]{1,5})d")

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class LoadReport:
    """What became of a file. rows_read = loaded + rejected; blank records are counted apart.

    ``mapping`` is ``Mapping.to_dict()``; ``rejected_by_reason`` counts the rejected records by reason code, and
    ``rejected_sample`` holds the first of them (all are in intake.rejected_rows); ``already_loaded`` means that the same content
    was there and nothing was done: then the counts are those of that time, without samples. ``companies`` are the distinct
    companies that a file of people described and that were loaded beside them.
    """

    batch: str
    kind: str
    source: str
    file: str
    sha256: str
    mapping: dict[str, Any]
    rows_read: int = 0
    loaded: int = 0
    rejected: int = 0
    blank: int = 0
    already_loaded: bool = False
    rejected_by_reason: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    rejected_sample: tuple[RejectedRow, ...] = ()
    companies: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON-ready values."""
        return {**asdict(self), "rejected_sample": [row._asdict() for row in self.rejected_sample]}


@dataclass
class _Count:
    """What has been read so far."""

    loaded: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    rejected_sample: list[RejectedRow] = field(default_factory=list)


def load_file(
    connection: Connection,
    path: Path | str,
    *,
    kind: str | None = None,
    batch: str | None = None,
    columns: ReadOnlyDict[str, str] | None = None,
    options: ReadOptions | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> LoadReport:
    """``read_file`` in one transaction, which it commits; a dry run rolls it back and reports the same."""
    with connection:
        report = read_file(
            connection, path, kind=kind, batch=batch, columns=columns, options=options, progress=progress
        )
        if dry_run:
            connection.rollback()
    return report


def read_file(
    connection: Connection,
    path: Path | str,
    *,
    kind: str | None = None,
    batch: str | None = None,
    columns: ReadOnlyDict[str, str] | None = None,
    options: ReadOptions | None = None,
    progress: Progress | None = None,
) -> LoadReport:
    """Load a CSV, TSV or XLSX export into its intake table, in the caller's transaction.

    When not given, kind (companies, people, signals, outcomes) is guessed from the header and batch made from the file
    name. A file that is guessed to be of people and describes their companies too brings both
    (``mapping.map_companies_of_people``).
    ``options`` say how to read the file. ``columns`` says for single fields which column feeds them, whatever columns.yaml
    says (``mapping.map_columns``). The same content under the same batch and kind again changes nothing.
    progress gets (bytes done, bytes total).
    Raises InputError (file, kind, batch, columns) or DatabaseError; then the caller must roll back.
    """
    path = Path(path)
    if batch is not None:
        check_batch_key(batch)
    if kind is not None:
        check_kind(kind)
    try:
        with open_file(path) as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            with open_table(file, path.name, options, count_known_columns) as table:
                mapping = map_columns(table.header, kind or guess_kind(table.header), columns)
                # whoever says that these are people means people
                described = map_companies_of_people(mapping) if kind is None and mapping.kind == "people" else None
                with connection.cursor() as cursor:
                    return _load(cursor, table, mapping, described, sha256, batch, progress or _no_progress)
    except OSError as error:
        raise InputError(f"Reading {path} failed: {error.strerror or error}. Nothing was loaded.") from error
    except psycopg2.Error as error:
        raise DatabaseError(f"Loading {path.name} failed, nothing was loaded: {str(error).strip()}") from error


def _load(
    cursor: Cursor,
    table: Table,
    mapping: Mapping,
    described: Mapping | None,
    sha256: str,
    batch: str | None,
    progress: Progress,
) -> LoadReport:
    # two loaders of the same content wait for each other; the second one then sees what the first one did
    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [sha256])
    earlier = _loaded_before(cursor, mapping.kind, sha256, batch)
    if earlier is not None:
        return earlier
    batch = batch or _new_batch(cursor, Path(table.name).stem)
    constants = _constants(mapping, batch, table.name)
    count = _Count()

    progress(0, table.bytes_total)
    with (
        tempfile.SpooledTemporaryFile(max_size=1_000_000) as rejected,
        tempfile.SpooledTemporaryFile(max_size=1_000_000) as spool,
    ):
        companies = _Companies(described, _constants(described, batch, table.name), spool) if described else None
        stream = _CopyStream(_intake_lines(table, mapping, constants, count, rejected, companies), table, progress)
        _copy(cursor, TABLES[mapping.kind], [*mapping.columns, *constants, "source_row", "raw"], stream)
        report = LoadReport(
            batch,
            mapping.kind,
            mapping.source,
            table.name,
            sha256,
            mapping.to_dict(),
            rows_read=count.loaded + count.rejected.total(),
            loaded=count.loaded,
            rejected=count.rejected.total(),
            blank=table.blank,
            rejected_by_reason=dict(sorted(count.rejected.items())),
            notes=(*table.notes, *_notes_on_people(mapping, companies)),
            rejected_sample=tuple(count.rejected_sample),
            companies=companies.loaded if companies else 0,
        )
        file_id = _register(cursor, report)
        if companies:
            companies.copy(cursor)
            _register(cursor, companies.report(report))
        if report.rejected:
            rejected.seek(0)
            lines = (b"%d\t%s" % (file_id, line) for line in rejected)
            columns = ["file_id", "line_number", "reason", "details", "raw"]
            _copy(cursor, "intake.rejected_rows", columns, _CopyStream(lines))
    progress(table.bytes_total, table.bytes_total)
    return report


def _register(cursor: Cursor, report: LoadReport) -> int:
    """Write what was loaded to the register of files; its ID there."""
    cursor.execute(
        """INSERT INTO intake.loaded_files (import_batch_id, kind, file_name, sha256, source, rows_read,
               rows_loaded, rows_rejected, rows_blank, column_mapping)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
           ON CONFLICT (import_batch_id, kind, sha256) DO UPDATE SET loaded_at = excluded.loaded_at RETURNING id""",
        [report.batch, report.kind, _text(report.file), report.sha256, report.source, report.rows_read, report.loaded,
         report.rejected, report.blank, Json(report.mapping)],
    )  # fmt: skip
    row = cursor.fetchone()
    assert row is not None
    return int(row[0])


class _Companies:
    """The distinct companies that the rows of a people file describe, kept aside until the people are loaded.

    A row without the company's name or website describes none. Their ``raw`` holds the company's columns only: what a file
    says of a person stands in one place, where it can be forgotten.
    """

    def __init__(self, mapping: Mapping, constants: dict[str, str], spool: Any) -> None:
        self._mapping = mapping
        self._constants = constants
        self._spool = spool
        self._seen: set[int] = set()
        self._readers = [(indexes, reader("companies", name)) for name, indexes in mapping.columns.items()]
        self._needed = [list(mapping.columns).index(name) for name in ("company", "website")]
        used = sorted({index for indexes in mapping.columns.values() for index in indexes})
        self._raw = {mapping.header[index]: index for index in used}
        self.loaded = 0

    def add(self, number: int, values: list[str]) -> None:
        """Keep the company of one row, unless a row before described the same."""
        cells = [next((text for i in indexes if (text := read(values[i]))), "") for indexes, read in self._readers]
        key = hash(tuple(cells))
        if key in self._seen or not all(cells[index] for index in self._needed):
            return
        self._seen.add(key)
        texts = [_escape(cell) if cell else "\\N" for cell in cells]
        raw = json.dumps({name: values[index] for name, index in self._raw.items()}, ensure_ascii=False)
        row = [*texts, *map(_escape, self._constants.values()), str(number), _escape(raw)]
        self._spool.write(("\t".join(row) + "\n").encode("utf-8", "replace"))
        self.loaded += 1

    def copy(self, cursor: Cursor) -> None:
        """Load them."""
        self._spool.seek(0)
        columns = [*self._mapping.columns, *self._constants, "source_row", "raw"]
        _copy(cursor, TABLES["companies"], columns, _CopyStream(iter(self._spool)))

    def report(self, people: LoadReport) -> LoadReport:
        """What the register says of them."""
        return LoadReport(
            people.batch,
            "companies",
            people.source,
            people.file,
            people.sha256,
            self._mapping.to_dict(),
            self.loaded,
            self.loaded,
        )

    def columns(self) -> str:
        """The names of the columns that describe them."""
        return ", ".join(self._raw)


def _notes_on_people(mapping: Mapping, companies: _Companies | None) -> list[str]:
    """What a file of people means for companies."""
    if mapping.kind != "people":
        return []
    if companies:
        return [
            f"the file describes companies too: {companies.loaded:,} of them, from the columns {companies.columns()}; "
            "for the people only: --kind people"
        ]
    if {"company", "website"} <= mapping.columns.keys():
        why = "it was loaded as people only (without --kind people it brings their companies too)"
    else:
        why = "it has no columns of the companies' names and websites, by which companies are known; load a list that has them"
    return [
        f"no company is made from this file, because {why}: people whose company is not loaded wait for it (barton status BATCH)"
    ]


def _loaded_before(cursor: Cursor, kind: str, sha256: str, batch: str | None) -> LoadReport | None:
    cursor.execute(
        """SELECT import_batch_id, kind, source, file_name, sha256, column_mapping, rows_read, rows_loaded,
                  rows_rejected, rows_blank, true,
                  (SELECT coalesce(jsonb_object_agg(reason, n), '{}')
                   FROM (SELECT reason, count(*) AS n FROM intake.rejected_rows WHERE file_id = f.id GROUP BY 1) AS r)
           FROM intake.loaded_files f
           WHERE kind = %s AND sha256 = %s AND import_batch_id = coalesce(%s, import_batch_id)
           ORDER BY id DESC LIMIT 1""",
        [kind, sha256, batch],
    )
    row = cursor.fetchone()
    return LoadReport(*row) if row else None


class _BatchesInUse:
    """The batch keys any row or file has, asked one at a time (a Container for new_batch_key)."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    def __contains__(self, key: object) -> bool:
        tables = ["intake.loaded_files", *TABLES.values()]
        exists = " OR ".join(f"EXISTS (SELECT FROM {table} WHERE import_batch_id = %(key)s)" for table in tables)
        self._cursor.execute(f"SELECT {exists}", {"key": key})
        row = self._cursor.fetchone()
        return row is not None and bool(row[0])


def _new_batch(cursor: Cursor, stem: str) -> str:
    # different files of one name take their numbers one after the other; two such loads at once do so in turn
    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('barton new batch', 0))")
    return new_batch_key(stem, date.today(), _BatchesInUse(cursor))


def _constants(mapping: Mapping, batch: str, file: str) -> dict[str, str]:
    """Columns with one value for the whole file; a source_system column of the file goes before ours."""
    constants = {"import_batch_id": batch, "source_file": _text(file)}
    return constants if "source_system" in mapping.columns else {**constants, "source_system": mapping.source}


def _intake_lines(
    table: Table,
    mapping: Mapping,
    constants: dict[str, str],
    count: _Count,
    rejected: Any,
    companies: _Companies | None,
) -> Iterator[bytes]:
    """COPY lines of the rows, which are counted; rejected records are written to ``rejected``."""
    # a template filled with JSON strings is thrice as fast as encoding a dict per row
    raw_of = "{" + ", ".join(f"{_json_string(name)}: ".replace("%", "%%") + "%s" for name in table.header) + "}"
    now = datetime.now(UTC)
    firsts = [indexes[0] for indexes in mapping.columns.values()]
    others = [(cell, indexes[1:]) for cell, indexes in enumerate(mapping.columns.values()) if indexes[1:]]
    reads = [reader(mapping.kind, field) for field in mapping.columns]
    occurred_at = list(mapping.columns).index("occurred_at") if "occurred_at" in mapping.columns else None
    same_for_all = "\t".join(map(_escape, constants.values()))
    for record in table.rows():
        if isinstance(record, RejectedRow):
            count.rejected[record.reason] += 1
            if len(count.rejected_sample) < REJECTED_SAMPLE:
                count.rejected_sample.append(record)
            details = "\t".join([record.reason, _escape(record.details), _escape(record.raw)])
            rejected.write(f"{record.line_number}\t{details}\n".encode("utf-8", "replace"))
            continue
        number, values, _ = record
        cells = [read(values[first]) for read, first in zip(reads, firsts, strict=True)]
        for cell, indexes in others:
            cells[cell] = cells[cell] or next((text for i in indexes if (text := reads[cell](values[i]))), "")
        if occurred_at is not None:
            cells[occurred_at] = _moment(cells[occurred_at], now)
        joined = "".join(cells)
        if "\\" in joined or "\n" in joined or "\t" in joined or "\r" in joined:
            cells = [_escape(cell) for cell in cells]
        raw = (raw_of % tuple(map(_json_string, values))).replace("\\", "\\\\")
        row = "\t".join([cell or "\\N" for cell in cells])
        yield f"{row}\t{same_for_all}\t{number}\t{raw}\n".encode("utf-8", "replace")
        count.loaded += 1
        if companies:
            companies.add(number, values)


def _moment(text: str, now: datetime) -> str:
    """An offset such as "-3d" as the ISO timestamp it means; any other text as it is."""
    ago = DAYS_AGO.fullmatch(text)
    return (now - timedelta(days=int(ago[1]))).isoformat(timespec="seconds") if ago else text


def _escape(text: str) -> str:
    """Text as COPY's text format wants it (never NULL)."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def _text(name: str) -> str:
    """A file name as Postgres can store it: bytes that are not text become '?'."""
    return name.encode("utf-8", "replace").decode()


class _CopyStream:
    """What copy_expert reads from: lines, in chunks of about CHUNK_BYTES whatever size is asked for.

    psycopg2 turns an exception in read() into a database error, so the original is kept in ``error``.
    """

    def __init__(self, lines: Iterator[bytes], table: Table | None = None, progress: Progress | None = None) -> None:
        self._lines = lines
        self._table = table
        self._progress = progress
        self.error: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        try:
            lines, length = [], 0
            for line in self._lines:
                lines.append(line)
                length += len(line)
                if length >= CHUNK_BYTES:
                    break
            if self._table is not None and self._progress is not None:
                self._progress(self._table.bytes_done, self._table.bytes_total)
            return b"".join(lines)
        except BaseException as error:
            self.error = error
            raise


def _copy(cursor: Cursor, table: str, columns: list[str], stream: _CopyStream) -> None:
    statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN WITH (FORMAT text, ENCODING 'UTF8')"
    try:
        cursor.copy_expert(statement, stream)  # type: ignore[arg-type]  # psycopg2 calls read() only
    except psycopg2.Error:
        if stream.error is not None:
            raise stream.error from None
        raise


def _no_progress(done: int, total: int) -> None:
    pass
