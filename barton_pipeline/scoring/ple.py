"""Stage ple_scores: every company of the batch gets its PLE by the documented rubric.

The formula is ``sql/scoring/ple.sql``; points are ``scoring.yaml``; docs/scoring.md explains both. A learned model takes
the rubric's place by filling pg_temp.ple_now itself.
"""

from datetime import datetime
from typing import Any

from psycopg2.extensions import connection as Connection

from barton_pipeline.database import sql_path
from barton_pipeline.scoring import bit
from barton_pipeline.scoring.config import moment, rules
from barton_pipeline.stages import run_sql


def run(connection: Connection, import_batch_id: str, as_of: datetime | None = None) -> dict[str, Any]:
    """Store the scores that changed; returns the stage's counts."""
    score(connection, batch=import_batch_id, as_of=moment(as_of))
    return run_sql(
        connection,
        "ple_scores",
        version=f"rubric-{rules().version}",
        epsilon=rules().ple["history_epsilon"],
        as_of=moment(as_of),
    )


def score(
    connection: Connection, *, batch: str | None = None, company: str | None = None, as_of: datetime | None = None
) -> None:
    """Fill pg_temp.ple_now (and pg_temp.bit_now, its engagement evidence) as ``bit.score`` does."""
    bit.score(connection, batch=batch, company=company, as_of=as_of)
    formula = sql_path("scoring", "ple.sql").read_text(encoding="utf-8")
    with connection.cursor() as cursor:
        cursor.execute(
            f"DROP TABLE IF EXISTS pg_temp.ple_now; CREATE TEMP TABLE ple_now ON COMMIT DROP AS {formula}",
            {**rules().parameters(), "as_of": as_of},
        )
