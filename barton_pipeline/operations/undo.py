"""Undoing a batch: what only it brought goes. The work is the SQL function ``marketing.undo_batch``."""

from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from barton_pipeline.errors import InputError
from barton_pipeline.postgres import sql


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
