"""Stage bit_scores: signal rows are judged and recorded, then every company of the batch gets its BIT.

The formula is ``sql/scoring/bit.sql``; weights and half-lives are ``scoring.yaml``; docs/scoring.md explains both.
"""

from datetime import datetime
from typing import Any

from psycopg2.extensions import connection as Connection

from barton_pipeline.database import sql_path
from barton_pipeline.scoring.config import moment, rules
from barton_pipeline.stages import run_sql


def run(connection: Connection, import_batch_id: str, as_of: datetime | None = None) -> dict[str, Any]:
    """Record the batch's signals and store the scores that changed; returns the stage's counts."""
    bit = rules().bit
    signals = run_sql(
        connection,
        "bit_scores_signals",
        batch=import_batch_id,
        types=[rule["signal_type"] for rule in [*bit["signals"], *bit["negative_signals"]]],
        future_minutes=int(bit["future_tolerance_minutes"]),
        earliest=bit["earliest"],
    )
    score(connection, batch=import_batch_id, as_of=moment(as_of))
    stored = run_sql(
        connection, "bit_scores", version=rules().version, epsilon=bit["history_epsilon"], as_of=moment(as_of)
    )
    return {**signals, **stored}


def score(
    connection: Connection, *, batch: str | None = None, company: str | None = None, as_of: datetime | None = None
) -> None:
    """Fill pg_temp.bit_now with the BIT of a batch's companies, or of one company, as of a moment (None: now)."""
    formula = sql_path("scoring", "bit.sql").read_text(encoding="utf-8")
    with connection.cursor() as cursor:
        cursor.execute(
            f"DROP TABLE IF EXISTS pg_temp.bit_now; CREATE TEMP TABLE bit_now ON COMMIT DROP AS {formula}",
            {**rules().parameters(), "batch": batch, "company": company, "as_of": as_of},
        )
