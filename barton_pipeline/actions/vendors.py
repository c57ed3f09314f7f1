"""Actions on paid vendors: the kill switch, and trying again at once what waits."""

from dataclasses import dataclass

from psycopg2.extensions import connection as Connection

from barton_pipeline.actions.audit import Actor, carry_out
from barton_pipeline.batch_keys import check_batch_key
from barton_pipeline.errors import InputError
from barton_pipeline.outbound import holds
from barton_pipeline.reports.batches import check_known_batch
from barton_pipeline.vendors.registry import VENDORS


@dataclass(frozen=True)
class Switched:
    """A vendor's kill switch, and how it stood before."""

    vendor: str
    enabled: bool
    was_enabled: bool


def switch_vendor(
    connection: Connection | None,
    actor: Actor,
    vendor: str,
    enabled: bool,
    *,
    reason: str | None = None,
    shown_count: int | None = None,
    apply: bool = True,
) -> Switched:
    """Send nothing more to a vendor, or use it again. One transaction. Raises InputError for an unknown vendor."""
    parameters = {"vendor": vendor, "enabled": enabled}
    with carry_out(
        connection, actor, "switch_vendor", parameters, reason=reason, shown_count=shown_count, apply=apply
    ) as work:
        if vendor not in VENDORS:
            raise InputError(f"{vendor!r} is not a vendor; they are: {', '.join(VENDORS)}.")
        was_enabled = not holds.switched_off(work.connection, vendor)
        holds.switch(work.connection, vendor, enabled, reason)
        work.done = 1
        return Switched(vendor, enabled, was_enabled)


@dataclass(frozen=True)
class Resumed:
    """A batch, and how many of the things it waits to buy are tried again at the next tick."""

    import_batch_id: str
    holds: int


def resume(
    connection: Connection | None,
    actor: Actor,
    import_batch_id: str,
    *,
    reason: str | None = None,
    shown_count: int | None = None,
    apply: bool = True,
) -> Resumed:
    """Try again now what a batch waits to buy, as far as its vendors may be used and have budget. One transaction; done are holds.

    Raises InputError for an unknown batch.
    """
    parameters = {"import_batch_id": import_batch_id}
    with carry_out(
        connection, actor, "resume", parameters, reason=reason, shown_count=shown_count, apply=apply
    ) as work:
        check_known_batch(work.connection, check_batch_key(import_batch_id))
        work.done = holds.retry_holds_now(work.connection, import_batch_id)
        return Resumed(import_batch_id, work.done)
