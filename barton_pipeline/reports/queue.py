"""The event queue in numbers."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from psycopg2.extensions import connection as Connection

from barton_pipeline.postgres import sql


@dataclass(frozen=True)
class PendingEvents:
    """The pending events of one type: how many, and when the oldest and the newest were raised."""

    event_type: str
    pending_count: int
    oldest_pending: datetime
    newest_pending: datetime
    oldest_age_minutes: Decimal


@dataclass(frozen=True)
class QueueHealth:
    """The queue in numbers: what waits and since when, what is worked on, retried and dead, and the events of the last hour.

    ``retrying`` are the pending events that have failed before. The mean is over the processed events of the last hour, and 0
    when there are none.
    """

    pending: int
    retrying: int
    oldest_pending_minutes: float
    processing: int
    dead_letters: int
    created_last_hour: int
    of_these_processed: int
    mean_seconds_to_process: float


def list_pending(connection: Connection) -> list[PendingEvents]:
    """Pending events by type, the type that waits longest first."""
    rows = sql.rows(connection, "SELECT * FROM marketing.v_event_queue_status ORDER BY oldest_pending")
    return [PendingEvents(**row) for row in rows]


def measure_queue(connection: Connection) -> QueueHealth:
    """The queue now."""
    row = sql.one(
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
    )
    return QueueHealth(**row)
