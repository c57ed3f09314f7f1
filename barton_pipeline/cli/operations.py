"""Commands for who runs the system: errors, alerts, rollbacks, history, backup."""

import contextlib
import getpass
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from barton_pipeline.cli.printing import (
    Column,
    Importance,
    Kind,
    Table,
    as_json,
    print_json,
    print_table,
    say,
)
from barton_pipeline.errors import InputError
from barton_pipeline.postgres import migrations
from barton_pipeline.postgres.connection import connect, database_url, redact, transaction
from barton_pipeline.reports.errors import list_errors, resolve_error

ERRORS = Table(
    "Open errors",
    (
        Column("id", "id", Kind.KEY, Importance.HIGH),
        Column("severity", "severity", Kind.KEY, Importance.HIGH),
        Column("event_type", "event", Kind.KEY, Importance.LOW),
        Column("import_batch_id", "batch", Kind.KEY, Importance.HIGH),
        Column("error_message", "message", importance=Importance.HIGH, least_width=30),
        Column("created_at", "at", Kind.MOMENT),
    ),
)
REBUILT = Table(
    "Rebuilt",
    (
        Column("table", "table", Kind.KEY, Importance.HIGH),
        Column("rows", "rows", Kind.NUMBER, Importance.HIGH),
        Column("differences", "differ", Kind.NUMBER, Importance.HIGH),
    ),
)
DIFFERENCES = Table(
    "Rows that differ",
    (
        Column("table", "table", Kind.KEY, Importance.HIGH),
        Column("side", "lost or new", Kind.KEY, Importance.HIGH),
        Column("row", "row", importance=Importance.HIGH, least_width=30),
    ),
)
IN_FORCE = Table(
    "Rollbacks in force",
    (
        Column("action", "action", Kind.KEY, Importance.HIGH),
        Column("target", "trigger", Kind.KEY, Importance.HIGH),
        Column("started_at", "since", Kind.MOMENT),
        Column("started_by", "by", Kind.KEY),
    ),
)
ALERTS = Table(
    "Alerts",
    (
        Column("severity", "severity", Kind.KEY, Importance.HIGH),
        Column("rule", "rule", Kind.KEY, Importance.LOW),
        Column("subject", "subject", importance=Importance.HIGH),
        Column("since", "since", Kind.MOMENT),
        Column("detail", "detail", importance=Importance.HIGH, least_width=30),
        Column("delivered_to", "told", importance=Importance.LOW),
    ),
)
CHANNELS = Table(
    "A test message",
    (
        Column("channel", "channel", Kind.KEY, Importance.HIGH),
        Column("answer", "answer", importance=Importance.HIGH),
    ),
)
# More rows that differ are only counted.
DIFFERENCES_SHOWN = 20


@dataclass(frozen=True)
class ClosedError:
    """What ``barton errors --resolve`` did."""

    id: int
    notes: str | None


@dataclass(frozen=True)
class ChannelTest:
    """Whether a channel took the test message; ``problem`` says why not."""

    channel: str
    ok: bool
    problem: str | None

    @property
    def answer(self) -> str:
        """In words."""
        return self.problem or "taken"


@dataclass(frozen=True)
class Backup:
    """What a backup holds: ``file``, of ``bytes``, has the data of so many tables."""

    file: Path
    tables: int
    bytes: int


@dataclass(frozen=True)
class Restored:
    """What ``barton restore`` brought back, and the files of the schema that have been applied since the backup."""

    file: Path
    applied: tuple[str, ...]


@click.command()
@click.option("--batch", help="Only errors of this batch.")
@click.option("--resolve", "resolve_id", type=int, help="Close the error with this id.")
@click.option("--notes", help="What was done about it (with --resolve).")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1), help="At most this many.")
@as_json
def errors(batch: str | None, resolve_id: int | None, notes: str | None, limit: int, json_output: bool) -> None:
    """Show open errors, worst first, or close one."""
    with transaction() as connection:
        if resolve_id is not None:
            resolve_error(connection, resolve_id, getpass.getuser(), notes)
            if json_output:
                print_json(ClosedError(resolve_id, notes))
            else:
                say(f"Error {resolve_id} is closed.")
            return
        found = list_errors(connection, limit, batch)
    if json_output:
        print_json(found)
    else:
        print_table(ERRORS, found)


@click.command()
@click.option("--apply", is_flag=True, help="Keep the rebuilt tables (they are the same; needs the owner's role).")
@as_json
def replay(apply: bool, json_output: bool) -> None:
    """Rebuild everything from intake and compare.

    Stored answers are used and no vendor is asked; you see which rows do not come out as they are now.
    """
    from barton_pipeline.operations import replay as replay_module

    done = replay_module.replay(apply)
    if json_output:
        print_json(done)
    else:
        differ = Counter(difference.table for difference in done.differences)
        tables = [{"table": name, "rows": rows, "differences": differ[name]} for name, rows in done.rows.items()]
        print_table(REBUILT, tables)
        if done.differences:
            print_table(DIFFERENCES, done.differences[:DIFFERENCES_SHOWN], aside=True)
            say(f"{len(done.differences):,} rows differ.", aside=True)
        else:
            say("Every row came out the same; no vendor was asked.", aside=True)
    if done.differences:
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
        say(f"{queued} batch(es) queued to catch up.", aside=True)
    print_table(IN_FORCE, found)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@as_json
def backup(file: Path, json_output: bool) -> None:
    """Write all data to FILE, a pg_dump archive.

    The archive is read back before the command says that it is done.
    """
    from barton_pipeline.operations import backup

    tables = backup.backup(file)
    done = Backup(file, tables, file.stat().st_size)
    if json_output:
        print_json(done)
    else:
        say(f"{done.tables} tables in {done.file}, {done.bytes:,} bytes.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@as_json
def restore(file: Path, json_output: bool) -> None:
    """Bring all data back from FILE.

    The database must have none.
    """
    from barton_pipeline.operations import backup

    backup.restore(file)
    done = Restored(file, tuple(migrations.migrate()))
    if json_output:
        print_json(done)
    else:
        say(f"Restored; {len(done.applied)} file(s) of the schema applied since.")


@click.command()
@click.option("--export", "file", type=click.Path(path_type=Path), required=True, help="Where the data goes first.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def remove(file: Path, yes: bool, json_output: bool) -> None:
    """Remove the pipeline and all its data.

    The data is written to a file first, which barton restore reads.
    """
    from barton_pipeline.operations import backup

    if not yes:
        click.confirm(f"Remove everything from {redact(database_url())}?", abort=True, err=True)
    tables = backup.remove_everything(file)
    done = Backup(file, tables, file.stat().st_size)
    if json_output:
        print_json(done)
    else:
        say(f"{done.tables} tables are in {done.file}; the schemas are gone.")


@click.command()
@click.option("--test", "test", is_flag=True, help="Send a test message to every channel and say which took it.")
@click.option("--summary", "summary", is_flag=True, help="Print the summary of the last hour.")
@as_json
def alerts(test: bool, summary: bool, json_output: bool) -> None:
    """Show what fires now, and who has been told.

    Rules and channels: docs/alerts.md.
    """
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
        say(f"{counts.since:%Y-%m-%d %H:%M} to {counts.until:%H:%M %Z}")
        say("\n".join(alerts_module.summary_lines(counts)))
    else:
        print_table(ALERTS, found)


def _test_channels(configured: Sequence[Any], json_output: bool) -> None:
    from barton_pipeline.monitoring import channels

    if not configured:
        raise InputError(f"No channel is configured: set {channels.VARIABLE} (docs/alerts.md)")
    answers = []
    for channel in configured:
        problem = channels.send(channel, "Barton: test", "A test message. Nothing is wrong.")
        answers.append(ChannelTest(channel.name, not problem, problem or None))
    if json_output:
        print_json(answers)
    else:
        print_table(CHANNELS, answers)
    if not all(answer.ok for answer in answers):
        raise click.exceptions.Exit(1)


@click.command()
@click.option("--dry-run", is_flag=True, help="Only count what would be deleted.")
@as_json
def purge(dry_run: bool, json_output: bool) -> None:
    """Delete history that has grown old.

    By itself this happens every night; retention.yaml says what is old.
    """
    from barton_pipeline.operations import retention

    with contextlib.closing(connect()) as connection:
        counts = retention.count_old(connection) if dry_run else retention.purge(connection)
    if json_output:
        print_json(counts)
        return
    for kind, rows in counts.items():
        say(f"{rows:,} {kind.replace('_', ' ')} {'would be deleted' if dry_run else 'deleted'}")
