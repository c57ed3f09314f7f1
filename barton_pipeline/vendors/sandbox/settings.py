"""What both vendors of the sandbox share: settings, the asked-for fault of a request, JSON answers. Nothing of one vendor."""

import gzip
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

FAULT = "barton.fault"  # where the ASGI scope of a request carries the fault its handler is to act out


@dataclass
class Settings:
    """How the sandbox behaves; all times in seconds.

    ``rate_per_second``: calls allowed per vendor, None for no limit. ``companies``: LinkedIn slug to domain, for companies
    that are to have addresses although they are asked for by slug. ``apify_usd`` and ``credits``: what may be spent.
    """

    seed: int = 1
    generation: int = 1
    latency: float = 0.0
    rate_per_second: float | None = None
    run_seconds: float = 0.2
    sync_timeout: float = 300.0
    max_concurrent_runs: int | None = None
    bulk_seconds: float = 0.2
    apify_usd: float = 1_000.0
    credits: int = 1_000_000
    companies: dict[str, str] = field(default_factory=dict)
    # handlers run on the server's thread, Sandbox's methods on the caller's
    lock: Any = field(default_factory=threading.RLock, repr=False)


class BadRequest(Exception):
    """The request's body cannot be read as what it says it is."""


def json_response(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer with the vendors' media type."""
    body = json.dumps(content, ensure_ascii=False).encode()
    return Response(body, status, headers, "application/json; charset=utf-8")


async def body_of(request: Request) -> bytes:
    """The request's body, unpacked. Raises BadRequest when it is not the gzip it claims to be."""
    body = await request.body()
    if request.headers.get("content-encoding", "").lower() == "gzip":
        try:
            return gzip.decompress(body)
        except (OSError, EOFError) as error:
            raise BadRequest("The request body is not valid gzip") from error
    return body


def fault_of(request: Request) -> dict[str, Any]:
    """The fault this request's handler is to act out ({"fault": name, ...}), or an empty mapping."""
    return dict(request.scope.get(FAULT) or {})
