"""Commands for who runs the system: errors, alerts, rollbacks, history, backup."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from barton_pipeline.cli.operator import operator
from barton_pipeline.cli.options import read_moment
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
from barton_pipeline.error_log import ErrorFilter
from barton_pipeline.errors import InputError
from barton_pipeline.postgres.connection import database_url, redact, transaction
from barton_pipeline.reports.actions import list_actions
from barton_pipeline.reports.errors import group_errors, list_errors

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
CAUSES = Table(
    "Open errors by cause",
    (
        Column("fingerprint", "cause", Kind.KEY, Importance.HIGH),
        Column("count", "errors", Kind.NUMBER, Importance.HIGH),
        Column("severity", "severity", Kind.KEY, Importance.HIGH),
        Column("batches", "batches", Kind.NUMBER, Importance.LOW),
        Column("last_at", "last", Kind.MOMENT),
        Column("sample_message", "newest message", importance=Importance.HIGH, least_width=30),
    ),
)
ACTIONS = Table(
    "Actions",
    (
        Column("at", "at", Kind.MOMENT, Importance.HIGH),
        Column("actor", "who", Kind.KEY, Importance.HIGH),
        Column("door", "door", Kind.KEY, Importance.LOW),
        Column("action", "action", Kind.KEY, Importance.HIGH),
        Column("outcome", "outcome", Kind.KEY, Importance.HIGH),
        Column("done_count", "done", Kind.NUMBER),
        Column("reason", "reason", importance=Importance.LOW),
        Column("error", "error", importance=Importance.LOW),
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


@click.command()
@click.option("--batch", help="Only errors of this batch.")
@click.option("--severity", type=click.Choice(["warning", "error", "critical"]), help="Only errors of this severity.")
@click.option("--cause", help="Only errors of this cause (--by-cause tells it).")
@click.option("--type", "event_type", help="Only errors of this stage or type of event.")
@click.option("--since", help="Only errors since this moment, ISO 8601 with a time zone or a date (UTC).")
@click.option("--by-cause", is_flag=True, help="Group the errors by their cause.")
@click.option(
    "--resolve", "resolve_ids", type=int, multiple=True, help="Close the error with this id; may be repeated."
)
@click.option("--resolve-cause", help="Close all errors of this cause.")
@click.option("--notes", help="What was done about it (with --resolve or --resolve-cause).")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1), help="At most this many.")
@as_json
def errors(
    batch: str | None,
    severity: str | None,
    cause: str | None,
    event_type: str | None,
    since: str | None,
    by_cause: bool,
    resolve_ids: tuple[int, ...],
    resolve_cause: str | None,
    notes: str | None,
    limit: int,
    json_output: bool,
) -> None:
    """Show open errors, worst first, or close some."""
    if cause and resolve_cause:
        raise InputError("Say --cause or --resolve-cause, not both")
    wanted = ErrorFilter(
        ids=resolve_ids or None,
        import_batch_id=batch,
        fingerprint=cause or resolve_cause,
        severity=severity,
        event_type=event_type,
        since=read_moment("--since", since),
    )
    if resolve_ids or resolve_cause:
        _resolve(wanted, notes, json_output)
        return
    with transaction() as connection:
        found: Sequence[Any] = (
            group_errors(connection, wanted, limit=limit) if by_cause else list_errors(connection, wanted, limit=limit)
        )
    if json_output:
        print_json(found)
    else:
        print_table(CAUSES if by_cause else ERRORS, found)


def _resolve(wanted: ErrorFilter, notes: str | None, json_output: bool) -> None:
    from barton_pipeline.actions.errors import resolve_errors

    done = resolve_errors(None, operator(), wanted, reason=notes)
    if json_output:
        print_json(done)
    elif len(done.ids) == 1:
        say(f"Error {done.ids[0]} is closed.")
    else:
        say(f"{len(done.ids):,} errors are closed.")


@click.command()
@click.option("--action", help="Only this action, for example undo.")
@click.option("--since", help="Only since this moment, ISO 8601 with a time zone or a date (UTC).")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1), help="At most this many.")
@as_json
def audit(action: str | None, since: str | None, limit: int, json_output: bool) -> None:
    """Show what was done, by whom and why, newest first."""
    moment = read_moment("--since", since)
    with transaction() as connection:
        found = list_actions(connection, action=action, since=moment, limit=limit)
    if json_output:
        print_json(found)
    else:
        print_table(ACTIONS, found)


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
    from barton_pipeline.actions.rollbacks import reverse_rollback, roll_back
    from barton_pipeline.operations import rollbacks

    queued = None
    if action and undo:
        queued = reverse_rollback(None, operator(), action, trigger).batches_queued
    elif action:
        roll_back(None, operator(), action, trigger)
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
    from barton_pipeline.actions import installation

    done = Backup(file, installation.back_up(None, operator(), file).tables, file.stat().st_size)
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
    from barton_pipeline.actions import installation

    done = installation.restore(None, operator(), file)
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
    from barton_pipeline.actions import installation

    if not yes:
        click.confirm(f"Remove everything from {redact(database_url())}?", abort=True, err=True)
    done = Backup(file, installation.remove(None, operator(), file).tables, file.stat().st_size)
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

    Rules and channels: docs/how-to/alerts.md.
    """
    from barton_pipeline.monitoring import alerts as alerts_module

    if test and summary:
        raise InputError("Say --test or --summary, not both")
    if test:
        _test_channels(json_output)
        return
    with transaction() as connection:
        if summary:
            counts = alerts_module.summarise(connection)
        else:
            found = alerts_module.list_firing(connection)
    if json_output:
        print_json(counts if summary else found)
    elif summary:
        say(f"{counts.since:%Y-%m-%d %H:%M} to {counts.until:%H:%M %Z}")
        say("\n".join(alerts_module.word_summary(counts)))
    else:
        print_table(ALERTS, found)


def _test_channels(json_output: bool) -> None:
    from barton_pipeline.actions.installation import send_test_message

    told = send_test_message(None, operator()).answers
    answers = [ChannelTest(answer.channel, answer.problem is None, answer.problem) for answer in told]
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
    from barton_pipeline.actions import installation

    counts = installation.purge(None, operator(), apply=not dry_run).rows
    if json_output:
        print_json(counts)
        return
    for kind, rows in counts.items():
        say(f"{rows:,} {kind.replace('_', ' ')} {'would be deleted' if dry_run else 'deleted'}")
