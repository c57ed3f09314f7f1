"""Stage sniper_targets: the companies of the batch above a cut, with their reasons in words."""

import json
from typing import Any

from psycopg2.extensions import connection as Connection

from barton_pipeline.scoring.config import rules
from barton_pipeline.stages import run_sql


def run(connection: Connection, import_batch_id: str) -> dict[str, Any]:
    """Bring marketing.sniper_targets in step with the latest scores; returns the stage's counts and yield curve."""
    scoring = rules()
    labels = [{key: rule[key] for key in ("signal_type", "label")} for rule in scoring.bit["signals"]]
    return run_sql(
        connection,
        "sniper_targets",
        batch=import_batch_id,
        version=scoring.version,
        signal_labels=json.dumps(labels),
        **scoring.targets,
    )
