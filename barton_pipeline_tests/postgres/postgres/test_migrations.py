"""Migrations: up, down, up again; run at once, edited, run by psql, and by a user who may not."""

import re
import shutil
import subprocess
import threading
from pathlib import Path

import psycopg2
import pytest

from barton_pipeline.errors import DatabaseError, InputError
from barton_pipeline.postgres import migrations, schema_files
from barton_pipeline.postgres.connection import dsn_parameters
from barton_pipeline.postgres.sql import sql_path
from barton_pipeline_tests.builders import insert_companies, run_stages
from barton_pipeline_tests.catalogue import catalogue
from tools import schema as schema_tool

SCHEMA = schema_files.shipped()
MIGRATIONS = [migration.path for migration in SCHEMA.migrations]
EVERYTHING = [*MIGRATIONS, *SCHEMA.checksums]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the folder sql that may be changed."""
    return shutil.copytree(sql_path(), tmp_path / "sql")


def ours(db) -> dict[str, object]:
    """The catalogue without the ledgers."""
    return {name: facts for name, facts in catalogue(db).items() if "marketing.schema_" not in name}


def test_every_step_down_and_up_again_ends_where_it_began(db) -> None:
    whole = catalogue(db)
    for version in range(SCHEMA.newest - 1, -1, -1):
        migrations.migrate_down(version, db.url)
    assert catalogue(db) == {}
    assert migrations.migrate(db.url) == EVERYTHING
    assert catalogue(db) == whole
    insert_companies(db, "B1", 2)
    assert run_stages("B1")["company_master"]["companies_new"] == 2


def test_step_by_step_up_the_objects_come_with_the_newest(empty_db, db) -> None:
    for migration in SCHEMA.migrations[:-1]:
        assert migrations.migrate(empty_db.url, to=migration.version) == [migration.path]
    kinds = {name.split()[0] for name in ours(empty_db)}
    assert kinds == {"schema", "relation", "column", "sequence", "constraint", "index", "function"}
    functions = {name for name in ours(empty_db) if name.startswith("function ")}
    assert functions == {"function marketing.actor()", "function marketing.error_fingerprint(text)"}, (
        "columns need them"
    )
    assert migrations.migrate(empty_db.url, to=SCHEMA.newest) == [MIGRATIONS[-1], *SCHEMA.checksums]
    assert catalogue(empty_db) == catalogue(db)


def test_down_with_data(db) -> None:
    insert_companies(db, "B1", 5)
    run_stages("B1")
    assert migrations.migrate_down(SCHEMA.newest, db.url) == []
    assert run_stages("B1")["company_master"]["rows_in"] == 5, "nothing to undo: nothing is dropped"
    assert migrations.migrate_down(0, db.url) == MIGRATIONS[::-1]
    assert catalogue(db) == {}


def test_a_failing_way_down_leaves_everything(db, folder: Path) -> None:
    first = folder / "migrations" / "0001_schemas.down.sql"
    first.write_text("SELECT 1 / 0")
    whole = catalogue(db)
    with pytest.raises(DatabaseError, match=r"0001_schemas.down.sql failed and was rolled back"):
        migrations.migrate_down(0, db.url, folder)
    assert catalogue(db) == whole


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
    assert applied == EVERYTHING


def test_a_second_time_does_nothing(db, monkeypatch) -> None:
    written = (
        "SELECT max(xmin::text::bigint) FROM (SELECT xmin FROM pg_class UNION ALL SELECT xmin FROM pg_proc) AS rows"
    )
    before = db.value(written)
    assert migrations.migrate(db.url) == []
    monkeypatch.setattr(migrations, "migrate", lambda url: pytest.fail("ensure_migrated does not start it"))
    migrations.ensure_migrated(db.url)
    monkeypatch.undo()
    assert migrations.migrate(db.app_url) == [], "whoever may not change the schema is told that there is nothing to do"
    assert db.value(written) == before


@pytest.mark.skipif(shutil.which("psql") is None, reason="psql is not installed")
def test_psql_installs_the_same_twice_and_the_runner_takes_over(empty_db, db) -> None:
    parameters = dsn_parameters(empty_db.url)
    environment = {"PGPASSWORD": parameters.pop("password", ""), "PATH": "/usr/bin:/bin:/usr/local/bin"}
    dsn = " ".join(f"{name}={value}" for name, value in parameters.items())
    for options in ([], ["-1"]):
        command = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *options, "-d", dsn, "-f", str(sql_path("install.sql"))]
        subprocess.run(command, check=True, env=environment, capture_output=True)
        assert catalogue(empty_db) == catalogue(db)
    assert migrations.migrate(empty_db.url) == EVERYTHING
    assert catalogue(empty_db) == catalogue(db)
    assert migrations.migrate(empty_db.url) == []


def test_install_sql_names_every_file_in_order() -> None:
    assert sql_path("install.sql").read_text(encoding="utf-8") == schema_tool.install(), (
        "Files were added or taken away. Run: python -m tools.schema"
    )


def test_schema_sql_is_what_the_files_make(db) -> None:
    if not dsn_parameters(db.url)["host"].startswith("/"):
        pytest.skip("written by the pg_dump of the embedded server")
    written = sql_path("schema.sql").read_text(encoding="utf-8")
    assert written == schema_tool.describe(db.url), "The schema has changed. Run: python -m tools.schema"


def test_an_edited_migration_and_a_newer_database_are_refused(db, folder: Path) -> None:
    last = folder / MIGRATIONS[-1]
    text = last.read_text(encoding="utf-8")
    last.write_text(f"{text}-- edited\n", encoding="utf-8")
    for call in (lambda: migrations.migrate(db.url, folder=folder), lambda: migrations.migrate_down(1, db.url, folder)):
        with pytest.raises(DatabaseError, match=f"{last.name} was edited after it was applied"):
            call()
    last.unlink()
    with pytest.raises(DatabaseError, match=rf"has migrations \[{SCHEMA.newest}\] that this version .* does not know"):
        migrations.migrate(db.url, folder=folder)


@pytest.mark.parametrize(
    "path", [MIGRATIONS[-1], "data/pipeline_stages.sql", "objects/views/v_alerts.sql", "objects/grants.sql"]
)
def test_a_failing_file_leaves_the_database_as_it_was(empty_db, folder: Path, path: str) -> None:
    file = folder / path
    file.write_text(f"{file.read_text(encoding='utf-8')}\nSELECT 1 / 0;", encoding="utf-8")
    with pytest.raises(DatabaseError, match=f"{file.name} failed and was rolled back: division by zero"):
        migrations.migrate(empty_db.url, folder=folder)
    assert catalogue(empty_db) == {}


def test_unknown_versions_are_refused(db) -> None:
    with pytest.raises(InputError, match="no migration 99"):
        migrations.migrate_down(99, db.url)


@pytest.mark.parametrize("part", ["migrations", "data", "objects/functions", "objects/views", "objects/grants.sql"])
def test_an_incomplete_installation_says_so(empty_db, folder: Path, part: str) -> None:
    gone = folder / part
    gone.unlink() if gone.is_file() else shutil.rmtree(gone)
    with pytest.raises(DatabaseError, match=rf"installation is incomplete: there is no \w+ in .*{folder.name}"):
        migrations.migrate(empty_db.url, folder=folder)


def test_a_migration_without_a_way_back_or_with_another_ones_number_is_refused(folder: Path) -> None:
    path = folder / "migrations" / f"{SCHEMA.newest + 1:04}_more.sql"
    path.write_text("SELECT 1")
    with pytest.raises(DatabaseError, match=rf"{path.name} has no .down.sql file"):
        migrations.available(folder)
    path.rename(path.with_name("0001_more.sql"))
    (folder / "migrations" / "0001_more.down.sql").write_text("SELECT 1")
    with pytest.raises(DatabaseError, match="shares its number"):
        migrations.available(folder)


def test_roles_that_could_not_be_created_are_made_up_for(db) -> None:
    db.execute("ALTER ROLE barton_readonly RENAME TO barton_before")
    try:
        assert migrations.migrate(db.url) == []
        db.execute("SET LOCAL ROLE barton_readonly; SELECT * FROM marketing.v_sniper_targets")
    finally:
        db.execute(
            "DROP OWNED BY barton_readonly; DROP ROLE barton_readonly; ALTER ROLE barton_before RENAME TO barton_readonly"
        )


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


def test_every_table_and_view_is_granted_to_the_application_role_and_views_are_read_only(db) -> None:
    granted = db.query(
        """
        SELECT oid::regclass::text, relkind, has_table_privilege('barton_app', oid, 'SELECT'),
               has_any_column_privilege('barton_app', oid, 'INSERT, UPDATE') OR has_table_privilege('barton_app', oid, 'DELETE')
        FROM pg_class WHERE relkind IN ('r', 'v') AND relnamespace::regnamespace::text IN ('intake', 'marketing')
        """
    )
    assert [name for name, _, may_read, _ in granted if not may_read] == [], "name it in sql/objects/grants.sql"
    assert [name for name, kind, _, may_write in granted if kind == "v" and may_write] == []
    assert sum(may_write for _, _, _, may_write in granted) > 30


def test_functions_with_the_owners_rights_that_serve_triggers_are_closed(db) -> None:
    closed = db.query(
        """
        SELECT oid::regprocedure::text, has_function_privilege('barton_app', oid, 'EXECUTE') FROM pg_proc
        WHERE prosecdef AND prorettype = 'trigger'::regtype AND pronamespace::regnamespace::text = 'marketing'
        """
    )
    assert len(closed) == 4
    assert [name for name, may_call in closed if may_call] == [], "revoke it in sql/objects/grants.sql"
    open_to_all = db.query(
        """
        SELECT oid::regprocedure::text FROM pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner))) a
        WHERE pronamespace::regnamespace::text = 'marketing' AND a.grantee = 0
        """
    )
    assert open_to_all == [], "revoke it from everybody beside its definition"


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
