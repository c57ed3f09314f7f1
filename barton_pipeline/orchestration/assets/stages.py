"""The stage assets: one factory makes them all from ``pipeline.STAGES``.

Belongs here: what a stage looks like in Dagster (options, metadata, previews). Not here: what it does, and running it.
"""

import inspect
import uuid
from dataclasses import replace
from functools import partial
from typing import Any

import dagster as dg
from dagster._core.definitions.partitions.context import partition_loading_context
from psycopg2.extensions import connection as Connection

from barton_pipeline.orchestration.partitions import import_batches
from barton_pipeline.pipeline import STAGES, stage_run
from barton_pipeline.postgres import sql
from barton_pipeline.postgres.connection import connect
from barton_pipeline.queue import events
from barton_pipeline.stages.lease import StageRun, heartbeat
from barton_pipeline.stages.runner import Stage, finish_and_queue_rest, run_stage

LEASE_TAG = "barton/lease_token"
OWNER = "team:barton"
PREVIEW_ROWS = 10
# A run costs an interpreter and its imports, so a backfill of small batches puts this many into one.
BATCHES_PER_BACKFILL_RUN = 100
CHART_WIDTH = 30


def make_asset(stage: Stage) -> dg.AssetsDefinition:
    """The asset of a stage, named after it and partitioned by import batch."""

    @dg.asset(
        name=stage.name,
        description=inspect.cleandoc(stage.description),
        group_name=stage.phase,
        partitions_def=import_batches,
        backfill_policy=dg.BackfillPolicy.multi_run(BATCHES_PER_BACKFILL_RUN),
        kinds=set(stage.kinds),
        owners=[OWNER],
        tags={"phase": stage.phase, "schema": stage.table.split(".")[0]},
        metadata={"dagster/table_name": stage.table},
        deps=list(stage.after),
    )
    def run(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        return materialize_stage(context, stage)

    return run


def stage_runs(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> list[StageRun]:
    """What the stages need to know of the Dagster run they are part of, per batch: one, or the range of a backfill.

    A re-execution from the UI carries its parent's tags but not its lease, so it counts as started by hand.
    """
    tags = context.run.tags
    token = None if context.run.parent_run_id else tags.get(LEASE_TAG)
    if token:
        triggered_by = "event"
    elif "dagster/backfill" in tags:
        triggered_by = "backfill"
    elif "dagster/schedule_name" in tags:
        triggered_by = "schedule"
    else:
        triggered_by = "manual"
    selected = _selected_stages(context)
    return [
        stage_run(
            import_batch_id=batch,
            run_id=context.run.run_id,
            # a run started by hand fences what it absorbs of each batch with a token made from its own id
            lease_token=token or str(uuid.uuid5(uuid.UUID(context.run.run_id), batch)),
            must_hold=token is not None,
            selected=selected,
            triggered_by=triggered_by,
        )
        for batch in context.partition_keys
    ]


def _selected_stages(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> frozenset[str]:
    # Dagster leaves the selection empty when a whole job was started
    keys = context.run.asset_selection or context.job_def.asset_layer.executable_asset_keys
    return frozenset(key.to_user_string() for key in keys)


def materialize_stage(context: dg.AssetExecutionContext, stage: Stage) -> dg.MaterializeResult:
    """Run a stage and report it: rows in/out/rejected, seconds, a preview and the table's columns, for each batch.

    Raises dagster.Failure, not retried by Dagster (the queue retries), with what happened and what to do.
    """
    stage = replace(stage, work=partial(stage.work, **stage.shared()))
    runs = stage_runs(context)
    if len(runs) == 1:
        metadata = _materialize_batch(runs[0], stage)
        context.log.info("%s of %s in %s s", stage.name, runs[0].import_batch_id, metadata["seconds"])
        return dg.MaterializeResult(metadata=metadata)
    # Dagster reads all partition keys for each batch's metadata, unless they have been read in this context
    with heartbeat(runs), partition_loading_context(dynamic_partitions_store=context.instance):
        failed = _materialize_batches(context, runs, stage)
    if failed:
        for run in runs:
            if run.import_batch_id not in failed:
                finish_and_queue_rest(run, stage.name)
        causes = "; ".join(f"{batch}: {error}" for batch, error in list(failed.items())[:5])
        raise dg.Failure(
            description=f"{stage.name} failed for {len(failed)} of {len(runs)} batches ({causes}). The queue runs the other "
            "batches on, and retries these if they have events; see barton errors.",
            allow_retries=False,
        )
    return dg.MaterializeResult()


def _materialize_batches(context: dg.AssetExecutionContext, runs: list[StageRun], stage: Stage) -> dict[str, Exception]:
    """The batches of a backfill, one after the other on one connection; the errors of those that failed."""
    failed: dict[str, Exception] = {}
    connection: Connection | None = None
    for run in runs:
        try:
            if connection is None or connection.closed:
                connection = connect()
            metadata = _materialize_batch(run, stage, connection)
            context.add_asset_metadata(metadata, partition_key=run.import_batch_id)
        except Exception as error:  # written down and handed back by run_stage; the other batches go on
            failed[run.import_batch_id] = error
    if connection is not None:
        connection.close()
    return failed


def _materialize_batch(run: StageRun, stage: Stage, connection: Connection | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def work_and_look(connection: Connection, batch: str) -> dict[str, Any]:
        counts = stage.work(connection, batch)
        found["preview"] = sql.rows(connection, stage.preview, batch=batch, limit=PREVIEW_ROWS)
        found["columns"] = _columns(connection, stage.table)
        return {**counts, **(stage.report(connection, batch) if stage.report else {})}

    try:
        counts = run_stage(run, replace(stage, work=work_and_look), connection)
    except events.LeaseLost as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error
    metadata: dict[str, Any] = {name: _metadata_value(value) for name, value in counts.items()}
    metadata["dagster/partition_row_count"] = int(counts["rows_out"])
    metadata["dagster/column_schema"] = dg.TableSchema(columns=found["columns"])
    metadata["preview"] = dg.MetadataValue.md(_markdown_table(found["preview"]))
    return metadata


def _columns(connection: Connection, table: str) -> list[dg.TableColumn]:
    """The table's columns with their comments, read once per process: a backfill asks for every batch."""
    if table not in _COLUMNS:
        _COLUMNS[table] = _read_columns(connection, table)
    return _COLUMNS[table]


_COLUMNS: dict[str, list[dg.TableColumn]] = {}


def _read_columns(connection: Connection, table: str) -> list[dg.TableColumn]:
    rows = sql.rows(
        connection,
        """
        SELECT attname AS name, format_type(atttypid, atttypmod) AS type, attnotnull AS required,
               col_description(attrelid, attnum) AS description
        FROM pg_attribute WHERE attrelid = to_regclass(%(table)s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum
        """,
        table=table,
    )
    return [
        dg.TableColumn(
            row["name"],
            row["type"],
            description=row["description"],
            constraints=dg.TableColumnConstraints(nullable=not row["required"]),
        )
        for row in rows
    ]


def _metadata_value(value: Any) -> Any:
    if isinstance(value, dict) and value and all(isinstance(number, (int, float)) for number in value.values()):
        return dg.MetadataValue.md(_bar_chart(value))
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        return dg.MetadataValue.md(_markdown_table(value))
    if isinstance(value, (dict, list)):
        return dg.MetadataValue.json(value)
    return value if isinstance(value, (int, float, str)) else str(value)


def _bar_chart(numbers: dict[str, float]) -> str:
    """Counts by label as a Markdown table with bars; labels that are numbers in their order, others by size."""
    try:
        labels = sorted(numbers, key=float)
    except ValueError:
        labels = sorted(numbers, key=lambda label: -numbers[label])
    most = max(numbers.values()) or 1
    return _markdown_table(
        [{"": label, "n": numbers[label], " ": "█" * round(CHART_WIDTH * numbers[label] / most)} for label in labels]
    )


def _markdown_table(rows: list[dict[str, Any]]) -> str:
    """A Markdown table of the rows; cell text is escaped so that data cannot break the layout."""
    if not rows:
        return "no rows"
    lines = ["| " + " | ".join(rows[0]) + " |", "|" + " --- |" * len(rows[0])]
    for row in rows:
        cells = ("" if value is None else str(value) for value in row.values())
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ")[:120] for cell in cells) + " |")
    return "\n".join(lines)


STAGE_ASSETS = [make_asset(stage) for stage in STAGES]
