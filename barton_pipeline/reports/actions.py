"""What was done to the pipeline, by whom, and what came of it: marketing.actions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg2.extensions import connection as Connection

from barton_pipeline.postgres import sql


@dataclass(frozen=True)
class RecordedAction:
    """One action. ``outcome`` is done, failed, refused, or started: it has several transactions and is at work or was killed.

    ``ended_at`` is None for started ones. ``shown_count`` is what a preview had shown, None when nobody looked; ``done_count``
    is None unless it is done.
    """

    id: int
    at: datetime
    ended_at: datetime | None
    actor: str
    role: str
    door: str
    database_user: str
    action: str
    parameters: dict[str, Any]
    reason: str | None
    shown_count: int | None
    done_count: int | None
    outcome: str
    error: str | None
    request_id: str | None


def list_actions(
    connection: Connection,
    *,
    action: str | None = None,
    since: datetime | None = None,
    request_id: str | None = None,
    limit: int = 50,
    offset: int = 0,
) -> list[RecordedAction]:
    """Actions, newest first; what is None does not matter. The beginning and the end of an action are one entry."""
    found = sql.rows(
        connection,
        """
        SELECT a.id, a.at, CASE WHEN a.outcome = 'started' THEN ended.at ELSE a.at END AS ended_at, a.actor, a.role, a.door,
               a.database_user, a.action, coalesce(ended.parameters, a.parameters) AS parameters, a.reason, a.shown_count,
               coalesce(ended.done_count, a.done_count) AS done_count, coalesce(ended.outcome, a.outcome) AS outcome,
               coalesce(ended.error, a.error) AS error, a.request_id
        FROM marketing.actions a LEFT JOIN marketing.actions ended ON ended.started_id = a.id
        WHERE a.started_id IS NULL
          AND (%(action)s::text IS NULL OR a.action = %(action)s)
          AND (%(since)s::timestamptz IS NULL OR a.at >= %(since)s)
          AND (%(request_id)s::text IS NULL OR a.request_id = %(request_id)s)
        ORDER BY a.at DESC, a.id DESC LIMIT %(limit)s OFFSET %(offset)s
        """,
        action=action,
        since=since,
        request_id=request_id,
        limit=limit,
        offset=offset,
    )
    return [RecordedAction(**row) for row in found]
