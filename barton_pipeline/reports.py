"""What operators ask the database: batches, queue, targets, errors. Read-only queries, plain rows out.

Belongs here: the SELECTs behind ``barton status``, ``targets`` and ``errors``. Printing them is ``cli``'s business.
"""

import csv
from collections.abc import Iterable
from typing import Any, TextIO

from psycopg2.extensions import connection as Connection
from psycopg2.extras import RealDictCursor

from barton_pipeline.errors import InputError

# A spreadsheet runs a cell that begins with one of these (OWASP, "CSV Injection").
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def query(connection: Connection, statement: str, **parameters: Any) -> list[dict[str, Any]]:
    """The rows of a SELECT as dictionaries."""
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(statement, parameters)
        return [dict(row) for row in cursor.fetchall()]


def batches(connection: Connection, limit: int = 50) -> list[dict[str, Any]]:
    """The newest batches: rows, companies, slots, targets, last stage, and events by state."""
    return query(
        connection,
        """
        WITH events AS (
            SELECT import_batch_id, count(*) FILTER (WHERE status = 'pending') AS pending,
                   count(*) FILTER (WHERE status = 'processing') AS processing,
                   count(*) FILTER (WHERE status = 'failed') AS failed
            FROM marketing.pipeline_events
            WHERE status IN ('pending', 'processing', 'failed') AND import_batch_id IS NOT NULL GROUP BY 1
        ), stages AS (
            SELECT import_batch_id, max(completed_at) AS last_completed_at,
                   (array_agg(stage ORDER BY completed_at DESC, position DESC))[1] AS last_stage,
                   max(rows_in) FILTER (WHERE stage = 'validated_companies') AS rows,
                   max(rows_rejected) FILTER (WHERE stage = 'validated_companies') AS rejected,
                   max(rows_out) FILTER (WHERE stage = 'company_master') AS companies,
                   max(rows_out) FILTER (WHERE stage = 'company_slots') AS slots,
                   max(rows_out) FILTER (WHERE stage = 'sniper_targets') AS targets
            FROM marketing.batch_stages JOIN marketing.pipeline_stages USING (stage) GROUP BY 1
        )
        SELECT import_batch_id AS batch,
               CASE WHEN e.processing > 0 THEN 'running' WHEN e.failed > 0 THEN 'failed'
                    WHEN e.pending > 0 THEN 'waiting' ELSE 'done' END AS state,
               s.rows, s.rejected, s.companies, s.slots, s.targets, s.last_stage, s.last_completed_at,
               coalesce(e.pending, 0) AS pending_events, coalesce(e.processing, 0) AS processing_events,
               coalesce(e.failed, 0) AS failed_events
        FROM stages s FULL JOIN events e USING (import_batch_id)
        ORDER BY s.last_completed_at DESC NULLS FIRST, batch LIMIT %(limit)s
        """,
        limit=limit,
    )


def batch_keys(connection: Connection) -> list[str]:
    """Every batch that has intake rows, in the order in which they first arrived."""
    rows = query(
        connection,
        """
        SELECT import_batch_id FROM (
            SELECT import_batch_id, created_at FROM intake.company_raw_intake
            UNION ALL SELECT import_batch_id, created_at FROM intake.people_raw_intake
            UNION ALL SELECT import_batch_id, created_at FROM intake.signals_raw_intake
            UNION ALL SELECT import_batch_id, created_at FROM intake.outcomes_raw_intake) AS arrived
        GROUP BY import_batch_id ORDER BY min(created_at), import_batch_id
        """,
    )
    return [row["import_batch_id"] for row in rows]


def queue(connection: Connection) -> list[dict[str, Any]]:
    """Pending events by type, with age in minutes."""
    return query(connection, "SELECT * FROM marketing.v_event_queue_status ORDER BY oldest_pending")


def queue_health(connection: Connection) -> dict[str, Any]:
    """The queue in numbers: what waits and since when, what is worked on, retried and dead, and the last hour's events."""
    return query(
        connection,
        """
        WITH waiting AS (
            SELECT count(*) AS pending, count(*) FILTER (WHERE attempts > 0) AS retrying,
                   coalesce(round(extract(epoch FROM now() - min(created_at)) / 60, 1), 0)::float8 AS oldest_pending_minutes
            FROM marketing.pipeline_events WHERE status = 'pending'
        ), hour AS (
            SELECT count(*) AS created_last_hour, count(*) FILTER (WHERE status = 'processed') AS of_these_processed,
                   coalesce(avg(extract(epoch FROM processed_at - created_at)), 0)::float8 AS mean_seconds_to_process
            FROM marketing.pipeline_events WHERE created_at > now() - interval '1 hour'
        )
        SELECT waiting.*, (SELECT count(*) FROM marketing.pipeline_events WHERE status = 'processing') AS processing,
               (SELECT count(*) FROM marketing.pipeline_events WHERE status = 'failed') AS dead_letters, hour.*
        FROM waiting, hour
        """,
    )[0]


def batch_stages(connection: Connection, import_batch_id: str) -> list[dict[str, Any]]:
    """The stages in order; those a batch has not completed have NULL counts."""
    return query(
        connection,
        """
        SELECT p.stage, b.rows_in, b.rows_out, b.rows_rejected, b.completed_at, w.duration_seconds AS seconds
        FROM marketing.pipeline_stages p
        LEFT JOIN marketing.batch_stages b ON b.stage = p.stage AND b.import_batch_id = %(batch)s
        LEFT JOIN LATERAL (SELECT duration_seconds FROM marketing.workflow_stats s
                           WHERE s.batch_id = %(batch)s AND s.workflow_name = p.stage AND s.status = 'ok'
                           ORDER BY s.created_at DESC LIMIT 1) w ON true
        ORDER BY p.position
        """,
        batch=import_batch_id,
    )


def rejections(connection: Connection, import_batch_id: str) -> list[dict[str, Any]]:
    """Reason codes of a batch with their counts and two sample rows each, most frequent first."""
    return query(
        connection,
        """
        SELECT reason, count(*) AS rows, count(*) FILTER (WHERE NOT validated) AS in_rejected_rows,
               string_agg(company, '; ' ORDER BY id) FILTER (WHERE place <= 2) AS sample
        FROM (SELECT r.id, r.company, r.validated, reason, row_number() OVER (PARTITION BY reason ORDER BY r.id) AS place
              FROM intake.company_raw_intake r CROSS JOIN unnest(r.validation_reasons) AS reason
              WHERE r.import_batch_id = %(batch)s) AS reasons
        GROUP BY reason ORDER BY rows DESC, reason
        """,
        batch=import_batch_id,
    )


def targets(
    connection: Connection, import_batch_id: str | None = None, limit: int | None = None
) -> list[dict[str, Any]]:
    """The sniper targets, best first, with their slot holders; of one batch or of all."""
    return query(
        connection,
        """
        SELECT t.company_id, t.company_name, t.website_url, t.city, t.state, t.ple_score, t.bit_intent_score, t.p_convert,
               t.ple_change, t.bit_change, t.days_since_signal, t.contact_readiness,
               t.contacts_ready, t.contacts_held, contacts.ceo, contacts.ceo_email, contacts.cfo, contacts.cfo_email,
               contacts.hr, contacts.hr_email, t.reasons, t.last_signal_at, t.entered_at, t.import_batch_id
        FROM (SELECT *, row_number() OVER () AS place FROM marketing.v_sniper_target_details) t
        LEFT JOIN LATERAL (
            SELECT max(p.full_name) FILTER (WHERE s.slot_type = 'CEO') AS ceo,
                   max(p.email) FILTER (WHERE s.slot_type = 'CEO') AS ceo_email,
                   max(p.full_name) FILTER (WHERE s.slot_type = 'CFO') AS cfo,
                   max(p.email) FILTER (WHERE s.slot_type = 'CFO') AS cfo_email,
                   max(p.full_name) FILTER (WHERE s.slot_type = 'HR') AS hr,
                   max(p.email) FILTER (WHERE s.slot_type = 'HR') AS hr_email
            FROM marketing.company_slots s JOIN marketing.people_master p USING (person_unique_id)
            WHERE s.company_unique_id = t.company_id
        ) contacts ON true
        WHERE %(batch)s::text IS NULL OR EXISTS (
            SELECT FROM marketing.company_batches b
            WHERE b.company_unique_id = t.company_id AND b.import_batch_id = %(batch)s)
        ORDER BY t.place LIMIT %(limit)s
        """,
        batch=import_batch_id,
        limit=limit,
    )


def errors(connection: Connection, limit: int = 50, import_batch_id: str | None = None) -> list[dict[str, Any]]:
    """Open errors, worst and newest first."""
    return query(
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
    (row,) = query(
        connection,
        "SELECT marketing.resolve_pipeline_error(%(id)s, %(by)s, %(notes)s) AS resolved",
        id=error_id,
        by=by,
        notes=notes,
    )
    if not row["resolved"]:
        raise InputError(f"Error {error_id} is not open; see the open ones with: barton errors")


def write_csv(rows: Iterable[dict[str, Any]], stream: TextIO) -> None:
    """Rows as CSV that is safe to open in a spreadsheet: text that looks like a formula gets a leading apostrophe."""
    rows = list(rows)
    if not rows:
        return
    writer = csv.writer(stream)
    writer.writerow(rows[0])
    for row in rows:
        writer.writerow([_safe_cell(value) for value in row.values()])


def _safe_cell(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        value = "; ".join(str(item) for item in value)
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return "'" + value
    return value
