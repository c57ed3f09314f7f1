"""The life of a request: reserve within budget, send under a fence, settle, refuse, or adopt what others left.

Belongs here: every write to marketing.vendor_requests and vendor_calls. Each function that takes a connection is one
short piece of SQL whose transaction is the caller's; the others have short ones of their own, because they wait for a
service in between. The states are in docs/explanation/vendors.md. Not here: HTTP.
"""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from psycopg2.extensions import connection as Connection
from psycopg2.extras import RealDictCursor, execute_values

from barton_pipeline.errors import BartonError
from barton_pipeline.outbound import budgets, holds, ledger, settings
from barton_pipeline.outbound.budgets import Buyer
from barton_pipeline.outbound.ledger import Input, Missing, Wanted
from barton_pipeline.outbound.settings import Budget, Operation
from barton_pipeline.outbound.wire import OutboundError, Refused, Unclear, send_with_retries
from barton_pipeline.postgres import sql
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.postgres.sql import Lock

Result = TypeVar("Result")
_PAGE = 5_000


class Taken(OutboundError):
    """A request is no longer ours."""


class EnvironmentMixed(OutboundError):
    """The database holds answers of the other environment (sandbox or real)."""


class WrongAnswer(BartonError):
    """An answer was to be stored for a request that cannot take one."""


@dataclass(frozen=True)
class Request:
    """A reserved or sent request, as a client needs it; ``inputs`` are their keys."""

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
class Shape:
    """How requests are made out of inputs.

    ``body`` makes what is sent from the input keys of one request; it is kept, because a lost request is found by it.
    ``inputs_per_request`` and ``at_once`` stand in for the operation's; None leaves those.
    """

    body: Callable[[Sequence[str]], Mapping[str, Any]]
    inputs_per_request: int | None = None
    at_once: int | None = None


@dataclass(frozen=True)
class Reservation:
    """What came of asking to reserve: requests to send now, and how the inputs stand that are in none of them."""

    requests: tuple[Request, ...] = ()
    missing: Missing = field(default_factory=Missing)


@dataclass(frozen=True)
class Answer:
    """What the service said of one input. ``usd`` is its share of the charge; ``fresh_days`` overrides the operation's."""

    response: Any
    usd: Decimal
    fresh_days: float | None = None


def reserve(
    connection: Connection,
    operation: Operation,
    environment: str,
    budget: Budget,
    inputs: Sequence[Input],
    buyer: Buyer,
    shape: Shape,
) -> Reservation:
    """Set aside money for the inputs that have no fresh answer, as far as budgets, limits and the kill switch allow.

    Never waits for a service. Raises EnvironmentMixed when the database belongs to the other environment.
    """
    sql.lock(connection, Lock.VENDOR, operation.vendor)
    _refuse_mixing(connection, environment)
    wanted, in_flight = ledger.find_wanted(connection, operation, environment, inputs)
    if not wanted:
        return Reservation(missing=Missing(in_flight=in_flight))
    if reason := holds.switched_off(connection, operation.vendor):
        return Reservation(missing=Missing(len(wanted), in_flight, "switched_off", reason))
    money = budgets.money_left(connection, operation, environment, budget, buyer)
    places = budgets.requests_left(
        connection, operation, environment, budget, buyer, shape.at_once or operation.at_once
    )
    most = shape.inputs_per_request or operation.inputs_per_request
    chunks, rest, usd = _split(wanted, operation, most, money.usd, places.number)
    requests = tuple(_insert_requests(connection, operation, environment, buyer, shape, chunks))
    if not rest:
        return Reservation(requests, Missing(in_flight=in_flight))
    if operation.affordable(usd) == 0:
        return Reservation(requests, Missing(len(rest), in_flight, "budget", money.message))
    if places.limit:
        return Reservation(requests, Missing(len(rest), in_flight, "budget", places.limit))
    message = "other requests to the vendor are in flight"
    return Reservation(requests, Missing(len(rest), in_flight, "in_flight", message))


def _split(
    wanted: Sequence[Wanted], operation: Operation, most: int, usd: Decimal, requests: int
) -> tuple[list[Sequence[Wanted]], Sequence[Wanted], Decimal]:
    """(the inputs of each request, those for which there was no room, the US dollars that are left).

    A request has at most ``most`` inputs, all may cost ``usd`` together, and there may be so many ``requests``.
    """
    chunks: list[Sequence[Wanted]] = []
    while wanted and len(chunks) < requests and (size := min(len(wanted), most, operation.affordable(usd))) > 0:
        chunks.append(wanted[:size])
        wanted = wanted[size:]
        usd -= operation.estimate(size)
    return chunks, wanted, usd


def _refuse_mixing(connection: Connection, environment: str) -> None:
    other = "real" if environment == "sandbox" else "sandbox"
    if settings.mixing_allowed():
        return
    if sql.rows(
        connection,
        "SELECT 1 AS found FROM marketing.vendor_requests WHERE environment = %(other)s LIMIT 1",
        other=other,
    ):
        raise EnvironmentMixed(
            f"This database holds answers of the {other} vendors; nothing was asked of the {environment} ones, so that "
            f"invented people do not mix with real ones. Use another database (BARTON_DATABASE_URL), or set "
            f"{settings.ALLOW_MIXED}=1."
        )


def _insert_requests(
    connection: Connection,
    operation: Operation,
    environment: str,
    buyer: Buyer,
    shape: Shape,
    chunks: Sequence[Sequence[Wanted]],
) -> list[Request]:
    """A request for each chunk, in two statements however many there are: single questions come by the hundred."""
    by_key = {str(uuid.uuid4()): chunk for chunk in chunks}
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
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
                    json.dumps(shape.body([item.key for item in chunk])),
                    len(chunk),
                    operation.estimate(len(chunk)),
                    buyer.import_batch_id,
                    buyer.run_id,
                    buyer.token,
                    settings.rules().lease_seconds,
                )
                for request_key, chunk in by_key.items()
            ],
            template="(%s::uuid, %s, %s, %s, %s, %s, %s, %s, %s, %s::uuid, clock_timestamp() + make_interval(secs => %s))",
            page_size=_PAGE,
            fetch=True,
        )
        _insert_calls(cursor, operation, environment, [(row, by_key[str(row["request_key"])]) for row in rows])
    return [_request(row, [item.key for item in by_key[str(row["request_key"])]]) for row in rows]


def _insert_calls(
    cursor: RealDictCursor,
    operation: Operation,
    environment: str,
    requests: Sequence[tuple[Mapping[str, Any], Sequence[Wanted]]],
) -> None:
    """The inputs of new requests; a refused call is the only one that may exist already."""
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
        [
            (
                row["id"],
                operation.vendor,
                operation.name,
                environment,
                item.key,
                item.freshness_window,
                json.dumps(item.input.details),
                row["estimated_usd"] / row["inputs"],
            )
            for row, chunk in requests
            for item in chunk
        ],
        page_size=_PAGE,
    )


def _request(row: Mapping[str, Any], inputs: Sequence[str]) -> Request:
    same = ("id", "operation", "environment", "state", "body", "reference", "estimated_usd")
    return Request(request_key=str(row["request_key"]), inputs=tuple(inputs), **{name: row[name] for name in same})


def mark_sent(connection: Connection, request: Request, token: str) -> bool:
    """Say that the first byte is about to leave; False when the request is no longer the caller's: send nothing."""
    is_ours = sql.execute(
        connection,
        """
        UPDATE marketing.vendor_requests SET state = 'sent', sent_at = clock_timestamp(),
            lease_until = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
        WHERE id = %(id)s AND holder = %(token)s AND state = 'reserved' AND lease_until > clock_timestamp()
        """,
        lease_seconds=settings.rules().lease_seconds,
        id=request.id,
        token=token,
    )
    if is_ours:
        sql.execute(
            connection, "UPDATE marketing.vendor_calls SET state = 'sent' WHERE request_id = %(id)s", id=request.id
        )
    return bool(is_ours)


def send_fenced(request: Request, token: str, send: Callable[[int], Result]) -> Result | None:
    """Mark a reserved request as sent and send it, in transactions of its own; what the service said.

    None when nothing can be made of it: the request is no longer ours, or it is ``unknown`` now, because nobody knows
    whether it was charged. ``send(attempt)`` raises Refused when it certainly was not, Unclear when that is not certain.
    Raises Refused when the service will not take it; then the request is refused in the ledger too.
    """
    with transaction() as connection:
        if not mark_sent(connection, request, token):
            return None
    try:
        return send_with_retries(send)
    except Refused as error:
        with transaction() as connection:
            refuse(connection, request, str(error))
        raise
    except Unclear as error:
        with transaction() as connection:
            mark_unknown(connection, request, str(error))
        return None


def check_held(request: Request, token: str, attempt: int) -> None:
    """Before a request is sent again: raises Taken when somebody else has adopted it while we waited."""
    if attempt == 0:
        return
    with transaction() as connection:
        found = sql.rows(
            connection,
            """
            SELECT id FROM marketing.vendor_requests
            WHERE id = %(id)s AND holder = %(token)s AND lease_until > clock_timestamp()
            """,
            id=request.id,
            token=token,
        )
    if not found:
        raise Taken(f"Request {request.id} was adopted by another process; this one sends nothing more.")


def database_time(connection: Connection) -> datetime:
    """The database's clock."""
    moment: datetime = sql.value(connection, "SELECT clock_timestamp() AS moment")
    return moment


def sent_at(connection: Connection, request: Request) -> tuple[datetime, float]:
    """When a request was sent, and how many seconds ago, both by the database's clock."""
    row = sql.one(
        connection,
        """
        SELECT sent_at, extract(epoch FROM clock_timestamp() - sent_at)::float AS seconds_ago
        FROM marketing.vendor_requests WHERE id = %(id)s
        """,
        id=request.id,
    )
    return row["sent_at"], row["seconds_ago"]


def set_reference(connection: Connection, request: Request, reference: str) -> None:
    """Keep the service's name for a request that was sent."""
    sql.execute(
        connection,
        """
        UPDATE marketing.vendor_requests SET reference = %(reference)s, state = 'sent'
        WHERE id = %(id)s AND state IN ('sent', 'unknown')
        """,
        reference=reference,
        id=request.id,
    )
    sql.execute(
        connection,
        "UPDATE marketing.vendor_calls SET state = 'sent' WHERE request_id = %(id)s AND state = 'unknown'",
        id=request.id,
    )


def has_reference(connection: Connection, vendor: str, reference: str) -> bool:
    """Whether one of our requests carries this name that the service gives."""
    return bool(
        sql.rows(
            connection,
            "SELECT id FROM marketing.vendor_requests WHERE vendor = %(vendor)s AND reference = %(reference)s",
            vendor=vendor,
            reference=reference,
        )
    )


def extend_leases(connection: Connection, token: str) -> None:
    """The heartbeat: all open requests of the holder stay its own."""
    sql.execute(
        connection,
        """
        UPDATE marketing.vendor_requests SET lease_until = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
        WHERE holder = %(token)s AND state IN ('reserved', 'sent', 'unknown') AND lease_until > clock_timestamp()
        """,
        lease_seconds=settings.rules().lease_seconds,
        token=token,
    )


def settle(
    connection: Connection,
    request: Request,
    operation: Operation,
    answers: Mapping[str, Answer],
    usd: Decimal,
    response: Mapping[str, Any],
) -> bool:
    """Store cost and answers; inputs without an answer are free again. False when it was settled or refused meanwhile.

    Raises WrongAnswer for answers to inputs that are not the request's.
    """
    if strangers := set(answers) - set(request.inputs):
        raise WrongAnswer(f"Request {request.id} was answered for inputs it did not have: {sorted(strangers)[:5]}")
    was_open = sql.execute(
        connection,
        """
        UPDATE marketing.vendor_requests SET state = 'settled', actual_usd = %(usd)s, response = %(response)s,
            sent_at = coalesce(sent_at, clock_timestamp()), ended_at = clock_timestamp(), error = NULL
        WHERE id = %(id)s AND state IN ('sent', 'unknown')
        """,
        usd=usd,
        response=json.dumps(response, default=str),
        id=request.id,
    )
    if not was_open:
        return False
    _store_answers(connection, request, operation, answers)
    sql.execute(
        connection,
        "UPDATE marketing.vendor_calls SET state = 'refused' WHERE request_id = %(id)s AND state <> 'settled'",
        id=request.id,
    )
    return True


def _store_answers(
    connection: Connection, request: Request, operation: Operation, answers: Mapping[str, Answer]
) -> None:
    with connection.cursor() as cursor:
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
                    86400.0 * (operation.fresh_days if answer.fresh_days is None else answer.fresh_days),
                )
                for key, answer in answers.items()
            ],
            page_size=_PAGE,
        )


def refuse(connection: Connection, request: Request, error: str) -> None:
    """The request was certainly not charged: its inputs are free again and its money too."""
    was_open = sql.execute(
        connection,
        """
        UPDATE marketing.vendor_requests SET state = 'refused', ended_at = clock_timestamp(), error = %(error)s
        WHERE id = %(id)s AND state IN ('reserved', 'sent', 'unknown')
        """,
        error=error[:2000],
        id=request.id,
    )
    if was_open:
        sql.execute(
            connection, "UPDATE marketing.vendor_calls SET state = 'refused' WHERE request_id = %(id)s", id=request.id
        )


def mark_unknown(connection: Connection, request: Request, error: str, actual_usd: Decimal | None = None) -> None:
    """The request was sent and its outcome is lost; whoever comes first adopts it.

    With ``actual_usd`` it is closed: nobody can be asked any more.
    """
    sql.execute(
        connection,
        """
        UPDATE marketing.vendor_requests SET state = 'unknown', error = %(error)s, actual_usd = %(actual_usd)s,
            lease_until = clock_timestamp()
        WHERE id = %(id)s AND state IN ('sent', 'unknown')
        """,
        error=error[:2000],
        actual_usd=actual_usd,
        id=request.id,
    )
    sql.execute(
        connection,
        """
        UPDATE marketing.vendor_calls SET state = 'unknown', actual_usd = %(share_usd)s
        WHERE request_id = %(id)s AND state IN ('sent', 'unknown')
        """,
        share_usd=actual_usd / len(request.inputs) if actual_usd is not None else None,
        id=request.id,
    )


def adopt_abandoned(connection: Connection, operation: Operation, environment: str, token: str) -> list[Request]:
    """Make every abandoned request of the operation the caller's: reserved ones are refused, the others returned."""
    rows = sql.rows(
        connection,
        """
        UPDATE marketing.vendor_requests r
        SET holder = %(token)s, lease_until = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
        WHERE r.id = ANY (ARRAY(
            SELECT id FROM marketing.vendor_requests
            WHERE vendor = %(vendor)s AND operation = %(operation)s AND environment = %(environment)s
              AND state IN ('reserved', 'sent', 'unknown')
              AND lease_until <= clock_timestamp() AND NOT (state = 'unknown' AND actual_usd IS NOT NULL)
            ORDER BY id FOR UPDATE SKIP LOCKED))
        RETURNING *, ARRAY(SELECT c.input_key FROM marketing.vendor_calls c WHERE c.request_id = r.id ORDER BY c.id) AS keys
        """,
        token=token,
        lease_seconds=settings.rules().lease_seconds,
        vendor=operation.vendor,
        operation=operation.name,
        environment=environment,
    )
    found = [_request(row, row["keys"]) for row in rows]
    for request in found:
        if request.state == "reserved":
            refuse(connection, request, "its process ended before anything was sent")
    return [request for request in found if request.state != "reserved"]
