"""The event queue: accept, absorb, extend, finish, fail and requeue events. The protocol is docs/event-protocol.md.

Belongs here: every statement that moves an event between states. Starting runs is the sensor's business
(``sensors.py``), doing the work is a stage's (``stages.py``). No dagster here.

All functions take a psycopg2 connection and leave the commit to the caller, so that finishing an event can be part
of the transaction that did its work. All times are the server's.
"""

import contextlib
import json
import select
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extras import RealDictCursor

from barton_pipeline import set_aside
from barton_pipeline.config import load_yaml
from barton_pipeline.errors import BartonError, DatabaseError, InputError
from barton_pipeline.postgres.connection import connect

CHANNEL = "pipeline_event"


@dataclass(frozen=True)
class QueueSettings:
    """The numbers of ``event_queue.yaml``; units are in the names."""

    max_attempts: int
    max_crashes: int
    lease_seconds: float
    heartbeat_seconds: float
    backoff_base_seconds: float
    backoff_cap_seconds: float
    batches_per_tick: int
    listen_seconds: float
    reconcile_after_seconds: float
    set_aside_at_most: int


@cache
def settings() -> QueueSettings:
    """The documented defaults, read once per process."""
    return QueueSettings(**load_yaml(Path(__file__).with_name("event_queue.yaml")))


class LeaseLost(BartonError):
    """The run no longer holds its batch: its events were handed back or taken over by another run."""


@dataclass(frozen=True)
class ReadyBatch:
    """A batch with pending events and no run at work."""

    import_batch_id: str
    rows: int
    attempts: int


@dataclass(frozen=True)
class Claim:
    """Events accepted for one run. ``entry_stage`` is the earliest stage they make stale."""

    import_batch_id: str
    lease_token: str
    entry_stage: str
    events: int


@dataclass(frozen=True)
class Lease:
    """Events being processed under one token. ``run_id`` is None until the run's first stage has begun."""

    import_batch_id: str
    lease_token: str
    run_id: str | None
    expired: bool


def _rows(connection: Connection, statement: str, **parameters: Any) -> list[dict[str, Any]]:
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(statement, parameters)
        return [dict(row) for row in cursor.fetchall()]


def settle_unroutable(connection: Connection) -> int:
    """End events that no run can work on: informational ones are processed, others fail visibly.

    Others are those that name no batch, and those of a type that marketing.event_routes does not know.
    Returns how many were ended.
    """
    ended = _rows(
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
            log_error(
                connection,
                event["event_type"],
                f"No run can be started for event {event['id']} ({event['event_type']}): {event['error_message']}. "
                "Raise it again with a known type and import_batch_id in its payload.",
                record_id=event["first_record_id"],
            )
    return len(ended)


# Nothing is ever put off for longer than the cap: what seems to be was written before the server's clock jumped back.
DUE = "(available_at <= now() OR available_at > now() + make_interval(secs => 2 * %(cap)s))"


def ready_batches(connection: Connection, limit: int) -> list[ReadyBatch]:
    """Batches that have pending events, are due, and have no run at work.

    Few rows before many, so that a row of somebody who waits does not stand behind a hundred files; a minute of waiting
    counts as much as a tenth of the rows, so that nobody waits for ever.
    """
    rows = _rows(
        connection,
        f"""
        WITH RECURSIVE batches AS (  -- skips through the index, so that events stuck in busy batches cost nothing
            SELECT min(import_batch_id) AS import_batch_id FROM marketing.pipeline_events WHERE status = 'pending'
            UNION ALL
            SELECT (SELECT min(e.import_batch_id) FROM marketing.pipeline_events e
                    WHERE e.status = 'pending' AND e.import_batch_id > b.import_batch_id)
            FROM batches b WHERE b.import_batch_id IS NOT NULL
        )
        SELECT b.import_batch_id, due.rows, due.attempts
        FROM batches b CROSS JOIN LATERAL (
            SELECT min(e.id) AS first_id, min(e.created_at) AS since, sum(e.n_rows)::bigint AS rows, max(e.attempts) AS attempts
            FROM marketing.pipeline_events e JOIN marketing.event_routes r USING (event_type)
            WHERE e.status = 'pending' AND e.import_batch_id = b.import_batch_id AND {DUE} AND r.entry_stage IS NOT NULL
        ) AS due
        WHERE b.import_batch_id IS NOT NULL AND due.first_id IS NOT NULL
          AND NOT EXISTS (SELECT FROM marketing.pipeline_events busy
                          WHERE busy.status = 'processing' AND busy.import_batch_id = b.import_batch_id)
        ORDER BY length(due.rows::text) - extract(epoch FROM now() - due.since) / 60, due.first_id LIMIT %(limit)s
        """,
        limit=limit,
        cap=settings().backoff_cap_seconds,
    )
    return [ReadyBatch(**row) for row in rows]


def accept(connection: Connection, import_batch_id: str, run_id: str | None = None) -> Claim | None:
    """Claim all due events of a batch for one new run, fenced by a fresh token.

    None when nothing is due or another run holds the batch.
    """
    token = str(uuid.uuid4())
    with connection.cursor() as cursor:
        # tried, not waited for: several batches are accepted in one transaction, and two acceptors must not deadlock
        cursor.execute(
            "SELECT pg_try_advisory_xact_lock(hashtextextended('barton.accept:' || %s, 0))", (import_batch_id,)
        )
        row = cursor.fetchone()
        if not (row and row[0]) or lease_of(connection, import_batch_id):
            return None
        cursor.execute(
            f"""
            UPDATE marketing.pipeline_events
            SET status = 'processing', attempts = attempts + 1, lease_token = %(token)s, claimed_by = %(run_id)s,
                lease_until = now() + make_interval(secs => %(lease)s)
            WHERE status = 'pending' AND id = ANY (ARRAY(
                SELECT e.id FROM marketing.pipeline_events e JOIN marketing.event_routes r USING (event_type)
                WHERE status = 'pending' AND import_batch_id = %(batch)s AND {DUE} AND r.entry_stage IS NOT NULL
                FOR UPDATE OF e SKIP LOCKED))
            """,
            {
                "cap": settings().backoff_cap_seconds,
                "token": token,
                "run_id": run_id,
                "lease": settings().lease_seconds,
                "batch": import_batch_id,
            },
        )
        events = cursor.rowcount
        if not events:
            return None
        cursor.execute(
            """
            SELECT s.stage FROM marketing.pipeline_events e
            JOIN marketing.event_routes r USING (event_type) JOIN marketing.pipeline_stages s ON s.stage = r.entry_stage
            WHERE e.lease_token = %s AND e.status = 'processing' ORDER BY s.position LIMIT 1
            """,
            (token,),
        )
        row = cursor.fetchone()
    assert row is not None
    return Claim(import_batch_id, token, row[0], events)


def absorb(connection: Connection, lease_token: str, import_batch_id: str, stage: str, run_id: str) -> int:
    """Take the pending events for which ``stage`` is the entry: the run is about to do their work.

    This is what keeps events raised by a run's own writes from starting a second run.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE marketing.pipeline_events
            SET status = 'processing', attempts = attempts + 1, lease_token = %(token)s, claimed_by = %(run_id)s,
                lease_until = now() + make_interval(secs => %(lease)s)
            WHERE status = 'pending' AND id = ANY (ARRAY(
                SELECT e.id FROM marketing.pipeline_events e JOIN marketing.event_routes r USING (event_type)
                WHERE e.status = 'pending' AND e.import_batch_id = %(batch)s AND r.entry_stage = %(stage)s
                FOR UPDATE OF e SKIP LOCKED))
            """,
            {
                "token": lease_token,
                "run_id": run_id,
                "lease": settings().lease_seconds,
                "batch": import_batch_id,
                "stage": stage,
            },
        )
        return cursor.rowcount


def extend(connection: Connection, lease_token: str, run_id: str) -> bool:
    """Renew the lease and note the run that holds it; False when the run no longer holds anything.

    Rows locked at this moment are being finished by the run itself and count as held.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE marketing.pipeline_events
            SET lease_until = now() + make_interval(secs => %(lease)s), claimed_by = %(run_id)s
            WHERE status = 'processing' AND id = ANY (ARRAY(
                SELECT id FROM marketing.pipeline_events
                WHERE status = 'processing' AND lease_token = %(token)s FOR UPDATE SKIP LOCKED))
            """,
            {"token": lease_token, "run_id": run_id, "lease": settings().lease_seconds},
        )
        cursor.execute(
            "SELECT EXISTS (SELECT FROM marketing.pipeline_events WHERE status = 'processing' AND lease_token = %s)",
            (lease_token,),
        )
        row = cursor.fetchone()
    return bool(row and row[0])


def finish(connection: Connection, lease_token: str, import_batch_id: str, stage: str, must_hold: bool) -> int:
    """Acknowledge, in the caller's transaction, the events whose work ends with ``stage``.

    These are the run's events up to that stage, and those the run's own writes raised for stages it has done.
    Raises LeaseLost when ``must_hold`` and the token holds nothing: then the caller must roll back its writes.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE marketing.pipeline_events e
            SET status = 'processed', processed_at = now(), lease_token = NULL, lease_until = NULL, error_message = NULL
            FROM marketing.event_routes r JOIN marketing.pipeline_stages s ON s.stage = r.entry_stage
            WHERE r.event_type = e.event_type AND e.status = 'processing' AND e.lease_token = %(token)s
              AND s.position <= (SELECT position FROM marketing.pipeline_stages WHERE stage = %(stage)s)
            """,
            {"token": lease_token, "stage": stage},
        )
        finished = cursor.rowcount
        if must_hold and not finished:
            raise LeaseLost(
                f"Batch {import_batch_id} is no longer held by this run (token {lease_token}); its writes were rolled "
                "back. Another run has the batch or will get it; nothing need be done."
            )
        cursor.execute(
            """
            UPDATE marketing.pipeline_events e
            SET status = 'processed', processed_at = now()
            FROM marketing.event_routes r LEFT JOIN marketing.pipeline_stages s ON s.stage = r.entry_stage
            WHERE r.event_type = e.event_type AND e.status = 'pending' AND e.import_batch_id = %(batch)s
              AND e.raised_by = %(token)s
              AND (r.entry_stage IS NULL OR s.position <= (SELECT position FROM marketing.pipeline_stages WHERE stage = %(stage)s))
            """,
            {"token": lease_token, "batch": import_batch_id, "stage": stage},
        )
        return finished + cursor.rowcount


def fail(connection: Connection, lease_token: str, message: str, crashed: bool = False) -> tuple[int, int]:
    """Hand a failed run's events back: (events to be retried later, events that became dead letters).

    The delay is min(base * 2^(attempts-1), cap) * uniform(0.5, 1). Dead letters get one critical error per batch.
    """
    limits = settings()
    rows = _rows(
        connection,
        """
        WITH judged AS (
            SELECT id, attempts >= %(max_attempts)s OR crashes + %(crashed)s >= %(max_crashes)s AND %(crashed)s > 0 AS dead
            FROM marketing.pipeline_events WHERE status = 'processing' AND lease_token = %(token)s FOR UPDATE
        )
        UPDATE marketing.pipeline_events e
        SET status = CASE WHEN dead THEN 'failed' ELSE 'pending' END,
            crashes = e.crashes + %(crashed)s,
            processed_at = CASE WHEN dead THEN now() END,
            available_at = CASE WHEN dead THEN e.available_at ELSE now() + make_interval(secs =>
                least(%(base)s * 2 ^ least(e.attempts - 1, 30), %(cap)s) * (0.5 + random() / 2)) END,
            lease_token = NULL, lease_until = NULL, error_message = left(%(message)s, 2000)
        FROM judged j WHERE e.id = j.id
        RETURNING e.id, e.import_batch_id, j.dead
        """,
        token=lease_token,
        crashed=int(crashed),
        message=message,
        max_attempts=limits.max_attempts,
        max_crashes=limits.max_crashes,
        base=limits.backoff_base_seconds,
        cap=limits.backoff_cap_seconds,
    )
    dead = [row for row in rows if row["dead"]]
    if dead:
        batch = dead[0]["import_batch_id"]
        log_error(
            connection,
            "dead_letter",
            f"Batch {batch}: {len(dead)} event(s) given up after repeated failures. Last failure: {message[:1000]} "
            f"Mend the cause, then run: barton retry {batch}",
            batch=batch,
            record_id=str(dead[0]["id"]),
            details={"event_ids": [row["id"] for row in dead[:100]], "events": len(dead)},
            severity="critical",
        )
    return len(rows) - len(dead), len(dead)


def give_back(connection: Connection, lease_token: str) -> int:
    """Return the events of a run that never came to be, at once and as if they had not been claimed; how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE marketing.pipeline_events
            SET status = 'pending', attempts = attempts - 1, lease_token = NULL, lease_until = NULL
            WHERE status = 'processing' AND lease_token = %s
            """,
            (lease_token,),
        )
        return cursor.rowcount


def reconcile(connection: Connection) -> list[str]:
    """Queue the batches that hold rows nobody has judged and no event announces; returns their keys.

    Triggers do not fire during a restore, under logical replication or when somebody disabled them. Each find is an
    error in the log, because something other than the queue has to be looked at.
    """
    found = _rows(
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
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT marketing.notify_pipeline_event(%s, '{}', %s)",
                (f"continue_at_{batch['stage']}", batch["import_batch_id"]),
            )
        log_error(
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


def start_over(connection: Connection, import_batch_id: str) -> None:
    """Queue a batch to run through all stages again, though nothing about it has changed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT marketing.notify_pipeline_event('continue_at_raw_intake', '{}', %s)", (import_batch_id,))


def open_leases(connection: Connection, import_batch_id: str | None = None) -> list[Lease]:
    """Every token at work (on one batch, or at all), with its run and whether its lease has run out.

    A lease that seems to last longer than one can was written before the server's clock jumped back.
    """
    rows = _rows(
        connection,
        """
        SELECT import_batch_id, lease_token::text, max(claimed_by) AS run_id,
               max(lease_until) NOT BETWEEN now() AND now() + make_interval(secs => 2 * %(lease)s) AS expired
        FROM marketing.pipeline_events
        WHERE status = 'processing' AND (%(batch)s::text IS NULL OR import_batch_id = %(batch)s)
        GROUP BY import_batch_id, lease_token
        """,
        batch=import_batch_id,
        lease=settings().lease_seconds,
    )
    return [Lease(**row) for row in rows]


def lease_of(connection: Connection, import_batch_id: str) -> Lease | None:
    """The lease a batch is under, if any."""
    return next(iter(open_leases(connection, import_batch_id)), None)


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


def check_known_batch(connection: Connection, import_batch_id: str) -> None:
    """Raise InputError unless some intake table holds rows of the batch."""
    known = _rows(
        connection,
        """
        SELECT 1 WHERE EXISTS (SELECT FROM intake.company_raw_intake WHERE import_batch_id = %(batch)s)
            OR EXISTS (SELECT FROM intake.people_raw_intake WHERE import_batch_id = %(batch)s)
            OR EXISTS (SELECT FROM intake.signals_raw_intake WHERE import_batch_id = %(batch)s)
            OR EXISTS (SELECT FROM intake.outcomes_raw_intake WHERE import_batch_id = %(batch)s)
        """,
        batch=import_batch_id,
    )
    if not known:
        raise InputError(
            f"Batch {import_batch_id!r} holds no rows. Load it first (barton load FILE --batch {import_batch_id}), "
            "or see the known batches with: barton status"
        )


def listen(connection: Connection, seconds: float) -> list[str]:
    """Wait up to ``seconds`` for notifications on a connection that LISTENs; their payloads, empty on time-out.

    The connection must be in autocommit: a listener idle in a transaction blocks the server's notification queue.
    """
    connection.poll()
    if not connection.notifies:
        with contextlib.suppress(InterruptedError):
            select.select([connection], [], [], seconds)
        connection.poll()
    payloads = [notification.payload for notification in connection.notifies]
    connection.notifies.clear()
    return payloads


def start_listening(connection: Connection) -> None:
    """Subscribe a connection to the queue's channel (sets autocommit)."""
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {CHANNEL}")


def follow(deadline: float) -> Iterator[dict[str, Any]]:
    """Events as they are raised, until ``deadline`` (time.monotonic seconds).

    Survives a lost connection: it subscribes again first and then reads the table, so nothing is skipped. An event
    that becomes visible later than one with a higher id is caught by looking back over the newest ids.
    """
    seen: dict[int, None] = {}
    connection: Connection | None = None
    start = None
    while time.monotonic() < deadline:
        try:
            if connection is None:
                connection = connect()
                start_listening(connection)
            if start is None:
                start = _rows(connection, "SELECT coalesce(max(id), 0) AS id FROM marketing.pipeline_events")[0]["id"]
            for event in _rows(connection, _NEW_EVENTS, after=max([start, *list(seen)[-1:]]) - LOOK_BACK, start=start):
                if event["id"] not in seen:
                    seen[event["id"]] = None
                    yield event
            for event_id in list(seen)[:-LOOK_BACK]:
                del seen[event_id]
            listen(connection, max(0.0, min(1.0, deadline - time.monotonic())))
        except (psycopg2.OperationalError, psycopg2.InterfaceError, DatabaseError):
            connection = None
            time.sleep(max(0.0, min(1.0, deadline - time.monotonic())))


LOOK_BACK = 10_000
_NEW_EVENTS = """
    SELECT id, event_type, import_batch_id, status, n_rows, payload, created_at FROM marketing.pipeline_events
    WHERE id > %(after)s AND id > %(start)s ORDER BY id
"""
