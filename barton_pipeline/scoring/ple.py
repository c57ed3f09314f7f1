"""Stage ple_scores: outcome rows are judged and recorded, then every company of the batch gets its PLE.

The formula is ``sql/scoring/scorecard.sql`` with the champion model's scorecard, or ``rubric.sql`` while there is none, over
``features.sql``. Points are ``scoring.yaml``; docs/explanation/scoring.md and docs/explanation/learning.md explain.
Not here: how a model is learned.
"""

import json
from datetime import datetime
from operator import itemgetter
from typing import Any

from psycopg2.extensions import connection as Connection

from barton_pipeline.postgres import sql
from barton_pipeline.scoring import bit, selection
from barton_pipeline.scoring.config import OUTCOMES, moment, rules
from barton_pipeline.scoring.models import Scores, read_champion
from barton_pipeline.scoring.steps import statement
from barton_pipeline.stages.runner import choose_companies, run_sql


def run(connection: Connection, import_batch_id: str, as_of: datetime | None = None) -> dict[str, Any]:
    """Record the batch's outcomes and store the scores that changed; returns the stage's counts.

    ``as_of`` is the moment to score at, with a time zone; None means now. Raises InputError for one that is still to come.
    """
    choose_companies(connection, import_batch_id)
    outcomes = run_sql(
        connection,
        "ple_scores_outcomes",
        batch=import_batch_id,
        types=list(OUTCOMES),
        future_minutes=rules().bit.future_tolerance_minutes,
        earliest=rules().bit.earliest,
    )
    selection.choose_batch(connection, import_batch_id, moment(as_of))
    bit.score(connection)
    return {**outcomes, **store(connection)}


def store(connection: Connection) -> dict[str, Any]:
    """Score what is in pg_temp.bit_now and keep what has changed; returns the counts."""
    model = read_champion(connection)
    score(connection, model.scorecard if model else None)
    counts = run_sql(
        connection,
        "ple_scores",
        version=model.version if model else f"rubric-{rules().version}",
        method=model.method if model else "rubric",
        epsilon=rules().ple.history_epsilon,
    )
    return {**counts, "method": model.method if model else "rubric (no model has been published: see ple_model)"}


def score(connection: Connection, scorecard: Scores | None) -> None:
    """Fill pg_temp.ple_now with the PLE of what is in pg_temp.bit_now (``bit.score``); None scores by the rubric."""
    steps = ("features", "parts", "bins", "binned", "scorecard") if scorecard else ("features", "parts", "rubric")
    sql.execute(
        connection,
        f"DROP TABLE IF EXISTS pg_temp.ple_now; CREATE TEMP TABLE ple_now ON COMMIT DROP AS {statement(*steps)}",
        **_parameters(scorecard),
    )
    sql.execute(connection, sql.read("scoring", "exclusions.sql"), **rules().parameters())


def count_bins(connection: Connection, scorecard: Scores) -> list[int]:
    """How many of the companies in pg_temp.bit_now are in each bin of the scorecard, in its order."""
    found = sql.rows(
        connection, statement("features", "parts", "bins", "binned", "population"), **_parameters(scorecard)
    )
    return [row["companies"] for row in sorted(found, key=itemgetter("bin"))]


def _parameters(scorecard: Scores | None) -> dict[str, Any]:
    return {**rules().parameters(), "scorecard": json.dumps(scorecard) if scorecard else None}
