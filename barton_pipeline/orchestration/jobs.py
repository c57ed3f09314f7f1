"""The jobs and their schedules. All run in one process: an interpreter per step would triple the time of a batch of 262."""

from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.storage.dagster_run import FINISHED_STATUSES

from barton_pipeline.actions.audit import Actor
from barton_pipeline.actions.installation import purge
from barton_pipeline.operations import retention
from barton_pipeline.orchestration.assets.learning import LEARNING_ASSETS
from barton_pipeline.orchestration.assets.stages import STAGE_ASSETS
from barton_pipeline.orchestration.checks import EXPECTATION_CHECKS
from barton_pipeline.orchestration.partitions import import_batches
from barton_pipeline.orchestration.resources import Database

_EXPECTATIONS = dg.AssetSelection.checks(*EXPECTATION_CHECKS)

pipeline_job = dg.define_asset_job(
    "pipeline_job",
    selection=dg.AssetSelection.assets(*STAGE_ASSETS) - _EXPECTATIONS,
    partitions_def=import_batches,
    executor_def=dg.in_process_executor,
    description="All stages of one import batch, with the checks that block.",
)

expectations_job = dg.define_asset_job(
    "expectations_job",
    selection=_EXPECTATIONS,
    partitions_def=import_batches,
    executor_def=dg.in_process_executor,
    description="The Great Expectations suites of one import batch; runs after the batch is done.",
)


@dg.op(description="Deletes ended events, resolved errors, statistics and finished Dagster runs that have grown old.")
def delete_old_history(context: dg.OpExecutionContext, database: Database) -> None:
    """Purge up to the limits of retention.yaml; the counts are the op's metadata."""
    with database.connection() as connection:
        deleted = dict(purge(connection, Actor("retention_job", "system", "sensor"), reason="every night").rows)
    deleted["dagster_runs"] = delete_old_runs(context.instance)
    context.log.info("deleted %s", deleted)
    context.add_output_metadata(deleted)


def delete_old_runs(instance: dg.DagsterInstance) -> int:
    """Delete finished runs older than ``dagster_runs_days`` with their events, oldest first; how many."""
    limits = retention.limits()
    before = datetime.now(UTC) - timedelta(days=limits.dagster_runs_days)
    old = instance.get_run_records(
        filters=dg.RunsFilter(statuses=list(FINISHED_STATUSES), created_before=before),
        limit=limits.dagster_runs_at_most,
        ascending=True,
    )
    for record in old:
        instance.delete_run(record.dagster_run.run_id)
    return len(old)


@dg.job(executor_def=dg.in_process_executor, description="Deletes history that has grown old (retention.yaml).")
def retention_job() -> None:
    """One op; see there."""
    delete_old_history()


retention_schedule = dg.ScheduleDefinition(
    job=retention_job,
    cron_schedule="15 3 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night.",
)


learning_job = dg.define_asset_job(
    "learning_job",
    selection=dg.AssetSelection.assets(*LEARNING_ASSETS),
    executor_def=dg.in_process_executor,
    description="Builds PLE's training set, learns a model and publishes it if it has earned that.",
)


@dg.op(description="Scores every company again: evidence decays, and new rules or a new model concern everybody.")
def score_everybody(context: dg.OpExecutionContext) -> None:
    """The counts are the op's metadata."""
    from barton_pipeline.scoring import rescoring

    counts = rescoring.rescore("schedule" if "dagster/schedule_name" in context.run.tags else "manual")
    context.log.info("%s", counts)
    context.add_output_metadata(counts)


@dg.job(executor_def=dg.in_process_executor, description="Scores every company again and raises the drift alarm.")
def rescore_job() -> None:
    """One op; see there."""
    score_everybody()


rescore_schedule = dg.ScheduleDefinition(
    job=rescore_job,
    cron_schedule="30 4 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night, after the weekly learning.",
)
learning_schedule = dg.ScheduleDefinition(
    job=learning_job,
    cron_schedule="45 3 * * 0",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every Sunday.",
)
_Job = dg.JobDefinition | UnresolvedAssetJobDefinition
ALL_JOBS: list[_Job] = [pipeline_job, expectations_job, retention_job, learning_job, rescore_job]
ALL_SCHEDULES = [retention_schedule, learning_schedule, rescore_schedule]
