"""What is deleted when it has grown old: ended events, resolved errors, stage statistics, alerts. Limits are ``retention.yaml``.

Deletes in chunks, oldest first, each in a transaction of its own: writers never wait, and a purge that is killed has
done part of the work. Dagster's own runs are deleted by ``orchestration.jobs.retention_job``. No dagster here.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection

from barton_pipeline.config import Count, Whole, load
from barton_pipeline.postgres import sql

# Table and what of it may go; each is walked along its index on created_at.
OLD = {
    "processed_events": ("marketing.pipeline_events", "status = 'processed' AND processed_at"),
    "resolved_errors": ("marketing.pipeline_errors", "resolved AND resolved_at"),
    "workflow_stats": ("marketing.workflow_stats", "created_at"),
    "alerts": ("marketing.alerts", "recovered_at"),
    "alert_messages": ("marketing.alert_messages", "state <> 'pending' AND created_at"),
}


@dataclass(frozen=True)
class Limits:
    """The numbers of ``retention.yaml``, which explains them."""

    processed_events_days: Whole
    resolved_errors_days: Whole
    workflow_stats_days: Whole
    alerts_days: Whole
    alert_messages_days: Whole
    dagster_runs_days: Whole
    rows_per_transaction: Count
    rows_at_most: Count
    dagster_runs_at_most: Count


@cache
def limits() -> Limits:
    """The limits in force, read once per process."""
    return load(Path(__file__).with_name("retention.yaml"), Limits)


def count_old(connection: Connection) -> dict[str, int]:
    """Rows of each kind that a purge would delete now, up to ``rows_at_most``."""
    return {
        kind: sql.value(
            connection,
            f"SELECT count(*) FROM (SELECT FROM {table} WHERE {_is_old(condition)} LIMIT %(most)s) AS old",
            **_parameters(kind),
        )
        for kind, (table, condition) in OLD.items()
    }


def purge(connection: Connection) -> dict[str, int]:
    """Delete what is old, committing after each chunk; rows deleted of each kind.

    Two purges at once share the work: each skips the rows that the other has locked.
    """
    deleted = {kind: _purge(connection, kind) for kind in OLD}
    with connection:
        sql.execute(connection, "SELECT marketing.add_up_event_days()")
    return deleted


def _purge(connection: Connection, kind: str) -> int:
    deleted = 0
    while deleted < limits().rows_at_most:
        with connection:
            chunk = sql.value(connection, _statement(kind), **_parameters(kind))
        if not chunk:
            break
        deleted += chunk
    return deleted


# The application may add to these tables but not delete from them; functions of the owner do.
_PURGES = {
    "processed_events": "SELECT marketing.purge_events(now() - make_interval(days => %(days)s), %(chunk)s)",
    "resolved_errors": "SELECT marketing.purge_errors(now() - make_interval(days => %(days)s), %(chunk)s)",
}


def _statement(kind: str) -> str:
    """Deletes a chunk and returns its size."""
    table, condition = OLD[kind]
    return _PURGES.get(
        kind,
        f"""
        WITH gone AS (
            DELETE FROM {table} WHERE id = ANY (ARRAY(
                SELECT id FROM {table} WHERE {_is_old(condition)} ORDER BY created_at LIMIT %(chunk)s FOR UPDATE SKIP LOCKED))
            RETURNING 1
        )
        SELECT count(*) FROM gone
        """,
    )


def _is_old(condition: str) -> str:
    # nothing ends before it begins, so the index on created_at finds it
    return f"created_at < now() - make_interval(days => %(days)s) AND {condition} < now() - make_interval(days => %(days)s)"


def _parameters(kind: str) -> dict[str, Any]:
    return {
        "days": getattr(limits(), f"{kind}_days"),
        "chunk": limits().rows_per_transaction,
        "most": limits().rows_at_most,
    }
