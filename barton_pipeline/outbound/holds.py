"""Why a batch waits for an answer, when it is tried again, and the switches that stop a vendor altogether.

Belongs here: every write to marketing.vendor_holds and vendor_switches.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from psycopg2.extensions import connection as Connection

from barton_pipeline.outbound import budgets, settings
from barton_pipeline.outbound.budgets import Buyer
from barton_pipeline.outbound.settings import Budget, Operation
from barton_pipeline.postgres import sql
from barton_pipeline.queue import events

# what may have ended otherwise than by the passing of time
_CONDITIONAL = ("budget", "switched_off")


def hold(
    connection: Connection,
    import_batch_id: str,
    operation: Operation,
    reason: str,
    inputs: int,
    message: str,
    retry_in: timedelta | None = None,
) -> None:
    """Write down that a batch still wants to ask, why it waits and for how long; None: as ``hold_minutes`` says."""
    wait = timedelta(minutes=settings.rules().hold_minutes.of(reason)) if retry_in is None else retry_in
    sql.execute(
        connection,
        """
        INSERT INTO marketing.vendor_holds (import_batch_id, operation, reason, vendor, inputs, message, stage, retry_at)
        VALUES (%(import_batch_id)s, %(operation)s, %(reason)s, %(vendor)s, %(inputs)s, %(message)s, %(stage)s,
                now() + make_interval(secs => %(seconds)s))
        ON CONFLICT (import_batch_id, operation, reason) DO UPDATE SET inputs = excluded.inputs,
            message = excluded.message, retry_at = excluded.retry_at
        """,
        import_batch_id=import_batch_id,
        operation=operation.name,
        reason=reason,
        vendor=operation.vendor,
        inputs=inputs,
        message=message,
        stage=operation.stage,
        seconds=wait.total_seconds(),
    )


def release_holds(connection: Connection, import_batch_id: str, operation: Operation) -> None:
    """Forget why the batch waited: it is about to try again."""
    sql.execute(
        connection,
        """
        DELETE FROM marketing.vendor_holds
        WHERE import_batch_id = %(import_batch_id)s AND operation = %(operation)s
        """,
        import_batch_id=import_batch_id,
        operation=operation.name,
    )


def wake_holds(
    connection: Connection, operations: Mapping[str, Operation], budgets_by_vendor: Mapping[str, Budget]
) -> list[str]:
    """Queue the batches whose wait is over, as long as their vendor may be used and has budget; their keys.

    ``operations`` by name and ``budgets_by_vendor`` must have whatever a hold may name.
    """
    due = sql.rows(
        connection,
        "SELECT * FROM marketing.vendor_holds WHERE retry_at <= now() ORDER BY held_at FOR UPDATE SKIP LOCKED",
    )
    woken = set()
    for row in due:
        _put_off(connection, row)
        if row["reason"] in _CONDITIONAL:
            operation = operations[row["operation"]]
            if not _can_go_on(connection, row, operation, budgets_by_vendor[operation.vendor]):
                continue
        events.continue_at(
            connection, row["stage"], row["import_batch_id"], record_id=row["operation"], reason=row["reason"]
        )
        woken.add(row["import_batch_id"])
    return sorted(woken)


def _put_off(connection: Connection, row: Mapping[str, Any]) -> None:
    """Look again later, should the batch not release the hold itself by then."""
    sql.execute(
        connection,
        """
        UPDATE marketing.vendor_holds SET retry_at = now() + make_interval(mins => %(minutes)s)
        WHERE import_batch_id = %(import_batch_id)s AND operation = %(operation)s AND reason = %(reason)s
        """,
        minutes=settings.rules().hold_minutes.of(row["reason"]),
        import_batch_id=row["import_batch_id"],
        operation=row["operation"],
        reason=row["reason"],
    )


def _can_go_on(connection: Connection, row: Mapping[str, Any], operation: Operation, budget: Budget) -> bool:
    """Whether the vendor may be used and has budget, in the environment in which it was asked last."""
    if switched_off(connection, row["vendor"]):
        return False
    last = sql.rows(
        connection,
        "SELECT environment FROM marketing.vendor_requests WHERE vendor = %(vendor)s ORDER BY id DESC LIMIT 1",
        vendor=row["vendor"],
    )
    environment = last[0]["environment"] if last else "real"
    return budgets.has_room(connection, operation, environment, budget, Buyer(row["import_batch_id"], "", ""))


def retry_holds_now(connection: Connection, import_batch_id: str) -> int:
    """Have what the batch still wants to buy tried again at the next tick instead of later; how many holds that are."""
    return sql.execute(
        connection,
        "UPDATE marketing.vendor_holds SET retry_at = now() WHERE import_batch_id = %(batch)s AND retry_at > now()",
        batch=import_batch_id,
    )


def switched_off(connection: Connection, vendor: str) -> str:
    """Why the vendor is switched off, or an empty string."""
    found = sql.rows(
        connection,
        "SELECT enabled, reason, changed_by FROM marketing.vendor_switches WHERE vendor = %(vendor)s",
        vendor=vendor,
    )
    if not found or found[0]["enabled"]:
        return ""
    (row,) = found
    return (
        f"{vendor} was switched off by {row['changed_by']} ({row['reason'] or 'no reason given'}); "
        f"barton vendors --on {vendor}"
    )


def switch(connection: Connection, vendor: str, enabled: bool, reason: str | None) -> None:
    """Turn a vendor's kill switch in the name of marketing.actor(): while it is off, nothing is sent to the vendor."""
    sql.execute(
        connection,
        """
        INSERT INTO marketing.vendor_switches (vendor, enabled, reason) VALUES (%(vendor)s, %(enabled)s, %(reason)s)
        ON CONFLICT (vendor) DO UPDATE SET enabled = excluded.enabled, reason = excluded.reason,
            changed_by = marketing.actor(), changed_at = now()
        """,
        vendor=vendor,
        enabled=enabled,
        reason=reason,
    )
