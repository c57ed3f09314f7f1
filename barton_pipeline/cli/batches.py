"""Commands about batches: run, status, backfill, retry, undo."""

from fnmatch import fnmatchcase

import click
from rich.console import Console
from rich.progress import Progress

from barton_pipeline.batch_keys import check_batch_key
from barton_pipeline.cli.printing import as_json, console, print_json, print_rows
from barton_pipeline.errors import BartonError, InputError
from barton_pipeline.postgres import migrations
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.queue import events, upkeep
from barton_pipeline.reports.batches import check_known_batch, count_reasons, list_batch_keys, list_batches, list_stages
from barton_pipeline.reports.errors import list_errors
from barton_pipeline.reports.queue import list_pending, measure_queue


@click.command()
@click.argument("batch")
@as_json
def run(batch: str, json_output: bool) -> None:
    """Run all stages and checks of BATCH here and now, without the daemon."""
    from barton_pipeline.definitions import defs
    from barton_pipeline.orchestration import batch_run

    migrations.ensure_migrated()
    check_batch_key(batch)
    with transaction() as connection:
        check_known_batch(connection, batch)
    outcome = batch_run.run_batch(defs, batch, console if not json_output else Console(stderr=True))
    if json_output:
        print_json(outcome)
    else:
        print_batch(batch)
    if not outcome["success"]:
        raise BartonError(f"Batch {batch} did not finish: {outcome['problem']} Details: barton errors --batch {batch}")


@click.command()
@click.argument("batch", required=False)
@as_json
def status(batch: str | None, json_output: bool) -> None:
    """Show the batches and the event queue, or one BATCH stage by stage."""
    if batch:
        check_batch_key(batch)
        with transaction() as connection:
            check_known_batch(connection, batch)
            if json_output:
                print_json(
                    {
                        "stages": list_stages(connection, batch),
                        "reasons": count_reasons(connection, batch),
                    }
                )
                return
        print_batch(batch)
        return
    with transaction() as connection:
        found = {"batches": list_batches(connection), "queue": list_pending(connection)}
        health = measure_queue(connection)
        open_errors = len(list_errors(connection, limit=1000))
    if json_output:
        print_json({**found, "queue_health": health, "open_errors": open_errors})
        return
    print_rows(
        "Batches",
        found["batches"],
        ["batch", "state", "rows", "rejected", "companies", "slots", "targets", "last_stage"],
    )
    print_rows("Pending events", found["queue"], ["event_type", "pending_count", "oldest_age_minutes"])
    console.print(
        f"Queue: {health['pending']:,} pending (oldest {health['oldest_pending_minutes']:.1f} min), {health['processing']:,} being "
        f"worked on, {health['retrying']:,} to be retried, {health['dead_letters']:,} dead letters; last hour "
        f"{health['created_last_hour']:,} created, {health['of_these_processed']:,} of them processed in "
        f"{health['mean_seconds_to_process']:.1f} s (mean)"
    )
    console.print(f"Open errors: {open_errors}{' (barton errors)' if open_errors else ''}")


def print_batch(batch: str) -> None:
    """The report of one batch: stages with counts, reasons of rejected rows."""
    with transaction() as connection:
        stages = list_stages(connection, batch)
        reasons = count_reasons(connection, batch)
    print_rows(f"Batch {batch}", stages, ["stage", "rows_in", "rows_out", "rows_rejected", "seconds"])
    if reasons:
        print_rows("Reasons given to intake rows", reasons, ["reason", "rows", "in_rejected_rows", "sample"])


@click.command()
@click.argument("batches", nargs=-1)
@click.option("--match", help="All batches whose key matches this pattern, for example '2025*'.")
@click.option("--all", "every", is_flag=True, help="All batches.")
@as_json
def backfill(batches: tuple[str, ...], match: str | None, every: bool, json_output: bool) -> None:
    """Run BATCHES through all stages again, many to a run: for new rules, not for new rows."""
    if sum(map(bool, (batches, match, every))) != 1:
        raise InputError("Name batches, or say --match PATTERN, or --all; see the batches with: barton status")
    with transaction() as connection:
        for batch in batches:
            check_known_batch(connection, check_batch_key(batch))
        wanted = list(batches) or [key for key in list_batch_keys(connection) if fnmatchcase(key, match or "*")]
    if not wanted:
        raise InputError(f"No batch matches {match or '*'!r}; see the batches with: barton status")
    from barton_pipeline.definitions import defs
    from barton_pipeline.orchestration import batch_run

    with Progress(*Progress.get_default_columns(), console=Console(stderr=True), disable=json_output) as bar:
        task = bar.add_task(f"{len(wanted):,} batches", total=len(wanted))
        problems = batch_run.backfill(defs, wanted, lambda done: bar.update(task, advance=done))
    if json_output:
        print_json({"batches": len(wanted), "problems": problems})
    else:
        for problem in problems:
            console.print(f"{problem['from']} to {problem['to']} (run {problem['run_id']}): {problem['problem']}")
        console.print(f"{len(wanted):,} batches run; {len(problems)} run(s) had a problem.")
    if problems:
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("batch", required=False)
@click.option("--all", "every", is_flag=True, help="Requeue the dead letters of every batch.")
def retry(batch: str | None, every: bool) -> None:
    """Requeue the dead letters of BATCH, or run it again from the start when it has none."""
    if bool(batch) == every:
        raise InputError("Name one batch, or say --all; see the batches with: barton status")
    with transaction() as connection:
        if batch:
            check_known_batch(connection, check_batch_key(batch))
        requeued = upkeep.requeue(connection, batch)
        if batch and not requeued:
            events.continue_at(connection, "raw_intake", batch)
    if batch and not requeued:
        console.print(f"Batch {batch} had no failed events; it is queued to run again from the start.")
    else:
        console.print(f"{requeued} failed event(s) are pending again.")


@click.command()
@click.argument("batch")
@click.option("--reason", default="on request", show_default=True, help="Kept with the record of it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def undo(batch: str, reason: str, yes: bool, json_output: bool) -> None:
    """Remove what only BATCH brought: rows, companies, slots, contacts, scores. IDs stay retired, paid answers stay."""
    from barton_pipeline.operations import undo

    check_batch_key(batch)
    if not yes:
        click.confirm(f"Remove batch {batch} and the companies only it brought? It cannot be taken back.", abort=True)
    with transaction() as connection:
        done = undo.undo_batch(connection, batch, reason)
    if json_output:
        print_json(done)
    else:
        print_rows(f"Batch {batch} is undone", done, ["place", "n"])
