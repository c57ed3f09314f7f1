"""The models of PLE as they are kept: ``marketing.ple_models``. Imports nothing heavy, for every run reads the champion."""

from dataclasses import dataclass
from typing import Any

from psycopg2.extensions import connection as Connection
from psycopg2.extras import Json

from barton_pipeline.postgres import sql

# ``scorecards.Scorecard.to_dict()``
Scores = dict[str, Any]


@dataclass(frozen=True)
class Champion:
    """The model that scores now."""

    version: str
    method: str
    scorecard: Scores
    trained_until: Any


def read_champion(connection: Connection) -> Champion | None:
    """The published model, None while the rubric scores."""
    found = sql.rows(
        connection,
        "SELECT version, method, scorecard, trained_until FROM marketing.ple_models WHERE status = 'champion'",
    )
    return Champion(**found[0]) if found else None


def keep(
    connection: Connection,
    *,
    version: str,
    method: str,
    publish: bool,
    reason: str,
    scorecard: Scores,
    report: dict[str, Any],
    card: str,
    trained_until: Any,
) -> None:
    """Keep a model that was trained; ``publish`` makes it the champion and retires the one before."""
    # two trainings at once publish one after the other
    sql.execute(connection, "LOCK TABLE marketing.ple_models IN SHARE ROW EXCLUSIVE MODE")
    if publish:
        retire(connection)
    sql.execute(
        connection,
        """
        INSERT INTO marketing.ple_models (version, method, status, reason, scorecard, report, card, trained_until)
        VALUES (%(version)s, %(method)s, %(status)s, %(reason)s, %(scorecard)s, %(report)s, %(card)s, %(trained_until)s)
        ON CONFLICT (version) DO NOTHING
        """,
        version=version,
        method=method,
        status="champion" if publish else "rejected",
        reason=reason,
        scorecard=Json(scorecard),
        report=Json(report),
        card=card,
        trained_until=trained_until,
    )


def retire(connection: Connection) -> str | None:
    """Back to the rubric; returns the version of the model that was retired, None when the rubric scored anyway."""
    found = sql.rows(
        connection,
        """
        UPDATE marketing.ple_models SET status = 'retired', retired_at = now()
        WHERE status = 'champion' RETURNING version
        """,
    )
    return found[0]["version"] if found else None
