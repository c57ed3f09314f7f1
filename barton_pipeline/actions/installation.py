"""Actions on the installation: purge, back up, restore, remove, migrate, test the channels of alerts. None is one transaction."""

from dataclasses import dataclass
from pathlib import Path

from psycopg2.extensions import connection as Connection

from barton_pipeline.actions.audit import Actor, carry_out_in_steps
from barton_pipeline.errors import InputError
from barton_pipeline.monitoring import channels
from barton_pipeline.operations import backup, retention
from barton_pipeline.postgres import migrations


@dataclass(frozen=True)
class Purged:
    """Rows deleted, by kind."""

    rows: dict[str, int]


def purge(
    connection: Connection | None,
    actor: Actor,
    *,
    reason: str | None = None,
    shown_count: int | None = None,
    apply: bool = True,
) -> Purged:
    """Delete history that has grown old (retention.yaml). Done are rows.

    Works in chunks, each a transaction, so that nobody waits: a preview counts what is old instead, which is the same number
    as long as nothing grows old between the two.
    """
    with carry_out_in_steps(
        connection, actor, "purge", {}, reason=reason, shown_count=shown_count, apply=apply
    ) as work:
        rows = retention.purge(work.connection) if apply else retention.count_old(work.connection)
        work.done = sum(rows.values())
        work.parameters["rows"] = rows
        return Purged(rows)


@dataclass(frozen=True)
class BackedUp:
    """A backup and how many tables it has."""

    file: Path
    tables: int


def back_up(
    connection: Connection | None,
    actor: Actor,
    file: Path,
    *,
    reason: str | None = None,
    shown_count: int | None = None,
    apply: bool = True,
) -> BackedUp:
    """Write all data to a file. Done are tables. pg_dump does it: a preview only looks whether the file is new, and counts tables.

    Raises InputError when the file exists, BartonError when pg_dump fails.
    """
    with carry_out_in_steps(
        connection, actor, "back_up", {"file": str(file)}, reason=reason, shown_count=shown_count, apply=apply
    ) as work:
        if apply:
            work.done = backup.backup(file)
        else:
            backup.require_new(file)
            work.done = backup.count_tables(work.connection)
        return BackedUp(file, work.done)


@dataclass(frozen=True)
class Restored:
    """A backup, how many tables came back, and the files of the schema that were applied since it was written."""

    file: Path
    tables: int
    applied: tuple[str, ...]


def restore(
    connection: Connection | None,
    actor: Actor,
    file: Path,
    *,
    reason: str | None = None,
    shown_count: int | None = None,
    apply: bool = True,
) -> Restored:
    """Bring all data back into a database that has none, then migrate it. Done are tables.

    pg_restore does it: a preview only looks into the file and the database, and tells no migrations. There is no table of
    actions to write to until it has worked, so that only a success leaves a row.
    Raises InputError when the file is missing or the schemas are there, BartonError when pg_restore fails.
    """
    with carry_out_in_steps(
        connection, actor, "restore", {"file": str(file)}, reason=reason, shown_count=shown_count, apply=apply
    ) as work:
        if not apply:
            with work.connection:
                backup.require_empty(work.connection)
            return Restored(file, backup.tables_in(file), ())
        work.done = backup.restore(file)
        return Restored(file, work.done, tuple(migrations.migrate()))


@dataclass(frozen=True)
class Removed:
    """The file that everything went to, and how many tables it has."""

    file: Path
    tables: int


def remove(
    connection: Connection | None,
    actor: Actor,
    file: Path,
    *,
    reason: str | None = None,
    shown_count: int | None = None,
    apply: bool = True,
) -> Removed:
    """Write all data to a file, then drop both schemas. Done are tables.

    The audit row of its beginning is in the backup; where the end would be written is gone. A preview only looks whether the file
    is new, and counts tables. Raises InputError when the file exists, BartonError when pg_dump fails or without the owner's rights.
    """
    with carry_out_in_steps(
        connection, actor, "remove", {"file": str(file)}, reason=reason, shown_count=shown_count, apply=apply
    ) as work:
        if apply:
            work.done = backup.remove_everything(file)
        else:
            backup.require_new(file)
            work.done = backup.count_tables(work.connection)
        return Removed(file, work.done)


@dataclass(frozen=True)
class Migrated:
    """The files that were applied or undone, in that order, counted from the folder ``sql``."""

    files: tuple[str, ...]


def migrate(
    connection: Connection | None,
    actor: Actor,
    *,
    to: int | None = None,
    reason: str | None = None,
    shown_count: int | None = None,
    apply: bool = True,
) -> Migrated:
    """Bring the schema up to date, or up to migration ``to``. Done are files.

    All of it is a transaction of its own: a preview lists the files without running any. Without a table of actions at the
    beginning only a success leaves a row. Raises DatabaseError when one fails; then nothing is changed.
    """
    with carry_out_in_steps(
        connection, actor, "migrate", {"to": to}, reason=reason, shown_count=shown_count, apply=apply
    ) as work:
        with work.connection:
            missing = migrations.missing(work.connection)
        due = [one.path for one in migrations.available() if to is None or one.version <= to]
        planned = missing if to is None else [path for path in missing if path in due]
        files = tuple(migrations.migrate(to=to) if apply else planned)
        work.done = len(files)
        work.parameters["files"] = list(files)
        return Migrated(files)


def migrate_down(
    connection: Connection | None,
    actor: Actor,
    to: int,
    *,
    reason: str | None = None,
    shown_count: int | None = None,
    apply: bool = True,
) -> Migrated:
    """Undo every migration above ``to``, newest first; 0 removes everything, data included. Done are files.

    All of it is a transaction of its own: a preview lists the files without running any. When the table of actions goes too, its
    rows go with it. Raises InputError for an unknown number, DatabaseError when a file fails; then nothing is changed.
    """
    with carry_out_in_steps(
        connection, actor, "migrate_down", {"to": to}, reason=reason, shown_count=shown_count, apply=apply
    ) as work:
        migrations.check_version(to)
        with work.connection:
            applied = migrations.applied(work.connection)
        planned = [one.path for one in reversed(migrations.available()) if one.version > to and one.version in applied]
        files = tuple(migrations.migrate_down(to) if apply else planned)
        work.done = len(files)
        work.parameters["files"] = list(files)
        return Migrated(files)


@dataclass(frozen=True)
class ChannelAnswer:
    """A channel of alerts, and why it did not take the message; None: it did."""

    channel: str
    problem: str | None


@dataclass(frozen=True)
class SentMessages:
    """What each channel said to a message."""

    answers: tuple[ChannelAnswer, ...]


def send_test_message(
    connection: Connection | None,
    actor: Actor,
    *,
    reason: str | None = None,
    shown_count: int | None = None,
    apply: bool = True,
) -> SentMessages:
    """Send a test message to every channel of alerts. Done are the channels that took it.

    A message cannot be taken back: a preview only lists the channels. Raises InputError when none is configured.
    """
    with carry_out_in_steps(
        connection, actor, "send_test_message", {}, reason=reason, shown_count=shown_count, apply=apply
    ) as work:
        configured = channels.configured_channels()
        if not configured:
            raise InputError(f"No channel is configured: set {channels.VARIABLE} (docs/how-to/alerts.md)")
        text = ("Barton: test", "A test message. Nothing is wrong.")
        answers = tuple(
            ChannelAnswer(channel.name, (channels.send(channel, *text) if apply else "") or None)
            for channel in configured
        )
        work.done = sum(answer.problem is None for answer in answers)
        work.parameters["channels"] = [answer.channel for answer in answers]
        return SentMessages(answers)
