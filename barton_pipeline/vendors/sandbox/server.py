"""The server: one loopback port for both vendors, faults on demand, rate limit, the control API under /_sandbox/.

Belongs here: what is done to any vendor's call. Not here: what a vendor answers (apify.py, million_verifier.py).
"""

import asyncio
import contextlib
import json
import re
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from barton_pipeline.errors import InputError

from .apify import NO_CREDIT, TERMINAL, ApiError, Apify
from .million_verifier import MillionVerifier, single_error
from .settings import FAULT, Settings, json_response

RUN_START = re.compile(r"/v2/act(?:or)?s/[^/]+/(?:runs|run-sync-get-dataset-items)$")
INSTEAD = {
    "rate_limit",
    "rate_limit_bare",
    "server_error",
    "drop_before",
    "http200_error",
    "no_credit",
    "bad_key",
    "api_error",
}
AFTERWARDS = {"drop_after_charging", "slow_drip", "truncated_json", "wrong_schema"}
OF_A_RUN = {"run_fails", "run_hangs", "duplicate_webhook", "empty_rows"}
FAULTS = INSTEAD | AFTERWARDS | OF_A_RUN
CONNECTION = "barton.connection"


@dataclass
class Fault:
    """A fault that waits for the next ``times`` requests whose path contains ``path`` (a regular expression)."""

    name: str
    path: re.Pattern[str]
    method: str | None
    times: int
    options: dict[str, Any]

    def meets(self, method: str, path: str) -> bool:
        """Whether it is this request's; faults of a run only ever meet the start of one."""
        if self.name in OF_A_RUN and not (method == "POST" and RUN_START.search(path)):
            return False
        return self.times > 0 and self.method in (None, method) and self.path.search(path) is not None


class Sandbox:
    """Both vendors on one port of 127.0.0.1; ``settings`` are those of ``Settings``.

    Use ``running_sandbox`` or ``start`` and ``stop``. Every method may be called from any thread.
    """

    def __init__(self, port: int = 0, **settings: Any) -> None:
        self.settings = Settings(**settings)
        self.apify = Apify(self.settings)
        self.million_verifier = MillionVerifier(self.settings)
        self._first_generation = self.settings.generation
        self._faults: list[Fault] = []
        self._calls: dict[str, deque[float]] = {"apify": deque(), "million_verifier": deque()}
        self._wanted_port = port
        self._app = Starlette(
            routes=[*self.apify.routes(), *self.million_verifier.routes(), *self._control_routes()],
            exception_handlers={ApiError: _api_error, HTTPException: _no_such_endpoint},
        )

    # life

    def start(self) -> "Sandbox":
        """Serve on a thread of its own. Raises InputError when the port is in use."""
        # asyncio switches Nagle's delay (40 ms a call) off only where the protocol is spelled out
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", self._wanted_port))
        except OSError as error:
            listener.close()
            raise InputError(
                f"Port {self._wanted_port} is in use ({error.strerror}). Choose another one with --port."
            ) from error
        listener.listen(128)
        self.port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        config = uvicorn.Config(
            self,
            http=_Protocol,
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
            timeout_keep_alive=60,  # or sessions that rest for five seconds are cut, which no fault asked for
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listener],), name="sandbox", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving; calls still under way get a second."""
        self._server.should_exit = True
        self._thread.join()

    # control

    def charges(self) -> dict[str, Any]:
        """What the vendors have charged; ``inputs``: how often for each company, profile and address."""
        with self.settings.lock:
            verified = self.million_verifier.charges()
            inputs = dict(self.apify.inputs) | {f"million_verifier {mail}": n for mail, n in verified["emails"].items()}
            return {"apify": self.apify.charges(), "million_verifier": verified, "inputs": inputs}

    def fault(self, name: str, path: str = "", method: str | None = None, times: int = 1, **options: Any) -> None:
        """Queue a fault for requests to come. Raises ValueError for what cannot be queued."""
        if name not in FAULTS:
            raise ValueError(f"There is no fault {name!r}; there are: {', '.join(sorted(FAULTS))}")
        if name == "run_fails" and options.get("status", "FAILED") not in TERMINAL:
            raise ValueError(f"status is one of {', '.join(TERMINAL)}")
        try:
            pattern = re.compile(path)
        except re.error as error:
            raise ValueError(f"path is not a regular expression: {error}") from error
        with self.settings.lock:
            self._faults.append(Fault(name, pattern, method and method.upper(), int(times), options))

    def reset(self) -> None:
        """Forget charges, runs, files and faults; back to the first generation."""
        with self.settings.lock:
            self.settings.generation = self._first_generation
            self._faults.clear()
            self.apify.reset()
            self.million_verifier.reset()

    def set_generation(self, generation: int) -> None:
        """From now on answer as of this generation of people."""
        self.settings.generation = generation

    def _control_routes(self) -> list[Route]:
        return [
            Route("/_sandbox/charges", self._charges),
            Route("/_sandbox/faults", self._queue_fault, methods=["POST"]),
            Route("/_sandbox/generation", self._set_generation, methods=["POST"]),
            Route("/_sandbox/companies", self._add_companies, methods=["POST"]),
            Route("/_sandbox/reset", self._reset, methods=["POST"]),
        ]

    async def _charges(self, request: Request) -> Response:
        return json_response(self.charges())

    async def _queue_fault(self, request: Request) -> Response:
        try:
            options = await request.json()
            self.fault(options.pop("fault"), **options)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return json_response({"error": f"This is not a fault: {error}"}, 400)
        return json_response({"queued": len(self._faults)}, 201)

    async def _set_generation(self, request: Request) -> Response:
        try:
            self.set_generation(int((await request.json())["generation"]))
        except (ValueError, TypeError, KeyError) as error:
            return json_response({"error": f'Say {{"generation": NUMBER}} ({error})'}, 400)
        return json_response({"generation": self.settings.generation})

    async def _add_companies(self, request: Request) -> Response:
        try:
            companies = {str(slug).lower(): str(domain).lower() for slug, domain in (await request.json()).items()}
        except (ValueError, AttributeError) as error:
            return json_response({"error": f'Say {{"linkedin-slug": "domain"}} ({error})'}, 400)
        with self.settings.lock:
            self.settings.companies.update(companies)
        return json_response({"companies": len(self.settings.companies)})

    async def _reset(self, request: Request) -> Response:
        self.reset()
        return json_response({"reset": True})

    # every call

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application: limits and faults around what the vendor answers."""
        path, method = scope["path"], scope["method"]
        if path.startswith("/_sandbox"):
            await _send(await self._ask(scope, receive), send)
            return
        if self.settings.latency:
            await asyncio.sleep(self.settings.latency)
        vendor = "apify" if path.startswith("/v2/") else "million_verifier"
        if self._too_fast(vendor):
            await _send(_rate_limited(vendor, None), send)
            return
        fault = self._take_fault(method, path)
        if fault is None:
            await _send(await self._ask(scope, receive), send)
            return
        options = {"fault": fault.name, **fault.options}
        if fault.name == "drop_before":
            await _drop(scope, receive)
        elif fault.name in INSTEAD:
            await _send(_instead(fault, vendor, path), send)
        elif fault.name in OF_A_RUN:
            await _send(await self._ask({**scope, FAULT: options}, receive), send)
        else:
            await _spoil(fault, await self._ask(scope, receive), scope, receive, send)

    def _take_fault(self, method: str, path: str) -> Fault | None:
        with self.settings.lock:
            for fault in self._faults:
                if fault.meets(method, path):
                    fault.times -= 1
                    if not fault.times:
                        self._faults.remove(fault)
                    return fault
        return None

    def _too_fast(self, vendor: str) -> bool:
        limit, calls, now = self.settings.rate_per_second, self._calls[vendor], time.monotonic()
        if limit is None:
            return False
        while calls and calls[0] <= now - 1:
            calls.popleft()
        if len(calls) >= limit:
            return True
        calls.append(now)
        return False

    async def _ask(self, scope: Scope, receive: Receive) -> Response:
        """The application's whole answer, kept back so that it can be spoilt."""
        sent: list[Message] = []

        async def keep(message: Message) -> None:
            sent.append(message)

        await self._app(scope, receive, keep)
        response = Response(b"".join(message.get("body", b"") for message in sent[1:]), sent[0]["status"])
        response.raw_headers = list(sent[0]["headers"])
        return response


@contextlib.contextmanager
def running_sandbox(seed: int = 1, port: int = 0, **settings: Any) -> Iterator[Sandbox]:
    """A sandbox that serves inside the block, on a free port unless one is named; ``settings`` are those of ``Settings``."""
    sandbox = Sandbox(port, seed=seed, **settings).start()
    try:
        yield sandbox
    finally:
        sandbox.stop()


class _Protocol(H11Protocol):
    """uvicorn's HTTP protocol that hands the connection to the application, so that a fault can cut it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        app = self.app

        async def with_connection(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, CONNECTION: transport}, receive, send)

        self.app = with_connection


def _instead(fault: Fault, vendor: str, path: str) -> Response:
    options = fault.options
    if fault.name == "rate_limit":
        return _rate_limited(vendor, options.get("retry_after", 1))
    if fault.name == "rate_limit_bare":
        return _rate_limited(vendor, None)
    if fault.name == "server_error":
        kind = "internal-server-error"
        return ApiError(options.get("status", 500), kind, "Internal server error. Please try again later.").response()
    if vendor == "million_verifier":
        bulk = path.startswith("/bulkapi")
        known = {"no_credit": "insufficient credits", "bad_key": "invalid_api_key" if bulk else "apikey not found"}
        message = known.get(fault.name, options.get("message", "internal error"))
        return json_response({"error": message} if bulk else single_error("", message))
    if fault.name == "no_credit":
        return NO_CREDIT.response()
    if fault.name == "bad_key":
        return ApiError(
            401, "user-or-token-not-found", "User was not found or authentication token is not valid"
        ).response()
    status = 200 if fault.name == "http200_error" else options.get("status", 403)
    kind, message = options.get("type", "insufficient-permissions"), options.get("message", "Refused")
    return ApiError(status, kind, message).response()


def _rate_limited(vendor: str, retry_after: float | None) -> Response:
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    message = "You have exceeded the rate limit. Please slow down."
    error: Any = {"type": "rate-limit-exceeded", "message": message} if vendor == "apify" else "too many requests"
    return json_response({"error": error}, 429, headers)


async def _spoil(fault: Fault, response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    if fault.name == "drop_after_charging":
        await _drop(scope, receive)
    elif fault.name == "slow_drip":
        await _send(response, send, fault.options.get("delay", 0.01))
    elif fault.name == "truncated_json":
        body = bytes(response.body)
        await _send(_with_body(response, body[: len(body) // 2]), send)
    else:
        other = fault.options.get("body", {"result_v2": {"rows": []}, "note": 1})
        await _send(_with_body(response, json.dumps(other).encode()), send)


def _with_body(response: Response, body: bytes) -> Response:
    response.body = body
    response.headers["content-length"] = str(len(body))
    return response


async def _send(response: Response, send: Send, delay: float | None = None) -> None:
    headers = [*response.raw_headers, (b"x-barton-sandbox", b"1")]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    body = bytes(response.body)
    if delay is not None:
        for place in range(len(body)):
            await send({"type": "http.response.body", "body": body[place : place + 1], "more_body": True})
            await asyncio.sleep(delay)
        body = b""
    await send({"type": "http.response.body", "body": body})


async def _drop(scope: Scope, receive: Receive) -> None:
    scope[CONNECTION].abort()
    while (await receive())["type"] != "http.disconnect":  # until then uvicorn would still send an error of its own
        pass


async def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return error.response()


async def _no_such_endpoint(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = f"There is no API endpoint at this URL: {request.method} {request.url.path}"
    return ApiError(
        error.status_code, "page-not-found" if error.status_code == 404 else "method-not-allowed", message
    ).response()
