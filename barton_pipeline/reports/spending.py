"""What a batch would cost and what was spent: read-only questions about prices, budgets and the ledger."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from psycopg2.extensions import connection as Connection

from barton_pipeline.addresses import verification
from barton_pipeline.contacts import enrichment
from barton_pipeline.outbound import budgets, holds
from barton_pipeline.outbound.settings import Operation
from barton_pipeline.postgres import sql
from barton_pipeline.vendors import registry, settings


@dataclass(frozen=True)
class PurchasePlanLine:
    """What a batch would buy of one operation now: ``to_buy`` inputs in so many requests, for ``usd`` at most.

    ``known`` inputs are answered or on their way. ``vendor`` also says why it would not be asked. ``certainty``: *exact*
    for what is known now, *at most* for what depends on answers that are not there yet.
    """

    operation: str
    vendor: str
    to_buy: int
    known: int
    requests: int
    usd: Decimal
    certainty: str


@dataclass(frozen=True)
class Spending:
    """Requests of one vendor, environment and operation by state, the inputs that they cover, and US dollars.

    ``reserved_usd`` is the estimate of those whose cost is not known yet; refused ones cost nothing and count no inputs.
    """

    vendor: str
    environment: str
    operation: str
    settled: int
    open: int
    unknown: int
    refused: int
    inputs: int
    actual_usd: Decimal
    reserved_usd: Decimal


@dataclass(frozen=True)
class Yield:
    """What the money brought; US dollars per slot, address and target are None where there is none."""

    spent_usd: Decimal
    filled_slots: int
    verified_addresses: int
    targets: int
    usd_per_filled_slot: Decimal | None
    usd_per_verified_address: Decimal | None
    usd_per_target: Decimal | None


@dataclass(frozen=True)
class BudgetUse:
    """How much of a vendor's budget for a day or a month (``budget``) is reserved and spent, in US dollars and percent.

    ``access`` is real, sandbox, no key or switched off.
    """

    vendor: str
    access: str
    budget: str
    used_usd: Decimal
    of_usd: Decimal
    used_pct: Decimal


@dataclass(frozen=True)
class Hold:
    """So many inputs of a batch that wait to be bought, since when, why, and when that is tried again."""

    batch: str
    operation: str
    reason: str
    inputs: int
    message: str
    held_at: datetime
    retry_at: datetime


_SLOTS_TO_FILL = """
    SELECT count(*) AS n FROM marketing.company_slots s JOIN marketing.company_batches b USING (company_unique_id)
    LEFT JOIN marketing.people_master p ON p.person_unique_id = s.person_unique_id
    LEFT JOIN marketing.email_verification v ON v.email = p.email
    WHERE b.import_batch_id = %(batch)s AND s.search_state <> 'vacant' AND (p.email IS NULL OR v.status = 'invalid' OR v.is_role)
"""

# Inputs that would not be bought: answered and fresh, on their way, or lost.
_KNOWN = """
    SELECT count(*) AS wanted, count(*) FILTER (WHERE EXISTS (
               SELECT FROM marketing.vendor_calls v
               WHERE v.vendor = %(vendor)s AND v.operation = %(operation)s AND v.environment = %(environment)s
                 AND v.input_key = w.key
                 AND (v.state = 'settled' AND v.fresh_until > now() OR v.state NOT IN ('settled', 'refused')))) AS known
    FROM ({wanted}) AS w
"""

_BY_VENDOR = """
    SELECT vendor, environment, operation,
           count(*) FILTER (WHERE state = 'settled') AS settled, count(*) FILTER (WHERE state IN ('reserved', 'sent')) AS open,
           count(*) FILTER (WHERE state = 'unknown') AS unknown, count(*) FILTER (WHERE state = 'refused') AS refused,
           coalesce(sum(inputs) FILTER (WHERE state <> 'refused'), 0) AS inputs,
           coalesce(sum(actual_usd) FILTER (WHERE state <> 'refused'), 0) AS actual_usd,
           coalesce(sum(estimated_usd) FILTER (WHERE actual_usd IS NULL AND state <> 'refused'), 0) AS reserved_usd
    FROM marketing.vendor_requests WHERE %(batch)s IS NULL OR import_batch_id = %(batch)s
    GROUP BY vendor, environment, operation ORDER BY vendor, environment, operation
"""

_YIELD = """
    WITH companies AS (
        SELECT DISTINCT company_unique_id FROM marketing.company_batches WHERE %(batch)s IS NULL OR import_batch_id = %(batch)s
    ), spent AS (
        SELECT coalesce(sum(coalesce(actual_usd, estimated_usd)), 0) AS usd FROM marketing.vendor_requests
        WHERE state <> 'refused' AND (%(batch)s IS NULL OR import_batch_id = %(batch)s)
    ), got AS (
        SELECT count(*) FILTER (WHERE s.is_filled) AS filled_slots,
               count(*) FILTER (WHERE v.status = 'valid' AND NOT v.is_role) AS verified_addresses
        FROM companies JOIN marketing.company_slots s USING (company_unique_id)
        LEFT JOIN marketing.people_master p ON p.person_unique_id = s.person_unique_id
        LEFT JOIN marketing.email_verification v ON v.email = p.email
    )
    SELECT spent.usd AS spent_usd, filled_slots, verified_addresses,
           (SELECT count(*) FROM marketing.sniper_targets t JOIN companies c ON c.company_unique_id = t.company_id) AS targets,
           round(spent.usd / nullif(filled_slots, 0), 4) AS usd_per_filled_slot,
           round(spent.usd / nullif(verified_addresses, 0), 4) AS usd_per_verified_address,
           round(spent.usd / nullif((SELECT count(*) FROM marketing.sniper_targets t
                                     JOIN companies c ON c.company_unique_id = t.company_id), 0), 4) AS usd_per_target
    FROM spent, got
"""


_HOLDS = """
    SELECT import_batch_id AS batch, operation, reason, inputs, message, held_at, retry_at FROM marketing.vendor_holds
    WHERE %(batch)s IS NULL OR import_batch_id = %(batch)s ORDER BY held_at
"""


def plan(connection: Connection, import_batch_id: str) -> list[PurchasePlanLine]:
    """What the batch would buy now, per operation in the order of asking; the last line are guessed addresses."""
    rules = settings.rules()
    lines: list[PurchasePlanLine] = []
    for name in rules.waterfall:
        wanted, parameters = enrichment.to_ask(name), enrichment.to_ask_parameters(import_batch_id, name)
        is_certain = all(line.to_buy == 0 for line in lines)
        lines.append(_plan_known(connection, rules.operations[name], wanted, parameters, is_certain))
    operation = rules.operations[verification.OPERATION]
    parameters = verification.to_verify_parameters(import_batch_id)
    is_certain = all(line.to_buy == 0 for line in lines)
    lines.append(_plan_known(connection, operation, verification.TO_VERIFY, parameters, is_certain))
    slots = sql.value(connection, _SLOTS_TO_FILL, batch=import_batch_id)
    if slots:
        guesses = slots * rules.guessing.at_most
        lines.append(_plan_line("guessed addresses", _state(connection, operation), operation, guesses, 0, "at most"))
    return lines


def _plan_known(
    connection: Connection, operation: Operation, wanted: str, parameters: dict[str, Any], is_certain: bool
) -> PurchasePlanLine:
    """The line of an operation, whose inputs are the ``key`` of the query ``wanted``."""
    access = registry.access(operation.vendor)
    counts = sql.one(
        connection,
        _KNOWN.format(wanted=wanted),
        **parameters,
        vendor=operation.vendor,
        operation=operation.name,
        environment=access.environment if access else "real",
    )
    to_buy = counts["wanted"] - counts["known"]
    certainty = "exact" if is_certain else "at most"
    return _plan_line(operation.name, _state(connection, operation), operation, to_buy, counts["known"], certainty)


def _plan_line(
    name: str, vendor: str, operation: Operation, to_buy: int, known: int, certainty: str
) -> PurchasePlanLine:
    full, rest = divmod(to_buy, operation.inputs_per_request)
    usd = operation.estimate(operation.inputs_per_request) * full + (operation.estimate(rest) if rest else Decimal(0))
    return PurchasePlanLine(name, vendor, to_buy, known, full + bool(rest), usd, certainty)


def _state(connection: Connection, operation: Operation) -> str:
    """The vendor, and why it would not be asked."""
    if holds.switched_off(connection, operation.vendor):
        return f"{operation.vendor} (switched off)"
    access = registry.access(operation.vendor)
    if access is None:
        return f"{operation.vendor} (no key)"
    return f"{operation.vendor} (sandbox)" if access.environment == "sandbox" else operation.vendor


def list_spending(connection: Connection, import_batch_id: str | None = None) -> list[Spending]:
    """Requests and dollars per vendor, environment and operation; of one batch or of all."""
    return [Spending(**row) for row in sql.rows(connection, _BY_VENDOR, batch=import_batch_id)]


def measure_yield(connection: Connection, import_batch_id: str | None = None) -> Yield:
    """Dollars per filled slot, verified address and sniper target; of one batch or of all."""
    return Yield(**sql.one(connection, _YIELD, batch=import_batch_id))


def list_budgets(connection: Connection) -> list[BudgetUse]:
    """Today's and this month's use of each vendor's budget."""
    found = []
    for vendor in registry.VENDORS:
        access = registry.access(vendor)
        spending = budgets.spending_of(connection, vendor, access.environment if access else "real")
        limits = settings.rules().budgets[vendor].usd
        off = holds.switched_off(connection, vendor)
        state = "switched off" if off else access.environment if access else "no key"
        for scope, used, limit in (("day", spending.day, limits.day), ("month", spending.month, limits.month)):
            percent = round(100 * used / limit, 1) if limit else Decimal(100)
            found.append(BudgetUse(vendor, state, scope, used, limit, percent))
    return found


def list_holds(connection: Connection, import_batch_id: str | None = None) -> list[Hold]:
    """What waits to be bought and why; of one batch or of all."""
    return [Hold(**row) for row in sql.rows(connection, _HOLDS, batch=import_batch_id)]
