"""Commands for who runs the system: errors, alerts, rollbacks, history, backup."""

import contextlib
import getpass
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from barton_pipeline.cli.printing import as_json, console, print_json, print_rows
from barton_pipeline.errors import InputError
from barton_pipeline.postgres import migrations
from barton_pipeline.postgres.connection import connect, database_url, redact, transaction
from barton_pipeline.reports.errors import list_errors, resolve_error


@click.command()
@click.option("--batch", help="Only errors of this batch.")
@click.option("--resolve", "resolve_id", type=int, help="Close the error with this id.")
@click.option("--notes", help="What was done about it (with --resolve).")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1))
@as_json
def errors(batch: str | None, resolve_id: int | None, notes: str | None, limit: int, json_output: bool) -> None:
    """Show open errors, worst first, or close one."""
    with transaction() as connection:
        if resolve_id is not None:
            resolve_error(connection, resolve_id, getpass.getuser(), notes)
            console.print(f"Error {resolve_id} is closed.")
            return
        found = list_errors(connection, limit, batch)
    if json_output:
        print_json(found)
        return
    print_rows(
        "Open errors",
        found,
        ["id", "severity", "event_type", "import_batch_id", "error_message", "created_at"],
    )


@click.command()
@click.option("--apply", is_flag=True, help="Keep the rebuilt tables (they are the same; needs the owner's role).")
@as_json
def replay(apply: bool, json_output: bool) -> None:
    """Rebuild everything from intake and stored answers, asking no vendor, and compare with what is there."""
    from barton_pipeline.operations import replay as replay_module

    counts, differences = replay_module.replay(apply)
    if json_output:
        print_json({"rows": counts, "differences": [difference.__dict__ for difference in differences]})
    else:
        print_rows("Rebuilt", [{"table": table, "rows": rows} for table, rows in counts.items()], ["table", "rows"])
        for difference in differences[:20]:
            console.print(f"{difference.side} in {difference.table}: {difference.row}", markup=False)
        console.print(
            f"{len(differences)} rows differ." if differences else "Every row came out the same; no vendor was asked."
        )
    if differences:
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("action", type=click.Choice(["silence", "trigger", "pause", "manual"]), required=False)
@click.argument("trigger", required=False, default="")
@click.option("--undo", is_flag=True, help="Take it back, and catch up with what changed meanwhile.")
@as_json
def rollback(action: str | None, trigger: str, undo: bool, json_output: bool) -> None:
    """Switch a part of the event path off, or show what is off.

    \b
    silence          no notifications; the sensor looks for itself
    trigger TRIGGER  drop one trigger
    pause            no table raises events; rows still come in
    manual           sensors start no runs; use barton run BATCH
    """
    from barton_pipeline.operations import rollbacks

    queued = None
    if action:
        if undo:
            queued = rollbacks.reverse(action, trigger)
        else:
            rollbacks.roll_back(action, trigger)
    with transaction() as connection:
        found = rollbacks.in_force(connection)
    if json_output:
        print_json({"in_force": found, "batches_queued": queued})
        return
    if queued is not None:
        console.print(f"{queued} batch(es) queued to catch up.")
    print_rows("Rollbacks in force", found, ["action", "target", "started_at", "started_by"])


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Write all data to FILE, a pg_dump archive, and read it back."""
    from barton_pipeline.operations import backup

    console.print(f"{backup.backup(file)} tables in {file}, {file.stat().st_size:,} bytes.", markup=False)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def restore(file: Path) -> None:
    """Bring all data back from FILE into a database that has none."""
    from barton_pipeline.operations import backup

    backup.restore(file)
    done = migrations.migrate()
    console.print(f"Restored; {len(done)} file(s) of the schema applied since.")


@click.command()
@click.option("--export", "file", type=click.Path(path_type=Path), required=True, help="Where the data goes first.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(file: Path, yes: bool) -> None:
    """Remove the pipeline from the database, all data included, after writing it to a file (barton restore)."""
    from barton_pipeline.operations import backup

    if not yes:
        click.confirm(f"Remove everything from {redact(database_url())}?", abort=True)
    console.print(f"{backup.remove_everything(file)} tables are in {file}; the schemas are gone.", markup=False)


@click.command()
@click.option("--test", "test", is_flag=True, help="Send a test message to every channel and say which took it.")
@click.option("--summary", "summary", is_flag=True, help="Print the summary of the last hour.")
@as_json
def alerts(test: bool, summary: bool, json_output: bool) -> None:
    """Show what fires now, since when, and which channels have been told (docs/alerts.md)."""
    from barton_pipeline.monitoring import alerts as alerts_module
    from barton_pipeline.monitoring import channels

    if test and summary:
        raise InputError("Say --test or --summary, not both")
    if test:
        _test_channels(channels.configured_channels(), json_output)
        return
    with transaction() as connection:
        if summary:
            counts = alerts_module.summary(connection)
        else:
            found = alerts_module.firing(connection)
    if json_output:
        print_json(counts if summary else found)
    elif summary:
        for line in [
            f"{counts['since']:%Y-%m-%d %H:%M} to {counts['until']:%H:%M %Z}",
            *alerts_module.summary_lines(counts),
        ]:
            console.print(line, markup=False, highlight=False)
    else:
        print_rows(f"Alerts: {len(found)}", [{**row, "told": ", ".join(row["delivered_to"]) or None} for row in found],
                   ["severity", "rule", "subject", "since", "detail", "told"])  # fmt: skip


def _test_channels(configured: Sequence[Any], json_output: bool) -> None:
    from barton_pipeline.monitoring import channels

    if not configured:
        raise InputError(f"No channel is configured: set {channels.VARIABLE} (docs/alerts.md)")
    problems = {
        channel.name: channels.send(channel, "Barton: test", "A test message. Nothing is wrong.")
        for channel in configured
    }
    if json_output:
        print_json(
            [{"channel": name, "ok": not problem, "problem": problem or None} for name, problem in problems.items()]
        )
    else:
        for name, problem in problems.items():
            console.print(f"{name}: {problem or 'taken'}", markup=False)
    if any(problems.values()):
        raise click.exceptions.Exit(1)


@click.command()
@click.option("--dry-run", is_flag=True, help="Only count what would be deleted.")
@as_json
def purge(dry_run: bool, json_output: bool) -> None:
    """Delete history that has grown old; by itself this happens every night (retention.yaml)."""
    from barton_pipeline.operations import retention

    with contextlib.closing(connect()) as connection:
        counts = retention.count_old(connection) if dry_run else retention.purge(connection)
    if json_output:
        print_json(counts)
        return
    for kind, rows in counts.items():
        console.print(f"{rows:,} {kind.replace('_', ' ')} {'would be deleted' if dry_run else 'deleted'}")
