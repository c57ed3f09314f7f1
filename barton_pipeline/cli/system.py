"""Commands about the installation: schema, doctor, events as they come, the embedded server, the demo."""

import time
from dataclasses import dataclass

import click

from barton_pipeline.cli.operator import operator
from barton_pipeline.cli.printing import (
    NOTHING,
    Column,
    Importance,
    Kind,
    Table,
    as_json,
    is_terminal,
    print_items,
    print_json,
    print_json_line,
    print_table,
    say,
    tab_line,
    tab_separated,
)
from barton_pipeline.errors import InputError
from barton_pipeline.postgres import embedded, migrations
from barton_pipeline.postgres.connection import database_url, redact
from barton_pipeline.queue import listening

EVENTS = Table(
    "Events",
    (
        Column("created_at", "at", Kind.MOMENT),
        Column("id", "id", Kind.KEY, Importance.HIGH),
        Column("event_type", "event", Kind.KEY, Importance.HIGH),
        Column("import_batch_id", "batch", Kind.KEY, Importance.HIGH),
        Column("n_rows", "rows", Kind.NUMBER),
    ),
)
FINDINGS = Table(
    "Checks",
    (
        Column("state", "state", Kind.KEY, Importance.HIGH),
        Column("name", "check", Kind.KEY, Importance.HIGH),
        Column("found", "finding", importance=Importance.HIGH),
        Column("remedy", "what to do", importance=Importance.HIGH),
    ),
)
MARKS = {"ok": "✓", "warning": "!", "error": "✗"}


@dataclass(frozen=True)
class Migrated:
    """The files that ``barton migrate`` has applied, or those it has undone."""

    applied: tuple[str, ...]
    undone: tuple[str, ...]


@dataclass(frozen=True)
class Stopped:
    """The data folder of the embedded Postgres that ``barton stop`` has stopped."""

    data: str


@click.command()
@click.option("--type", "event_type", help="Only events of this type.")
@click.option("--batch", help="Only events of this batch.")
@click.option("--for", "seconds", type=float, help="Stop after this many seconds [default: until Ctrl-C].")
@as_json
def listen(event_type: str | None, batch: str | None, seconds: float | None, json_output: bool) -> None:
    """Print events as they are raised.

    The command connects again by itself when the server was away. Ctrl-C ends it.
    """
    deadline = time.monotonic() + seconds if seconds is not None else float("inf")
    if not json_output and not is_terminal():
        click.echo(tab_separated(EVENTS, []))
    for event in listening.follow(deadline):
        if (event_type and event.event_type != event_type) or (batch and event.import_batch_id != batch):
            continue
        if json_output:
            print_json_line(event)
        elif is_terminal():
            # the batch last: a long key is then the only thing that can be wider than the terminal
            say(
                f"{event.created_at:%H:%M:%S} {event.id:>7}  {event.event_type}  {event.n_rows:,} row(s)  "
                f"{event.import_batch_id or NOTHING}"
            )
        else:
            click.echo(tab_line(EVENTS, event))


@click.command()
@click.option("--to", type=int, help="Apply up to this migration, and no functions, triggers and views.")
@click.option("--down-to", type=int, help="Undo every migration above this one; 0 removes everything.")
@click.option("--yes", is_flag=True, help="Do not ask before undoing (undoing deletes data).")
@as_json
def migrate(to: int | None, down_to: int | None, yes: bool, json_output: bool) -> None:
    """Bring the schema up to date, or undo migrations.

    Functions, triggers and views belong to the newest migration: before it, run barton migrate of the version you go back to.
    """
    from barton_pipeline.actions import installation

    migrations.available()  # an incomplete installation is told before a server is started for it
    if down_to is not None:
        if to is not None:
            raise InputError("Say --to or --down-to, not both")
        if not yes:
            click.confirm(
                f"Undo every migration above {down_to} in {redact(database_url())}? Data is lost.",
                abort=True,
                err=True,
            )
        done = Migrated((), installation.migrate_down(None, operator(), down_to).files)
    else:
        done = Migrated(installation.migrate(None, operator(), to=to).files, ())
    if json_output:
        print_json(done)
        return
    for verb, files in (("applied", done.applied), ("undone", done.undone)):
        for file in files:
            say(f"{verb}: {file}")
    if not done.applied and not done.undone:
        say("Nothing to do: the schema is already there.")


@click.command()
@as_json
def doctor(json_output: bool) -> None:
    """Check the installation and say how to put it right."""
    from barton_pipeline import doctor as doctor_module

    findings = doctor_module.examine()
    if json_output:
        print_json(findings)
    elif is_terminal():
        print_items(
            [
                (head, text)
                for finding in findings
                for head, text in ((f"{MARKS[finding.state]} {finding.name}", finding.found), ("", finding.remedy))
                if text
            ]
        )
    else:
        print_table(FINDINGS, findings)
    if any(finding.state == "error" for finding in findings):
        raise click.exceptions.Exit(1)


@click.command()
@as_json
def stop(json_output: bool) -> None:
    """Stop the embedded Postgres (data stays)."""
    embedded.stop()
    if json_output:
        print_json(Stopped(str(embedded.data_directory())))
    else:
        say("The embedded Postgres is stopped.")
