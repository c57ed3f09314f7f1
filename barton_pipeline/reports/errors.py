"""The errors of the pipeline: one by one, and by their cause."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg2.extensions import connection as Connection

from barton_pipeline.error_log import EVERY_ERROR, MATCHES, ErrorFilter
from barton_pipeline.postgres import sql

# The expression of the index pipeline_errors_worst_first.
_WORST_FIRST = "array_position(ARRAY['critical', 'error', 'warning'], severity)"


@dataclass(frozen=True)
class PipelineError:
    """One error; the last three are None while it is open. ``fingerprint`` is its cause."""

    id: int
    event_type: str
    record_id: str | None
    import_batch_id: str | None
    error_message: str
    error_details: dict[str, Any]
    severity: str
    created_at: datetime
    fingerprint: str
    resolved_at: datetime | None
    resolved_by: str | None
    resolution_notes: str | None


@dataclass(frozen=True)
class ErrorGroup:
    """Open errors of one cause. ``severity`` is the worst among them, ``batches`` how many batches they concern.

    ``sample_id`` and ``sample_message`` are the newest one's.
    """

    fingerprint: str
    count: int
    severity: str
    batches: int
    first_at: datetime
    last_at: datetime
    sample_id: int
    sample_message: str


def list_errors(
    connection: Connection,
    wanted: ErrorFilter = EVERY_ERROR,
    *,
    resolved: bool = False,
    limit: int = 50,
    offset: int = 0,
) -> list[PipelineError]:
    """The errors that the filter means, open ones or ``resolved`` ones: worst first, newest first."""
    found = sql.rows(
        connection,
        f"""
        SELECT id, event_type, record_id, import_batch_id, error_message, error_details, severity, created_at, fingerprint,
               resolved_at, resolved_by, resolution_notes
        FROM marketing.pipeline_errors
        WHERE {"resolved" if resolved else "NOT resolved"} AND {MATCHES}
        ORDER BY {_WORST_FIRST}, created_at DESC, id DESC LIMIT %(limit)s OFFSET %(offset)s
        """,
        limit=limit,
        offset=offset,
        **wanted.parameters(),
    )
    return [PipelineError(**row) for row in found]


def group_errors(
    connection: Connection, wanted: ErrorFilter = EVERY_ERROR, *, limit: int = 50, offset: int = 0
) -> list[ErrorGroup]:
    """The open errors that the filter means by their cause: worst first, then the most frequent.

    Without ``ids``, ``event_type`` and ``text`` in the filter, a million errors are counted from an index.
    """
    found = sql.rows(
        connection,
        f"""
        WITH by_batch AS (
            SELECT fingerprint, import_batch_id, count(*) AS errors, min({_WORST_FIRST}) AS worst,
                   min(created_at) AS first_at, max(created_at) AS last_at
            FROM marketing.pipeline_errors WHERE NOT resolved AND {MATCHES}
            GROUP BY fingerprint, import_batch_id
        ), causes AS (
            SELECT fingerprint, sum(errors)::bigint AS count, (ARRAY['critical', 'error', 'warning'])[min(worst)] AS severity,
                   count(import_batch_id) AS batches, min(first_at) AS first_at, max(last_at) AS last_at, min(worst) AS worst
            FROM by_batch GROUP BY fingerprint
            ORDER BY worst, count DESC, fingerprint LIMIT %(limit)s OFFSET %(offset)s
        )
        SELECT c.fingerprint, c.count, c.severity, c.batches, c.first_at, c.last_at, sample.id AS sample_id,
               sample.error_message AS sample_message
        FROM causes c CROSS JOIN LATERAL (
            SELECT e.id, e.error_message FROM (
                SELECT * FROM marketing.pipeline_errors e WHERE NOT resolved AND e.fingerprint = c.fingerprint
                  AND e.created_at = c.last_at) AS e
            WHERE {MATCHES} ORDER BY id DESC LIMIT 1) AS sample
        ORDER BY c.worst, c.count DESC, c.fingerprint
        """,
        limit=limit,
        offset=offset,
        **wanted.parameters(),
    )
    return [ErrorGroup(**row) for row in found]
