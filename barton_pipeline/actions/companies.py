"""Actions on companies: undo a match."""

from dataclasses import dataclass

from psycopg2.extensions import connection as Connection

from barton_pipeline.actions.audit import Actor, carry_out
from barton_pipeline.companies import matching


@dataclass(frozen=True)
class Unmatched:
    """An intake row whose match was undone, and how many rows written like it are to be judged again."""

    row_id: int
    rows: int


def unmatch(
    connection: Connection | None,
    actor: Actor,
    row_id: int,
    *,
    reason: str | None = None,
    shown_count: int | None = None,
    apply: bool = True,
) -> Unmatched:
    """Make the rows written like the intake row a company of their own; ``reason`` is kept as a note.

    One transaction; done are rows.
    Raises InputError when the row has no match, or nothing but the match tells the two companies apart.
    """
    with carry_out(
        connection, actor, "unmatch", {"row_id": row_id}, reason=reason, shown_count=shown_count, apply=apply
    ) as work:
        work.done = matching.unmatch(work.connection, row_id, reason)
        return Unmatched(row_id, work.done)
