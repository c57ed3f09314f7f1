"""A database of version 0.1.0 (22 migrations) with the data of a demo becomes one of this version, and nothing is lost.

The fixture is what pg_dump said of it: samples and a second batch with matches and one match undone, sandbox answers, outcomes, a
person forgotten, a batch undone, a row set aside, rollbacks, alerts. The public suffix list is left out: it is loaded anew.
"""

import gzip
from pathlib import Path
from typing import Any

import pytest

from barton_pipeline.errors import DatabaseError
from barton_pipeline.postgres import migrations, schema_files
from barton_pipeline_tests.builders import insert_companies, run_stages
from barton_pipeline_tests.catalogue import catalogue
from barton_pipeline_tests.conftest import PROJECT
from barton_pipeline_tests.postgres.operations.test_operations import reverse

DUMP = PROJECT / "barton_pipeline_tests" / "data" / "database_0.1.0.sql.gz"
# Tables that say what version the schema has, and those that are loaded from the files of sql/data.
SCORES = "SELECT company_name, data_quality_score FROM marketing.company_master"
OF_THE_SCHEMA = (
    "marketing.schema_migrations",
    "marketing.schema_objects",
    "intake.public_suffix",
    "intake.shared_domains",
)


@pytest.fixture
def old(empty_db, template: str) -> Any:  # the template: it has made the roles
    """The database of version 0.1.0."""
    empty_db.execute(gzip.decompress(DUMP.read_bytes()).decode())
    return empty_db


def contents(db, columns: dict[str, list[str]]) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, in these columns."""
    return {
        table: sorted(db.query(f"SELECT {', '.join(names)} FROM {table}"), key=repr) for table, names in columns.items()
    }


def columns_of(db) -> dict[str, list[str]]:
    """Table → its columns."""
    return dict(
        db.query(
            """
            SELECT attrelid::regclass::text, array_agg(attname::text ORDER BY attnum)
            FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
            WHERE relkind = 'r' AND attnum > 0 AND NOT attisdropped AND relnamespace::regnamespace::text IN ('intake', 'marketing')
              AND attrelid::regclass::text <> ALL (%s)
            GROUP BY 1
            """,
            list(OF_THE_SCHEMA),
        )
    )


def test_nothing_is_lost_and_the_schema_is_that_of_a_new_database(old, db) -> None:
    columns = columns_of(old)
    columns["marketing.company_master"].remove("data_quality_score")  # computed since 0011
    before = contents(old, columns)
    scores = dict(old.query(SCORES))
    assert len(before) == 41
    assert sum(not rows for rows in before.values()) == 1, "of all tables only known_ids is empty"
    sequences = "SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 1, 2"
    drawn = old.query(sequences)

    applied = migrations.migrate(old.url)
    assert [path for path in applied if path in schema_files.shipped().checksums] == list(
        schema_files.shipped().checksums
    )
    assert contents(old, columns) == before
    assert set(old.query(sequences)) >= set(drawn)
    fell = {name: score for name, score in old.query(SCORES) if score < scores[name]}
    assert fell == {"13 Below Brewery": 60}, "the match that was undone had left it as it was: 90"
    assert old.query("TABLE intake.public_suffix ORDER BY 1") == db.query("TABLE intake.public_suffix ORDER BY 1")
    assert catalogue(old) == catalogue(db)
    ledger = "SELECT version, name, checksum FROM marketing.schema_migrations ORDER BY 1"
    assert old.query(ledger) == db.query(ledger)
    files = "SELECT path, checksum, makes FROM marketing.schema_objects ORDER BY 1"
    assert old.query(files) == db.query(files)
    assert migrations.migrate(old.url) == []


def test_the_pipeline_goes_on_with_it(old) -> None:
    migrations.migrate(old.url)
    insert_companies(old, "NEW", 3)
    old.execute(
        "INSERT INTO intake.company_raw_intake (company, website, import_batch_id) VALUES ('16 Lots Brewing, Inc.', '16lots.com', 'NEW')"
    )
    counts = run_stages("NEW")["company_master"]
    assert (counts["companies_new"], counts["companies_joined"]) == (3, 1)
    assert old.value("SELECT max(company_unique_id) FROM marketing.company_master") == "04.04.01.84.00524.001"
    assert run_stages("SECOND")["sniper_targets"]["rows_in"] == 3


def test_all_that_it_had_besides_tables_is_known_and_goes_when_no_file_makes_it(old, tmp_path: Path) -> None:
    """The list in adopt_version_0_1_0.sql is complete."""
    had = {name for name in catalogue(old) if name.startswith(("function", "trigger"))}
    had |= {
        f"relation {name}"
        for (name,) in old.query(
            "SELECT schemaname || '.' || viewname FROM pg_views WHERE schemaname IN ('intake', 'marketing')"
        )
    }
    listed = set()
    with old.connect() as connection, connection.cursor() as cursor:
        cursor.execute((PROJECT / "sql" / "ledgers.sql").read_text())
        cursor.execute((PROJECT / "sql" / "adopt_version_0_1_0.sql").read_text())
        cursor.execute(
            "SELECT name, to_regprocedure(CASE WHEN name LIKE 'FUNCTION %' THEN substr(name, 10) END)::text FROM marketing.schema_objects, unnest(makes) AS name"
        )
        for name, function in cursor.fetchall():
            kind, first, *rest = name.split()
            listed.add(
                {
                    "FUNCTION": f"function {function}",
                    "VIEW": f"relation {first}",
                    "TRIGGER": f"trigger {rest[-1:] and rest[-1]} {first}",
                }[kind]
            )
    connection.close()
    assert listed == had


def test_rollbacks_in_force_stay_in_force(old) -> None:
    old.execute(
        """
        SELECT marketing.begin_operation('silence'), marketing.begin_operation('trigger', 'bit_signals_insert_events');
        DROP TRIGGER bit_signals_insert_events ON marketing.bit_signals;
        """
    )
    migrations.migrate(old.url)
    assert old.value("SELECT count(*) FROM pg_trigger WHERE tgname = 'bit_signals_insert_events'") == 0
    assert "pg_notify" not in old.value("SELECT prosrc FROM pg_proc WHERE proname = 'wake_listeners'")
    reverse("silence")
    reverse("trigger", "bit_signals_insert_events")
    assert old.value("SELECT count(*) FROM pg_trigger WHERE tgname = 'bit_signals_insert_events'") == 1


def test_an_incomplete_one_is_refused_and_says_what_to_do(old) -> None:
    old.execute("DELETE FROM marketing.schema_migrations WHERE version > 20")
    before = catalogue(old)
    for call in (
        lambda: migrations.migrate(old.url),
        lambda: migrations.migrate_down(0, old.url),
        lambda: migrations.ensure_migrated(old.url),
    ):
        with pytest.raises(
            DatabaseError,
            match=r"made by version 0\.1\.0 and has only migrations .* of its 1 to 22\. Install the last commit of version 0\.1\.0",
        ):
            call()
    assert catalogue(old) == before


def test_it_can_be_removed_without_an_upgrade_before(old) -> None:
    baseline = schema_files.shipped().migrations[: migrations.BASELINE]
    assert migrations.migrate_down(0, old.url) == [migration.path for migration in reversed(baseline)]
    assert catalogue(old) == {}
