"""The event queue in numbers."""

from typing import Any

from psycopg2.extensions import connection as Connection

from barton_pipeline.postgres import sql


def list_pending(connection: Connection) -> list[dict[str, Any]]:
    """Pending events by type, with age in minutes."""
    return sql.rows(connection, "SELECT * FROM marketing.v_event_queue_status ORDER BY oldest_pending")


def measure_queue(connection: Connection) -> dict[str, Any]:
    """The queue in numbers: what waits and since when, what is worked on, retried and dead, and the last hour's events."""
    return sql.rows(
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
