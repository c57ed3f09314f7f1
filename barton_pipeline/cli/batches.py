"""Commands about batches: run, status, backfill, retry, undo."""

from functools import partial

import click
from rich.console import Console
from rich.progress import Progress

from barton_pipeline.batch_keys import check_batch_key
from barton_pipeline.cli.operator import operator
from barton_pipeline.cli.printing import (
    Column,
    Importance,
    Kind,
    Table,
    as_json,
    error_console,
    print_json,
    print_table,
    say,
)
from barton_pipeline.error_log import ErrorFilter
from barton_pipeline.errors import BartonError, InputError
from barton_pipeline.postgres import migrations
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.reports.batches import check_known_batch
from barton_pipeline.reports.status import ERRORS_COUNTED, BatchReport, overview, report_batch

BATCHES = Table(
    "Batches",
    (
        Column("batch", "batch", Kind.KEY, Importance.HIGH),
        Column("state", "state", Kind.KEY, Importance.HIGH),
        Column("rows", "rows", Kind.NUMBER, Importance.HIGH),
        Column("rejected", "rejected", Kind.NUMBER),
        Column("companies", "companies", Kind.NUMBER),
        Column("slots", "slots", Kind.NUMBER, Importance.LOW),
        Column("targets", "targets", Kind.NUMBER, Importance.HIGH),
        Column("last_stage", "last stage", Kind.KEY, Importance.LOW),
        Column("last_completed_at", "completed at", Kind.MOMENT, Importance.LOW),
    ),
)
PENDING = Table(
    "Pending events",
    (
        Column("event_type", "event", Kind.KEY, Importance.HIGH),
        Column("pending_count", "pending", Kind.NUMBER, Importance.HIGH),
        Column("oldest_age_minutes", "oldest (minutes)", Kind.NUMBER, decimals=1),
    ),
)
STAGES = Table(
    "Stages",
    (
        Column("stage", "stage", Kind.KEY, Importance.HIGH),
        Column("rows_in", "rows in", Kind.NUMBER),
        Column("rows_out", "rows out", Kind.NUMBER, Importance.HIGH),
        Column("rows_rejected", "rejected", Kind.NUMBER),
        Column("seconds", "seconds", Kind.NUMBER, decimals=3),
        Column("completed_at", "completed at", Kind.MOMENT, Importance.LOW),
    ),
)
REASONS = Table(
    "Reasons given to intake rows",
    (
        Column("reason", "reason", Kind.KEY, Importance.HIGH),
        Column("rows", "rows", Kind.NUMBER, Importance.HIGH),
        Column("in_rejected_rows", "in rejected rows", Kind.NUMBER),
        Column("sample", "for example"),
    ),
)
UNDONE = Table("Undone", (Column("place", "place", importance=Importance.HIGH), Column("n", "rows", Kind.NUMBER)))


@click.command()
@click.argument("batch")
@as_json
def run(batch: str, json_output: bool) -> None:
    """Run all stages and checks of BATCH here and now.

    No daemon is needed; the command waits until the batch is done.
    """
    from barton_pipeline.definitions import defs
    from barton_pipeline.orchestration import batch_run

    migrations.ensure_migrated()
    check_batch_key(batch)
    with transaction() as connection:
        check_known_batch(connection, batch)
    outcome = batch_run.run_batch(defs, batch, error_console)
    if json_output:
        print_json(outcome)
    else:
        with transaction() as connection:
            print_batch(batch, report_batch(connection, batch))
    if not outcome.success:
        raise BartonError(f"Batch {batch} did not finish: {outcome.problem} Details: barton errors --batch {batch}")


@click.command()
@click.argument("batch", required=False)
@as_json
def status(batch: str | None, json_output: bool) -> None:
    """Show all batches and the event queue, or one BATCH.

    Of one batch you see what each stage made of it, and the reasons given to its rows.
    """
    if batch:
        with transaction() as connection:
            check_known_batch(connection, check_batch_key(batch))
            report = report_batch(connection, batch)
        if json_output:
            print_json(report)
        else:
            print_batch(batch, report)
        return
    with transaction() as connection:
        found = overview(connection)
    if json_output:
        print_json(found)
        return
    print_table(BATCHES, found.batches)
    print_table(PENDING, found.queue, aside=True)
    health, errors = found.queue_health, found.open_errors
    say(
        f"Queue: {health.pending:,} pending (oldest {health.oldest_pending_minutes:.1f} min), {health.processing:,} being "
        f"worked on, {health.retrying:,} to be retried, {health.dead_letters:,} dead letters; last hour "
        f"{health.created_last_hour:,} created, {health.of_these_processed:,} of them processed in "
        f"{health.mean_seconds_to_process:.1f} s (mean)",
        aside=True,
    )
    say(
        f"Open errors: {errors}{' or more' if errors == ERRORS_COUNTED else ''}{' (barton errors)' if errors else ''}",
        aside=True,
    )


def print_batch(batch: str, report: BatchReport) -> None:
    """The report of one batch: stages with counts, reasons of rejected rows."""
    print_table(STAGES, report.stages, title=f"Batch {batch}")
    if report.reasons:
        print_table(REASONS, report.reasons, aside=True)
    waiting = report.waiting_people
    if waiting.rows:
        say(
            f"{waiting.rows:,} people wait for {waiting.companies:,} companies that are not loaded or not certain, such as "
            f"{', '.join(waiting.sample)}. Load the companies (a list with name and website, or the same file with --kind "
            "companies): the people are matched then by themselves.",
            aside=True,
            style="yellow",
        )


@click.command()
@click.argument("batches", nargs=-1)
@click.option("--match", help="All batches whose key matches this pattern, for example '2025*'.")
@click.option("--all", "every", is_flag=True, help="All batches.")
@as_json
def backfill(batches: tuple[str, ...], match: str | None, every: bool, json_output: bool) -> None:
    """Run BATCHES through all stages again.

    Many batches go into one run. This is for new rules, not for new rows: those start the pipeline by themselves.
    """
    if sum(map(bool, (batches, match, every))) != 1:
        raise InputError("Name batches, or say --match PATTERN, or --all; see the batches with: barton status")
    from barton_pipeline.actions import batches as actions
    from barton_pipeline.definitions import defs
    from barton_pipeline.orchestration import batch_run

    with Progress(*Progress.get_default_columns(), console=Console(stderr=True), disable=json_output) as bar:
        task = bar.add_task("batches", total=None)
        done = actions.backfill(
            None,
            operator(),
            partial(batch_run.backfill, defs),
            import_batch_ids=batches,
            match="*" if every else match,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if json_output:
        print_json({"batches": len(done.batches), "problems": done.problems})
    else:
        for problem in done.problems:
            say(f"{problem['from']} to {problem['to']} (run {problem['run_id']}): {problem['problem']}")
        say(f"{len(done.batches):,} batches run; {len(done.problems)} run(s) had a problem.")
    if done.problems:
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("batch", required=False)
@click.option("--all", "every", is_flag=True, help="Requeue the dead letters of every batch.")
@click.option("--event", "event_ids", type=int, multiple=True, help="Requeue this event; may be given several times.")
@click.option(
    "--error", "error_ids", type=int, multiple=True, help="Requeue what this error tells of; may be repeated."
)
@click.option("--cause", help="Requeue what the errors of this cause tell of (barton errors --by-cause).")
@as_json
def retry(
    batch: str | None,
    every: bool,
    event_ids: tuple[int, ...],
    error_ids: tuple[int, ...],
    cause: str | None,
    json_output: bool,
) -> None:
    """Try again what failed in BATCH.

    Its dead letters are requeued; a batch that has none is queued to run again from the start.
    """
    if sum(map(bool, (batch, every, event_ids, error_ids, cause))) != 1:
        raise InputError(
            "Name one batch, or say --all, --event, --error or --cause; see the batches with: barton status"
        )
    from barton_pipeline.actions import batches as actions

    errors = ErrorFilter(ids=error_ids or None, fingerprint=cause) if error_ids or cause else None
    done = actions.retry(
        None,
        operator(),
        import_batch_id=batch,
        event_ids=event_ids or None,
        errors=errors,
        every=every,
        or_start_over=True,
    )
    if json_output:
        print_json(
            {"batch": batch, "requeued": done.events, "started_over": done.started_over, "batches": done.batches}
        )
    elif done.started_over:
        say(f"Batch {batch} had no failed events; it is queued to run again from the start.")
    else:
        say(f"{done.events} failed event(s) are pending again.")


@click.command()
@click.argument("batch")
@click.option("--reason", default="on request", show_default=True, help="Kept with the record of it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def undo(batch: str, reason: str, yes: bool, json_output: bool) -> None:
    """Remove what only BATCH brought.

    Rows, companies, slots, contacts and scores go. IDs stay retired, and paid answers stay.
    """
    from barton_pipeline.actions import batches as actions

    check_batch_key(batch)
    if not yes:
        click.confirm(f"Remove batch {batch} and the companies only it brought? It cannot be taken back.", abort=True)
    done = actions.undo(None, operator(), batch, reason=reason)
    if json_output:
        print_json(done.places)
    else:
        print_table(UNDONE, done.places, title=f"Batch {batch} is undone")
