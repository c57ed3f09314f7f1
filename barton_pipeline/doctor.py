"""``barton doctor``: everything a support engineer would ask, with what to do about each answer."""

import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from barton_pipeline.config import environment
from barton_pipeline.errors import BartonError
from barton_pipeline.monitoring import channels
from barton_pipeline.operations import rollbacks
from barton_pipeline.postgres import embedded, migrations, sql
from barton_pipeline.postgres.connection import database_url, redact, transaction

OLDEST_POSTGRES = 150000
FREE_DISK_GB = 1.0


@dataclass(frozen=True)
class Finding:
    """One check; ``remedy`` says what to do when ``state`` is not ok."""

    name: str
    state: Literal["ok", "warning", "error"]
    found: str
    remedy: str = ""


def examine() -> list[Finding]:
    """All checks; one that cannot be made because an earlier one failed is reported as an error too."""
    return [_guarded(name, check) for name, check in CHECKS.items()]


def _guarded(name: str, check: Callable[[str], Finding]) -> Finding:
    try:
        return check(name)
    except BartonError as error:
        return Finding(name, "error", str(error), "See the message; then run barton doctor again.")
    except Exception as error:
        return Finding(name, "error", f"{type(error).__name__}: {error}", "Fix this first; later checks depend on it.")


def _python(name: str) -> Finding:
    return Finding(name, "ok", f"Python {sys.version.split()[0]}, barton-pipeline {metadata.version('barton-pipeline')}, "
                   f"dagster {metadata.version('dagster')}")  # fmt: skip


def _server(name: str) -> Finding:
    url = database_url()
    with transaction(url) as connection:
        version = connection.server_version
    kind = "BARTON_DATABASE_URL" if environment("BARTON_DATABASE_URL") else f"embedded, {embedded.data_directory()}"
    found = f"{redact(url)} ({kind}), server version {version // 10000}"
    if version < OLDEST_POSTGRES:
        return Finding(name, "error", found, "Use Postgres 15 or later.")
    return Finding(name, "ok", found)


def _schema(name: str) -> Finding:
    with transaction() as connection:
        have = migrations.applied(connection)
        lacking = migrations.missing(connection)
    if lacking:
        shown = ", ".join(lacking[:3]) + (" …" if len(lacking) > 3 else "")
        return Finding(name, "error", f"{len(lacking)} file(s) to be applied: {shown}", "barton migrate")
    return Finding(name, "ok", f"{len(have)} migrations applied, functions, triggers and views of this version")


def _roles(name: str) -> Finding:
    with transaction() as connection:
        rows = sql.rows(connection, "SELECT rolname FROM pg_roles WHERE rolname LIKE 'barton\\_%%'")
    missing = {"barton_owner", "barton_app", "barton_readonly"} - {row["rolname"] for row in rows}
    if missing:
        return Finding(
            name,
            "warning",
            f"missing: {', '.join(sorted(missing))}",
            "Let a user with CREATEROLE run barton migrate.",
        )
    return Finding(name, "ok", "barton_owner, barton_app and barton_readonly exist")


def _triggers(name: str) -> Finding:
    declared = migrations.declared_triggers()
    with transaction() as connection:
        rows = sql.rows(
            connection,
            """
            SELECT tgname, tgenabled FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
            JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('intake', 'marketing') AND NOT t.tgisinternal
            """,
        )
    enabled = {row["tgname"] for row in rows if row["tgenabled"] != "D"}
    disabled = sorted({row["tgname"] for row in rows} & declared.keys() - enabled)
    missing = sorted(declared.keys() - {row["tgname"] for row in rows})
    if disabled or missing:
        first = (disabled or missing)[0]
        remedy = (
            f"ALTER TABLE {declared[first][0]} ENABLE TRIGGER {first};" if disabled else f"psql -f {declared[first][1]}"
        )
        found = [
            f"{word}: {', '.join(names)}" for word, names in (("disabled", disabled), ("missing", missing)) if names
        ]
        return Finding(
            name, "error", "; ".join(found), f"{remedy} Rows that came meanwhile are queued within 5 minutes."
        )
    return Finding(name, "ok", f"{len(declared)} triggers enabled")


def _views(name: str) -> Finding:
    declared = migrations.declared_views()
    with transaction() as connection:
        rows = sql.rows(
            connection,
            "SELECT schemaname || '.' || viewname AS name FROM pg_views WHERE schemaname IN ('intake', 'marketing')",
        )
    if missing := sorted(declared.keys() - {row["name"] for row in rows}):
        return Finding(name, "error", f"missing: {', '.join(missing)}", f"psql -f {declared[missing[0]]}")
    return Finding(name, "ok", f"{len(declared)} views")


def _queue(name: str) -> Finding:
    with transaction() as connection:
        rows = sql.rows(
            connection,
            """
            SELECT count(*) FILTER (WHERE status = 'pending') AS pending,
                   count(*) FILTER (WHERE status = 'failed') AS failed,
                   coalesce(extract(epoch FROM now() - min(created_at)
                       FILTER (WHERE status = 'pending' AND available_at <= now())), 0) AS age,
                   pg_notification_queue_usage() AS usage
            FROM marketing.pipeline_events WHERE status IN ('pending', 'failed')
            """,
        )
    (row,) = rows
    found = (
        f"{row['pending']} pending (oldest {row['age']:.0f} s), {row['failed']} failed, "
        f"notification queue {row['usage']:.0%} full"
    )
    if row["failed"]:
        return Finding(name, "warning", found, "See barton errors, fix the cause, then run barton retry BATCH")
    if row["age"] > 600:
        return Finding(
            name,
            "warning",
            found,
            "Is the Dagster daemon running (dagster dev), and the event_queue_sensor on?",
        )
    return Finding(name, "ok", found)


def _rollbacks(name: str) -> Finding:
    with transaction() as connection:
        found = rollbacks.in_force(connection)
    if not found:
        return Finding(name, "ok", "none in force")
    listed = ", ".join(
        f"{row['action']} {row['target']}".strip() + f" since {row['started_at']:%Y-%m-%d %H:%M}" for row in found
    )
    return Finding(
        name, "warning", f"in force: {listed}", "When you have fixed the cause, run barton rollback ACTION --undo"
    )


def _alerts(name: str) -> Finding:
    found = channels.configured_channels()
    if not found:
        return Finding(
            name,
            "warning",
            "no channels: you will not be told of alerts",
            f"Set {channels.VARIABLE} (docs/how-to/alerts.md).",
        )
    if wrong := [channel.name for channel in found if not channels.is_understood(channel)]:
        return Finding(name, "error", f"{', '.join(wrong)}: {channels.NOT_UNDERSTOOD}", "Correct the URL.")
    with transaction() as connection:
        (row,) = sql.rows(
            connection,
            """
            SELECT (SELECT count(*) FROM marketing.alerts WHERE recovered_at IS NULL) AS firing,
                   (SELECT count(*) FROM marketing.alert_messages WHERE state = 'pending' AND error IS NOT NULL) AS failing
            """,
        )
    told = f"{len(found)} channel(s): {', '.join(channel.name for channel in found)}; {row['firing']} alert(s) firing"
    if row["failing"]:
        return Finding(
            name, "warning", f"{told}; {row['failing']} message(s) could not be delivered yet", "barton alerts --test"
        )
    return Finding(name, "ok", told)


def _dagster(name: str) -> Finding:
    from barton_pipeline.instance.local import local_instance

    with local_instance() as instance:
        statuses = instance.get_daemon_statuses()
        alive = [kind for kind, status in statuses.items() if status.healthy]
    if not alive:
        return Finding(name, "warning", "storage works; no daemon is running", "Start it with: dagster dev")
    return Finding(name, "ok", f"storage works; daemons alive: {', '.join(sorted(alive))}")


def _disk(name: str) -> Finding:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    enough = free > FREE_DISK_GB
    return Finding(
        name, "ok" if enough else "error", f"{free:.1f} GB free here", "" if enough else "Free some disk space."
    )


def _dns(name: str) -> Finding:
    from barton_pipeline.addresses.checks import MxLookup

    if MxLookup(timeout_seconds=2.0).is_available():
        return Finding(name, "ok", f"DNS answers on {socket.gethostname()}")
    return Finding(
        name,
        "warning",
        "DNS does not answer: MX records are not looked up",
        "Addresses stay unknown until DNS is there.",
    )


CHECKS: dict[str, Callable[[str], Finding]] = {
    "versions": _python,
    "disk": _disk,
    "database": _server,
    "schema": _schema,
    "roles": _roles,
    "triggers": _triggers,
    "views": _views,
    "event queue": _queue,
    "rollbacks": _rollbacks,
    "alerts": _alerts,
    "dagster": _dagster,
    "dns": _dns,
}
