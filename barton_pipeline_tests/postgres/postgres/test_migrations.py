"""Migrations: up, down, up again; run at once, edited, run by psql, and by a user who may not."""

import re
import shutil
import subprocess
import threading
from pathlib import Path

import psycopg2
import pytest

from barton_pipeline.errors import DatabaseError, InputError
from barton_pipeline.postgres import migrations
from barton_pipeline.postgres.connection import dsn_parameters
from barton_pipeline_tests.builders import insert_companies, run_stages

NEWEST = migrations.available()[-1].version


def objects(db) -> list[tuple[str, str]]:
    return db.query(
        """
        SELECT kind, name FROM (
            SELECT 'relation ' || c.relkind::text AS kind, c.oid::regclass::text AS name FROM pg_class c WHERE relkind IN ('r', 'v', 'S', 'i')
            AND relnamespace::regnamespace::text IN ('intake', 'marketing') AND c.relname <> 'schema_migrations'
            AND c.relname <> 'schema_migrations_pkey'
            UNION ALL SELECT 'function', p.oid::regprocedure::text FROM pg_proc p
            WHERE pronamespace::regnamespace::text IN ('intake', 'marketing')
            UNION ALL SELECT 'trigger', tgname FROM pg_trigger WHERE NOT tgisinternal
        ) o ORDER BY 1, 2
        """
    )


def test_every_step_down_and_up_again_ends_where_it_began(db) -> None:
    whole = objects(db)
    for version in range(NEWEST - 1, -1, -1):
        migrations.migrate_down(version, db.url)
    assert objects(db) == []
    assert db.value("SELECT count(*) FROM pg_namespace WHERE nspname IN ('intake', 'marketing')") == 0
    assert len(migrations.migrate(db.url)) == NEWEST
    assert objects(db) == whole
    insert_companies(db, "B1", 2)
    assert run_stages("B1")["company_master"]["companies_new"] == 2


def test_down_with_data(db) -> None:
    insert_companies(db, "B1", 5)
    run_stages("B1")
    migrations.migrate_down(0, db.url)
    assert objects(db) == []


def test_five_processes_at_once(empty_db) -> None:
    applied, problems, barrier = [], [], threading.Barrier(5)

    def migrate() -> None:
        try:
            barrier.wait()
            applied.extend(migrations.migrate(empty_db.url))
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=migrate) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert sorted(migration.version for migration in applied) == list(range(1, NEWEST + 1))


def test_a_second_time_does_nothing(db) -> None:
    assert migrations.migrate(db.url) == []
    migrations.ensure_migrated(db.url)


@pytest.mark.skipif(shutil.which("psql") is None, reason="psql is not installed")
def test_each_file_runs_with_psql_twice_and_the_runner_takes_over(empty_db) -> None:
    parameters = dsn_parameters(empty_db.url)
    environment = {"PGPASSWORD": parameters.pop("password", ""), "PATH": "/usr/bin:/bin:/usr/local/bin"}
    dsn = " ".join(f"{name}={value}" for name, value in parameters.items())
    for _ in range(2):
        for migration in migrations.available():
            command = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", dsn, "-f", str(migration.up)]
            subprocess.run(command, check=True, env=environment, capture_output=True)
    assert len(migrations.migrate(empty_db.url)) == NEWEST


def test_an_edited_file_and_a_newer_database_are_refused(empty_db, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    folder.mkdir()
    for version in (1, 2):
        (folder / f"000{version}_step.sql").write_text(f"CREATE TABLE IF NOT EXISTS marketing.t{version} ()")
        (folder / f"000{version}_step.down.sql").write_text(f"DROP TABLE IF EXISTS marketing.t{version}")
    migrations.migrate(empty_db.url, folder=folder)
    (folder / "0001_step.sql").write_text("SELECT 1")
    with pytest.raises(DatabaseError, match=r"0001_step.sql was edited"):
        migrations.migrate(empty_db.url, folder=folder)
    (folder / "0002_step.sql").unlink()
    with pytest.raises(DatabaseError, match="does not know"):
        migrations.migrate(empty_db.url, folder=folder)


def test_a_failing_file_leaves_nothing_half_done(empty_db, tmp_path: Path) -> None:
    (tmp_path / "0001_bad.sql").write_text("CREATE TABLE marketing.half (); SELECT 1 / 0")
    (tmp_path / "0001_bad.down.sql").write_text("")
    with pytest.raises(DatabaseError, match=r"0001_bad.sql failed and was rolled back"):
        migrations.migrate(empty_db.url, folder=tmp_path)
    assert empty_db.value("SELECT to_regclass('marketing.half') IS NULL")


def test_unknown_versions_are_refused(db) -> None:
    with pytest.raises(InputError, match="no migration 99"):
        migrations.migrate_down(99, db.url)


def test_the_application_role_works_on_rows_and_cannot_change_the_schema(db) -> None:
    db.execute(
        "SET LOCAL ROLE barton_app; INSERT INTO intake.company_raw_intake (company, import_batch_id) VALUES ('x', 'B')"
    )
    db.execute("SET LOCAL ROLE barton_app; SELECT marketing.notify_pipeline_event('company_created', '{}', 'B')")
    assert db.value("SELECT count(*) FROM marketing.pipeline_events") == 2
    for statement in (
        "CREATE TABLE marketing.x ()",
        "DROP TABLE marketing.company_slots",
        "TRUNCATE marketing.pipeline_events",
        "ALTER TABLE marketing.company_slots DISABLE TRIGGER ALL",
        "DELETE FROM marketing.barton_id_history",
        "UPDATE marketing.event_routes SET entry_stage = NULL",
    ):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            db.execute(f"SET LOCAL ROLE barton_app; {statement}")


def test_the_readonly_role_sees_views_and_no_contacts(db) -> None:
    db.execute("SET LOCAL ROLE barton_readonly; SELECT * FROM marketing.v_sniper_targets")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        db.execute("SET LOCAL ROLE barton_readonly; SELECT marketing.notify_pipeline_event('company_created')")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        db.execute("SET LOCAL ROLE barton_readonly; SELECT * FROM marketing.people_master")


def test_every_table_and_column_carries_a_comment_that_says_more_than_its_name(db) -> None:
    described = db.query(
        """
        SELECT c.oid::regclass::text, a.attname,
               CASE WHEN a.attnum IS NULL THEN obj_description(c.oid, 'pg_class') ELSE col_description(c.oid, a.attnum) END
        FROM pg_class c
        LEFT JOIN LATERAL (SELECT NULL::name AS attname, NULL::smallint AS attnum UNION ALL
                           SELECT attname, attnum FROM pg_attribute
                           WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS a ON true
        WHERE c.relkind IN ('r', 'v') AND c.relnamespace::regnamespace::text IN ('intake', 'marketing')
        """
    )
    assert len(described) > 300
    assert [f"{table}.{column}" for table, column, comment in described if not comment] == []
    assert [row for row in described if says_nothing_new(row[1] or row[0].split(".")[-1], row[2])] == []


def says_nothing_new(name: str, comment: str) -> bool:
    """True when every word of the comment stands in the name: "The batch" of import_batch_id, "Company: the company"."""
    return set(re.findall("[a-z0-9]+", comment.lower())) <= {*name.lower().split("_"), "a", "an", "its", "of", "the"}


def test_a_comment_that_repeats_the_name_is_noticed() -> None:
    for name, comment in (("company", "company: the company"), ("import_batch_id", "The batch"), ("city", "")):
        assert says_nothing_new(name, comment)
    assert not says_nothing_new("city", "Town")


def test_the_whole_pipeline_runs_as_the_application_role(db, monkeypatch) -> None:
    monkeypatch.setenv("BARTON_DATABASE_URL", db.app_url)
    insert_companies(db, "B1", 5)
    db.execute(
        "INSERT INTO intake.people_raw_intake (full_name, title, email, website, import_batch_id) "
        "VALUES ('Ann Example', 'CEO', 'ann@company1.com', 'company1.com', 'B1')"
    )
    assert run_stages("B1")["enriched_contacts"]["slots_filled"] == 1
    assert db.value("SELECT count(*) FROM marketing.pipeline_events WHERE status <> 'processed'") == 0
