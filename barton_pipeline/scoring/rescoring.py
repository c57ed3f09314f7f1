"""Scores every company again, page by page: evidence decays with time alone, and a new model or new rules concern everybody.

Belongs here: the nightly round. The scores themselves are ``bit``, ``ple`` and ``targets``.
"""

import time
from collections.abc import Callable
from typing import Any

import psycopg2

from barton_pipeline.postgres import sql
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.scoring import bit, drift, ple, selection, targets
from barton_pipeline.stages.runner import tell_planner

PAGE = 20_000
# A page that meets a run writing the same targets is scored again.
TRIES = 3


def rescore(triggered_by: str, progress: Callable[[int], None] = lambda companies: None) -> dict[str, Any]:
    """Score all companies as of now; returns counts and the features that drifted. ``progress`` gets each page's size.

    Each page is a transaction of its own: killed half-way, what is done stays, and the next round does everything.
    """
    started = time.monotonic()
    counts: dict[str, Any] = {"companies": 0, "entered": 0, "left_the_list": 0}
    after: str | None = ""
    while after is not None:
        after, page = _score_page(after)
        counts["companies"] += page.get("rows_in", 0)
        counts["entered"] += page.get("entered", 0)
        counts["left_the_list"] += page.get("left_the_list", 0)
        progress(page.get("rows_in", 0))
    counts["drifted"] = drift.raise_alarm()
    seconds = round(time.monotonic() - started, 3)
    with transaction() as connection:
        sql.execute(
            connection,
            """
            INSERT INTO marketing.workflow_stats (workflow_name, status, duration_seconds, triggered_by)
            VALUES ('rescore', 'ok', %(seconds)s, %(triggered_by)s)
            """,
            seconds=seconds,
            triggered_by=triggered_by,
        )
    return {**counts, "seconds": seconds}


def _score_page(after: str) -> tuple[str | None, dict[str, Any]]:
    for attempt in range(1, TRIES + 1):
        try:
            with transaction() as connection:
                tell_planner(connection)
                last = selection.choose_page(connection, after, PAGE)
                if last is None:
                    return None, {}
                bit.store(connection)
                ple.store(connection)
                return last, targets.store(connection, None)
        except psycopg2.errors.DeadlockDetected:
            if attempt == TRIES:
                raise
    raise AssertionError("the last try returns or raises")
