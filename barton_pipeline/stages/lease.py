"""A run's hold on its batch: what the run is, checking that it still holds the batch, keeping it, and the record of its death.

The lease itself is the events' (``queue.events``); a stage's transaction is the runner's. No dagster here.
"""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from psycopg2.extensions import connection as Connection

from barton_pipeline.postgres.connection import connect, transaction
from barton_pipeline.queue import events


@dataclass(frozen=True)
class StageRun:
    """One run's work on one batch, as its stages see it.

    ``lease_token`` fences the batch's events. ``must_hold`` is true for a run that was started for claimed events:
    it stops when it has lost them. ``selected`` are the stages the run will execute, ``order`` all stages there are.
    """

    import_batch_id: str
    run_id: str
    lease_token: str
    must_hold: bool
    selected: frozenset[str]
    triggered_by: str
    order: tuple[str, ...]

    def following(self, stage: str) -> str | None:
        """The stage after this one, whether or not the run will execute it; None after the last."""
        place = self.order.index(stage) + 1
        return self.order[place] if place < len(self.order) else None

    def ends_after(self, stage: str) -> bool:
        """True when the run does not go on to the next stage: what is finished so far must be acknowledged."""
        return self.following(stage) not in self.selected


def check_lease(run: StageRun) -> None:
    """Raise LeaseLost when the run no longer holds its batch."""
    with transaction() as connection:
        require_lease(connection, run)


def require_lease(connection: Connection, run: StageRun) -> None:
    """As ``check_lease``, in the caller's transaction; renews the lease."""
    if run.must_hold and not events.extend(connection, run.lease_token, run.run_id):
        raise events.LeaseLost(
            f"Batch {run.import_batch_id} was handed back to the queue or taken over; this run stops, another one does the work."
        )


def record_death(
    connection: Connection, import_batch_id: str, run_id: str, lease_token: str, status: str, message: str
) -> None:
    """Write the statistics row of a stage whose run ended without a word: the one after the last that it completed.

    Call before the events are handed back: without a completed stage they say where the run began. ``status`` is error or
    cancelled; the seconds are those since that stage can have begun.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH done AS (
                SELECT max(p.position) AS position, max(b.completed_at) AS at
                FROM marketing.batch_stages b JOIN marketing.pipeline_stages p USING (stage)
                WHERE b.import_batch_id = %(batch)s AND b.run_id = %(run)s
            ), entry AS (
                SELECT min(p.position) AS position FROM marketing.pipeline_events e JOIN marketing.event_routes r USING (event_type)
                JOIN marketing.pipeline_stages p ON p.stage = r.entry_stage
                WHERE e.status = 'processing' AND e.lease_token = %(token)s
            )
            INSERT INTO marketing.workflow_stats
                (workflow_name, status, duration_seconds, error_message, triggered_by, batch_id, metadata)
            SELECT p.stage, %(status)s, extract(epoch FROM now() - done.at), %(message)s, 'event', %(batch)s,
                   jsonb_build_object('run_id', %(run)s, 'found_by', 'event_queue_sensor')
            FROM done, entry, marketing.pipeline_stages p WHERE p.position >= coalesce(done.position + 1, entry.position)
            ORDER BY p.position LIMIT 1
            """,
            {
                "batch": import_batch_id,
                "run": run_id,
                "token": lease_token,
                "status": status,
                "message": message[:2000],
            },
        )


@contextlib.contextmanager
def heartbeat(runs: Sequence[StageRun]) -> Iterator[None]:
    """Extend the leases from a second connection while a long stage works, so that nobody takes the batches."""
    done = threading.Event()

    def beat() -> None:
        interval = events.settings().heartbeat_seconds
        while not done.wait(interval):
            # a missed beat is not an error: the next one or the fence at the end decides
            with contextlib.suppress(Exception), contextlib.closing(connect()) as connection, connection:
                for run in runs:
                    events.extend(connection, run.lease_token, run.run_id)

    thread = threading.Thread(
        target=beat, name="lease of " + ", ".join(run.import_batch_id for run in runs[:3]), daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
