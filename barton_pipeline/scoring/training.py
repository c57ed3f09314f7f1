"""From the database to a model and back: builds the training set, has a model learned from it, keeps and perhaps publishes it.

Belongs here: SQL in, models out. What is learned and tested is ``learning``; docs/explanation/learning.md explains.
scikit-learn is imported only when a model is learned.
"""

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from psycopg2.extensions import connection as Connection

from barton_pipeline.postgres import sql
from barton_pipeline.scoring import bit, drift, models
from barton_pipeline.scoring.config import rules
from barton_pipeline.scoring.steps import statement

if TYPE_CHECKING:
    from barton_pipeline.scoring.learning import Outcome
    from barton_pipeline.scoring.scorecards import Examples


def build(connection: Connection, moment: datetime | None = None) -> dict[str, Any]:
    """Build marketing.ple_training_examples anew from what was known at each attempt; returns the counts.

    ``moment`` (None: now) decides which attempts are old enough to judge.
    """
    learning = rules().learning
    counts = sql.run_file(
        connection,
        "scoring",
        "attempts.sql",
        horizon_days=learning.horizon_days,
        positive_outcomes=learning.positive_outcomes,
        most_examples=learning.most_examples,
        moment=moment or datetime.now(UTC),
    )
    bit.score(connection)
    sql.execute(
        connection,
        f"""
        DELETE FROM marketing.ple_training_examples;
        INSERT INTO marketing.ple_training_examples (id, company_id, as_of, converted, features)
        {statement("features", "parts", "training_examples")}
        """,
        **rules().parameters(),
    )
    found = sql.one(
        connection,
        """
        SELECT count(*) AS examples, count(*) FILTER (WHERE converted) AS positives,
               count(DISTINCT company_id) AS companies, min(as_of) AS oldest, max(as_of) AS newest
        FROM marketing.ple_training_examples
        """,
    )
    return {**counts, **found}


def read_examples(connection: Connection) -> "Examples":
    """The training set as ``build`` left it, in time order."""
    import numpy as np
    import pandas as pd

    from barton_pipeline.scoring.scorecards import Examples

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT company_id, as_of AT TIME ZONE 'UTC', converted, features FROM marketing.ple_training_examples "
            "ORDER BY as_of, id"
        )
        rows = cursor.fetchall()
    everything = pd.DataFrame([row[3] for row in rows])
    rubric = everything[[name for name in everything if name.startswith("@")]].fillna(0.0)
    rubric.columns = [name[1:] for name in rubric]
    features = everything[sorted(name for name in everything if not name.startswith("@"))]
    for name in features:
        if not features[name].map(lambda value: isinstance(value, str)).any():
            features = features.assign(**{name: features[name].astype(float)})
    return Examples(
        features,
        rubric,
        np.array([row[2] for row in rows], bool),
        np.array([row[0] for row in rows], object),
        np.array([row[1] for row in rows], "datetime64[us]"),
    )


def learn(connection: Connection) -> tuple[str | None, "Outcome", str]:
    """Learn from the training set, keep the model, and publish it when it has earned that: (version, outcome, model card).

    The version is None when there was too little to learn from. Raises LeakFound and BartonError as ``learning.learn`` does.
    """
    from barton_pipeline.scoring import learning, model_card
    from barton_pipeline.scoring.scorecards import Scorecard

    found = read_examples(connection)
    incumbent = models.read_champion(connection)
    outcome = learning.learn(
        found,
        rules().learning,
        rules().targets.ple_cut,
        Scorecard.from_dict(incumbent.scorecard) if incumbent else None,
    )
    if outcome.card is None or outcome.method is None:
        return None, outcome, model_card.write_card(None, outcome)
    scorecard = outcome.card.to_dict()
    # drift is measured against the companies of today, not against those that were worth an attempt
    for entry, share in zip(scorecard["bins"], drift.measure_shares(connection, scorecard) or (), strict=False):
        entry["share"] = share
    assert found.as_of is not None, "attempts have dates"
    newest = found.as_of.max().astype(datetime)
    digest = hashlib.sha256(json.dumps(scorecard, sort_keys=True).encode()).hexdigest()[:8]
    version = f"{outcome.method}-{newest:%Y%m%d}-{digest}"
    card = model_card.write_card(version, outcome)
    models.keep(
        connection,
        version=version,
        method=outcome.method,
        publish=outcome.publish,
        reason=outcome.reason,
        scorecard=scorecard,
        report=outcome.report,
        card=card,
        trained_until=f"{newest.isoformat()}+00:00",
    )
    return version, outcome, card
