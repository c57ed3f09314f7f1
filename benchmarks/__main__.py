"""``python -m benchmarks [ROWS …]``: costs as ratios against a baseline measured beside them in the same run.

It works in a database of its own (``<database>_benchmark``) on the configured server and drops it at the end.
"""

import io
import os
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit, urlunsplit

from psycopg2.extensions import connection as Connection

from barton_pipeline import database, migrations, validation
from barton_pipeline.intake.loading import load_file
from barton_pipeline.stages import run_sql

DEFAULT_ROWS = [1_000, 10_000, 100_000]

BARE = """
    DROP TABLE IF EXISTS bare_intake, bare_master, bare_slots;
    CREATE TABLE bare_intake (LIKE intake.company_raw_intake INCLUDING DEFAULTS INCLUDING IDENTITY INCLUDING INDEXES);
    CREATE TABLE bare_master (LIKE marketing.company_master INCLUDING DEFAULTS INCLUDING INDEXES);
    CREATE TABLE bare_slots (LIKE marketing.company_slots INCLUDING DEFAULTS INCLUDING INDEXES);
"""
# The barest chain that ends with the same rows: no rules, no matching, no checks, no triggers, no foreign keys.
CHAIN = [
    """
    UPDATE bare_intake
    SET validated = true, validated_at = now(), domain = substr(website, 13), company_name_key = lower(company)
    """,
    """
    INSERT INTO bare_master
        (company_unique_id, company_name, website_url, domain, company_name_key, import_batch_id, data_quality_score)
    SELECT '04.04.01.' || (84 + (id - 1) / 99999) || '.' || lpad(((id - 1) %% 99999 + 1)::text, 5, '0') || '.001',
           company, website, domain, company_name_key, import_batch_id, 0 FROM bare_intake
    """,
    """
    INSERT INTO bare_slots (company_slot_unique_id, company_unique_id, slot_type, slot_label)
    SELECT '04.04.05' || substr(company_unique_id, 9, 9) || kind.version, company_unique_id, kind.slot_type, kind.slot_type
    FROM bare_master CROSS JOIN (VALUES ('CEO', '.001'), ('CFO', '.002'), ('HR', '.003')) AS kind (slot_type, version)
    """,
]


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def copy_rows(connection: Connection, table: str, rows: int, batch: str) -> None:
    """COPY rows of distinct companies into a table, and commit."""
    lines = io.StringIO(
        "".join(f"Company {n} Inc\thttps://www.c{batch.lower()}{n}.com\t{batch}\n" for n in range(rows))
    )
    with connection.cursor() as cursor:
        cursor.copy_expert(f"COPY {table} (company, website, import_batch_id) FROM STDIN", lines)
    connection.commit()


def execute(connection: Connection, *statements: str) -> None:
    """Run statements and commit."""
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement.replace("%%", "%"))
    connection.commit()


def _copy_seconds(connection: Connection, rows: int, batch: str) -> float:
    return seconds(lambda: copy_rows(connection, "intake.company_raw_intake", rows, batch))


def triggers(connection: Connection, rows: int) -> None:
    """Insert with event triggers against the same insert with them switched off, best of three, alternating."""
    with_events: list[float] = []
    without: list[float] = []
    for turn in range(3):
        with_events.append(_copy_seconds(connection, rows, f"T{rows}-{turn}a"))
        execute(connection, "ALTER TABLE intake.company_raw_intake DISABLE TRIGGER company_raw_intake_insert_events")
        without.append(_copy_seconds(connection, rows, f"T{rows}-{turn}b"))
        execute(connection, "ALTER TABLE intake.company_raw_intake ENABLE TRIGGER company_raw_intake_insert_events")
    ratio = min(with_events) / min(without)
    print(f"trigger   {rows:>9,} rows by COPY: {min(with_events):7.2f} s, {ratio:5.2f} x a bare insert")


def stages(connection: Connection, rows: int) -> None:
    """Intake to slots against the barest INSERT … SELECT chain over the same rows."""
    batch = f"S{rows}"
    copy_rows(connection, "intake.company_raw_intake", rows, batch)
    execute(connection, BARE)
    copy_rows(connection, "bare_intake", rows, batch)
    execute(connection, "ANALYZE intake.company_raw_intake", "ANALYZE bare_intake")

    def ours() -> None:
        validation.run(connection, batch)
        run_sql(connection, "company_master", batch=batch)
        run_sql(connection, "company_slots", batch=batch)
        connection.commit()

    mine, bare = seconds(ours), seconds(lambda: execute(connection, *CHAIN))
    print(f"stages    {rows:>9,} companies to slots: {mine:7.2f} s, {mine / bare:5.2f} x the barest chain")


def load(connection: Connection, rows: int) -> None:
    """barton load of a CSV against COPY of the same rows into the same table."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "companies.csv"
        file.write_text(
            "Company,Website\n" + "".join(f"Company {n} Inc,https://www.l{rows}x{n}.com\n" for n in range(rows))
        )
        mine = seconds(lambda: load_file(connection, file, kind="companies", batch=f"L{rows}"))
    bare = seconds(lambda: copy_rows(connection, "intake.company_raw_intake", rows, f"L{rows}b"))
    print(f"load      {rows:>9,} rows of CSV: {rows / mine:9,.0f} rows/s, {mine / bare:5.2f} x COPY of ready rows")


def main() -> None:
    """Run every measurement at every size."""
    sizes = [int(argument) for argument in sys.argv[1:]] or DEFAULT_ROWS
    parts = urlsplit(database.database_url())
    url = urlunsplit(parts._replace(path=f"{parts.path}_benchmark"))
    os.environ["BARTON_DATABASE_URL"] = url
    database.ensure_database(url)
    migrations.migrate(url)
    try:
        with closing(database.connect(url)) as connection:
            for measure in (triggers, stages, load):
                for rows in sizes:
                    measure(connection, rows)
    finally:
        with closing(database.connect(urlunsplit(parts._replace(path="/postgres")))) as admin:
            admin.autocommit = True
            with admin.cursor() as cursor:
                cursor.execute(f'DROP DATABASE "{database.dsn_parameters(url)["dbname"]}" WITH (FORCE)')


if __name__ == "__main__":
    main()
