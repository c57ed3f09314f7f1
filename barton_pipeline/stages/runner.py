"""Running a stage on one batch inside a fenced transaction.

Belongs here: what every stage shares (lease, statistics, error log, rows set aside). Which stages there are is ``pipeline``; what
one does is its ``sql/stages/<stage>.sql`` and the module of its subject. No dagster here.
"""

import contextlib
import json
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extras import execute_values

from barton_pipeline import error_log
from barton_pipeline.postgres import sql
from barton_pipeline.postgres.connection import connect, transaction
from barton_pipeline.postgres.sql import Lock
from barton_pipeline.queue import events, set_aside
from barton_pipeline.queue.set_aside import Source
from barton_pipeline.stages.lease import StageRun, heartbeat, require_lease

# What the planner is told for a stage's transaction. Sorts and hashes of a million rows spill at the default 4 MB of work_mem; a
# worker has one such statement at a time. A page out of order costs little more than the next one on solid-state disks and in
# memory; with the default of 4.0 tables are read as a whole for the few rows of a small batch.
_TELL_PLANNER = "SELECT set_config('work_mem', '64MB', true), set_config('random_page_cost', '1.1', true)"
# A table is analysed before a stage when more rows than these, and than this share of all, are newer than its statistics.
STALE_ROWS, STALE_SHARE = 10_000, 0.5
# Values that Python judges at a time.
CHUNK = 10_000

Counts = dict[str, Any]
# What a stage does to one batch; the connection is in the stage's transaction.
Work = Callable[[Connection, str], Counts]
# What a stage buys before that, in short transactions of its own (docs/explanation/vendors.md); returns what the
# operator should see.
Buy = Callable[["StageRun"], Counts]


@dataclass(frozen=True)
class Stage:
    """One entry of the table in ``pipeline``.

    ``table`` is the one the stage fills; ``entered_by`` are the event types that make a run begin here. ``preview`` is a SELECT of
    rows to show, with the parameters ``batch`` and ``limit``. ``source`` are the intake rows the stage judges, any of which may be
    set aside. ``draws_numbers`` is true for a stage that gives new Barton IDs. ``shared`` makes the arguments of ``work`` that all
    batches of a run share. ``report`` reads what Dagster shows besides the counts. ``after`` and ``kinds`` are Dagster's too.
    """

    name: str
    phase: str
    table: str
    description: str
    work: Callable[..., Counts]
    preview: str
    after: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ("postgres", "sql")
    entered_by: tuple[str, ...] = ()
    shared: Callable[[], Mapping[str, Any]] = dict
    buy: Buy | None = None
    report: Work | None = None
    source: Source | None = None
    draws_numbers: bool = False


def run_sql(connection: Connection, stage: str, **parameters: Any) -> Counts:
    """Run ``sql/stages/<stage>.sql`` with named parameters; return the row of its last statement.

    The row has ``rows_in``, ``rows_out``, ``rows_rejected`` and whatever else the stage counts.
    """
    return sql.run_file(connection, "stages", f"{stage}.sql", **parameters)


def tell_planner(connection: Connection) -> None:
    """Set, until the transaction ends, what the planner should think of memory and disks when it works on many rows."""
    sql.execute(connection, _TELL_PLANNER)


def choose_companies(connection: Connection, import_batch_id: str) -> None:
    """Fill pg_temp.companies with the companies the batch mentions so far: statements of a stage begin there."""
    run_sql(connection, "companies", batch=import_batch_id)


def judge_values(
    connection: Connection,
    table: str,
    columns: str,
    values: str,
    judge: Callable[..., Iterable[tuple[Any, ...]]],
    **parameters: Any,
) -> None:
    """Fill pg_temp.``table`` with what Python makes of distinct values, a chunk at a time, for a stage's SQL to join.

    ``values`` is a SELECT DISTINCT with ``parameters``; ``judge`` turns the values of one of its rows into rows of the table.
    ``columns`` are the table's, with their types.
    """
    names = ", ".join(column.split()[0] for column in columns.split(", "))
    with connection.cursor() as cursor, connection.cursor("distinct_values") as found:
        cursor.execute(f"DROP TABLE IF EXISTS pg_temp.{table}; CREATE TEMP TABLE {table} ({columns}) ON COMMIT DROP")
        found.execute(values, parameters)
        while chunk := found.fetchmany(CHUNK):
            execute_values(
                cursor,
                f"INSERT INTO pg_temp.{table} ({names}) VALUES %s",
                [made for row in chunk for made in judge(*row)],
                page_size=CHUNK,
            )
        cursor.execute(f"ANALYZE pg_temp.{table}")


def sql_work(stage: str) -> Work:
    """The work of a stage that is nothing but its SQL file."""
    return lambda connection, batch: run_sql(connection, stage, batch=batch)


def run_stage(run: StageRun, stage: Stage, connection: Connection | None = None) -> Counts:
    """Do the stage's work for ``run``: one transaction with its statistics, events and acknowledgement.

    What it buys comes first, while the run holds its batch. ``connection`` is one outside a transaction, for a caller that has many
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
                require_lease(connection, run)
                events.absorb(connection, run.lease_token, run.import_batch_id, stage.name, run.run_id)
                _give_back_numbers(connection, stage)
            with connection:
                sql.execute(
                    connection,
                    "SELECT marketing.take_statistics(%(rows)s, %(share)s)",
                    rows=STALE_ROWS,
                    share=STALE_SHARE,
                )
            with heartbeat([run]):
                try:
                    return _buy_and_work(connection, run, stage, started)
                except Exception as error:
                    found = _set_failing_rows_aside(connection, run, stage, error)
                    if not found:
                        raise
                return _buy_and_work(connection, run, stage, started, rows_set_aside=len(found))
    except events.LeaseLost:
        raise
    except BaseException as error:
        _record_failure(run, stage.name, error, time.monotonic() - started)
        raise


def _buy_and_work(connection: Connection, run: StageRun, stage: Stage, started: float, **known: int) -> Counts:
    bought = stage.buy(run) if stage.buy else {}
    with connection:
        _enter(connection, run)
        counts = {**stage.work(connection, run.import_batch_id), **bought, **known}
        counts["seconds"] = round(time.monotonic() - started, 3)
        _leave(connection, run, stage.name, counts)
    return counts


def _set_failing_rows_aside(
    connection: Connection, run: StageRun, stage: Stage, error: Exception
) -> dict[int, Exception]:
    """Find the rows that make the stage fail, if it is rows, so that the rest of the batch can go on without them."""
    source = stage.source
    if source is None or not set_aside.may_be_a_row(error):
        return {}

    def failure(first: int, last: int) -> Exception | None:
        with connection:  # by itself: a long trial must not hold the rows that the heartbeat writes
            require_lease(connection, run)
            _give_back_numbers(connection, stage)
        try:
            _enter(connection, run)
            set_aside.show_only(connection, first, last)
            stage.work(connection, run.import_batch_id)
        except Exception as failed:
            if not set_aside.may_be_a_row(failed):
                raise
            return failed
        finally:
            if not connection.closed:
                connection.rollback()
        return None

    with connection:
        bounds = set_aside.row_bounds(connection, source)
    found = set_aside.failing_rows(failure, *bounds, events.settings().set_aside_at_most)
    with connection:
        require_lease(connection, run)
        _enter(connection, run)
        set_aside.set_aside(connection, stage.name, source, found)
        _give_back_numbers(connection, stage)
    return found


def _give_back_numbers(connection: Connection, stage: Stage) -> None:
    """What an earlier attempt drew and rolled back, before this one draws: there are 1.6 million numbers only."""
    if stage.draws_numbers:
        sql.execute(connection, "SELECT marketing.give_back_numbers()")


def work_ahead(run: StageRun, work: Work) -> None:
    """Do ``work`` in a committed transaction of its own, so that what is still open can be seen and bought."""
    with transaction() as connection:
        require_lease(connection, run)
        _enter(connection, run)
        work(connection, run.import_batch_id)


def _enter(connection: Connection, run: StageRun) -> None:
    sql.lock(connection, Lock.BATCH, run.import_batch_id)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT set_config('barton.import_batch_id', %s, true), set_config('barton.lease_token', %s, true),
                   set_config('barton.triggered_by', %s, true)
            """,
            (run.import_batch_id, run.lease_token, run.triggered_by),
        )
    tell_planner(connection)


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
        _finish_and_queue_rest(connection, run, stage)


def finish_and_queue_rest(run: StageRun, stage: str) -> None:
    """Acknowledge what the run has done up to ``stage`` and queue the stages it will not come to."""
    with transaction() as connection:
        _finish_and_queue_rest(connection, run, stage)


def _finish_and_queue_rest(connection: Connection, run: StageRun, stage: str) -> None:
    if following := run.following(stage):
        events.continue_at(connection, following, run.import_batch_id, record_id=run.run_id)
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
