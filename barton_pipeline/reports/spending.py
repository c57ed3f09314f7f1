"""What a batch would cost and what was spent: read-only questions about prices, budgets and the ledger."""

from decimal import Decimal
from typing import Any

from psycopg2.extensions import connection as Connection

from barton_pipeline.addresses import verification
from barton_pipeline.contacts import enrichment
from barton_pipeline.postgres import sql
from barton_pipeline.vendors import ledger, settings
from barton_pipeline.vendors.settings import Operation, operations, rules

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


def plan(connection: Connection, import_batch_id: str) -> list[dict[str, Any]]:
    """What the batch would buy now, per operation: inputs, requests, and the most it may cost in US dollars.

    ``certainty`` is *exact* for what is known now, *at most* for what depends on answers that are not there yet.
    """
    lines = []
    certain = True
    for name in rules()["waterfall"]:
        wanted, parameters = enrichment.to_ask(name), enrichment.to_ask_parameters(import_batch_id, name)
        lines.append(_line(connection, operations()[name], wanted, parameters, certain))
        certain = certain and lines[-1]["to_buy"] == 0
    operation = operations()[verification.OPERATION]
    lines.append(_line(connection, operation, verification.GIVEN, {"batch": import_batch_id}, certain))
    slots = sql.rows(connection, _SLOTS_TO_FILL, batch=import_batch_id)[0]["n"]
    if slots:
        guesses = slots * rules()["guessing"]["at_most"]
        lines.append(_entry("guessed addresses", _state(connection, operation), operation, guesses, 0, "at most"))
    return lines


def _line(
    connection: Connection, operation: Operation, wanted: str, parameters: dict[str, Any], certain: bool
) -> dict[str, Any]:
    reached = settings.access(operation.vendor)
    environment = reached.environment if reached else "real"
    counts = sql.rows(
        connection,
        _KNOWN.format(wanted=wanted),
        **parameters,
        vendor=operation.vendor,
        operation=operation.name,
        environment=environment,
    )[0]
    certainty = "exact" if certain else "at most"
    to_buy = counts["wanted"] - counts["known"]
    return _entry(operation.name, _state(connection, operation), operation, to_buy, counts["known"], certainty)


def _entry(name: str, vendor: str, operation: Operation, to_buy: int, known: int, certainty: str) -> dict[str, Any]:
    full, rest = divmod(to_buy, operation.inputs_per_request)
    usd = operation.estimate(operation.inputs_per_request) * full + (operation.estimate(rest) if rest else Decimal(0))
    return {
        "operation": name,
        "vendor": vendor,
        "to_buy": to_buy,
        "known": known,
        "requests": full + bool(rest),
        "usd": usd,
        "certainty": certainty,
    }


def _state(connection: Connection, operation: Operation) -> str:
    """The vendor, and why it would not be asked."""
    if ledger.switched_off(connection, operation.vendor):
        return f"{operation.vendor} (switched off)"
    reached = settings.access(operation.vendor)
    if reached is None:
        return f"{operation.vendor} (no key)"
    return f"{operation.vendor} (sandbox)" if reached.environment == "sandbox" else operation.vendor


def spent(connection: Connection, import_batch_id: str | None = None) -> list[dict[str, Any]]:
    """Requests and dollars per vendor, environment and operation; of one batch or of all."""
    return sql.rows(connection, _BY_VENDOR, batch=import_batch_id)


def yields(connection: Connection, import_batch_id: str | None = None) -> dict[str, Any]:
    """Dollars per filled slot, verified address and sniper target; None where there is none."""
    return sql.rows(connection, _YIELD, batch=import_batch_id)[0]


def budgets(connection: Connection) -> list[dict[str, Any]]:
    """Today's and this month's use of each vendor's budget."""
    rows = []
    for vendor in settings.KEYS:
        reached = settings.access(vendor)
        used = ledger.used(connection, vendor, reached.environment if reached else "real")
        off = ledger.switched_off(connection, vendor)
        for scope in ("day", "month"):
            budget = Decimal(str(rules()["budgets"][vendor]["usd"][scope]))
            rows.append(
                {
                    "vendor": vendor,
                    "access": "switched off" if off else reached.environment if reached else "no key",
                    "budget": scope,
                    "used_usd": used[scope],
                    "of_usd": budget,
                    "used_pct": round(100 * used[scope] / budget, 1) if budget else Decimal(100),
                }
            )
    return rows


def holds(connection: Connection, import_batch_id: str | None = None) -> list[dict[str, Any]]:
    """What waits to be bought and why."""
    return sql.rows(
        connection,
        """
        SELECT import_batch_id AS batch, operation, reason, inputs, message, held_at, retry_at FROM marketing.vendor_holds
        WHERE %(batch)s IS NULL OR import_batch_id = %(batch)s ORDER BY held_at
        """,
        batch=import_batch_id,
    )
