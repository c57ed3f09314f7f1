"""Hearing of new events: LISTEN on the queue's channel, and following the events as they are raised. No dagster here."""

import contextlib
import select
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from barton_pipeline.errors import DatabaseError
from barton_pipeline.postgres import sql
from barton_pipeline.postgres.connection import connect

CHANNEL = "pipeline_event"


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


@dataclass(frozen=True)
class Event:
    """An event as it was raised. ``status`` is what it was when it was read; ``payload`` depends on the type."""

    id: int
    event_type: str
    import_batch_id: str | None
    status: str
    n_rows: int
    payload: dict[str, Any]
    created_at: datetime


def follow(deadline: float) -> Iterator[Event]:
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
                start = sql.rows(connection, "SELECT coalesce(max(id), 0) AS id FROM marketing.pipeline_events")[0][
                    "id"
                ]
            for event in sql.rows(
                connection, _NEW_EVENTS, after=max([start, *list(seen)[-1:]]) - LOOK_BACK, start=start
            ):
                if event["id"] not in seen:
                    seen[event["id"]] = None
                    yield Event(**event)
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
