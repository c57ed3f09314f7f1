"""Laws of every action that the package has: a preview changes nothing and tells the truth, and what is done leaves a row."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from barton_pipeline import actions
from barton_pipeline.actions.audit import Actor, PreviewOutdated
from barton_pipeline.error_log import ErrorFilter
from barton_pipeline.monitoring import channels
from barton_pipeline.operations import backup, rollbacks
from barton_pipeline.postgres import migrations, sql
from barton_pipeline.postgres.connection import connect, transaction
from barton_pipeline.queue import events
from barton_pipeline_tests.builders import break_rows, insert_companies, repair, run_stages

ANN = Actor("ann", "operator", "web", request_id="R-1")


def find_actions() -> dict[str, Callable[..., Any]]:
    """Every function of the package that takes an actor, by name."""
    found: dict[str, Callable[..., Any]] = {}
    for module in pkgutil.iter_modules(actions.__path__, f"{actions.__name__}."):
        for name, function in inspect.getmembers(importlib.import_module(module.name), inspect.isfunction):
            is_one = function.__module__ == module.name and "actor" in inspect.signature(function).parameters
            if is_one and not hasattr(function, "__wrapped__"):  # the context managers of audit
                assert name not in found, f"two actions are called {name}"
                found[name] = function
    return found


ACTIONS = find_actions()


@dataclass(frozen=True)
class Case:
    """How the database is made ready for an action, and what the action is given: (database, folder) → keyword arguments.

    ``owner``: the application's role may not do it. ``changes``: rows of the two schemas are other ones afterwards.
    """

    prepare: Callable[[Any, Path], dict[str, Any]]
    owner: bool = False
    changes: bool = True


def batch(db: Any, _: Path) -> dict[str, Any]:
    insert_companies(db, "B1", 3)
    run_stages("B1")
    return {"import_batch_id": "B1"}


def file(db: Any, folder: Path) -> dict[str, Any]:
    insert_companies(db, "B0", 2)
    run_stages("B0")
    text = "Firma;Web;Company\nCompany 1;company1.com;x\nCompany 9;company9.com;x;y\n;;\nCompany 7;company7.com;\n"
    (folder / "file.csv").write_text(text)
    return {"file": folder / "file.csv", "columns": {"company": "Firma", "website": "Web"}, "judge": True}


def dead_letters(db: Any, _: Path) -> dict[str, Any]:
    insert_companies(db, "B1", 30)
    break_rows(db, "marketing.company_master", "NEW.company_name IN ('Company 7 Inc', 'Company 9 Inc')")
    run_stages("B1")
    repair(db, "marketing.company_master")
    insert_companies(db, "B2", 1, first=90)
    for _attempt in range(events.settings().max_attempts):
        with transaction(db.url) as connection:
            claim = events.accept(connection, "B2")
            assert claim
            events.fail(connection, claim.lease_token, "boom")
        db.execute("UPDATE marketing.pipeline_events SET available_at = now() WHERE status = 'pending'")
    return {"every": True}


def open_errors(db: Any, _: Path) -> dict[str, Any]:
    for row in (1, 2):
        db.execute("SELECT marketing.log_pipeline_error('t', NULL, %s)", f"row {row} is gone")
    return {"wanted": ErrorFilter(fingerprint=db.value("SELECT marketing.error_fingerprint('row 3 is gone')"))}


def closed_error(db: Any, folder: Path) -> dict[str, Any]:
    open_errors(db, folder)
    db.execute("SELECT marketing.resolve_pipeline_error(1, 'me')")
    return {"ids": [1]}


def twins(db: Any, _: Path) -> dict[str, Any]:
    for name in ("Acme Inc", "Acme LLC"):
        db.execute(
            "INSERT INTO intake.company_raw_intake (company, website, import_batch_id) VALUES (%s, 'acme.com', 'B1')",
            name,
        )
    run_stages("B1")
    return {"row_id": 2}


def person(db: Any, folder: Path) -> dict[str, Any]:
    batch(db, folder)
    db.execute(
        "INSERT INTO intake.people_raw_intake (full_name, title, email, website, import_batch_id) "
        "VALUES ('Ann Ames', 'CEO', 'ann@company1.com', 'company1.com', 'B1')"
    )
    run_stages("B1")
    return {"person": "ann@company1.com"}


def holds(db: Any, folder: Path) -> dict[str, Any]:
    db.execute(
        "INSERT INTO marketing.vendor_holds (import_batch_id, operation, reason, vendor, inputs, message, stage, retry_at) "
        "VALUES ('B1', 'leads_finder', 'budget', 'apify', 3, 'no money', 'enriched_contacts', now() + interval '1 hour')"
    )
    return batch(db, folder)


def paused(db: Any, folder: Path) -> dict[str, Any]:
    with transaction(db.url) as connection:
        rollbacks.roll_back(connection, "pause")
    batch(db, folder)
    return {"rollback": "pause"}


def champion(db: Any, _: Path) -> dict[str, Any]:
    db.execute(
        "INSERT INTO marketing.ple_models (version, method, status, reason, scorecard, report, card, trained_until) "
        "VALUES ('m-1', 'logistic', 'champion', 'best', '{}', '{}', '', now())"
    )
    return {}


def old_events(db: Any, folder: Path) -> dict[str, Any]:
    batch(db, folder)
    db.execute(
        "UPDATE marketing.pipeline_events SET created_at = now() - interval '99 days', processed_at = now() - interval '99 days'"
    )
    return {}


def new_file(db: Any, folder: Path) -> dict[str, Any]:
    insert_companies(db, "B1", 1)
    return {"file": folder / "all.dump"}


def empty(db: Any, folder: Path) -> dict[str, Any]:
    backup.backup(folder / "all.dump")
    db.execute("DROP SCHEMA marketing, intake CASCADE")
    return {"file": folder / "all.dump"}


def old_schema(db: Any, _: Path) -> dict[str, Any]:
    migrations.migrate_down(migrations.available()[-3].version, db.url)
    return {}


def run_nothing(batches: Sequence[str], progress: Callable[[int], None]) -> list[dict[str, Any]]:
    progress(len(batches))
    return []


CASES = {
    "load": Case(file),
    "retry": Case(dead_letters),
    "start_over": Case(batch),
    "backfill": Case(
        lambda db, folder: {"import_batch_ids": list(batch(db, folder).values()), "run": run_nothing}, changes=False
    ),
    "undo": Case(batch),
    "resolve_errors": Case(open_errors),
    "reopen_errors": Case(closed_error),
    "unmatch": Case(twins),
    "forget": Case(person),
    "switch_vendor": Case(lambda db, folder: {"vendor": "apify", "enabled": False}),
    "resume": Case(holds),
    "roll_back": Case(lambda db, folder: {"rollback": "pause"}, owner=True),
    "reverse_rollback": Case(paused, owner=True),
    "learn": Case(lambda db, folder: {}, changes=False),
    "retire_model": Case(champion),
    "purge": Case(old_events),
    "back_up": Case(new_file, owner=True, changes=False),
    "restore": Case(empty, owner=True),
    "remove": Case(new_file, owner=True),
    "migrate": Case(old_schema, owner=True),
    "migrate_down": Case(lambda db, folder: {"to": migrations.available()[-3].version}, owner=True),
    "send_test_message": Case(lambda db, folder: {}, changes=False),
}


def snapshot(db: Any) -> dict[str, Any]:
    """Every row of the two schemas by table, without the audit and a large list, and the definitions of triggers and functions."""
    tables = db.query(
        "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname IN ('intake', 'marketing') ORDER BY 1"
    )
    rows = {
        table: db.query(f"SELECT t::text FROM {table} AS t ORDER BY 1")
        for (table,) in tables
        if table not in ("marketing.actions", "intake.public_suffix", "intake.shared_domains")
    }
    triggers = db.query(
        "SELECT tgname, tgenabled::text, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1"
    )
    functions = db.query(
        "SELECT oid::regprocedure::text, prosrc FROM pg_proc WHERE pronamespace::regnamespace::text IN ('intake', 'marketing') ORDER BY 1"
    )
    return {**rows, "triggers": triggers, "functions": functions}


def audit(db: Any) -> list[tuple[Any, ...]]:
    if db.value("SELECT to_regclass('marketing.actions') IS NULL"):
        return []
    return db.query(
        "SELECT actor, role, door, action, reason, shown_count, done_count, outcome FROM marketing.actions ORDER BY id"
    )


def test_every_action_has_a_case() -> None:
    assert sorted(CASES) == sorted(ACTIONS), "write a case for a new action: it must have a preview"
    for name, function in ACTIONS.items():
        parameters = inspect.signature(function).parameters
        assert list(parameters)[:2] == ["connection", "actor"], name
        for asked, default in (("reason", None), ("shown_count", None), ("apply", True)):
            assert parameters[asked].kind is inspect.Parameter.KEYWORD_ONLY and parameters[asked].default is default, (
                name
            )


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_preview_changes_nothing_and_tells_what_is_then_done(
    db: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES[name]
    monkeypatch.setenv(channels.VARIABLE, "json://localhost:9")
    monkeypatch.setattr(channels, "send", lambda channel, title, body: "")
    given = case.prepare(db, tmp_path)
    if not case.owner:
        monkeypatch.setenv("BARTON_DATABASE_URL", db.app_url)
    before = snapshot(db)
    assert audit(db) == []

    shown = ACTIONS[name](None, ANN, **given, reason="to see", apply=False)
    assert snapshot(db) == before and audit(db) == []
    with closing(connect()) as connection:
        again = ACTIONS[name](connection, ANN, **given, reason="to see", apply=False)
        assert again == shown, "a preview is no attempt at the request"
        assert connection.get_transaction_status() == TRANSACTION_STATUS_IDLE

        done = ACTIONS[name](connection, ANN, **given, reason="to see")
        assert done == shown
        assert connection.get_transaction_status() == TRANSACTION_STATUS_IDLE
        assert sql.value(connection, "SELECT current_setting('barton.actor', true)") in (None, ""), (
            "it acts for nobody else"
        )
    assert is_dataclass(done) and vars(type(done))["__dataclass_params__"].frozen
    assert (snapshot(db) != before) is case.changes
    if name in ("remove", "migrate_down"):
        return  # where the rows would be is gone
    *started, end = audit(db)
    assert [row[-1] for row in started] in ([], ["started"])
    assert end[:6] == ("ann", "operator", "web", name, "to see", None) and end[-1] == "done"
    assert db.query("SELECT DISTINCT request_id FROM marketing.actions") == [("R-1",)]


@pytest.mark.parametrize("name", ["undo", "retry", "unmatch", "forget", "load", "resolve_errors"])
def test_what_the_preview_had_shown_must_still_be_there(db: Any, name: str, tmp_path: Path) -> None:
    given = CASES[name].prepare(db, tmp_path)
    shown = ACTIONS[name](None, ANN, **given, apply=False)
    before = snapshot(db)
    with pytest.raises(PreviewOutdated, match="999 were shown") as refusal:
        ACTIONS[name](None, ANN, **given, shown_count=999)
    assert snapshot(db) == before
    ((outcome, shown_count, done_count),) = db.query("SELECT outcome, shown_count, done_count FROM marketing.actions")
    assert (outcome, shown_count, done_count) == ("refused", 999, None)
    right = Actor("ann", "operator", "web", request_id="R-2")
    assert ACTIONS[name](None, right, **given, shown_count=refusal.value.found) == shown
    assert db.query(
        "SELECT shown_count = done_count, done_count > 0 FROM marketing.actions WHERE outcome = 'done'"
    ) == [(True, True)]
