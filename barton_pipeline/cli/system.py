"""Commands about the installation: schema, doctor, events as they come, the embedded server, the demo."""

import json
import time

import click
from rich.table import Table

from barton_pipeline.cli.printing import as_json, cell, console, print_json
from barton_pipeline.errors import InputError
from barton_pipeline.postgres import embedded, migrations
from barton_pipeline.postgres.connection import database_url, redact
from barton_pipeline.queue import listening


@click.command()
@click.option("--type", "event_type", help="Only events of this type.")
@click.option("--batch", help="Only events of this batch.")
@click.option("--for", "seconds", type=float, help="Stop after this many seconds [default: until Ctrl-C].")
@as_json
def listen(event_type: str | None, batch: str | None, seconds: float | None, json_output: bool) -> None:
    """Print events as they are raised; reconnects by itself."""
    deadline = time.monotonic() + seconds if seconds is not None else float("inf")
    for event in listening.follow(deadline):
        if (event_type and event["event_type"] != event_type) or (batch and event["import_batch_id"] != batch):
            continue
        if json_output:
            click.echo(json.dumps(event, default=str))
        else:
            click.echo(
                f"{event['created_at']:%H:%M:%S.%f}  {event['id']:>8}  {event['event_type']:<24} "
                f"{event['import_batch_id'] or '–':<28} rows {event['n_rows']}"
            )


@click.command()
@click.option("--to", type=int, help="Apply up to this migration, and no functions, triggers and views.")
@click.option("--down-to", type=int, help="Undo every migration above this one; 0 removes everything.")
@click.option("--yes", is_flag=True, help="Do not ask before undoing (undoing deletes data).")
def migrate(to: int | None, down_to: int | None, yes: bool) -> None:
    """Bring the schema up to date, or undo migrations.

    Functions, triggers and views belong to the newest migration: before it, run barton migrate of the version you go back to.
    """
    if down_to is not None:
        if to is not None:
            raise InputError("Say --to or --down-to, not both")
        if not yes:
            click.confirm(
                f"Undo every migration above {down_to} in {redact(database_url())}? Data is lost.",
                abort=True,
            )
        done = migrations.migrate_down(down_to)
    else:
        done = migrations.migrate(to=to)
    verb = "undone" if down_to is not None else "applied"
    for path in done:
        console.print(f"{verb}: {path}", markup=False)
    if not done:
        console.print("Nothing to do: the schema is already there.")


@click.command()
@as_json
def doctor(json_output: bool) -> None:
    """Check the installation and say what to do about what is wrong."""
    from barton_pipeline import doctor as doctor_module

    findings = doctor_module.examine()
    if json_output:
        print_json([finding.__dict__ for finding in findings])
    else:
        table = Table("", "check", "finding", "what to do")
        for finding in findings:
            table.add_row(
                {"ok": "✓", "warning": "!", "error": "✗"}[finding.state],
                finding.name,
                cell(finding.found),
                cell(finding.remedy or None),
            )
        console.print(table)
    if any(finding.state == "error" for finding in findings):
        raise click.exceptions.Exit(1)


@click.command()
def stop() -> None:
    """Stop the embedded Postgres (data stays)."""
    embedded.stop()
    console.print("The embedded Postgres is stopped.")
