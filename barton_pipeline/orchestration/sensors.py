"""Sensors: events become runs.

The rules of the queue are in ``queue.events``; here is only what needs Dagster: which runs exist and how they ended.
"""

import contextlib
import json
import threading
import time
from dataclasses import asdict

import dagster as dg
from dagster._core.storage.tags import PARTITION_NAME_TAG
from psycopg2.extensions import connection as Connection

from barton_pipeline.monitoring import alerts
from barton_pipeline.operations import rollbacks
from barton_pipeline.orchestration.assets.stages import LEASE_TAG, OWNER
from barton_pipeline.orchestration.checks import ALL_CHECKS, EXPECTATIONS_KIND, KIND_TAG
from barton_pipeline.orchestration.dead_runs import release_dead_runs
from barton_pipeline.orchestration.jobs import expectations_job, pipeline_job
from barton_pipeline.orchestration.partitions import add_batch
from barton_pipeline.orchestration.resources import Database
from barton_pipeline.outbound import holds
from barton_pipeline.pipeline import stages_from
from barton_pipeline.postgres.connection import connect
from barton_pipeline.queue import events, listening, upkeep
from barton_pipeline.reports.queue import QueueHealth, measure_queue
from barton_pipeline.vendors.settings import rules as vendor_rules

# A batch of this many rows gets priority 0; each tenfold fewer rows one more, so small new batches go first.
BULK_ROWS = 100_000
event_queue_asset = dg.AssetSpec(
    "event_queue",
    description="marketing.pipeline_events: what waits, is retried and is dead. Observed every five minutes, when it has changed.",
    group_name="operations",
    owners=[OWNER],
    kinds={"postgres"},
    metadata={"dagster/table_name": "marketing.pipeline_events"},
)
# A failed connection is tried again on the next tick; the table is polled meanwhile.
_listener_lock = threading.Lock()
_listener: list[Connection] = []


@dg.sensor(
    job=pipeline_job,
    minimum_interval_seconds=1,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Turns pending rows of marketing.pipeline_events into one run per batch.",
)
def event_queue_sensor(context: dg.SensorEvaluationContext, database: Database) -> dg.SensorResult:
    """Claim the batches that have work and request a run for each; wait for a notification when there is none."""
    deadline = time.monotonic() + events.settings().listen_seconds
    with database.transaction() as connection:
        if rollbacks.is_in_force(connection, "manual"):
            return dg.SensorResult(skip_reason="Runs are started by hand only: barton rollback manual is in force.")
        release_dead_runs(connection, context.instance)
        upkeep.settle_unroutable(connection)
    requests = _claim_ready(context, database)
    while not requests and (remaining := deadline - time.monotonic()) > 0:
        if _wait_for_notification(remaining):
            requests = _claim_ready(context, database)
    if not requests:
        return dg.SensorResult(skip_reason="No batch has pending events that are due.")
    return dg.SensorResult(run_requests=requests)


def _claim_ready(context: dg.SensorEvaluationContext, database: Database) -> list[dg.RunRequest]:
    with database.transaction() as connection:
        ready = events.ready_batches(connection, events.settings().batches_per_tick)
        claims = [(events.accept(connection, batch.import_batch_id), batch.rows) for batch in ready]
    requests = []
    for claim, rows in claims:
        if claim is not None:
            add_batch(context.instance, claim.import_batch_id)
            requests.append(_run_request(claim, rows))
    return requests


def _run_request(claim: events.Claim, rows: int) -> dg.RunRequest:
    priority = len(str(BULK_ROWS)) - min(len(str(rows)), len(str(BULK_ROWS)))
    stages = [dg.AssetKey(stage) for stage in stages_from(claim.entry_stage)]
    return dg.RunRequest(
        # the token is new with every attempt: Dagster's run-key dedupe is for ever and includes failed runs
        run_key=claim.lease_token,
        partition_key=claim.import_batch_id,
        asset_selection=stages,
        # named, because without it Dagster adds every check of these assets, Great Expectations included
        asset_check_keys=[key for check in ALL_CHECKS for key in check.check_keys if key.asset_key in stages],
        tags={LEASE_TAG: claim.lease_token, "dagster/priority": str(priority)},
    )


def _wait_for_notification(seconds: float) -> bool:
    """Wait on LISTEN; True when there may be news. Without a listener, sleep briefly so that polling covers."""
    with _listener_lock:
        if not _listener or _listener[0].closed:
            _listener.clear()
            try:
                listener = connect()
                listening.start_listening(listener)
            except Exception:
                time.sleep(min(seconds, 1.0))
                return True
            _listener.append(listener)
            return True  # something may have been committed before the subscription
        try:
            return bool(listening.listen(_listener[0], seconds))
        except Exception:
            with contextlib.suppress(Exception):
                _listener[0].close()
            return True


@dg.sensor(
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Queues batches with rows that no event announced, and batches that may go on buying.",
)
def reconciler_sensor(context: dg.SensorEvaluationContext, database: Database) -> dg.SkipReason:
    """Queue what the triggers missed and what waited for a vendor; the event queue sensor does the rest."""
    with database.transaction() as connection:
        missed = upkeep.reconcile(connection)
        waited = holds.wake_holds(connection, vendor_rules().operations, vendor_rules().budgets)
        health = measure_queue(connection)
    _observe_queue(context, health)
    if not missed and not waited:
        return dg.SkipReason("Every row is judged or announced by an event, and no batch may go on buying.")
    return dg.SkipReason(f"Queued: rows without events {missed or 'none'}; waited for a vendor {waited or 'none'}.")


def _observe_queue(context: dg.SensorEvaluationContext, health: QueueHealth) -> None:
    """Report the queue's numbers as an observation of its asset, which Dagster plots; not when nothing has changed."""
    metadata = asdict(health)
    seen = json.dumps(metadata)
    if seen != context.cursor:
        context.instance.report_runless_asset_event(dg.AssetObservation(event_queue_asset.key, metadata=metadata))
        context.update_cursor(seen)


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitored_jobs=[pipeline_job],
    request_job=expectations_job,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="After a batch is done, runs its Great Expectations suites, so that they never delay the targets.",
)
def expectations_sensor(context: dg.RunStatusSensorContext) -> dg.RunRequest | dg.SkipReason:
    """Request the Great Expectations checks of the batch that has just been finished."""
    partition = context.dagster_run.tags.get(PARTITION_NAME_TAG)
    if not partition:
        return dg.SkipReason("The run was not for a batch.")
    # as a tag, because Dagster refuses a partition key for a job that holds checks only
    return dg.RunRequest(
        run_key=context.dagster_run.run_id,
        # after every batch that waits, and one at a time (dagster.yaml): each imports Great Expectations for seconds
        tags={PARTITION_NAME_TAG: partition, "dagster/priority": "-10", KIND_TAG: EXPECTATIONS_KIND},
    )


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Alerts: what is critical at once, all rules every 15 minutes, the hourly summary; sends and retries messages.",
    required_resource_keys={"database"},  # which sees to the schema
)
def alerts_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """In the tick, because a run would cost more than the rules do (docs/how-to/alerts.md)."""
    return dg.SkipReason(alerts.watch())


ALL_SENSORS = [event_queue_sensor, reconciler_sensor, expectations_sensor, alerts_sensor]
