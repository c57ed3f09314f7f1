"""The error log, marketing.pipeline_errors: every failure of the pipeline ends there, with what to do about it."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from psycopg2.extensions import connection as Connection

from barton_pipeline.postgres import sql


@dataclass(frozen=True)
class ErrorFilter:
    """Which errors are meant. What is None does not matter, so an empty filter means all of them.

    ``fingerprint`` is the cause (marketing.error_fingerprint), ``since`` the earliest moment, ``text`` a part of the message
    in any case of letters.
    """

    ids: tuple[int, ...] | None = None
    import_batch_id: str | None = None
    fingerprint: str | None = None
    severity: str | None = None
    event_type: str | None = None
    since: datetime | None = None
    text: str | None = None

    def parameters(self) -> dict[str, Any]:
        """The parameters of ``MATCHES``."""
        return {**asdict(self), "ids": None if self.ids is None else list(self.ids)}

    def to_dict(self) -> dict[str, Any]:
        """What the filter asks for, JSON-ready, without what does not matter."""
        given = {name: value for name, value in self.parameters().items() if value is not None}
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in given.items()}


EVERY_ERROR = ErrorFilter()

# The condition on a row of marketing.pipeline_errors that an ErrorFilter stands for.
MATCHES = """
    (%(ids)s::bigint[] IS NULL OR id = ANY (%(ids)s::bigint[]))
    AND (%(import_batch_id)s::text IS NULL OR import_batch_id = %(import_batch_id)s)
    AND (%(fingerprint)s::text IS NULL OR fingerprint = %(fingerprint)s)
    AND (%(severity)s::text IS NULL OR severity = %(severity)s)
    AND (%(event_type)s::text IS NULL OR event_type = %(event_type)s)
    AND (%(since)s::timestamptz IS NULL OR created_at >= %(since)s)
    AND (%(text)s::text IS NULL OR position(lower(%(text)s) IN lower(error_message)) > 0)
"""


def log_error(
    connection: Connection,
    event_type: str,
    message: str,
    *,
    batch: str | None = None,
    record_id: str | None = None,
    details: dict[str, Any] | None = None,
    severity: str = "error",
) -> int:
    """Write to marketing.pipeline_errors; returns the error's id."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT marketing.log_pipeline_error(%s, %s, %s, %s, %s, %s)",
            (event_type, record_id, message, json.dumps(details or {}, default=str), severity, batch),
        )
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])


def resolve(connection: Connection, wanted: ErrorFilter, notes: str | None) -> list[int]:
    """Close the open errors that the filter means, in the name of marketing.actor(); their ids, ascending."""
    closed = sql.rows(
        connection,
        f"""
        UPDATE marketing.pipeline_errors
        SET resolved = true, resolved_at = now(), resolved_by = marketing.actor(), resolution_notes = %(notes)s
        WHERE NOT resolved AND {MATCHES}
        RETURNING id
        """,
        notes=notes,
        **wanted.parameters(),
    )
    return sorted(row["id"] for row in closed)


def reopen(connection: Connection, ids: tuple[int, ...]) -> list[int]:
    """Open closed errors again, as if nobody had closed them; the ids that were closed, ascending."""
    opened = sql.rows(
        connection,
        """
        UPDATE marketing.pipeline_errors
        SET resolved = false, resolved_at = NULL, resolved_by = NULL, resolution_notes = NULL
        WHERE resolved AND id = ANY (%(ids)s::bigint[])
        RETURNING id
        """,
        ids=list(ids),
    )
    return sorted(row["id"] for row in opened)
