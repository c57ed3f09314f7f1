"""The error log, marketing.pipeline_errors: every failure of the pipeline ends there, with what to do about it."""

import json
from typing import Any

from psycopg2.extensions import connection as Connection


def log_error(
    connection: Connection,
    event_type: str,
    message: str,
    *,
    batch: str | None = None,
    record_id: str | None = None,
    details: dict[str, Any] | None = None,
    severity: str = "error",
) -> int:
    """Write to marketing.pipeline_errors; returns the error's id."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT marketing.log_pipeline_error(%s, %s, %s, %s, %s, %s)",
            (event_type, record_id, message, json.dumps(details or {}, default=str), severity, batch),
        )
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])
