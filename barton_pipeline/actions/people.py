"""Actions on people: forget one for good."""

from dataclasses import dataclass

import psycopg2
from psycopg2.extensions import connection as Connection

from barton_pipeline import barton_ids
from barton_pipeline.actions.audit import Actor, carry_out
from barton_pipeline.actions.batches import Place
from barton_pipeline.errors import InputError
from barton_pipeline.postgres import sql


@dataclass(frozen=True)
class Forgotten:
    """What was deleted or made anonymous, place by place. Does not say of whom."""

    places: tuple[Place, ...]


def forget(
    connection: Connection | None,
    actor: Actor,
    person: str,
    *,
    reason: str | None = None,
    shown_count: int | None = None,
    apply: bool = True,
) -> Forgotten:
    """Delete everything known of a person (ID, address or LinkedIn profile); hashes stop a return by import.

    One transaction; done are rows. The audit row holds the ID or the hashes, never the address or profile, and ``reason``, which
    must not name the person. Raises InputError when nobody is known so.
    """
    with carry_out(connection, actor, "forget", {}, reason=reason, shown_count=shown_count, apply=apply) as work:
        work.secrets.append(person)
        work.parameters |= _identify(work.connection, person)
        try:
            changed = sql.rows(
                work.connection,
                "SELECT * FROM marketing.forget_person(%(person)s, %(reason)s)",
                person=person,
                reason=reason or "on request",
            )
        except psycopg2.errors.NoDataFound as error:
            raise InputError(f"{error.diag.message_primary}. {error.diag.message_hint}") from None
        work.done = sum(row["n"] for row in changed)
        return Forgotten(tuple(Place(**row) for row in changed))


def _identify(connection: Connection, person: str) -> dict[str, str | list[str] | None]:
    """The person's ID when that is what was given, else the hashes by which the person is recognised again."""
    try:
        return {"person_unique_id": str(barton_ids.parse(person))}
    except InputError:
        hashes = sql.value(
            connection,
            "SELECT marketing.kept_hashes(%(address)s, %(person)s, NULL, NULL) AS hashes",
            address=person if "@" in person else None,
            person=person,
        )
        return {"hashes": hashes}
