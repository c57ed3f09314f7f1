"""Running batches in this process, without the daemon: the same jobs, stages and checks as an event-driven run.

Belongs here: ``barton run`` and ``barton backfill``. Event-driven runs are the sensor's (``sensors``).
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
)
from rich.console import Console

from barton_pipeline.errors import BartonError
from barton_pipeline.instance.local import local_instance
from barton_pipeline.orchestration.assets.stages import BATCHES_PER_BACKFILL_RUN, LEASE_TAG
from barton_pipeline.orchestration.dead_runs import release_dead_runs
from barton_pipeline.orchestration.jobs import expectations_job, pipeline_job
from barton_pipeline.orchestration.partitions import add_batch
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.queue import events


@dataclass(frozen=True)
class Check:
    """How an asset check came out."""

    check: str
    asset: str
    passed: bool
    description: str | None


@dataclass(frozen=True)
class BatchRun:
    """How a run of all stages of a batch ended; ``problem`` is the first one, None when all went well."""

    batch: str
    run_id: str
    success: bool
    problem: str | None
    checks: tuple[Check, ...]


def run_batch(defs: dg.Definitions, import_batch_id: str, console: Console) -> BatchRun:
    """Run all stages, then the Great Expectations suites.

    Takes the batch's pending events with it, so that the daemon does not start a second run.
    Raises BartonError when another run is at work on the batch.
    """
    with local_instance() as instance:
        add_batch(instance, import_batch_id)
        with _claimed(instance, import_batch_id) as tags, console.status(f"running the stages of {import_batch_id}"):
            result = _execute(defs, pipeline_job.name, instance, {**tags, PARTITION_NAME_TAG: import_batch_id})
        checks = _checks(result)
        if result.success:
            with console.status("running the Great Expectations suites"):
                checks += _checks(
                    _execute(defs, expectations_job.name, instance, {PARTITION_NAME_TAG: import_batch_id})
                )
    return BatchRun(
        batch=import_batch_id,
        run_id=result.run_id,
        success=result.success and all(check.passed for check in checks),
        problem=_problem(result, checks),
        checks=tuple(checks),
    )


@contextlib.contextmanager
def _claimed(instance: dg.DagsterInstance, import_batch_id: str) -> Iterator[dict[str, str]]:
    """The tags of a run that holds the batch's pending events; they go back when the run never came to be.

    Without a daemon nobody else returns what dead runs have left, so that is done first.
    """
    with transaction() as connection:
        release_dead_runs(connection, instance, import_batch_id)
        claim = events.accept(connection, import_batch_id)
        lease = events.lease_of(connection, import_batch_id)
    if claim is None and lease is not None:
        raise BartonError(
            f"Batch {import_batch_id} is being worked on by run {lease.run_id or 'that is about to start'}; "
            f"wait for it (barton status {import_batch_id})."
        )
    try:
        yield {LEASE_TAG: claim.lease_token} if claim else {}
    except BaseException:
        if claim:
            with transaction() as connection:
                events.give_back(connection, claim.lease_token)
        raise


def backfill(
    defs: dg.Definitions, import_batch_ids: Sequence[str], progress: Callable[[int], None]
) -> list[dict[str, Any]]:
    """Run all stages of many batches, up to ``BATCHES_PER_BACKFILL_RUN`` to a Dagster run; the runs that had a problem.

    ``progress`` is told the number of batches done after each run. A batch that fails does not hold up the others.
    """
    problems = []
    with local_instance() as instance:
        for batch in import_batch_ids:
            add_batch(instance, batch)
        for start, end, count in _ranges(instance.get_dynamic_partitions("import_batch"), set(import_batch_ids)):
            tags = {
                ASSET_PARTITION_RANGE_START_TAG: start,
                ASSET_PARTITION_RANGE_END_TAG: end,
                "dagster/backfill": "cli",
            }
            result = _execute(defs, pipeline_job.name, instance, tags if count > 1 else {PARTITION_NAME_TAG: start})
            if problem := _problem(result, _checks(result)):
                problems.append({"from": start, "to": end, "run_id": result.run_id, "problem": problem})
            progress(count)
    return problems


def _ranges(known: Sequence[str], wanted: set[str]) -> Iterator[tuple[str, str, int]]:
    """(first, last, number) of the runs: Dagster can give one run a stretch of neighbouring partitions."""
    stretch: list[str] = []
    for key in [*known, None]:
        if stretch and (key not in wanted or len(stretch) == BATCHES_PER_BACKFILL_RUN):
            yield stretch[0], stretch[-1], len(stretch)
            stretch = []
        if key in wanted:
            stretch.append(str(key))


def _execute(
    defs: dg.Definitions, job: str, instance: dg.DagsterInstance, tags: dict[str, str]
) -> dg.ExecuteInProcessResult:
    return defs.resolve_job_def(job).execute_in_process(
        instance=instance,
        # partitions as tags, because Dagster refuses a partition key for a job that holds checks only
        tags=tags,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        raise_on_error=False,
    )


def _checks(result: dg.ExecuteInProcessResult) -> list[Check]:
    return [
        Check(
            check=evaluation.check_name,
            asset=evaluation.asset_key.to_user_string(),
            passed=evaluation.passed,
            description=evaluation.description,
        )
        for evaluation in result.get_asset_check_evaluations()
    ]


def _problem(result: dg.ExecuteInProcessResult, checks: list[Check]) -> str | None:
    for check in checks:
        if not check.passed:
            return f"check {check.check} failed: {check.description}"
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            cause = error.cause if error and error.cause else error
            return f"stage {event.step_key} failed: {' '.join(cause.message.split()) if cause else 'no message'}"
    return None
