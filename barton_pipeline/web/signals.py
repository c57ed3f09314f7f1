"""``barton receive-signals``: buyer-intent signals by HTTP, for web sites, mail and ad tools that can call a URL.

POST /signals with ``Authorization: Bearer $BARTON_SIGNALS_TOKEN`` and a JSON object or list of objects with the fields of a
signals file: signal_type; company_unique_id, website or company; and, if known, strength (0..1), occurred_at (ISO 8601; now),
source_system, external_id.
Answers 202 {"received": n, "batch": key}; all or nothing: 400 what is wrong with the body, 422 which rows and why, 401, 413, 503.
A row with an external_id that was seen before counts once. The rows are signals_raw_intake's; its trigger starts the scoring.
"""

import hmac
import json
from datetime import UTC, datetime
from typing import Any

import psycopg2
from psycopg2.extras import Json, execute_values
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from barton_pipeline.config import environment
from barton_pipeline.errors import InputError
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.scoring import bit

TOKEN = "BARTON_SIGNALS_TOKEN"
SHORTEST_TOKEN = 16
MOST_BYTES = 1_000_000
MOST_SIGNALS = 1_000
FIELDS = (
    "company",
    "website",
    "company_unique_id",
    "signal_type",
    "strength",
    "occurred_at",
    "source_system",
    "external_id",
)


def application() -> Starlette:
    """The ASGI application. Raises InputError when no token is set."""
    token = environment(TOKEN)
    if len(token) < SHORTEST_TOKEN:
        raise InputError(
            f"Set {TOKEN} to a secret of at least {SHORTEST_TOKEN} characters; callers send it as a bearer token."
        )

    async def signals(request: Request) -> JSONResponse:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), token.encode()):
            return JSONResponse({"error": "Send the header Authorization: Bearer <token>."}, 401)
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_BYTES:
                return JSONResponse({"error": f"At most {MOST_BYTES:,} bytes at once."}, 413)
        try:
            rows = read(body)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)
        if faults := check(rows):
            return JSONResponse({"error": "Nothing was recorded; correct these rows.", "rows": faults}, 422)
        try:
            batch = await run_in_threadpool(store, rows)
        except psycopg2.OperationalError:
            return JSONResponse({"error": "The database cannot be reached; send it again later."}, 503)
        return JSONResponse({"received": len(rows), "batch": batch}, 202)

    return Starlette(routes=[Route("/signals", signals, methods=["POST"])])


def read(body: bytes) -> list[dict[str, str | None]]:
    """The signals of a request's body. Raises ValueError with what is wrong with it as a whole."""
    try:
        content = json.loads(body)
    except ValueError as error:
        raise ValueError(f"The body is not JSON: {error}") from error
    rows = content if isinstance(content, list) else [content]
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise ValueError("Send one object or a list of objects.")
    if len(rows) > MOST_SIGNALS:
        raise ValueError(f"At most {MOST_SIGNALS:,} signals at once.")
    return [{str(name): None if value is None else str(value) for name, value in row.items()} for row in rows]


def check(rows: list[dict[str, str | None]]) -> list[dict[str, Any]]:
    """{row: place from 0, error: what is wrong} of those that can never be recorded; the stage judges the rest."""
    types = set(bit.signal_types())
    found = []
    for place, row in enumerate(rows):
        unknown = sorted(set(row) - set(FIELDS))
        if unknown:
            found.append({"row": place, "error": f"unknown field {unknown[0]!r}; the fields are {', '.join(FIELDS)}"})
        elif (row.get("signal_type") or "").strip().lower() not in types:
            found.append(
                {
                    "row": place,
                    "error": f"signal_type {row.get('signal_type')!r} is not one of {', '.join(sorted(types))}",
                }
            )
        elif not any((row.get(name) or "").strip() for name in ("company_unique_id", "website", "company")):
            found.append({"row": place, "error": "no company: give company_unique_id, website or company"})
        elif any("\x00" in (value or "") for value in row.values()):
            found.append({"row": place, "error": "a value contains a NUL character"})
    return found


def store(rows: list[dict[str, str | None]]) -> str:
    """Write the rows as one transaction under the day's batch, whose key is returned."""
    now = datetime.now(UTC)
    batch = f"{now:%Y%m%d}-SIGNALS"
    values = [
        [row.get(name) or (now.isoformat() if name == "occurred_at" else None) for name in FIELDS] + [batch, Json(row)]
        for row in rows
    ]
    with transaction() as connection, connection.cursor() as cursor:
        execute_values(
            cursor,
            f"INSERT INTO intake.signals_raw_intake ({', '.join(FIELDS)}, import_batch_id, raw) VALUES %s",
            values,
        )
    return batch
