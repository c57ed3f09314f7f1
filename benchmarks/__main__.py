"""``python -m benchmarks [ROWS …]``: costs as ratios against a baseline measured beside them in the same run.

It works in a database of its own (``<database>_benchmark``) on the configured server and drops it at the end.
"""

import io
import os
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit, urlunsplit

from psycopg2.extensions import connection as Connection

from barton_pipeline.intake.loading import load_file
from barton_pipeline.pipeline import BY_NAME, stage_run
from barton_pipeline.postgres import migrations
from barton_pipeline.postgres.connection import connect, database_url, dsn_parameters, ensure_database
from barton_pipeline.stages.runner import run_stage

DEFAULT_ROWS = [1_000, 10_000, 100_000]

# The barest INSERT … SELECT chain that puts the same rows into the same tables: no rules, no normalisation, no matching
# with what is there. What it costs is the price of the schema: constraints, foreign keys, indexes, event triggers.
CHAIN = [
    """
    SET LOCAL barton.skip_update_events = 'on';
    UPDATE intake.company_raw_intake
    SET validated = true, validated_at = now(), domain = substr(website, 13), company_name_key = lower(company)
    WHERE import_batch_id = %(batch)s
    """,
    """
    INSERT INTO marketing.company_master
        (company_unique_id, company_name, website_url, domain, company_name_key, import_batch_id)
    SELECT marketing.barton_id('01', nextval('marketing.company_number')), company, website, domain, company_name_key,
           import_batch_id
    FROM intake.company_raw_intake WHERE import_batch_id = %(batch)s
    """,
    """
    INSERT INTO marketing.company_batches (import_batch_id, company_unique_id, mentioned_by)
    SELECT import_batch_id, company_unique_id, 'companies' FROM marketing.company_master WHERE import_batch_id = %(batch)s
    """,
    """
    INSERT INTO marketing.company_matches (intake_id, company_unique_id, rule)
    SELECT r.id, m.company_unique_id, 'new_company'
    FROM intake.company_raw_intake r JOIN marketing.company_master m USING (domain, company_name_key)
    WHERE r.import_batch_id = %(batch)s
    """,
    """
    INSERT INTO marketing.company_slots (company_slot_unique_id, company_unique_id, slot_type, slot_label)
    SELECT '04.04.05' || substr(company_unique_id, 9, 9) || kind.version, company_unique_id, kind.slot_type, kind.slot_type
    FROM marketing.company_master CROSS JOIN (VALUES ('CEO', '.001'), ('CFO', '.002'), ('HR', '.003')) AS kind (slot_type, version)
    WHERE import_batch_id = %(batch)s
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


def execute(connection: Connection, *statements: str, **parameters: str) -> None:
    """Run statements and commit."""
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement, parameters or None)
    connection.commit()


def checkpoint(connection: Connection) -> None:
    """Write dirty pages now, so that the next measurement does not pay for the last one."""
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")
    connection.autocommit = False


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


def constraints(connection: Connection, rows: int) -> None:
    """COPY into the intake table against the same columns and indexes without checks, keys and triggers, best of three."""
    execute(
        connection,
        "CREATE TABLE IF NOT EXISTS intake.bare (LIKE intake.company_raw_intake INCLUDING DEFAULTS INCLUDING IDENTITY "
        "INCLUDING INDEXES)",
    )
    ours: list[float] = []
    bare: list[float] = []
    for turn in range(3):
        ours.append(_copy_seconds(connection, rows, f"K{rows}-{turn}a"))
        bare.append(seconds(partial(copy_rows, connection, "intake.bare", rows, f"K{rows}-{turn}b")))
    print(f"checks    {rows:>9,} rows by COPY: {min(ours):7.2f} s, {min(ours) / min(bare):5.2f} x a table without any")


INTAKE_TO_SLOTS = ("validated_companies", "company_master", "company_slots")


def _empty_companies(connection: Connection) -> None:
    # both begin with empty tables, and the numbers of a million companies twice would exceed the ID grammar
    execute(connection, "TRUNCATE marketing.company_master CASCADE", "ALTER SEQUENCE marketing.company_number RESTART")
    checkpoint(connection)


def stages(connection: Connection, rows: int) -> None:
    """Intake to slots, as a run does it, against the barest chain that fills the same tables."""
    chained, batch = f"C{rows}", f"S{rows}"
    for key in (chained, batch):
        copy_rows(connection, "intake.company_raw_intake", rows, key)
    execute(connection, "ANALYZE intake.company_raw_intake")
    _empty_companies(connection)
    chain = seconds(lambda: execute(connection, *CHAIN, batch=chained))
    _empty_companies(connection)
    run_id = str(uuid.uuid4())
    run = stage_run(batch, run_id, run_id, False, frozenset(INTAKE_TO_SLOTS), "manual")
    mine = sum(run_stage(run, BY_NAME[stage])["seconds"] for stage in INTAKE_TO_SLOTS)
    print(
        f"stages    {rows:>9,} companies to slots: {mine:7.2f} s, {1e6 * mine / rows:6.1f} us a company, "
        f"{mine / chain:5.2f} x the barest chain"
    )


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
    parts = urlsplit(database_url())
    url = urlunsplit(parts._replace(path=f"{parts.path}_benchmark"))
    os.environ["BARTON_DATABASE_URL"] = url
    ensure_database(url)
    migrations.migrate(url)
    try:
        with closing(connect(url)) as connection:
            for measure in (triggers, constraints, stages, load):
                for rows in sizes:
                    measure(connection, rows)
    finally:
        with closing(connect(urlunsplit(parts._replace(path="/postgres")))) as admin:
            admin.autocommit = True
            with admin.cursor() as cursor:
                cursor.execute(f'DROP DATABASE "{dsn_parameters(url)["dbname"]}" WITH (FORCE)')


if __name__ == "__main__":
    main()
