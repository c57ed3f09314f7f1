"""Functions, triggers, views, grants and data: made again when their file changes, dropped when it goes."""

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from barton_pipeline.errors import DatabaseError
from barton_pipeline.postgres import migrations, schema_files
from barton_pipeline.postgres.connection import connect
from barton_pipeline.postgres.sql import sql_path
from barton_pipeline.queue import listening
from barton_pipeline_tests.builders import insert_companies
from barton_pipeline_tests.catalogue import catalogue
from barton_pipeline_tests.postgres.operations.test_operations import reverse, roll_back

NEXT = f"{schema_files.shipped().newest + 1:04}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the folder sql that may be changed."""
    return shutil.copytree(sql_path(), tmp_path / "sql")


def change(folder: Path, path: str, old: str, new: str) -> str:
    """Replace a piece of a file that stands there once; returns the path."""
    text = (folder / path).read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path} has {old!r} {text.count(old)} times"
    (folder / path).write_text(text.replace(old, new), encoding="utf-8")
    return path


def add_migration(folder: Path, statements: str) -> str:
    """A further migration; returns its path."""
    path = f"migrations/{NEXT}_more.sql"
    (folder / path).write_text(statements, encoding="utf-8")
    (folder / path.replace(".sql", ".down.sql")).write_text("SELECT 1", encoding="utf-8")
    return path


def touch_everything(folder: Path) -> None:
    """Change every file of functions, triggers and views without changing what it makes."""
    for file in folder.glob("objects/*/*.sql"):
        file.write_text(f"{file.read_text(encoding='utf-8')}-- touched\n", encoding="utf-8")


def numbers(db, catalog: str) -> dict[str, int]:
    """Name → oid of all views (pg_class) or functions (pg_proc): the same as long as they are not made anew."""
    name, schema = ("relname", "relnamespace") if catalog == "pg_class" else ("proname", "pronamespace")
    only = "relkind = 'v' AND" if catalog == "pg_class" else ""
    rows = db.query(
        f"SELECT {name}, oid FROM {catalog} WHERE {only} {schema}::regnamespace::text IN ('intake', 'marketing')"
    )
    return dict(rows)


def test_the_files_name_all_that_they_make(db) -> None:
    made = {name for file in schema_files.shipped().files for name in file.makes}
    functions = {
        name
        for (name,) in db.query(
            "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace::regnamespace::text IN ('intake', 'marketing')"
        )
    }
    declared = db.query(
        "SELECT to_regprocedure(substr(name, 10))::text FROM unnest(%s) AS name WHERE name LIKE 'FUNCTION %%'",
        list(made),
    )
    in_migration = {"marketing.actor()", "marketing.error_fingerprint(text)"}  # columns are made with them
    assert {name for (name,) in declared} | in_migration == functions, "every function has its COMMENT beside it"
    assert migrations.declared_views().keys() == {
        f"{schema}.{name}"
        for schema, name in db.query(
            "SELECT schemaname, viewname FROM pg_views WHERE schemaname IN ('intake', 'marketing')"
        )
    }
    assert migrations.declared_triggers().keys() == {
        name for (name,) in db.query("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")
    }


def test_a_changed_function_is_made_again_and_nothing_else(db, folder: Path) -> None:
    views = numbers(db, "pg_class")
    path = change(folder, "objects/functions/touch_updated_at.sql", "now()", "now() + interval '1 hour'")
    assert migrations.migrate(db.url, folder=folder) == [path]
    assert "1 hour" in db.value("SELECT prosrc FROM pg_proc WHERE proname = 'touch_updated_at'")
    assert numbers(db, "pg_class") == views
    assert db.query(
        "SELECT path FROM marketing.schema_objects WHERE applied_at = (SELECT max(applied_at) FROM marketing.schema_objects)"
    ) == [(path,)]
    assert migrations.migrate(db.url, folder=folder) == []


def test_a_view_whose_columns_change_is_made_again_with_those_that_read_it(db, folder: Path) -> None:
    path = change(folder, "objects/views/v_sniper_targets.sql", "    c.website_url,\n", "")
    text = (folder / path).read_text(encoding="utf-8")
    kept = [line for line in text.splitlines() if ".website_url IS" not in line]
    (folder / path).write_text("\n".join(kept), encoding="utf-8")
    assert migrations.migrate(db.url, folder=folder) == [path]
    columns = "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
    for view in ("marketing.v_sniper_targets", "marketing.v_sniper_target_details"):
        assert ("website_url",) not in db.query(columns, view) and ("company_name",) in db.query(columns, view)
    db.execute("SET LOCAL ROLE barton_readonly; SELECT * FROM marketing.v_sniper_target_details")


def test_what_others_were_granted_on_a_view_stays_when_it_is_made_again(db, folder: Path) -> None:
    db.execute("CREATE ROLE dashboard; GRANT USAGE ON SCHEMA marketing TO dashboard")
    try:
        db.execute(
            "GRANT SELECT ON marketing.v_alerts TO dashboard WITH GRANT OPTION; GRANT SELECT ON marketing.v_bit_surge TO PUBLIC"
        )
        before = catalogue(db)
        touch_everything(folder)
        migrations.migrate(db.url, folder=folder)
        assert catalogue(db) == before
        db.execute("SET LOCAL ROLE dashboard; SELECT * FROM marketing.v_alerts, marketing.v_bit_surge")
    finally:
        db.execute("DROP OWNED BY dashboard; DROP ROLE dashboard")


def test_somebody_elses_view_on_ours_is_named_and_nothing_changes(db, folder: Path) -> None:
    db.execute("CREATE VIEW public.board AS SELECT company_name FROM marketing.v_sniper_targets")
    touch_everything(folder)
    before = catalogue(db)
    with pytest.raises(
        DatabaseError, match=r"view board depends on view marketing\.v_sniper_targets\. Save its definition"
    ):
        migrations.migrate(db.url, folder=folder)
    assert catalogue(db) == before
    with pytest.raises(DatabaseError, match="view board depends on"):
        migrations.migrate_down(0, db.url)
    assert catalogue(db) == before
    db.execute("DROP VIEW public.board")
    assert migrations.migrate(db.url, folder=folder) != []


def test_a_new_column_is_in_the_view_that_shows_all_columns(db, folder: Path) -> None:
    path = add_migration(
        folder,
        "ALTER TABLE intake.company_raw_intake ADD COLUMN colour text; COMMENT ON COLUMN intake.company_raw_intake.colour IS 'Of the logo'",
    )
    assert migrations.migrate(db.url, folder=folder) == [path]
    insert_companies(db, "B1", 1)
    assert db.query("SELECT colour FROM intake.companies_to_process") == [(None,)]
    assert (
        db.value(
            "SELECT col_description('intake.companies_to_process'::regclass, attnum) FROM pg_attribute WHERE attrelid = 'intake.companies_to_process'::regclass AND attname = 'colour'"
        )
        == "Of the logo"
    )


def test_a_migration_may_change_a_column_that_a_view_shows(db, folder: Path) -> None:
    path = add_migration(folder, "ALTER TABLE marketing.alerts ALTER COLUMN value TYPE numeric")
    assert migrations.migrate(db.url, folder=folder) == [path]
    assert (
        db.value(
            "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'marketing.v_alerts'::regclass AND attname = 'value'"
        )
        == "numeric"
    )


def test_what_no_file_makes_any_more_is_dropped(db, folder: Path) -> None:
    before = catalogue(db)
    grants = "objects/grants.sql"
    text = (folder / grants).read_text(encoding="utf-8")
    (folder / grants).write_text(text.replace("            marketing.v_alerts,\n", ""), encoding="utf-8")
    for gone in ("views/v_alerts.sql", "triggers/marketing.pipeline_events.sql", "functions/linkedin_slug.sql"):
        (folder / "objects" / gone).unlink()
    change(
        folder, "objects/views/company_answers.sql", "marketing.linkedin_slug(c.linkedin_url)", "lower(c.linkedin_url)"
    )
    path = "objects/functions/event_days.sql"
    text = (folder / path).read_text(encoding="utf-8")
    (folder / path).write_text(
        text[text.index("CREATE OR REPLACE FUNCTION marketing.add_up_event_days") :], encoding="utf-8"
    )
    change(folder, grants, "            marketing.count_processed_events(),\n", "")

    applied = migrations.migrate(db.url, folder=folder)
    assert {"objects/views/v_alerts.sql", "objects/functions/linkedin_slug.sql", path} <= set(applied)
    vanished = {
        name.split()[0] + " " + name.split()[-1]
        for name in before.keys() - catalogue(db).keys()
        if not name.startswith("column")
    }
    assert vanished == {
        "relation marketing.v_alerts",
        "trigger pipeline_events_count_processed",
        "function marketing.linkedin_slug(text)",
        "function marketing.count_processed_events()",
    }
    assert migrations.migrate(db.url, folder=folder) == []
    assert migrations.migrate(db.url) != [], "the other version makes its own again"
    assert catalogue(db) == before


def test_a_function_with_other_arguments_takes_the_place_of_the_old_one(db, folder: Path) -> None:
    path = "objects/functions/linkedin_slug.sql"
    text = (folder / path).read_text(encoding="utf-8")
    text = text.replace("linkedin_slug(url text)", "linkedin_slug(url text, at_most integer DEFAULT 100)")
    (folder / path).write_text(text.replace("linkedin_slug(text)", "linkedin_slug(text, integer)"), encoding="utf-8")
    assert migrations.migrate(db.url, folder=folder) == [path]
    assert db.query("SELECT oid::regprocedure::text FROM pg_proc WHERE proname = 'linkedin_slug'") == [
        ("marketing.linkedin_slug(text,integer)",)
    ]
    assert db.query("SELECT * FROM marketing.company_answers") == []


def test_a_function_whose_arguments_are_spelt_differently_stays(db, folder: Path) -> None:
    path = change(
        folder,
        "objects/functions/pipeline_events.sql",
        "COMMENT ON FUNCTION marketing.purge_events(timestamptz, integer)",
        "COMMENT ON FUNCTION marketing.purge_events(timestamp with time zone, int)",
    )
    assert migrations.migrate(db.url, folder=folder) == [path]
    assert db.value("SELECT marketing.purge_events(now(), 1)") == 0


def test_data_follow_their_file(db, folder: Path) -> None:
    path = "data/public_suffix.sql"
    change(folder, path, "    ('aarp', 'rule'),\n", "    ('aarq', 'rule'),\n")
    change(folder, path, "    ('abb', 'rule'),\n", "    ('abb', 'wildcard'),\n")
    stages = "data/pipeline_stages.sql"
    change(
        folder,
        stages,
        "('company_slots', 4, 'enrichment'),\n",
        "('logos', 4, 'messaging'),\n('company_slots', 5, 'enrichment'),\n",
    )
    for place, stage in (
        (9, "sniper_targets"),
        (8, "ple_scores"),
        (7, "bit_scores"),
        (6, "verified_emails"),
        (5, "enriched_contacts"),
    ):
        change(folder, stages, f"('{stage}', {place}, ", f"('{stage}', {place + 1}, ")
    change(folder, stages, "('target_entered', NULL),\n", "('target_entered', 'logos'),\n")
    count = db.value("SELECT count(*) FROM intake.public_suffix")
    assert migrations.migrate(db.url, folder=folder) == [stages, path]
    assert db.query(
        "SELECT suffix, kind FROM intake.public_suffix WHERE suffix IN ('aarp', 'aarq', 'abb') ORDER BY 1"
    ) == [("aarq", "rule"), ("abb", "wildcard")]
    assert db.value("SELECT count(*) FROM intake.public_suffix") == count
    assert db.query("SELECT stage FROM marketing.pipeline_stages ORDER BY position")[3:5] == [
        ("logos",),
        ("company_slots",),
    ]
    assert db.query("SELECT event_type FROM marketing.event_routes WHERE entry_stage = 'logos' ORDER BY 1") == [
        ("continue_at_logos",),
        ("target_entered",),
    ]
    assert migrations.migrate(db.url) == [stages, path]
    assert db.value("SELECT count(*) FROM marketing.event_routes WHERE event_type = 'continue_at_logos'") == 0
    assert db.value("SELECT min(position) FROM marketing.pipeline_stages") == 1


def test_whoever_runs_on_another_ones_server_is_told_to_migrate(db, folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(migrations, "is_embedded", lambda url: False)
    migrations.require_schema(db.url)
    path = change(folder, "objects/functions/touch_updated_at.sql", "now()", "clock_timestamp()")
    changed = schema_files.read_schema(folder)
    monkeypatch.setattr(schema_files, "shipped", lambda: changed)
    with pytest.raises(DatabaseError, match=rf"1 file\(s\) are to be applied, for example {path}. Run: barton migrate"):
        migrations.require_schema(db.url)


def notified(db) -> bool:
    """Whether an event wakes listeners."""
    with closing(connect(db.url)) as listener:
        listening.start_listening(listener)
        db.execute("SELECT marketing.notify_pipeline_event('message_sent', '{}', 'N')")
        return bool(listening.listen(listener, 0.5))


TRIGGERS = "SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1"


@pytest.mark.parametrize("everything", [False, True], ids=["objects", "migration"])
def test_rollbacks_in_force_survive_an_upgrade_and_can_be_reversed_after_it(db, folder: Path, everything: bool) -> None:
    before = db.query(TRIGGERS)
    roll_back("silence")
    roll_back("trigger", "bit_signals_insert_events")
    roll_back("pause")
    in_force = db.query(TRIGGERS)
    assert ("company_raw_intake_insert_events", "D") in in_force and len(in_force) == len(before) - 1
    add_migration(folder, "SELECT 1") if everything else touch_everything(folder)
    migrations.migrate(db.url, folder=folder)
    assert db.query(TRIGGERS) == in_force and not notified(db)
    insert_companies(db, "B1", 1)
    assert db.value("SELECT count(*) FROM marketing.pipeline_events WHERE import_batch_id = 'B1'") == 0

    reverse("pause")
    assert [name for name, enabled in db.query(TRIGGERS) if enabled == "D"] == [] and not notified(db)
    reverse("silence")
    assert len(db.query(TRIGGERS)) == len(before) - 1 and notified(db)
    reverse("trigger", "bit_signals_insert_events")
    assert db.query(TRIGGERS) == before


def test_one_rollback_is_reversed_and_the_others_stay_in_force(db) -> None:
    """Making a table's triggers again must neither enable nor bring back what another rollback took away."""
    roll_back("trigger", "company_slots_insert_events")
    roll_back("trigger", "company_slots_update_events")
    roll_back("pause")
    reverse("trigger", "company_slots_insert_events")
    found = dict(db.query(TRIGGERS))
    assert found["company_slots_insert_events"] == "D" and "company_slots_update_events" not in found


def test_whoever_works_on_rows_may_switch_the_sensors_off_while_another_rollback_is_in_force(db, monkeypatch) -> None:
    roll_back("silence")
    roll_back("pause")
    monkeypatch.setenv("BARTON_DATABASE_URL", db.app_url)
    roll_back("manual")
    reverse("manual")
