"""Stage sniper_targets: the companies of the batch above a cut, with their reasons in words."""

import json
from typing import Any

from psycopg2.extensions import connection as Connection

from barton_pipeline.scoring import selection
from barton_pipeline.scoring.config import rules
from barton_pipeline.stages.runner import run_sql


def run(connection: Connection, import_batch_id: str) -> dict[str, Any]:
    """Bring the list in step with the batch's latest scores; returns the stage's counts and yield curve."""
    selection.choose_batch(connection, import_batch_id)
    counts = store(connection, import_batch_id)
    selection.drop_taken_signals(connection, import_batch_id)
    return counts


def store(connection: Connection, import_batch_id: str | None) -> dict[str, Any]:
    """Bring marketing.sniper_targets in step for the chosen companies; who enters and leaves is an event of the batch.

    ``import_batch_id`` is None for the nightly round, which belongs to no batch.
    ``expected_precision`` is empty until a model has earned probabilities.
    """
    scoring = rules()
    labels = [{"signal_type": name, "label": rule.label} for name, rule in scoring.bit.signals.items()]
    return run_sql(
        connection,
        "sniper_targets",
        batch=import_batch_id,
        version=scoring.version,
        signal_labels=json.dumps(labels),
        **vars(scoring.targets),
    )
