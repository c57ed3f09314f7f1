"""The event queue: accept, absorb, extend, finish and fail events. The protocol is docs/explanation/event-protocol.md.

Belongs here: every statement that moves an event between states, except those of ``upkeep``. Starting runs is the sensor's business
(``orchestration.sensors``), doing the work is a stage's (``stages``). No dagster here.

All functions take a psycopg2 connection and leave the commit to the caller, so that finishing an event can be part
of the transaction that did its work. All times are the server's.
"""

import json
import uuid
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from psycopg2.extensions import connection as Connection

from barton_pipeline import error_log
from barton_pipeline.config import load
from barton_pipeline.errors import BartonError
from barton_pipeline.postgres import sql
from barton_pipeline.postgres.sql import Lock


@dataclass(frozen=True)
class QueueSettings:
    """The numbers of ``events.yaml``; units are in the names."""

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
    return load(Path(__file__).with_name("events.yaml"), QueueSettings)


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


# Nothing is ever put off for longer than the cap: what seems to be was written before the server's clock jumped back.
DUE = "(available_at <= now() OR available_at > now() + make_interval(secs => 2 * %(cap)s))"


def ready_batches(connection: Connection, limit: int) -> list[ReadyBatch]:
    """Batches that have pending events, are due, and have no run at work.

    Few rows before many, so that a row of somebody who waits does not stand behind a hundred files; a minute of waiting
    counts as much as a tenth of the rows, so that nobody waits for ever.
    """
    rows = sql.rows(
        connection,
        f"""
        WITH RECURSIVE batches AS (  -- skips through the index, so that events stuck in busy batches cost nothing
            (SELECT import_batch_id FROM marketing.pipeline_events WHERE status = 'pending' ORDER BY 1 LIMIT 1)
            UNION ALL
            SELECT (SELECT e.import_batch_id FROM marketing.pipeline_events e
                    WHERE e.status = 'pending' AND e.import_batch_id > b.import_batch_id ORDER BY 1 LIMIT 1)
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

    A claim that ran out before any run had begun with it is given back first. None when nothing is due or a run holds the batch.
    """
    token = str(uuid.uuid4())
    with connection.cursor() as cursor:
        # tried, not waited for: several batches are accepted in one transaction, and two acceptors must not deadlock
        if not sql.try_lock(connection, Lock.ACCEPT, import_batch_id):
            return None
        for lease in open_leases(connection, import_batch_id):
            if lease.run_id or not lease.expired:
                return None
            give_back(connection, lease.lease_token)
        cursor.execute(
            f"""
            UPDATE marketing.pipeline_events
            SET status = 'processing', attempts = attempts + 1, lease_token = %(token)s, claimed_by = %(run_id)s,
                lease_until = now() + make_interval(secs => %(lease)s)
            WHERE id = ANY (ARRAY(  -- not again status = 'pending': then the index of all pending events could be read for it
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
            WHERE id = ANY (ARRAY(  -- not again status = 'pending': then the index of all pending events could be read for it
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
    rows = sql.rows(
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
        error_log.log_error(
            connection,
            "dead_letter",
            f"Batch {batch}: {len(dead)} event(s) given up after repeated failures. Last failure: {message[:1000]} "
            f"Fix the cause, then run: barton retry {batch}",
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


def continue_at(connection: Connection, stage: str, import_batch_id: str, **said: str | None) -> int:
    """Queue a batch to run from ``stage`` on; the event's id. ``said`` goes into its payload: record_id, reason."""
    return int(
        sql.value(
            connection,
            "SELECT marketing.notify_pipeline_event(%(type)s, %(payload)s, %(batch)s) AS id",
            type=f"continue_at_{stage}",
            payload=json.dumps({name: text for name, text in said.items() if text is not None}),
            batch=import_batch_id,
        )
    )


def open_leases(connection: Connection, import_batch_id: str | None = None) -> list[Lease]:
    """Every token at work (on one batch, or at all), with its run and whether its lease has run out.

    A lease that seems to last longer than one can was written before the server's clock jumped back.
    """
    rows = sql.rows(
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
