"""Runs that ended or fell silent while they held a batch: their events go back to the queue.

The rules of the queue are in ``queue.events``; here is what needs Dagster: which runs exist and how they ended.
"""

import dagster as dg
from psycopg2.extensions import connection as Connection

from barton_pipeline import error_log
from barton_pipeline.orchestration.assets.stages import LEASE_TAG
from barton_pipeline.queue import events
from barton_pipeline.stages.lease import record_death


def release_dead_runs(connection: Connection, instance: dg.DagsterInstance, import_batch_id: str | None = None) -> int:
    """Hand back the events of runs (of one batch, or all) that ended without finishing them, or whose worker fell silent.

    Returns how many leases were handed back.
    """
    released = 0
    for lease in events.open_leases(connection, import_batch_id):
        run = _run_of(lease, instance)
        if run is None:
            if lease.expired:  # the sensor or the daemon died between claim and request: no fault of the batch
                events.give_back(connection, lease.lease_token)
                released += 1
        elif run.is_finished:
            # a stage or check that fails hands its events back itself: here the worker died before it could
            crashed = run.status == dg.DagsterRunStatus.FAILURE
            message = (
                f"Run {run.run_id} ended in {run.status.value} and could not hand batch {lease.import_batch_id} back"
            )
            cause = ": its worker was killed, or the database took no writes"
            _hand_back(connection, lease, run, message, crashed, cause)
            released += 1
        elif lease.expired and run.status == dg.DagsterRunStatus.STARTED:
            _fail_vanished_run(lease, run, connection, instance)
            released += 1
        elif lease.expired:  # still waiting in Dagster's own queue or starting
            events.extend(connection, lease.lease_token, run.run_id)
    return released


def _run_of(lease: events.Lease, instance: dg.DagsterInstance) -> dg.DagsterRun | None:
    if lease.run_id:
        return instance.get_run_by_id(lease.run_id)
    if not lease.expired:
        return None
    runs = instance.get_runs(filters=dg.RunsFilter(tags={LEASE_TAG: lease.lease_token}), limit=1)
    return runs[0] if runs else None


def _fail_vanished_run(
    lease: events.Lease, run: dg.DagsterRun, connection: Connection, instance: dg.DagsterInstance
) -> None:
    """A worker that stopped extending its lease is dead: say so in Dagster too, or its batch stays blocked."""
    message = f"The worker of run {run.run_id} vanished: its lease on batch {lease.import_batch_id} ran out"
    _hand_back(connection, lease, run, message, crashed=True)
    instance.report_run_failed(run, message)


def _hand_back(
    connection: Connection, lease: events.Lease, run: dg.DagsterRun, message: str, crashed: bool, cause: str = ""
) -> None:
    """Do for the run what it could not do itself; a crash is in the error log, a cancellation somebody knows of."""
    status = "error" if crashed else "cancelled"
    record_death(connection, lease.import_batch_id, run.run_id, lease.lease_token, status, message)
    events.fail(connection, lease.lease_token, message, crashed)
    if crashed:
        error_log.log_error(
            connection,
            "worker_lost",
            f"{message}{cause}. The queue starts a new run by itself.",
            batch=lease.import_batch_id,
            record_id=run.run_id,
            severity="warning",
        )
