"""Statements: the files under ``sql/``, rows out of a query, savepoints, and the named advisory locks.

Belongs here: what every module does with a statement. Not here: opening connections (``connection``).
"""

import contextlib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection
from psycopg2.extras import RealDictCursor

from barton_pipeline.config import SHIPPED


class Lock(StrEnum):
    """The advisory locks of the pipeline, held until the transaction ends. SQL files take some of them by the same name."""

    MIGRATIONS = "barton.migrations"
    BATCH = "barton.batch"  # one stage at a time works on a batch; the subject is the batch
    ACCEPT = "barton.accept"  # one claim at a time on a batch's events; the subject is the batch
    ACTION = "barton.action"  # one attempt at a time at a request; the subject is its id
    VENDOR = "barton.vendor"  # one reservation at a time within a vendor's budget; the subject is the vendor


def sql_path(*parts: str) -> Path:
    """A file under ``sql/``."""
    return SHIPPED.joinpath("sql", *parts)


def read(*parts: str) -> str:
    """The text of a file under ``sql/``."""
    return sql_path(*parts).read_text(encoding="utf-8")


def rows(connection: Connection, statement: str, **parameters: Any) -> list[dict[str, Any]]:
    """The rows of a statement with named parameters, as dictionaries."""
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(statement, parameters)
        return [dict(row) for row in cursor.fetchall()]


def one(connection: Connection, statement: str, **parameters: Any) -> dict[str, Any]:
    """The row of a statement that returns exactly one. Raises ValueError when it returns another number."""
    (row,) = rows(connection, statement, **parameters)
    return row


def value(connection: Connection, statement: str, **parameters: Any) -> Any:
    """The only value of a statement that returns one row with one column."""
    (found,) = one(connection, statement, **parameters).values()
    return found


def execute(connection: Connection, statement: str, **parameters: Any) -> int:
    """Run a statement for its effect; how many rows it wrote."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.rowcount


def run_file(connection: Connection, *parts: str, **parameters: Any) -> dict[str, Any]:
    """Run a file under ``sql/`` with named parameters; the row of its last statement, which must be a SELECT of one row."""
    return one(connection, read(*parts), **parameters)


@contextlib.contextmanager
def savepoint(connection: Connection, keep: bool = True) -> Iterator[None]:
    """A part of the caller's transaction that is undone when it fails, and in any case unless ``keep``.

    The locks that an undone part took are released with it.
    """
    undo = "ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part"
    execute(connection, "SAVEPOINT part")
    try:
        yield
    except BaseException:
        if not connection.closed:
            execute(connection, undo)
        raise
    execute(connection, "RELEASE SAVEPOINT part" if keep else undo)


def lock(connection: Connection, name: Lock, subject: str = "") -> None:
    """Wait for an advisory lock; it is held until the transaction ends."""
    execute(connection, "SELECT pg_advisory_xact_lock(hashtextextended(%(key)s, 0))", key=_key(name, subject))


def try_lock(connection: Connection, name: Lock, subject: str = "") -> bool:
    """Take an advisory lock if it is free; it is held until the transaction ends."""
    return bool(
        value(connection, "SELECT pg_try_advisory_xact_lock(hashtextextended(%(key)s, 0))", key=_key(name, subject))
    )


def _key(name: Lock, subject: str) -> str:
    return f"{name}:{subject}" if subject else str(name)
