"""The ledger of paid requests: reserve within budget, send under a fence, settle, refuse, take up what others left.

Belongs here: every write to marketing.vendor_requests, vendor_calls and vendor_holds. Each function is one short piece of
SQL on a connection whose transaction is the caller's. The states are in docs/vendors.md. Not here: HTTP.
"""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from psycopg2.extensions import connection as Connection
from psycopg2.extras import RealDictCursor, execute_values

from barton_pipeline import error_log
from barton_pipeline.errors import BartonError
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.vendors.settings import ALLOW_MIXED, Operation, mixing_allowed, operations, rules
from barton_pipeline.vendors.wire import VendorError

# reserved and spent money by the scopes a budget may limit
_SPENDING = """
    SELECT coalesce(sum(cost) FILTER (WHERE run_id = %(run)s), 0) AS run,
           (SELECT coalesce(sum(coalesce(b.actual_usd, b.estimated_usd)), 0) FROM marketing.vendor_requests b
            WHERE b.import_batch_id = %(batch)s AND b.vendor = %(vendor)s AND b.environment = %(environment)s
              AND b.state <> 'refused') AS batch,
           coalesce(sum(cost) FILTER (WHERE reserved_at >= %(day)s), 0) AS day,
           coalesce(sum(cost), 0) AS month,
           count(*) FILTER (WHERE reserved_at >= %(day)s) AS requests_today
    FROM (SELECT run_id, reserved_at, coalesce(actual_usd, estimated_usd) AS cost FROM marketing.vendor_requests
          WHERE vendor = %(vendor)s AND environment = %(environment)s AND state <> 'refused'
            AND reserved_at >= %(month)s) AS spent
"""


class Taken(VendorError):
    """A request is no longer ours."""


class EnvironmentMixed(VendorError):
    """The database holds answers of the other environment (sandbox or real)."""


class WrongAnswer(BartonError):
    """An answer was to be stored for a request that cannot take one."""


@dataclass(frozen=True)
class Input:
    """One question: its normalised key, and what it belongs to (kept with the answer)."""

    key: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """A reserved or sent request, as a vendor client needs it."""

    id: int
    operation: str
    environment: str
    state: str
    request_key: str
    body: dict[str, Any]
    reference: str | None
    estimated_usd: Decimal
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class Buyer:
    """On whose behalf is bought: the batch, the Dagster run, and the token that fences the buyer's requests."""

    import_batch_id: str
    run_id: str
    token: str


@dataclass
class Reservation:
    """What came of asking to reserve: requests to send now, and how the other inputs stand."""

    requests: list[Request] = field(default_factory=list)
    in_flight: int = 0
    held: int = 0
    reason: str = ""
    message: str = ""


def reserve(
    connection: Connection,
    operation: Operation,
    environment: str,
    inputs: Sequence[Input],
    buyer: Buyer,
    body: Callable[[Sequence[str]], Mapping[str, Any]],
    inputs_per_request: int | None = None,
    at_once: int | None = None,
) -> Reservation:
    """Set aside money for the inputs that have no fresh answer, as far as budgets, limits and the kill switch allow.

    ``body`` makes what is sent from the input keys of one request; it is kept, because a lost request is found by it.
    Never waits for a vendor. Raises EnvironmentMixed when the database belongs to the other environment.
    """
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('barton.vendor:' || %s, 0))", (operation.vendor,))
        _refuse_mixing(cursor, environment)
        reservation, wanted = _not_answered(cursor, operation, environment, inputs)
        if not wanted:
            return reservation
        if reason := switched_off(connection, operation.vendor):
            reservation.held, reservation.reason, reservation.message = len(wanted), "switched_off", reason
            return reservation
        usd, message = _money_left(cursor, operation, environment, buyer)
        slots, limit = _requests_left(cursor, operation, environment, buyer, at_once or operation.at_once)
        most = inputs_per_request or operation.inputs_per_request
        chunks = []
        while wanted and slots > 0 and (size := min(len(wanted), most, operation.affordable(usd))) > 0:
            chunks.append(wanted[:size])
            wanted = wanted[size:]
            usd -= operation.estimate(size)
            slots -= 1
        reservation.requests = _insert_requests(cursor, operation, environment, buyer, body, chunks)
        if wanted:
            reservation.held = len(wanted)
            short_of_money = operation.affordable(usd) == 0
            reservation.reason = "budget" if short_of_money or limit else "in_flight"
            reservation.message = message if short_of_money else limit or "other requests to the vendor are in flight"
    return reservation


def standing(connection: Connection, operation: Operation, environment: str, inputs: Sequence[Input]) -> Reservation:
    """How the inputs stand: ``in_flight``, and ``held``, those that would have to be bought now; the rest is answered or lost."""
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        reservation, wanted = _not_answered(cursor, operation, environment, inputs)
    reservation.held = len(wanted)
    return reservation


def _refuse_mixing(cursor: RealDictCursor, environment: str) -> None:
    other = "real" if environment == "sandbox" else "sandbox"
    if mixing_allowed():
        return
    cursor.execute("SELECT FROM marketing.vendor_requests WHERE environment = %s LIMIT 1", (other,))
    if cursor.fetchone() is not None:
        raise EnvironmentMixed(
            f"This database holds answers of the {other} vendors; nothing was asked of the {environment} ones, so that "
            f"invented people do not mix with real ones. Use another database (BARTON_DATABASE_URL), or set {ALLOW_MIXED}=1."
        )


def _not_answered(
    cursor: RealDictCursor, operation: Operation, environment: str, inputs: Sequence[Input]
) -> tuple[Reservation, list[tuple[Input, int]]]:
    """The inputs to buy with their freshness windows; those on their way are counted."""
    known = _latest_calls(cursor, operation, environment, [item.key for item in inputs])
    reservation, wanted = Reservation(), []
    for item in {item.key: item for item in inputs}.values():
        call = known.get(item.key)
        if call is None:
            wanted.append((item, 0))
        elif call["state"] == "refused":
            wanted.append((item, call["freshness_window"]))
        elif call["aged"]:
            wanted.append((item, call["freshness_window"] + 1))
        elif call["open"]:
            reservation.in_flight += 1
    return reservation, wanted


def _latest_calls(
    cursor: RealDictCursor, operation: Operation, environment: str, keys: Sequence[str]
) -> dict[str, dict[str, Any]]:
    cursor.execute(
        """
        SELECT DISTINCT ON (c.input_key) c.input_key, c.state, c.freshness_window,
               c.state IN ('reserved', 'sent') OR c.state = 'unknown' AND r.actual_usd IS NULL AS open,
               CASE c.state WHEN 'settled' THEN c.fresh_until <= now()
                    WHEN 'unknown' THEN r.sent_at + make_interval(days => %s) <= now() ELSE false END AS aged
        FROM marketing.vendor_calls c JOIN marketing.vendor_requests r ON r.id = c.request_id
        WHERE c.vendor = %s AND c.operation = %s AND c.environment = %s AND c.input_key = ANY (%s)
        ORDER BY c.input_key, c.freshness_window DESC
        """,
        (operation.fresh_days, operation.vendor, operation.name, environment, list(keys)),
    )
    return {row["input_key"]: row for row in cursor.fetchall()}


def _money_left(cursor: RealDictCursor, operation: Operation, environment: str, buyer: Buyer) -> tuple[Decimal, str]:
    """What the tightest budget leaves, and a sentence about it."""
    spent = _spending(cursor, operation.vendor, environment, buyer)
    budget = {scope: Decimal(str(usd)) for scope, usd in rules()["budgets"][operation.vendor]["usd"].items()}
    left = {scope: usd - spent[scope] for scope, usd in budget.items()}
    tightest = min(left, key=lambda scope: left[scope])
    return left[tightest], (
        f"the {operation.vendor} budget per {tightest} is ${budget[tightest]}, of which ${max(left[tightest], Decimal(0)):.4f} "
        "is left; the rest waits, or raise it in vendors.yaml"
    )


def _spending(cursor: RealDictCursor, vendor: str, environment: str, buyer: Buyer | None) -> dict[str, Any]:
    cursor.execute("SELECT date_trunc('day', now(), 'UTC') AS day, date_trunc('month', now(), 'UTC') AS month")
    times = cursor.fetchone()
    assert times is not None
    cursor.execute(
        _SPENDING,
        {
            "vendor": vendor,
            "environment": environment,
            "run": buyer.run_id if buyer else None,
            "batch": buyer.import_batch_id if buyer else None,
            **times,
        },
    )
    row = cursor.fetchone()
    assert row is not None
    return dict(row)


def used(connection: Connection, vendor: str, environment: str) -> dict[str, Any]:
    """Reserved and spent dollars of today (``day``) and of this ``month``, UTC."""
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        return _spending(cursor, vendor, environment, None)


def _requests_left(
    cursor: RealDictCursor, operation: Operation, environment: str, buyer: Buyer, at_once: int
) -> tuple[int, str]:
    """How many requests may be started now, and the daily limit in words when it is what stops them."""
    cursor.execute(
        """
        SELECT count(*) AS open FROM marketing.vendor_requests
        WHERE vendor = %s AND operation = %s AND environment = %s AND state IN ('reserved', 'sent')
        """,
        (operation.vendor, operation.name, environment),
    )
    row = cursor.fetchone()
    assert row is not None
    slots = at_once - row["open"]
    daily = rules()["budgets"][operation.vendor]["requests"].get("day")
    if daily is None:
        return slots, ""
    left = daily - _spending(cursor, operation.vendor, environment, buyer)["requests_today"]
    return min(slots, left), f"{daily} requests a day are allowed for {operation.vendor}" if left <= slots else ""


def _insert_requests(
    cursor: RealDictCursor,
    operation: Operation,
    environment: str,
    buyer: Buyer,
    body: Callable[[Sequence[str]], Mapping[str, Any]],
    chunks: Sequence[Sequence[tuple[Input, int]]],
) -> list[Request]:
    """A request for each chunk, in two statements however many there are: single verifications come by the hundred."""
    by_key = {str(uuid.uuid4()): chunk for chunk in chunks}
    rows = execute_values(
        cursor,
        """
        INSERT INTO marketing.vendor_requests (request_key, vendor, operation, environment, body, inputs, estimated_usd,
            import_batch_id, run_id, holder, lease_until)
        VALUES %s RETURNING *
        """,
        [
            (
                request_key,
                operation.vendor,
                operation.name,
                environment,
                json.dumps(body([item.key for item, _ in chunk])),
                len(chunk),
                operation.estimate(len(chunk)),
                buyer.import_batch_id,
                buyer.run_id,
                buyer.token,
                rules()["timing"]["lease_seconds"],
            )
            for request_key, chunk in by_key.items()
        ],
        template="(%s::uuid, %s, %s, %s, %s, %s, %s, %s, %s, %s::uuid, clock_timestamp() + make_interval(secs => %s))",
        page_size=5_000,
        fetch=True,
    )
    calls = [
        (
            row["id"],
            operation.vendor,
            operation.name,
            environment,
            item.key,
            window,
            json.dumps(item.details),
            row["estimated_usd"] / row["inputs"],
        )
        for row in rows
        for item, window in by_key[str(row["request_key"])]
    ]
    # a refused call is the only one that may exist already
    execute_values(
        cursor,
        """
        INSERT INTO marketing.vendor_calls AS c (request_id, vendor, operation, environment, input_key, freshness_window,
            input, estimated_usd)
        VALUES %s ON CONFLICT (vendor, operation, environment, input_key, freshness_window) DO UPDATE
        SET request_id = excluded.request_id, state = 'reserved', input = excluded.input,
            estimated_usd = excluded.estimated_usd, actual_usd = NULL
        WHERE c.state = 'refused'
        """,
        calls,
        page_size=5_000,
    )
    return [_request(row, [item.key for item, _ in by_key[str(row["request_key"])]]) for row in rows]


def _request(row: Mapping[str, Any], inputs: Sequence[str]) -> Request:
    same = ("id", "operation", "environment", "state", "body", "reference", "estimated_usd")
    return Request(request_key=str(row["request_key"]), inputs=tuple(inputs), **{name: row[name] for name in same})


def mark_sent(connection: Connection, request: Request, token: str) -> bool:
    """Say that the first byte is about to leave; False when the request is no longer the caller's: send nothing."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE marketing.vendor_requests SET state = 'sent', sent_at = clock_timestamp(),
                lease_until = clock_timestamp() + make_interval(secs => %s)
            WHERE id = %s AND holder = %s AND state = 'reserved' AND lease_until > clock_timestamp()
            """,
            (rules()["timing"]["lease_seconds"], request.id, token),
        )
        if cursor.rowcount == 0:
            return False
        cursor.execute("UPDATE marketing.vendor_calls SET state = 'sent' WHERE request_id = %s", (request.id,))
    return True


def check_held(request: Request, token: str, attempt: int) -> None:
    """Before a request is sent again: raises Taken when somebody else has taken it up while we waited."""
    if attempt == 0:
        return
    with transaction() as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT FROM marketing.vendor_requests WHERE id = %s AND holder = %s AND lease_until > clock_timestamp()",
            (request.id, token),
        )
        if cursor.fetchone() is None:
            raise Taken(f"Request {request.id} was taken up by another process; this one sends nothing more.")


def now(connection: Connection) -> datetime:
    """The database's clock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        row = cursor.fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment


def sent(connection: Connection, request: Request) -> tuple[datetime, float]:
    """When a request was sent, and how many seconds ago, both by the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sent_at, extract(epoch FROM clock_timestamp() - sent_at)::float FROM marketing.vendor_requests WHERE id = %s",
            (request.id,),
        )
        row = cursor.fetchone()
    assert row is not None
    return row[0], row[1]


def set_reference(connection: Connection, request: Request, reference: str) -> None:
    """Keep the vendor's name for a request that was sent."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE marketing.vendor_requests SET reference = %s, state = 'sent' WHERE id = %s AND state IN ('sent', 'unknown')",
            (reference, request.id),
        )
        cursor.execute(
            "UPDATE marketing.vendor_calls SET state = 'sent' WHERE request_id = %s AND state = 'unknown'",
            (request.id,),
        )


def extend(connection: Connection, token: str) -> None:
    """The heartbeat: all open requests of the holder stay its own."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE marketing.vendor_requests SET lease_until = clock_timestamp() + make_interval(secs => %s)
            WHERE holder = %s AND state IN ('reserved', 'sent', 'unknown') AND lease_until > clock_timestamp()
            """,
            (rules()["timing"]["lease_seconds"], token),
        )


@dataclass(frozen=True)
class Answer:
    """What the vendor said of one input. ``usd`` is its share of the charge; ``fresh_days`` overrides the operation's."""

    response: Any
    usd: Decimal
    fresh_days: float | None = None


def settle(
    connection: Connection, request: Request, answers: Mapping[str, Answer], usd: Decimal, response: Mapping[str, Any]
) -> bool:
    """Store cost and answers; inputs without an answer are free again. False when it was settled or refused meanwhile.

    Raises WrongAnswer for answers to inputs that are not the request's.
    """
    if strangers := set(answers) - set(request.inputs):
        raise WrongAnswer(f"Request {request.id} was answered for inputs it did not have: {sorted(strangers)[:5]}")
    fresh_days = operations()[request.operation].fresh_days
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE marketing.vendor_requests SET state = 'settled', actual_usd = %s, response = %s,
                sent_at = coalesce(sent_at, clock_timestamp()), ended_at = clock_timestamp(), error = NULL
            WHERE id = %s AND state IN ('sent', 'unknown')
            """,
            (usd, json.dumps(response, default=str), request.id),
        )
        if cursor.rowcount == 0:
            return False
        execute_values(
            cursor,
            """
            UPDATE marketing.vendor_calls c SET state = 'settled', response = a.response::jsonb, actual_usd = a.usd::numeric,
                answered_at = now(), fresh_until = now() + make_interval(secs => a.seconds)
            FROM (VALUES %s) AS a (input_key, response, usd, seconds)
            WHERE c.request_id = """
            + str(request.id)
            + " AND c.input_key = a.input_key",
            [
                (
                    key,
                    json.dumps(answer.response),
                    answer.usd,
                    86400.0 * (fresh_days if answer.fresh_days is None else answer.fresh_days),
                )
                for key, answer in answers.items()
            ],
            page_size=5_000,
        )
        cursor.execute(
            "UPDATE marketing.vendor_calls SET state = 'refused' WHERE request_id = %s AND state <> 'settled'",
            (request.id,),
        )
    return True


def refuse(connection: Connection, request: Request, error: str) -> None:
    """The request was certainly not charged: its inputs are free again and its money too."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE marketing.vendor_requests SET state = 'refused', ended_at = clock_timestamp(), error = %s
            WHERE id = %s AND state IN ('reserved', 'sent', 'unknown')
            """,
            (error[:2000], request.id),
        )
        if cursor.rowcount:
            cursor.execute("UPDATE marketing.vendor_calls SET state = 'refused' WHERE request_id = %s", (request.id,))


def mark_unknown(connection: Connection, request: Request, error: str, actual_usd: Decimal | None = None) -> None:
    """The request was sent and its outcome is lost; whoever comes first takes it up.

    With ``actual_usd`` it is closed: nobody can be asked any more.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE marketing.vendor_requests SET state = 'unknown', error = %s, actual_usd = %s, lease_until = clock_timestamp()
            WHERE id = %s AND state IN ('sent', 'unknown')
            """,
            (error[:2000], actual_usd, request.id),
        )
        cursor.execute(
            """
            UPDATE marketing.vendor_calls SET state = 'unknown', actual_usd = %s
            WHERE request_id = %s AND state IN ('sent', 'unknown')
            """,
            (actual_usd / len(request.inputs) if actual_usd is not None else None, request.id),
        )


def take_up(connection: Connection, operation: Operation, environment: str, token: str) -> list[Request]:
    """Make every abandoned request of the operation the caller's: reserved ones are refused, the others returned."""
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(
            """
            UPDATE marketing.vendor_requests r SET holder = %s, lease_until = clock_timestamp() + make_interval(secs => %s)
            WHERE r.id = ANY (ARRAY(
                SELECT id FROM marketing.vendor_requests
                WHERE vendor = %s AND operation = %s AND environment = %s AND state IN ('reserved', 'sent', 'unknown')
                  AND lease_until <= clock_timestamp() AND NOT (state = 'unknown' AND actual_usd IS NOT NULL)
                ORDER BY id FOR UPDATE SKIP LOCKED))
            RETURNING *, ARRAY(SELECT c.input_key FROM marketing.vendor_calls c WHERE c.request_id = r.id ORDER BY c.id) AS keys
            """,
            (token, rules()["timing"]["lease_seconds"], operation.vendor, operation.name, environment),
        )
        found = [_request(row, row["keys"]) for row in cursor.fetchall()]
    for request in found:
        if request.state == "reserved":
            refuse(connection, request, "its process ended before anything was sent")
    return [request for request in found if request.state != "reserved"]


def unknown_before(connection: Connection, request: Request) -> set[str]:
    """Inputs of the request whose answer in the freshness window before was ``unknown``: they were rechecked now."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.input_key FROM marketing.vendor_calls c JOIN marketing.vendor_calls before
              ON (before.vendor, before.operation, before.environment, before.input_key, before.freshness_window)
               = (c.vendor, c.operation, c.environment, c.input_key, c.freshness_window - 1)
            WHERE c.request_id = %s AND before.response ->> 'result' = 'unknown'
            """,
            (request.id,),
        )
        return {key for (key,) in cursor.fetchall()}


def charged_since(connection: Connection, lost: Sequence[Request], charged_results: Sequence[str]) -> int | None:
    """How many verifications we know to be charged of those reserved since the balance was read for the oldest lost one.

    None while others that may be charged too are under way: then a credit balance says nothing of the lost ones. Older
    ones that another process settles meanwhile are not counted: that errs on the side of "the lost one was charged".
    """
    oldest = min(lost, key=lambda request: request.id)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*) FILTER (WHERE c.state = 'settled' AND c.response ->> 'result' = ANY (%(charged)s)
                       AND r.reserved_at >= %(since)s::timestamptz),
                   bool_or(r.actual_usd IS NULL AND r.state IN ('sent', 'unknown') AND r.id <> ALL (%(lost)s::bigint[]))
            FROM marketing.vendor_requests r JOIN marketing.vendor_calls c ON c.request_id = r.id
            WHERE (r.vendor, r.environment) = (SELECT vendor, environment FROM marketing.vendor_requests WHERE id = %(oldest)s)
              AND (r.reserved_at >= %(since)s::timestamptz OR r.state IN ('sent', 'unknown'))
            """,
            {
                "oldest": oldest.id,
                "since": oldest.body["credits_at"],
                "lost": [request.id for request in lost],
                "charged": list(charged_results),
            },
        )
        row = cursor.fetchone()
    assert row is not None
    return None if row[1] else int(row[0])


# -- holds and switches


def hold(
    connection: Connection,
    batch: str,
    operation: Operation,
    reason: str,
    inputs: int,
    message: str,
    retry_in: timedelta | None = None,
) -> None:
    """Write down that a batch still wants to buy and why it waits."""
    minutes = rules()["timing"]["hold_minutes"]
    seconds = (retry_in or timedelta(minutes=minutes.get(reason, 60))).total_seconds()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO marketing.vendor_holds (import_batch_id, operation, reason, vendor, inputs, message, stage, retry_at)
            VALUES (%s, %s, %s, %s, %s, %s, %s, now() + make_interval(secs => %s))
            ON CONFLICT (import_batch_id, operation, reason) DO UPDATE SET inputs = excluded.inputs,
                message = excluded.message, retry_at = excluded.retry_at
            """,
            (batch, operation.name, reason, operation.vendor, inputs, message, operation.stage, seconds),
        )


def release_holds(connection: Connection, batch: str, operation: Operation) -> None:
    """Forget why the batch waited: it is about to try again."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM marketing.vendor_holds WHERE import_batch_id = %s AND operation = %s", (batch, operation.name)
        )


def retry_holds_now(connection: Connection, batch: str) -> int:
    """Have what the batch still wants to buy tried again at the next tick instead of later; how many holds that are."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE marketing.vendor_holds SET retry_at = now() WHERE import_batch_id = %s AND retry_at > now()",
            (batch,),
        )
        return cursor.rowcount


def wake_holds(connection: Connection) -> list[str]:
    """Queue the batches whose wait is over, as long as their vendor may be used and has budget; their keys."""
    woken = []
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(
            "SELECT * FROM marketing.vendor_holds WHERE retry_at <= now() ORDER BY held_at FOR UPDATE SKIP LOCKED"
        )
        for row in cursor.fetchall():
            minutes = rules()["timing"]["hold_minutes"].get(row["reason"], 60)
            cursor.execute(
                """
                UPDATE marketing.vendor_holds SET retry_at = now() + make_interval(mins => %s)
                WHERE import_batch_id = %s AND operation = %s AND reason = %s
                """,
                (minutes, row["import_batch_id"], row["operation"], row["reason"]),
            )
            if row["reason"] in ("budget", "switched_off") and not _can_go_on(connection, row):
                continue
            cursor.execute(
                "SELECT marketing.notify_pipeline_event(%s, %s, %s)",
                (
                    f"continue_at_{row['stage']}",
                    json.dumps({"record_id": row["operation"], "reason": row["reason"]}),
                    row["import_batch_id"],
                ),
            )
            woken.append(row["import_batch_id"])
    return sorted(set(woken))


def _can_go_on(connection: Connection, row: Mapping[str, Any]) -> bool:
    if switched_off(connection, row["vendor"]):
        return False
    operation = operations()[row["operation"]]
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(
            "SELECT environment FROM marketing.vendor_requests WHERE vendor = %s ORDER BY id DESC LIMIT 1",
            (row["vendor"],),
        )
        last = cursor.fetchone()
        environment = last["environment"] if last else "real"
        buyer = Buyer(row["import_batch_id"], "", "")
        usd, _ = _money_left(cursor, operation, environment, buyer)
        daily = rules()["budgets"][operation.vendor]["requests"].get("day")
        today = _spending(cursor, operation.vendor, environment, buyer)["requests_today"]
    return operation.affordable(usd) > 0 and (daily is None or today < daily)


def switched_off(connection: Connection, vendor: str) -> str:
    """Why the vendor's kill switch is off, or an empty string."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT enabled, reason, changed_by FROM marketing.vendor_switches WHERE vendor = %s", (vendor,))
        row = cursor.fetchone()
    if row is None or row[0]:
        return ""
    return f"{vendor} was switched off by {row[2]} ({row[1] or 'no reason given'}); barton vendors --on {vendor}"


def switch(connection: Connection, vendor: str, enabled: bool, reason: str | None) -> None:
    """Turn a vendor's kill switch, in the name of marketing.actor()."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO marketing.vendor_switches (vendor, enabled, reason) VALUES (%s, %s, %s)
            ON CONFLICT (vendor) DO UPDATE SET enabled = excluded.enabled, reason = excluded.reason,
                changed_by = marketing.actor(), changed_at = now()
            """,
            (vendor, enabled, reason),
        )


def warn_about_budgets(connection: Connection, vendor: str, environment: str, buyer: Buyer) -> None:
    """Log a warning at ``warn_at`` and an error at 100 % of the day's and month's budget, once a day and limit."""
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        spent = _spending(cursor, vendor, environment, buyer)
        for scope in ("day", "month"):
            budget = Decimal(str(rules()["budgets"][vendor]["usd"][scope]))
            share = spent[scope] / budget if budget else Decimal(1)
            if share < Decimal(str(rules()["budgets"]["warn_at"])):
                continue
            level = "100" if share >= 1 else "80"
            cursor.execute(
                """
                SELECT FROM marketing.pipeline_errors WHERE event_type = 'vendor_budget' AND record_id = %s
                  AND created_at >= date_trunc('day', now(), 'UTC')
                """,
                (f"{vendor}:{scope}:{level}",),
            )
            if cursor.fetchone() is None:
                error_log.log_error(
                    connection,
                    "vendor_budget",
                    f"{vendor} has used ${spent[scope]:.2f} of its budget of ${budget} per {scope} ({share:.0%}). "
                    "At 100 % buying stops and batches wait; the budget is in vendors.yaml.",
                    batch=buyer.import_batch_id,
                    record_id=f"{vendor}:{scope}:{level}",
                    severity="error" if share >= 1 else "warning",
                )
