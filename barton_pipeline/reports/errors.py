"""The open errors of the pipeline."""

from typing import Any

from psycopg2.extensions import connection as Connection

from barton_pipeline.errors import InputError
from barton_pipeline.postgres import sql


def list_errors(connection: Connection, limit: int = 50, import_batch_id: str | None = None) -> list[dict[str, Any]]:
    """Open errors, worst and newest first."""
    return sql.rows(
        connection,
        """
        SELECT * FROM marketing.vw_unresolved_errors
        WHERE %(batch)s::text IS NULL OR import_batch_id = %(batch)s LIMIT %(limit)s
        """,
        limit=limit,
        batch=import_batch_id,
    )


def resolve_error(connection: Connection, error_id: int, by: str, notes: str | None) -> None:
    """Close one error. Raises InputError when it is not open."""
    (row,) = sql.rows(
        connection,
        "SELECT marketing.resolve_pipeline_error(%(id)s, %(by)s, %(notes)s) AS resolved",
        id=error_id,
        by=by,
        notes=notes,
    )
    if not row["resolved"]:
        raise InputError(f"Error {error_id} is not open; see the open ones with: barton errors")
