"""HTTP: what a failed request means for the money, and patience.

Belongs here: errors by what is certain about the charge, a session that retries reading, billed requests that are sent exactly
once, a rate limit. Not here: any service's paths.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util import Retry

from barton_pipeline.errors import BartonError
from barton_pipeline.outbound import settings

Result = TypeVar("Result")
_UNREACHABLE = (NewConnectionError, ConnectTimeoutError)


class OutboundError(BartonError):
    """A service did not do what was asked; the message says which, what happened and what to do."""


class Refused(OutboundError):
    """The request was certainly not charged. ``retry_after``: seconds after which the same may work, None if it will not."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unclear(OutboundError):
    """The request was sent and nobody knows whether it was charged."""


class Trouble(OutboundError):
    """Reading failed again and again, or the answer makes no sense; nothing is lost, it is read again later."""


def timeouts() -> tuple[float, float]:
    """(connect, read) in seconds."""
    return settings.rules().connect_seconds, settings.rules().read_seconds


def reading_session() -> requests.Session:
    """A session for requests that cost nothing: retries with growing delay and jitter, and Retry-After is obeyed."""
    session = requests.Session()
    patience = Retry(
        total=settings.rules().retries,
        backoff_factor=0.5,
        backoff_jitter=0.5,
        backoff_max=30,
        status_forcelist=(429, 500, 502, 503, 504),
        allowed_methods=None,
        raise_on_status=False,
    )
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=patience))
    return session


def read_json(session: requests.Session, service: str, url: str, params: dict[str, Any]) -> dict[str, Any]:
    """The JSON object at ``url``. Raises Trouble; the message never holds the parameters, where the key is."""
    try:
        response = session.get(url, params=params, timeout=timeouts())
        response.raise_for_status()
        body = response.json()
    except requests.RequestException as error:
        raise Trouble(f"{service} could not be read ({_cause(error)}); it is tried again later") from None
    if not isinstance(body, dict):
        raise Trouble(f"{service} answered with something else than was agreed: {str(body)[:200]}")
    return body


def send_once(service: str, method: str, url: str, **options: Any) -> requests.Response:
    """Send a billed request, once. Raises Refused when it certainly never arrived, Unclear when that is not certain."""
    try:
        return requests.request(method, url, timeout=timeouts(), allow_redirects=False, **options)
    except requests.RequestException as error:
        cause = _cause(error)
        if isinstance(error, requests.ConnectTimeout) or _never_connected(error):
            raise Refused(f"{service} cannot be reached ({cause})", retry_after=backoff(0)) from None
        raise Unclear(f"the connection to {service} was lost after sending ({cause})") from None


def _never_connected(error: requests.RequestException) -> bool:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, _UNREACHABLE)


def _cause(error: requests.RequestException) -> str:
    """What went wrong, without the URL: it may hold the key."""
    response = error.response
    return f"HTTP {response.status_code}" if response is not None else type(error).__name__


def retry_after(response: requests.Response, attempt: int) -> float:
    """Seconds the service wants us to wait, or our own growing delay."""
    header = response.headers.get("Retry-After", "")
    return float(header) if header.isdigit() else backoff(attempt)


def backoff(attempt: int) -> float:
    """0.5 s doubling, at most 30 s, with jitter."""
    return float(min(0.5 * 2**attempt, 30.0) * random.uniform(0.5, 1.0))


def send_with_retries(send: Callable[[int], Result]) -> Result:
    """Call ``send(attempt)`` until it is not refused for the moment; raises what the last attempt raised."""
    for attempt in range(settings.rules().retries):
        try:
            return send(attempt)
        except Refused as error:
            if error.retry_after is None:
                raise
            time.sleep(min(error.retry_after, 60.0))
    return send(settings.rules().retries)


def poll_delays() -> Iterator[float]:
    """Seconds to wait between looks at something that takes a while: short at first, then ``poll_seconds``."""
    delay = 0.1
    while True:
        delay = min(delay * 2, settings.rules().poll_seconds)
        yield delay


class RateLimit:
    """At most ``per_second`` passages, evenly spaced, over all threads of this process."""

    def __init__(self, per_second: float) -> None:
        self._interval = 1.0 / per_second
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when it is this caller's turn."""
        with self._lock:
            turn = max(self._next, time.monotonic())
            self._next = turn + self._interval
        time.sleep(max(0.0, turn - time.monotonic()))
