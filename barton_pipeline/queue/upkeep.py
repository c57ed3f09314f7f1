"""Upkeep of the event queue: events that no run can work on, rows that no event announces, and dead letters that are tried again.

Not here: events on their way through a run (``events``). No dagster here.
"""

from psycopg2.extensions import connection as Connection

from barton_pipeline import error_log
from barton_pipeline.postgres import sql
from barton_pipeline.queue import set_aside
from barton_pipeline.queue.events import continue_at, settings


def settle_unroutable(connection: Connection) -> int:
    """End events that no run can work on: informational ones are processed, others fail visibly.

    Others are those that name no batch, and those of a type that marketing.event_routes does not know.
    Returns how many were ended.
    """
    ended = sql.rows(
        connection,
        """
        WITH RECURSIVE types AS (  -- the distinct types, by skipping through the index
            SELECT min(event_type) AS event_type FROM marketing.pipeline_events WHERE status = 'pending'
            UNION ALL
            SELECT (SELECT min(e.event_type) FROM marketing.pipeline_events e
                    WHERE e.status = 'pending' AND e.event_type > t.event_type)
            FROM types t WHERE t.event_type IS NOT NULL
        ), unroutable AS (
            SELECT e.id, CASE WHEN r.event_type IS NULL THEN 'its type is not in marketing.event_routes'
                              WHEN r.entry_stage IS NOT NULL THEN 'it names no import batch' END AS fault
            FROM marketing.pipeline_events e LEFT JOIN marketing.event_routes r USING (event_type)
            WHERE e.status = 'pending' AND e.id = ANY (ARRAY(
                SELECT id FROM marketing.pipeline_events WHERE status = 'pending' AND event_type IN (
                    SELECT t.event_type FROM types t LEFT JOIN marketing.event_routes r USING (event_type)
                    WHERE r.entry_stage IS NULL)
                UNION ALL
                SELECT id FROM marketing.pipeline_events WHERE status = 'pending' AND import_batch_id IS NULL
                LIMIT 10000))
            ORDER BY e.id FOR UPDATE OF e SKIP LOCKED
        )
        UPDATE marketing.pipeline_events e
        SET status = CASE WHEN u.fault IS NULL THEN 'processed' ELSE 'failed' END, processed_at = now(), error_message = u.fault
        FROM unroutable u WHERE e.id = u.id
        RETURNING e.id, e.event_type, e.first_record_id, e.error_message
        """,
    )
    for event in ended:
        if event["error_message"]:
            error_log.log_error(
                connection,
                event["event_type"],
                f"No run can be started for event {event['id']} ({event['event_type']}): {event['error_message']}. "
                "Raise it again with a known type and import_batch_id in its payload.",
                record_id=event["first_record_id"],
            )
    return len(ended)


def reconcile(connection: Connection) -> list[str]:
    """Queue the batches that hold rows nobody has judged and no event announces; returns their keys.

    Triggers do not fire during a restore, under logical replication or when somebody disabled them. Each find is an
    error in the log, because something other than the queue has to be looked at.
    """
    found = sql.rows(
        connection,
        """
        WITH unjudged AS (
            SELECT import_batch_id, 'raw_intake' AS stage, count(*) AS rows FROM intake.company_raw_intake
            WHERE validated IS NULL AND updated_at < now() - make_interval(secs => %(age)s) GROUP BY 1
            UNION ALL
            SELECT import_batch_id, 'enriched_contacts', count(*) FROM intake.people_raw_intake
            WHERE outcome IS NULL AND updated_at < now() - make_interval(secs => %(age)s) GROUP BY 1
            UNION ALL
            SELECT import_batch_id, 'bit_scores', count(*) FROM intake.signals_raw_intake
            WHERE outcome IS NULL AND created_at < now() - make_interval(secs => %(age)s) GROUP BY 1
            UNION ALL
            SELECT import_batch_id, 'ple_scores', count(*) FROM intake.outcomes_raw_intake
            WHERE outcome IS NULL AND created_at < now() - make_interval(secs => %(age)s) GROUP BY 1
        )
        SELECT DISTINCT ON (import_batch_id) import_batch_id, stage, rows
        FROM unjudged u JOIN marketing.pipeline_stages USING (stage)
        WHERE NOT EXISTS (SELECT FROM marketing.pipeline_events e
                          WHERE e.import_batch_id = u.import_batch_id AND e.status IN ('pending', 'processing', 'failed'))
        ORDER BY import_batch_id, position
        """,
        age=settings().reconcile_after_seconds,
    )
    for batch in found:
        continue_at(connection, batch["stage"], batch["import_batch_id"])
        error_log.log_error(
            connection,
            "reconciler",
            f"{batch['rows']} row(s) of batch {batch['import_batch_id']} had raised no event and were not judged; the batch is "
            f"queued from {batch['stage']}. Were triggers disabled, or rows restored or replicated? See barton doctor.",
            batch=batch["import_batch_id"],
            severity="warning",
        )
    return [batch["import_batch_id"] for batch in found]


def requeue(connection: Connection, import_batch_id: str | None = None) -> int:
    """Give dead letters (of one batch, or all) and rows set aside a fresh start, and close their errors."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE marketing.pipeline_events
            SET status = 'pending', attempts = 0, crashes = 0, available_at = now(), processed_at = NULL, error_message = NULL
            WHERE status = 'failed' AND import_batch_id IS NOT NULL
              AND (%(batch)s::text IS NULL OR import_batch_id = %(batch)s)
            RETURNING payload->>'set_aside', first_record_id
            """,
            {"batch": import_batch_id},
        )
        requeued = cursor.fetchall()
        cursor.execute(
            """
            UPDATE marketing.pipeline_errors
            SET resolved = true, resolved_at = now(), resolved_by = 'barton retry', resolution_notes = 'requeued'
            WHERE NOT resolved AND event_type IN ('dead_letter', 'row_set_aside')
              AND (%(batch)s::text IS NULL OR import_batch_id = %(batch)s)
            """,
            {"batch": import_batch_id},
        )
        cursor.execute("SELECT marketing.wake_listeners('requeued', %s, %s)", (import_batch_id, len(requeued)))
    for table in {table for table, _ in requeued if table}:
        set_aside.take_back(connection, table, [int(row) for of, row in requeued if of == table])
    return len(requeued)
