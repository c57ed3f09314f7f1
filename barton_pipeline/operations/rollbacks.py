"""What an operator switches off and takes back: the rollbacks of the event path.

Belongs here: carrying them out in the caller's transaction, and telling what is in force. The statements are ``sql/ops`` (also
for psql) and the functions of ``sql/objects/functions/rollbacks.sql``; docs/how-to/operations/rollbacks.md says when to use which.
"""

import re
import time
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from barton_pipeline.errors import BartonError, InputError
from barton_pipeline.postgres import migrations, sql

ROLLBACKS = {
    "silence": "silence_notifications",
    "trigger": "drop_trigger",
    "pause": "pause_triggers",
    "manual": "manual_runs",
}
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


def roll_back(connection: Connection, action: str, target: str = "") -> None:
    """Put a rollback in force. ``target`` is the trigger for ``trigger``.

    Raises InputError for an unknown trigger or a rollback that is in force already, BartonError without the owner's rights.
    """
    _check(action, target)
    execute_file(connection, f"{ROLLBACKS[action]}.sql", target)


def reverse(connection: Connection, action: str, target: str = "") -> int | None:
    """Take a rollback back; returns how many batches were queued to catch up (None: nothing had to be).

    Raises InputError when it is not in force.
    """
    _check(action, target)
    return execute_file(connection, f"{ROLLBACKS[action]}.undo.sql", target)


def _check(action: str, target: str) -> None:
    if action not in ROLLBACKS:
        raise InputError(f"{action!r} is not a rollback; they are: {', '.join(ROLLBACKS)}.")
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


def execute_file(connection: Connection, file: str, target: str) -> int | None:
    """Run a file of sql/ops as psql would; the number its last statement returns, if it does."""
    path = sql.sql_path("ops", file)
    statements = path.read_text(encoding="utf-8")
    if target:
        place, _ = migrations.declared_triggers()[target]
        statements = statements.replace(":'trigger'", f"'{target}'").replace(':"trigger"', f'"{target}"')
        statements = statements.replace(":place", place)
    return _run(
        connection,
        re.sub(
            r"^\\ir (\S+)$", lambda line: (path.parent / line[1]).read_text("utf-8"), statements, flags=re.MULTILINE
        ),
    )


def _run(connection: Connection, statements: str) -> int | None:
    for attempt in range(1, TRIES + 1):
        try:
            return _attempt(connection, statements)
        except psycopg2.errors.DeadlockDetected as error:
            if attempt == TRIES:
                raise BartonError(
                    f"Runs held the tables {TRIES} times in another order; nothing was changed. Try again, or stop the daemon."
                ) from error
            time.sleep(attempt)
    raise AssertionError("the last try returns or raises")


def _attempt(connection: Connection, statements: str) -> int | None:
    try:
        # whoever waits for our tables goes on as soon as an attempt has failed
        with sql.savepoint(connection), connection.cursor() as cursor:
            cursor.execute(statements)
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
