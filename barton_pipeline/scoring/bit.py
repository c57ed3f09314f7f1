"""Stage bit_scores: signal rows are judged and recorded, then every company of the batch gets its BIT.

The formula is ``sql/scoring/bit.sql``; weights and half-lives are ``scoring.yaml``; docs/explanation/scoring.md explains both.
"""

from datetime import datetime
from typing import Any

from psycopg2.extensions import connection as Connection

from barton_pipeline.postgres import sql
from barton_pipeline.scoring import selection
from barton_pipeline.scoring.config import moment, rules
from barton_pipeline.stages.runner import choose_companies, run_sql


def run(connection: Connection, import_batch_id: str, as_of: datetime | None = None) -> dict[str, Any]:
    """Record the batch's signals and store the scores that changed; returns the stage's counts.

    ``as_of`` is the moment to score at, with a time zone; None means now. Raises InputError for one that is still to come.
    """
    bit = rules().bit
    choose_companies(connection, import_batch_id)
    signals = run_sql(
        connection,
        "bit_scores_signals",
        batch=import_batch_id,
        types=signal_types(),
        future_minutes=bit.future_tolerance_minutes,
        earliest=bit.earliest,
    )
    selection.take_new_signals(connection, import_batch_id)
    selection.choose_batch(connection, import_batch_id, moment(as_of))
    return {**signals, **store(connection)}


def signal_types() -> list[str]:
    """The types that have a weight; others are rejected."""
    return list(rules().bit.labels())


def store(connection: Connection) -> dict[str, Any]:
    """Score the chosen companies (``selection``) and keep what has changed; returns the counts."""
    score(connection)
    return run_sql(connection, "bit_scores", version=rules().version, epsilon=rules().bit.history_epsilon)


def score(connection: Connection) -> None:
    """Fill pg_temp.bit_now with the BIT of what is chosen (``selection``)."""
    sql.execute(connection, sql.read("scoring", "bit.sql"), **rules().parameters())
