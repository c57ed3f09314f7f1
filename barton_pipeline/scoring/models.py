"""The models of PLE as they are kept: ``marketing.ple_models``. Imports nothing heavy, for every run reads the champion."""

from dataclasses import dataclass
from typing import Any

from psycopg2.extensions import connection as Connection
from psycopg2.extras import Json

# ``scorecards.Scorecard.to_dict()``
Scores = dict[str, Any]


@dataclass(frozen=True)
class Champion:
    """The model that scores now."""

    version: str
    method: str
    scorecard: Scores
    trained_until: Any


def champion(connection: Connection) -> Champion | None:
    """The published model, None while the rubric scores."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT version, method, scorecard, trained_until FROM marketing.ple_models WHERE status = 'champion'"
        )
        row = cursor.fetchone()
    return Champion(*row) if row else None


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
    with connection.cursor() as cursor:
        # two trainings at once publish one after the other
        cursor.execute("LOCK TABLE marketing.ple_models IN SHARE ROW EXCLUSIVE MODE")
        if publish:
            cursor.execute(
                "UPDATE marketing.ple_models SET status = 'retired', retired_at = now() WHERE status = 'champion'"
            )
        cursor.execute(
            """
            INSERT INTO marketing.ple_models
                (version, method, status, reason, scorecard, report, card, trained_until)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (version) DO NOTHING
            """,
            (
                version,
                method,
                "champion" if publish else "rejected",
                reason,
                Json(scorecard),
                Json(report),
                card,
                trained_until,
            ),
        )


def retire(connection: Connection) -> str | None:
    """Back to the rubric; returns the version of the model that was retired."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE marketing.ple_models SET status = 'retired', retired_at = now() WHERE status = 'champion' RETURNING version
            """
        )
        row = cursor.fetchone()
    return row[0] if row else None
