"""Actions on the event path: switch a part of it off, and on again (docs/how-to/operations/rollbacks.md)."""

from dataclasses import dataclass

from psycopg2.extensions import connection as Connection

from barton_pipeline.actions.audit import Actor, carry_out
from barton_pipeline.operations import rollbacks


@dataclass(frozen=True)
class RolledBack:
    """A rollback that is in force; ``target`` is the trigger for ``trigger``, else empty."""

    rollback: str
    target: str


def roll_back(
    connection: Connection | None,
    actor: Actor,
    rollback: str,
    target: str = "",
    *,
    reason: str | None = None,
    shown_count: int | None = None,
    apply: bool = True,
) -> RolledBack:
    """Put a rollback in force: silence, trigger, pause or manual. One transaction; all but manual need the schema's owner.

    Raises InputError for an unknown one or one that is in force already, BartonError without the owner's rights.
    """
    parameters = {"rollback": rollback, "target": target}
    with carry_out(
        connection, actor, "roll_back", parameters, reason=reason, shown_count=shown_count, apply=apply
    ) as work:
        rollbacks.roll_back(work.connection, rollback, target)
        work.done = 1
        return RolledBack(rollback, target)


@dataclass(frozen=True)
class Reversed:
    """A rollback that is over, and how many batches were queued to catch up; None when none had to be looked for."""

    rollback: str
    target: str
    batches_queued: int | None


def reverse_rollback(
    connection: Connection | None,
    actor: Actor,
    rollback: str,
    target: str = "",
    *,
    reason: str | None = None,
    shown_count: int | None = None,
    apply: bool = True,
) -> Reversed:
    """Take a rollback back and queue what changed meanwhile. One transaction; done are batches queued.

    Raises InputError when it is not in force, BartonError without the owner's rights.
    """
    parameters = {"rollback": rollback, "target": target}
    with carry_out(
        connection, actor, "reverse_rollback", parameters, reason=reason, shown_count=shown_count, apply=apply
    ) as work:
        queued = rollbacks.reverse(work.connection, rollback, target)
        work.done = queued or 0
        return Reversed(rollback, target, queued)
