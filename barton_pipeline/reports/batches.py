"""Batches: all of them, one stage by stage, and why rows of one were rejected."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from psycopg2.extensions import connection as Connection

from barton_pipeline.errors import InputError
from barton_pipeline.postgres import sql


@dataclass(frozen=True)
class Batch:
    """A batch at a glance. ``state`` is running, failed, waiting or done.

    The counts are those of the stage that made them and None until it is completed: ``rows`` and ``rejected`` are intake rows of
    companies, ``companies``, ``slots`` and ``targets`` are what the batch has now.
    """

    batch: str
    state: str
    rows: int | None
    rejected: int | None
    companies: int | None
    slots: int | None
    targets: int | None
    last_stage: str | None
    last_completed_at: datetime | None
    pending_events: int
    processing_events: int
    failed_events: int


@dataclass(frozen=True)
class BatchStage:
    """A stage for one batch; all but the name is None until the batch has completed it.

    ``seconds`` is what the last execution took, None when its statistics have been purged.
    """

    stage: str
    rows_in: int | None
    rows_out: int | None
    rows_rejected: int | None
    completed_at: datetime | None
    seconds: Decimal | None


@dataclass(frozen=True)
class Reason:
    """A reason code (docs/explanation/validation.md), and how many intake rows of a batch bear it.

    ``sample`` names the first two companies.
    """

    reason: str
    rows: int
    in_rejected_rows: int
    sample: str | None


def list_batches(connection: Connection, limit: int = 50) -> list[Batch]:
    """The newest batches, those first that no stage has completed yet."""
    rows = sql.rows(
        connection,
        """
        WITH open_events AS (  -- an index for each of them; status IN (…) uses none
            SELECT import_batch_id, status FROM marketing.pipeline_events WHERE status = 'pending'
            UNION ALL
            SELECT import_batch_id, status FROM marketing.pipeline_events WHERE status = 'processing'
            UNION ALL
            SELECT import_batch_id, status FROM marketing.pipeline_events WHERE status = 'failed'
        ), events AS (
            SELECT import_batch_id, count(*) FILTER (WHERE status = 'pending') AS pending,
                   count(*) FILTER (WHERE status = 'processing') AS processing,
                   count(*) FILTER (WHERE status = 'failed') AS failed
            FROM open_events WHERE import_batch_id IS NOT NULL GROUP BY 1
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
    return [Batch(**row) for row in rows]


def list_batch_keys(connection: Connection) -> list[str]:
    """Every batch that has intake rows, in the order in which they first arrived."""
    rows = sql.rows(
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


def list_stages(connection: Connection, import_batch_id: str) -> list[BatchStage]:
    """All stages in order, with what they made of the batch."""
    rows = sql.rows(
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
    return [BatchStage(**row) for row in rows]


def count_reasons(connection: Connection, import_batch_id: str) -> list[Reason]:
    """The reason codes of a batch, most frequent first."""
    rows = sql.rows(
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
    return [Reason(**row) for row in rows]


@dataclass(frozen=True)
class WaitingPeople:
    """People rows of a batch whose company is not loaded, or cannot be told from another; ``sample`` names up to five companies."""

    rows: int
    companies: int
    sample: tuple[str, ...]


def count_waiting_people(connection: Connection, import_batch_id: str) -> WaitingPeople:
    """The people of a batch that wait for their company."""
    row = sql.rows(
        connection,
        """
        SELECT count(*) AS rows, count(DISTINCT coalesce(domain, company_name_key)) AS companies,
               (array_agg(DISTINCT coalesce(company, domain)) FILTER (WHERE coalesce(company, domain) IS NOT NULL))[:5] AS sample
        FROM intake.people_raw_intake
        WHERE import_batch_id = %(batch)s AND outcome IN ('company_unknown', 'company_ambiguous')
        """,
        batch=import_batch_id,
    )[0]
    return WaitingPeople(row["rows"], row["companies"], tuple(row["sample"] or ()))


def check_known_batch(connection: Connection, import_batch_id: str) -> None:
    """Raise InputError unless some intake table holds rows of the batch."""
    # Counted, not EXISTS: for the first row of a batch the planner prefers to read the table, at whose end a new batch lies.
    rows = sql.value(
        connection,
        """
        SELECT (SELECT count(*) FROM intake.company_raw_intake WHERE import_batch_id = %(batch)s)
             + (SELECT count(*) FROM intake.people_raw_intake WHERE import_batch_id = %(batch)s)
             + (SELECT count(*) FROM intake.signals_raw_intake WHERE import_batch_id = %(batch)s)
             + (SELECT count(*) FROM intake.outcomes_raw_intake WHERE import_batch_id = %(batch)s)
        """,
        batch=import_batch_id,
    )
    if not rows:
        raise InputError(
            f"Batch {import_batch_id!r} holds no rows. Load it first (barton load FILE --batch {import_batch_id}), "
            "or see the known batches with: barton status"
        )
