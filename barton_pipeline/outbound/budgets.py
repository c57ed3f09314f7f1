"""Money and request limits: what is reserved and spent, what that leaves, and warnings before it is used up.

Belongs here: sums over marketing.vendor_requests against a ``Budget``. Reserving within one is ``requests``'s, under a lock.
"""

import dataclasses
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from psycopg2.extensions import connection as Connection

from barton_pipeline import error_log
from barton_pipeline.outbound import settings
from barton_pipeline.outbound.settings import Budget, Operation
from barton_pipeline.postgres import sql

# reserved and spent money by the scopes a budget may limit
_SPENDING = """
    SELECT coalesce(sum(cost) FILTER (WHERE run_id = %(run_id)s), 0) AS run,
           (SELECT coalesce(sum(coalesce(b.actual_usd, b.estimated_usd)), 0) FROM marketing.vendor_requests b
            WHERE b.import_batch_id = %(import_batch_id)s AND b.vendor = %(vendor)s AND b.environment = %(environment)s
              AND b.state <> 'refused') AS batch,
           coalesce(sum(cost) FILTER (WHERE reserved_at >= %(day)s), 0) AS day,
           coalesce(sum(cost), 0) AS month,
           count(*) FILTER (WHERE reserved_at >= %(day)s) AS requests_today
    FROM (SELECT run_id, reserved_at, coalesce(actual_usd, estimated_usd) AS cost FROM marketing.vendor_requests
          WHERE vendor = %(vendor)s AND environment = %(environment)s AND state <> 'refused'
            AND reserved_at >= %(month)s) AS spent
"""


@dataclass(frozen=True)
class Buyer:
    """On whose behalf is asked: the batch, the Dagster run, and the token that fences the buyer's requests."""

    import_batch_id: str
    run_id: str
    token: str


@dataclass(frozen=True)
class Spending:
    """Reserved and spent US dollars by scope, and the requests of today; days and months are UTC."""

    run: Decimal
    batch: Decimal
    day: Decimal
    month: Decimal
    requests_today: int


@dataclass(frozen=True)
class MoneyLeft:
    """What the tightest budget leaves, in US dollars, and a sentence about it."""

    usd: Decimal
    message: str


@dataclass(frozen=True)
class RequestsLeft:
    """How many requests may be started now, and the daily limit in words when it is what stops them."""

    number: int
    limit: str


def spending_of(connection: Connection, vendor: str, environment: str, buyer: Buyer | None = None) -> Spending:
    """What is reserved and spent with a vendor; ``run`` and ``batch`` are the buyer's, and 0 without one."""
    times = sql.one(
        connection, "SELECT date_trunc('day', now(), 'UTC') AS day, date_trunc('month', now(), 'UTC') AS month"
    )
    row = sql.one(
        connection,
        _SPENDING,
        vendor=vendor,
        environment=environment,
        run_id=buyer.run_id if buyer else None,
        import_batch_id=buyer.import_batch_id if buyer else None,
        **times,
    )
    return Spending(**row)


def money_left(
    connection: Connection, operation: Operation, environment: str, budget: Budget, buyer: Buyer
) -> MoneyLeft:
    """What may still be reserved for the buyer: the least that any of the budget's scopes leaves. May be negative."""
    spending = dataclasses.asdict(spending_of(connection, operation.vendor, environment, buyer))
    limits: dict[str, Decimal] = dataclasses.asdict(budget.usd)
    left = {scope: limit - spending[scope] for scope, limit in limits.items()}
    tightest = min(left, key=lambda scope: left[scope])
    return MoneyLeft(
        left[tightest],
        f"the {operation.vendor} budget per {tightest} is ${limits[tightest]}, of which "
        f"${max(left[tightest], Decimal(0)):.4f} is left; the rest waits, or raise it in vendors.yaml",
    )


def requests_left(
    connection: Connection, operation: Operation, environment: str, budget: Budget, buyer: Buyer, at_once: int
) -> RequestsLeft:
    """How many requests of the operation may be started beside those in flight, ``at_once`` in all, and today."""
    in_flight = sql.value(
        connection,
        """
        SELECT count(*) AS open FROM marketing.vendor_requests
        WHERE vendor = %(vendor)s AND operation = %(operation)s AND environment = %(environment)s
          AND state IN ('reserved', 'sent')
        """,
        vendor=operation.vendor,
        operation=operation.name,
        environment=environment,
    )
    slots = at_once - in_flight
    daily = budget.requests.day
    if daily is None:
        return RequestsLeft(slots, "")
    left = daily - spending_of(connection, operation.vendor, environment, buyer).requests_today
    return RequestsLeft(
        min(slots, left), f"{daily} requests a day are allowed for {operation.vendor}" if left <= slots else ""
    )


def has_room(connection: Connection, operation: Operation, environment: str, budget: Budget, buyer: Buyer) -> bool:
    """Whether the budget has room for the smallest request of the operation."""
    money = money_left(connection, operation, environment, budget, buyer)
    today = spending_of(connection, operation.vendor, environment, buyer).requests_today
    daily = budget.requests.day
    return operation.affordable(money.usd) > 0 and (daily is None or today < daily)


def warn_about_budgets(
    connection: Connection, vendor: str, environment: str, budget: Budget, import_batch_id: str
) -> None:
    """Log a warning at ``warn_at`` and an error at 100 % of the day's and month's budget, once a day and limit."""
    spending = spending_of(connection, vendor, environment)
    for scope, spent, limit in (
        ("day", spending.day, budget.usd.day),
        ("month", spending.month, budget.usd.month),
    ):
        share = spent / limit if limit else Decimal(1)
        if share < settings.rules().warn_at:
            continue
        subject = f"{vendor}:{scope}:{'100' if share >= 1 else '80'}"
        if _was_told_today(connection, subject):
            continue
        error_log.log_error(
            connection,
            "vendor_budget",
            f"{vendor} has used ${spent:.2f} of its budget of ${limit} per {scope} ({share:.0%}). "
            "At 100 % buying stops and batches wait; the budget is in vendors.yaml.",
            batch=import_batch_id,
            record_id=subject,
            severity="error" if share >= 1 else "warning",
        )


def _was_told_today(connection: Connection, subject: str) -> bool:
    found: list[dict[str, Any]] = sql.rows(
        connection,
        """
        SELECT 1 AS told FROM marketing.pipeline_errors WHERE event_type = 'vendor_budget' AND record_id = %(subject)s
          AND created_at >= date_trunc('day', now(), 'UTC') LIMIT 1
        """,
        subject=subject,
    )
    return bool(found)
