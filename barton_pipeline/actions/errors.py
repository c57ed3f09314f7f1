"""Actions on the error log: close errors with a note, open them again."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg2.extensions import connection as Connection

from barton_pipeline import error_log
from barton_pipeline.actions.audit import Actor, carry_out
from barton_pipeline.error_log import EVERY_ERROR, ErrorFilter
from barton_pipeline.errors import InputError


@dataclass(frozen=True)
class Resolved:
    """The errors that were closed, by id."""

    ids: tuple[int, ...]


def resolve_errors(
    connection: Connection | None,
    actor: Actor,
    wanted: ErrorFilter,
    *,
    reason: str | None = None,
    shown_count: int | None = None,
    apply: bool = True,
) -> Resolved:
    """Close the open errors that the filter means; ``reason`` is kept with them as the note. One transaction; done are errors.

    Raises InputError for an empty filter, when no open error is meant, and when one of ``wanted.ids`` is not open.
    """
    with carry_out(
        connection, actor, "resolve_errors", wanted.to_dict(), reason=reason, shown_count=shown_count, apply=apply
    ) as work:
        if wanted == EVERY_ERROR:
            raise InputError("Say which errors are to be closed; an empty filter would mean all of them.")
        closed = error_log.resolve(work.connection, wanted, reason)
        _refuse_missing(wanted.ids or (), closed, "open; see the open ones with: barton errors")
        if not closed:
            raise InputError("No open error is meant; see them with: barton errors")
        work.done = len(closed)
        return Resolved(tuple(closed))


@dataclass(frozen=True)
class Reopened:
    """The errors that are open again, by id."""

    ids: tuple[int, ...]


def reopen_errors(
    connection: Connection | None,
    actor: Actor,
    ids: Sequence[int],
    *,
    reason: str | None = None,
    shown_count: int | None = None,
    apply: bool = True,
) -> Reopened:
    """Open closed errors again. One transaction; done are errors. Raises InputError when one of them is not closed."""
    with carry_out(
        connection, actor, "reopen_errors", {"ids": list(ids)}, reason=reason, shown_count=shown_count, apply=apply
    ) as work:
        opened = error_log.reopen(work.connection, tuple(ids))
        _refuse_missing(ids, opened, "closed")
        work.done = len(opened)
        return Reopened(tuple(opened))


def _refuse_missing(ids: Sequence[int], found: Sequence[int], state: str) -> None:
    missing = sorted(set(ids) - set(found))
    if missing:
        listed = ", ".join(map(str, missing))
        raise InputError(f"Error {listed} is not {state}" if len(missing) == 1 else f"Errors {listed} are not {state}")
