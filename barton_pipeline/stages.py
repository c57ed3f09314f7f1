"""The stages: their order, and running one of them on one batch inside a fenced transaction.

Belongs here: what every stage shares (SQL files, lease, statistics, error log). What a single stage does is in
``sql/stages/<stage>.sql`` and in the module of the same subject. No dagster here.
"""

import contextlib
import json
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extras import RealDictCursor

from barton_pipeline import error_log
from barton_pipeline.postgres.connection import connect, transaction
from barton_pipeline.postgres.sql import sql_path
from barton_pipeline.queue import events, set_aside

STAGES = (
    "raw_intake",
    "validated_companies",
    "company_master",
    "company_slots",
    "enriched_contacts",
    "verified_emails",
    "bit_scores",
    "ple_scores",
    "sniper_targets",
)

# The stages that give new Barton IDs.
DRAW_NUMBERS = ("company_master", "enriched_contacts")

# Sorts and hashes of a million rows spill at the default 4 MB; a worker has one such statement at a time.
WORK_MEM = "64MB"

Counts = dict[str, Any]
# What a stage does to one batch; the connection is in the stage's transaction.
Work = Callable[[Connection, str], Counts]
# What a stage buys before that, in short transactions of its own (docs/vendors.md); returns what the operator should see.
Buy = Callable[["StageRun"], Counts]


@dataclass(frozen=True)
class StageRun:
    """One run's work on one batch, as its stages see it.

    ``lease_token`` fences the batch's events. ``must_hold`` is true for a run that was started for claimed events:
    it stops when it has lost them. ``selected`` are the stages the run will execute.
    """

    import_batch_id: str
    run_id: str
    lease_token: str
    must_hold: bool
    selected: frozenset[str]
    triggered_by: str

    def ends_after(self, stage: str) -> bool:
        """True when the run does not go on to the next stage: what is finished so far must be acknowledged."""
        return stage == STAGES[-1] or STAGES[STAGES.index(stage) + 1] not in self.selected


def stages_from(entry_stage: str) -> list[str]:
    """The stage and all that follow it."""
    return list(STAGES[STAGES.index(entry_stage) :])


def run_sql(connection: Connection, stage: str, **parameters: Any) -> Counts:
    """Run ``sql/stages/<stage>.sql`` with named parameters; return the row of its last statement.

    The row has ``rows_in``, ``rows_out``, ``rows_rejected`` and whatever else the stage counts.
    """
    statement = sql_path("stages", f"{stage}.sql").read_text(encoding="utf-8")
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(statement, parameters)
        row = cursor.fetchone()
    assert row is not None, f"sql/stages/{stage}.sql must end in a SELECT of one row"
    return dict(row)


def sql_stage(stage: str) -> Work:
    """The work of a stage that is nothing but its SQL file."""
    return lambda connection, batch: run_sql(connection, stage, batch=batch)


def run_stage(
    run: StageRun, stage: str, work: Work, buy: Buy | None = None, connection: Connection | None = None
) -> Counts:
    """Do ``work`` as ``stage`` of ``run``: one transaction with its statistics, events and acknowledgement.

    ``buy`` comes first, while the run holds its batch. ``connection`` is one outside a transaction, for a caller that has many
    batches: opening one takes as long as the work on a small batch. Returns the stage's counts plus ``seconds``. Rows that
    make it fail by themselves are set aside, and it begins again without them. On failure the transaction is rolled back,
    the failure is written to workflow_stats and pipeline_errors, the run's events go back to the queue, and the error is
    raised again.
    Raises LeaseLost, without an error row, when the run no longer holds its batch.
    """
    started = time.monotonic()
    try:
        with contextlib.nullcontext(connection) if connection else contextlib.closing(connect()) as connection:
            with connection:
                _check_lease(connection, run)
                events.absorb(connection, run.lease_token, run.import_batch_id, stage, run.run_id)
                _give_back_numbers(connection, stage)
            with heartbeat([run]):
                try:
                    return _buy_and_work(connection, run, stage, work, buy, started)
                except Exception as error:
                    found = _set_failing_rows_aside(connection, run, stage, work, error)
                    if not found:
                        raise
                return _buy_and_work(connection, run, stage, work, buy, started, rows_set_aside=len(found))
    except events.LeaseLost:
        raise
    except BaseException as error:
        _record_failure(run, stage, error, time.monotonic() - started)
        raise


def _buy_and_work(
    connection: Connection,
    run: StageRun,
    stage: str,
    work: Work,
    buy: Buy | None,
    started: float,
    **known: int,
) -> Counts:
    bought = buy(run) if buy else {}
    with connection:
        _enter(connection, run)
        counts = {**work(connection, run.import_batch_id), **bought, **known}
        counts["seconds"] = round(time.monotonic() - started, 3)
        _leave(connection, run, stage, counts)
    return counts


def _set_failing_rows_aside(
    connection: Connection, run: StageRun, stage: str, work: Work, error: Exception
) -> dict[int, Exception]:
    """Find the rows that make ``work`` fail, if it is rows, so that the rest of the batch can go on without them."""
    if not set_aside.may_be_a_row(stage, error):
        return {}

    def failure(first: int, last: int) -> Exception | None:
        with connection:  # by itself: a long trial must not hold the rows that the heartbeat writes
            _check_lease(connection, run)
            _give_back_numbers(connection, stage)
        try:
            _enter(connection, run)
            set_aside.show_only(connection, first, last)
            work(connection, run.import_batch_id)
        except Exception as failed:
            if not set_aside.may_be_a_row(stage, failed):
                raise
            return failed
        finally:
            if not connection.closed:
                connection.rollback()
        return None

    with connection:
        bounds = set_aside.row_bounds(connection, stage)
    found = set_aside.failing_rows(failure, *bounds, events.settings().set_aside_at_most)
    with connection:
        _check_lease(connection, run)
        _enter(connection, run)
        set_aside.set_aside(connection, stage, found)
        _give_back_numbers(connection, stage)
    return found


def _give_back_numbers(connection: Connection, stage: str) -> None:
    """What an earlier attempt drew and rolled back, before this one draws: there are 1.6 million numbers only."""
    if stage in DRAW_NUMBERS:
        with connection.cursor() as cursor:
            cursor.execute("SELECT marketing.give_back_numbers()")


def check_lease(run: StageRun) -> None:
    """Raise LeaseLost when the run no longer holds its batch."""
    with transaction() as connection:
        _check_lease(connection, run)


def _check_lease(connection: Connection, run: StageRun) -> None:
    if run.must_hold and not events.extend(connection, run.lease_token, run.run_id):
        raise events.LeaseLost(
            f"Batch {run.import_batch_id} was handed back to the queue or taken over; this run stops, another one does the work."
        )


def work_ahead(run: StageRun, work: Work) -> None:
    """Do ``work`` in a committed transaction of its own, so that what is still open can be seen and bought."""
    with transaction() as connection:
        _check_lease(connection, run)
        _enter(connection, run)
        work(connection, run.import_batch_id)


def _enter(connection: Connection, run: StageRun) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('barton.batch:' || %s, 0))", (run.import_batch_id,)
        )
        cursor.execute(
            """
            SELECT set_config('barton.import_batch_id', %s, true), set_config('barton.lease_token', %s, true),
                   set_config('barton.triggered_by', %s, true), set_config('work_mem', %s, true)
            """,
            (run.import_batch_id, run.lease_token, run.triggered_by, WORK_MEM),
        )


def _leave(connection: Connection, run: StageRun, stage: str, counts: Counts) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO marketing.batch_stages
                (import_batch_id, stage, run_id, rows_in, rows_out, rows_rejected, completed_at)
            VALUES (%(batch)s, %(stage)s, %(run)s, %(rows_in)s, %(rows_out)s, %(rows_rejected)s, clock_timestamp())
            ON CONFLICT (import_batch_id, stage) DO UPDATE SET run_id = excluded.run_id, rows_in = excluded.rows_in,
                rows_out = excluded.rows_out, rows_rejected = excluded.rows_rejected, completed_at = excluded.completed_at
            """,
            {"batch": run.import_batch_id, "stage": stage, "run": run.run_id, **counts},
        )
    _write_stats(connection, run, stage, "ok", counts["seconds"], None, counts)
    if run.ends_after(stage):
        _hand_on(connection, run, stage)


def hand_on(run: StageRun, stage: str) -> None:
    """Acknowledge what the run has done up to ``stage`` and queue the stages it will not come to."""
    with transaction() as connection:
        _hand_on(connection, run, stage)


def _hand_on(connection: Connection, run: StageRun, stage: str) -> None:
    if stage != STAGES[-1]:
        following = STAGES[STAGES.index(stage) + 1]
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT marketing.notify_pipeline_event(%s, %s, %s)",
                (f"continue_at_{following}", json.dumps({"record_id": run.run_id}), run.import_batch_id),
            )
    events.finish(connection, run.lease_token, run.import_batch_id, stage, run.must_hold)


def _write_stats(
    connection: Connection,
    run: StageRun,
    stage: str,
    status: str,
    seconds: float,
    error_message: str | None,
    metadata: Counts,
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO marketing.workflow_stats
                (workflow_name, status, duration_seconds, error_message, triggered_by, batch_id, metadata)
            VALUES (%s, %s, %s, %s, %s, %s, %s)
            """,
            (
                stage,
                status,
                round(seconds, 3),
                error_message,
                run.triggered_by,
                run.import_batch_id,
                json.dumps({"run_id": run.run_id, **metadata}, default=str),
            ),
        )


def _record_failure(run: StageRun, stage: str, error: BaseException, seconds: float) -> None:
    """Write what happened and give the events back. A database that is down must not hide the first error."""
    message = " ".join(str(error).split()) or type(error).__name__
    status = "error"
    if isinstance(error, psycopg2.errors.QueryCanceled):
        status = "timeout"
    elif not isinstance(error, Exception) or isinstance(error, KeyboardInterrupt):
        status = "cancelled"
    with contextlib.suppress(Exception), transaction() as connection:
        _write_stats(connection, run, stage, status, seconds, message[:2000], {})
        error_log.log_error(
            connection,
            stage,
            f"Stage {stage} of batch {run.import_batch_id} ended in {status}: {message[:2000]}",
            batch=run.import_batch_id,
            record_id=run.run_id,
            details={
                "run_id": run.run_id,
                "error_type": type(error).__name__,
                "hint": getattr(getattr(error, "diag", None), "message_hint", None),
                "traceback": "".join(traceback.format_exception(error))[-4000:],
                "remedy": f"The queue retries by itself. By hand: barton run {run.import_batch_id}",
            },
        )
        events.fail(connection, run.lease_token, f"{stage}: {message}")


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
