"""Upkeep of the event queue: events that no run can work on, rows that no event announces, and dead letters that are tried again.

Not here: events on their way through a run (``events``). No dagster here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg2.extensions import connection as Connection

from barton_pipeline import error_log
from barton_pipeline.error_log import MATCHES, ErrorFilter
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
        WITH RECURSIVE types AS (  -- the distinct types, by skipping through the index of types
            (SELECT event_type FROM marketing.pipeline_events
             WHERE status = 'pending' AND event_type >= '' ORDER BY 1 LIMIT 1)
            UNION ALL
            SELECT (SELECT e.event_type FROM marketing.pipeline_events e
                    WHERE e.status = 'pending' AND e.event_type >= '' AND e.event_type > t.event_type ORDER BY 1 LIMIT 1)
            FROM types t WHERE t.event_type IS NOT NULL
        ), unroutable AS (
            SELECT e.id, CASE WHEN r.event_type IS NULL THEN 'its type is not in marketing.event_routes' END AS fault
            FROM types t LEFT JOIN marketing.event_routes r USING (event_type)
            CROSS JOIN LATERAL (SELECT id FROM marketing.pipeline_events
                                WHERE status = 'pending' AND event_type >= '' AND event_type = t.event_type
                                LIMIT 10000 FOR UPDATE SKIP LOCKED) AS e
            WHERE r.entry_stage IS NULL
            UNION ALL
            SELECT e.id, 'it names no import batch'
            FROM (SELECT id, event_type FROM marketing.pipeline_events
                  WHERE status = 'pending' AND import_batch_id IS NULL LIMIT 10000 FOR UPDATE SKIP LOCKED) AS e
            JOIN marketing.event_routes r USING (event_type)
            WHERE r.entry_stage IS NOT NULL
        )
        UPDATE marketing.pipeline_events e
        SET status = CASE WHEN u.fault IS NULL THEN 'processed' ELSE 'failed' END, processed_at = now(), error_message = u.fault
        FROM unroutable u WHERE e.id = u.id AND e.id = ANY (ARRAY(SELECT id FROM unroutable))  -- the array: by primary key
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
        WHERE NOT EXISTS (SELECT FROM marketing.pipeline_events  -- OFFSET: one look into the index for each batch
                          WHERE status = 'pending' AND import_batch_id = u.import_batch_id OFFSET 0)
          AND NOT EXISTS (SELECT FROM marketing.pipeline_events
                          WHERE status = 'processing' AND import_batch_id = u.import_batch_id OFFSET 0)
          AND NOT EXISTS (SELECT FROM marketing.pipeline_events
                          WHERE status = 'failed' AND import_batch_id = u.import_batch_id OFFSET 0)
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


@dataclass(frozen=True)
class Requeued:
    """What a fresh start was given to: events, their batches, rows that had been set aside, errors that were closed."""

    events: int
    batches: tuple[str, ...]
    rows: int
    errors: int


def requeue(
    connection: Connection, import_batch_id: str | None = None, event_ids: Sequence[int] | None = None
) -> Requeued:
    """Give dead letters and rows set aside a fresh start, and close the errors that told of them.

    Without arguments all of them; else those of the batch, and of these only ``event_ids`` when given. Events that are not
    dead letters, or name no batch, are passed over. An error that tells of several events is closed when none of them is a
    dead letter any more.
    """
    requeued = sql.rows(
        connection,
        """
        UPDATE marketing.pipeline_events
        SET status = 'pending', attempts = 0, crashes = 0, available_at = now(), processed_at = NULL, error_message = NULL
        WHERE status = 'failed' AND import_batch_id IS NOT NULL
          AND (%(batch)s::text IS NULL OR import_batch_id = %(batch)s)
          AND (%(ids)s::bigint[] IS NULL OR id = ANY (%(ids)s::bigint[]))
        RETURNING id, import_batch_id, payload ->> 'set_aside' AS set_aside, first_record_id
        """,
        batch=import_batch_id,
        ids=None if event_ids is None else list(event_ids),
    )
    rows = [event for event in requeued if event["set_aside"]]
    for table in sorted({event["set_aside"] for event in rows}):
        set_aside.take_back(
            connection, table, [int(event["first_record_id"]) for event in rows if event["set_aside"] == table]
        )
    batches = sorted({event["import_batch_id"] for event in requeued})
    errors = sql.execute(
        connection,
        """
        UPDATE marketing.pipeline_errors e
        SET resolved = true, resolved_at = now(), resolved_by = marketing.actor(), resolution_notes = 'requeued'
        WHERE NOT e.resolved AND (
            %(ids)s::bigint[] IS NULL AND e.event_type IN ('dead_letter', 'row_set_aside')
                AND (%(batch)s::text IS NULL OR e.import_batch_id = %(batch)s)
            OR e.import_batch_id = ANY (%(batches)s::text[])
                AND (e.error_details ->> 'event_id' = ANY (%(requeued)s::text[])
                     OR EXISTS (SELECT FROM jsonb_path_query(e.error_details, '$.event_ids[*]') AS event (id)
                                WHERE event.id::text = ANY (%(requeued)s::text[]))
                     OR jsonb_path_exists(e.error_details, '$ ? (@.events > @.event_ids.size())'))
                AND NOT EXISTS (SELECT FROM marketing.events_of_error(e.error_details, e.import_batch_id)))
        """,
        batch=import_batch_id,
        ids=None if event_ids is None else list(event_ids),
        batches=batches,
        requeued=[str(event["id"]) for event in requeued],
    )
    sql.rows(
        connection,
        "SELECT marketing.wake_listeners('requeued', %(batch)s, %(events)s)",
        batch=import_batch_id,
        events=len(requeued),
    )
    return Requeued(len(requeued), tuple(batches), len(rows), errors)


def events_of_errors(connection: Connection, wanted: ErrorFilter) -> list[int]:
    """The dead letters that the open errors of the filter tell of; their ids, ascending."""
    found = sql.rows(
        connection,
        f"""
        SELECT DISTINCT event.id
        FROM (SELECT error_details, import_batch_id FROM marketing.pipeline_errors WHERE NOT resolved AND {MATCHES}) AS e
        CROSS JOIN LATERAL marketing.events_of_error(e.error_details, e.import_batch_id) AS event (id)
        ORDER BY event.id
        """,
        **wanted.parameters(),
    )
    return [row["id"] for row in found]
