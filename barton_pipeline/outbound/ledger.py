"""What the ledger knows of inputs: answered and fresh, on their way, or to be asked.

Belongs here: questions to marketing.vendor_calls about inputs. Not here: writing to it (``requests``), money (``budgets``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg2.extensions import connection as Connection

from barton_pipeline.outbound.settings import Operation
from barton_pipeline.postgres import sql


@dataclass(frozen=True)
class Input:
    """One question: its normalised key, and what it belongs to (kept with the answer)."""

    key: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Wanted:
    """An input that has to be asked, and its freshness window: how often it was asked before and the answer has aged."""

    input: Input
    freshness_window: int

    @property
    def key(self) -> str:
        return self.input.key


@dataclass(frozen=True)
class Missing:
    """Inputs without an answer: ``held`` would have to be asked now, ``in_flight`` are on their way.

    ``reason`` and ``message`` say why held ones are not asked: a value of vendor_holds.reason, and a sentence for the operator.
    """

    held: int = 0
    in_flight: int = 0
    reason: str = ""
    message: str = ""


def find_wanted(
    connection: Connection, operation: Operation, environment: str, inputs: Sequence[Input]
) -> tuple[list[Wanted], int]:
    """(the inputs that have to be asked, how many others are on their way); the rest is answered or lost."""
    known = _latest_calls(connection, operation, environment, [item.key for item in inputs])
    wanted, in_flight = [], 0
    for item in {item.key: item for item in inputs}.values():
        call = known.get(item.key)
        if call is None:
            wanted.append(Wanted(item, 0))
        elif call["state"] == "refused":
            wanted.append(Wanted(item, call["freshness_window"]))
        elif call["aged"]:
            wanted.append(Wanted(item, call["freshness_window"] + 1))
        elif call["open"]:
            in_flight += 1
    return wanted, in_flight


def count_missing(connection: Connection, operation: Operation, environment: str, inputs: Sequence[Input]) -> Missing:
    """How many of the inputs have no answer; the rest is answered or lost."""
    wanted, in_flight = find_wanted(connection, operation, environment, inputs)
    return Missing(len(wanted), in_flight)


def _latest_calls(
    connection: Connection, operation: Operation, environment: str, keys: Sequence[str]
) -> dict[str, dict[str, Any]]:
    found = sql.rows(
        connection,
        """
        SELECT DISTINCT ON (c.input_key) c.input_key, c.state, c.freshness_window,
               c.state IN ('reserved', 'sent') OR c.state = 'unknown' AND r.actual_usd IS NULL AS open,
               CASE c.state WHEN 'settled' THEN c.fresh_until <= now()
                    WHEN 'unknown' THEN r.sent_at + make_interval(days => %(fresh_days)s) <= now() ELSE false END AS aged
        FROM marketing.vendor_calls c JOIN marketing.vendor_requests r ON r.id = c.request_id
        WHERE c.vendor = %(vendor)s AND c.operation = %(operation)s AND c.environment = %(environment)s
          AND c.input_key = ANY (%(keys)s)
        ORDER BY c.input_key, c.freshness_window DESC
        """,
        fresh_days=operation.fresh_days,
        vendor=operation.vendor,
        operation=operation.name,
        environment=environment,
        keys=list(keys),
    )
    return {row["input_key"]: row for row in found}
