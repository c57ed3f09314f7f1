"""Who acts, the transaction of an action, and its row in marketing.actions. Every action is built on one of two context managers.

``carry_out`` is for the work of one transaction: its row is written in that transaction, so that neither is there without the
other. ``carry_out_in_steps`` is for work of several transactions or outside the database: one row says that it has started,
another one how it ended; a process that is killed leaves the first one only. A failure leaves a row that no rollback takes
away, and a preview leaves none.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from psycopg2.extensions import connection as Connection
from psycopg2.extras import Json

from barton_pipeline.errors import BartonError
from barton_pipeline.postgres import sql
from barton_pipeline.postgres.connection import connect, transaction
from barton_pipeline.postgres.sql import Lock
from barton_pipeline.reports.actions import RecordedAction, list_actions

ERROR_LENGTH = 1000


@dataclass(frozen=True)
class Actor:
    """Who acts: a login or name, with what rights (viewer, operator, admin, system), through which door.

    ``request_id`` is the door's own name for this one wish; the same one is carried out once.
    """

    name: str
    role: str
    door: Literal["cli", "web", "assistant", "sensor"]
    request_id: str | None = None


class RepeatedRequest(BartonError):
    """The request was tried before. ``recorded`` says what came of it."""

    def __init__(self, recorded: RecordedAction) -> None:
        super().__init__(
            f"Request {recorded.request_id} ({recorded.action}) was received before, at {recorded.at:%Y-%m-%d %H:%M:%S %Z}: "
            f"{recorded.outcome}{f' ({recorded.error})' if recorded.error else ''}. Nothing was done this time."
        )
        self.recorded = recorded


class PreviewOutdated(BartonError):
    """What is there now is not what the preview had shown; nothing was done. Look at a new preview."""

    def __init__(self, shown: int, found: int) -> None:
        super().__init__(f"{shown} were shown, {found} are there now; nothing was done. Look again, then decide.")
        self.shown = shown
        self.found = found


@dataclass
class Work:
    """An action at work. It sets ``done``, the number of things it has changed, and may add to ``parameters``.

    ``secrets`` are texts that must not appear in the audit row of a failure.
    """

    connection: Connection
    parameters: dict[str, Any]
    done: int = 0
    secrets: list[str] = field(default_factory=list)


@contextlib.contextmanager
def carry_out(
    connection: Connection | None,
    actor: Actor,
    action: str,
    parameters: dict[str, Any],
    *,
    reason: str | None,
    shown_count: int | None,
    apply: bool,
) -> Iterator[Work]:
    """One transaction in the actor's name (``barton.actor``), committed with its audit row, or rolled back unless ``apply``.

    ``connection`` must be in no transaction; None means one of its own. Raises RepeatedRequest, and PreviewOutdated when
    the work has changed another number of things than ``shown_count``; then, as after any error, nothing is changed.
    """
    with _idle(connection) as used:
        work = Work(used, parameters)
        audit = _Audit(actor, action, reason, shown_count)
        try:
            audit.begin(used)
            if apply:
                audit.refuse_repeated(used)
            yield work
            if apply:
                if shown_count is not None and shown_count != work.done:
                    raise PreviewOutdated(shown_count, work.done)
                audit.write(used, "done", work)
                used.commit()
        except BaseException as error:
            if apply:
                audit.write_failure(error, work)
            raise
        finally:
            if not used.closed:
                used.rollback()


@contextlib.contextmanager
def carry_out_in_steps(
    connection: Connection | None,
    actor: Actor,
    action: str,
    parameters: dict[str, Any],
    *,
    reason: str | None,
    shown_count: int | None,
    apply: bool,
) -> Iterator[Work]:
    """Work that is no single transaction, between two audit rows. It must itself change nothing unless ``apply``.

    ``connection`` must be in no transaction; None means one of its own. Where there is no table of actions yet, or any more,
    no row is written. Raises RepeatedRequest.
    """
    with _idle(connection) as used:
        work = Work(used, parameters)
        audit = _Audit(actor, action, reason, shown_count)
        if not apply:
            try:
                yield work
            finally:
                used.rollback()
            return
        with used:
            audit.begin(used)
            if _has_table(used):
                audit.refuse_repeated(used)
                audit.started_id = audit.write(used, "started", work)
        try:
            yield work
        except BaseException as error:
            audit.write_failure(error, work)
            raise
        with transaction() as other:
            if _has_table(other):
                audit.write(other, "done", work)


@contextlib.contextmanager
def _idle(connection: Connection | None) -> Iterator[Connection]:
    if connection is None:
        with contextlib.closing(connect()) as own:
            yield own
        return
    if connection.autocommit or connection.get_transaction_status() != TRANSACTION_STATUS_IDLE:
        raise ValueError("An action is a transaction: the connection must be in none, and not in autocommit mode.")
    yield connection


def _has_table(connection: Connection) -> bool:
    return bool(sql.value(connection, "SELECT to_regclass('marketing.actions') IS NOT NULL AS there"))


@dataclass
class _Audit:
    """The rows of one action."""

    actor: Actor
    action: str
    reason: str | None
    shown_count: int | None
    started_id: int | None = None

    def begin(self, connection: Connection) -> None:
        sql.rows(connection, "SELECT set_config('barton.actor', %(name)s, true)", name=self.actor.name)

    def refuse_repeated(self, connection: Connection) -> None:
        """The same request at once waits here until the other attempt has ended."""
        if self.actor.request_id is None:
            return
        sql.lock(connection, Lock.ACTION, self.actor.request_id)
        for recorded in list_actions(connection, request_id=self.actor.request_id):
            raise RepeatedRequest(recorded)

    def write(self, connection: Connection, outcome: str, work: Work, error: str | None = None) -> int:
        """Write a row; its id."""
        return int(
            sql.value(
                connection,
                """
                INSERT INTO marketing.actions (actor, role, door, action, parameters, reason, shown_count, done_count, outcome,
                    error, request_id, started_id)
                VALUES (%(actor)s, %(role)s, %(door)s, %(action)s, %(parameters)s, %(reason)s, %(shown_count)s, %(done)s,
                    %(outcome)s, %(error)s, %(request_id)s, %(started_id)s)
                RETURNING id
                """,
                actor=self.actor.name,
                role=self.actor.role,
                door=self.actor.door,
                action=self.action,
                parameters=Json(work.parameters),
                reason=self.reason,
                shown_count=self.shown_count,
                done=work.done if outcome == "done" else None,
                outcome=outcome,
                error=error,
                request_id=self.actor.request_id,
                started_id=self.started_id,
            )
        )

    def write_failure(self, error: BaseException, work: Work) -> None:
        """Write why it failed, in a transaction of its own. What hinders that must not hide the error itself.

        The failed transaction is still open and holds its request, so that an attempt that waits finds the row.
        """
        if isinstance(error, RepeatedRequest):
            return
        said = str(error).partition("\n")[0].strip() or type(error).__name__
        for secret in work.secrets:
            said = said.replace(secret, "…")
        outcome = "refused" if isinstance(error, PreviewOutdated) else "failed"
        with contextlib.suppress(Exception), transaction() as other:
            self.write(other, outcome, work, said[:ERROR_LENGTH])
