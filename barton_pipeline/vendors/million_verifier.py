"""MillionVerifier: single verification, bulk files, the credit balance, and what became of lost requests (VENDORS.md).

Its errors arrive as HTTP 200 with a text in ``error``. Not here: which addresses are verified (``verification``).
"""

import csv
import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from psycopg2.extensions import connection as Connection

from barton_pipeline import config
from barton_pipeline.config import Count, Positive
from barton_pipeline.outbound import requests
from barton_pipeline.outbound import settings as outbound_settings
from barton_pipeline.outbound.requests import Answer, Request, Shape
from barton_pipeline.outbound.settings import Operation
from barton_pipeline.outbound.wire import (
    RateLimit,
    Refused,
    Trouble,
    Unclear,
    poll_delays,
    read_json,
    reading_session,
    retry_after,
    send_once,
    timeouts,
)
from barton_pipeline.postgres import sql
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.vendors import settings
from barton_pipeline.vendors.settings import Access

OPERATION = "verify_email"
_VENDOR = "MillionVerifier"
_RESULTS = {"ok", "catch_all", "unknown", "error", "disposable", "invalid"}
_CODES = {1: "ok", 2: "catch_all", 3: "unknown", 4: "error", 5: "disposable", 6: "invalid"}
_FINISHED = {"finished"}
_FAILED = {"canceled", "error"}
_rate: RateLimit | None = None


@dataclass(frozen=True)
class Rules:
    """``million_verifier.yaml``."""

    single_below: Count
    single_reserved: Count
    requests_per_second: Positive
    timeout_seconds: Count
    charged_results: tuple[str, ...]
    recheck_unknown_hours: Positive


@cache
def rules() -> Rules:
    """``million_verifier.yaml``, read once per process."""
    return config.load(Path(__file__).with_name("million_verifier.yaml"), Rules)


class MillionVerifier:
    """Verifications for ledger requests; ``request.body`` says single or bulk."""

    name: ClassVar[str] = "million_verifier"
    title: ClassVar[str] = _VENDOR
    key_variable: ClassVar[str] = "MILLIONVERIFIER_API_KEY"
    urls: ClassVar[Mapping[str, str]] = {
        "api": "https://api.millionverifier.com",
        "bulk": "https://bulkapi.millionverifier.com",
    }

    def __init__(self, access: Access, token: str) -> None:
        self._access = access
        self._token = token
        self._session = reading_session()

    def credits(self) -> int:
        """Verifications that are paid for. Raises Refused for a bad key, Trouble when it cannot be read."""
        _rate_limit().wait()
        body = read_json(
            self._session, _VENDOR, f"{self._access.urls['api']}/api/v3/credits", {"api": self._access.key}
        )
        _raise_error(body)
        try:
            return sum(int(body.get(kind) or 0) for kind in ("credits", "bulk_credits", "renewing_credits"))
        except (TypeError, ValueError):
            raise Trouble(f"{_VENDOR} told its credits in a form we cannot read: {str(body)[:200]}") from None

    def new_round(self, operation: Operation) -> "_Round":
        """Begin a round, within the credits that are left."""
        return _Round(self, operation)

    def perform(self, request: Request) -> None:
        """Send a reserved request and follow it until it is settled; refuses it in the ledger when the vendor does."""
        bulk = request.body["mode"] == "bulk"
        send = self._upload if bulk else self._verify
        answer = requests.send_fenced(request, self._token, lambda attempt: send(request, attempt))
        if answer is None:
            return
        if bulk:
            self._adopt(request, str(answer["file_id"]))
        else:
            self._settle(request, {request.inputs[0]: answer}, answer)

    def resume(self, abandoned: Sequence[Request]) -> None:
        """Go on with requests whose process has ended."""
        lost = [request for request in abandoned if request.body["mode"] == "single"]
        for request in abandoned:
            if request in lost:
                continue
            if request.reference:
                self._follow(request, request.reference)
            else:
                self._find_and_follow(request)
        if lost:
            self._ask_balance(lost)

    # -- single

    def _verify(self, request: Request, attempt: int) -> dict[str, Any]:
        _rate_limit().wait()
        requests.check_held(request, self._token, attempt)
        seconds = rules().timeout_seconds
        response = send_once(
            _VENDOR,
            "GET",
            f"{self._access.urls['api']}/api/v3/",
            params={"api": self._access.key, "email": request.inputs[0], "timeout": seconds},
        )
        body = _billed_json(response, attempt)
        if _result(body) is None:
            raise Unclear(f"{_VENDOR} answered without a result: {str(body)[:200]}")
        return body

    def _ask_balance(self, lost: Sequence[Request]) -> None:
        """Lost single verifications: the vendor's balance says how many of them were charged.

        Balance before the oldest of them, minus balance now, minus what we know was charged since. Other users of the
        key make the difference larger, so that the error is on the side of "was charged".
        """
        price = _operation().usd_per_item
        with transaction() as connection:
            known = _count_charged_since(connection, lost)
        if known is None:
            with transaction() as connection:
                for request in lost:
                    requests.mark_unknown(
                        connection, request, "waits until nothing else is under way: then the balance tells"
                    )
            return
        before = min(lost, key=lambda request: request.id).body["credits"]
        missing = before - self.credits() - known
        # more than there should be: somebody bought credits meanwhile, and the balance tells nothing
        charged = len(lost) if missing < 0 else min(missing, len(lost))
        with transaction() as connection:
            # which of them were charged nobody knows; the sum is what counts
            for place, request in enumerate(lost):
                if charged == 0:
                    requests.refuse(connection, request, "the vendor's credit balance shows that it was not charged")
                else:
                    message = (
                        f"{charged} of {len(lost)} lost verifications were charged; the answer cannot be had again"
                    )
                    requests.mark_unknown(
                        connection, request, message, actual_usd=price if place < charged else Decimal(0)
                    )

    # -- bulk

    def _upload(self, request: Request, attempt: int) -> dict[str, Any]:
        requests.check_held(request, self._token, attempt)
        content = "".join(f"{email}\r\n" for email in request.inputs).encode()
        response = send_once(
            _VENDOR,
            "POST",
            f"{self._access.urls['bulk']}/bulkapi/v2/upload",
            params={"key": self._access.key, "remove_duplicates": 1},
            files={"file_contents": (file_name(request), content, "text/csv")},
        )
        body = _billed_json(response, attempt)
        if not body.get("file_id"):
            raise Unclear(f"{_VENDOR} confirmed a file without its number: {str(body)[:200]}")
        return body

    def _find_and_follow(self, request: Request) -> None:
        """Look for the file by our name for it once it must be in the vendor's list; without one it was never uploaded."""
        with transaction() as connection:
            _, seconds_ago = requests.sent_at(connection, request)
        time.sleep(max(0.0, outbound_settings.rules().grace_seconds - seconds_ago))
        body = self._read("filelist", name=file_name(request), offset=0, limit=50)
        files = [file for file in body.get("files") or [] if file.get("file_name") == file_name(request)]
        if not files:
            with transaction() as connection:
                requests.refuse(connection, request, "the vendor has no such file: it was never uploaded")
            return
        self._adopt(request, str(files[0]["file_id"]))

    def _adopt(self, request: Request, file_id: str) -> None:
        with transaction() as connection:
            requests.set_reference(connection, request, file_id)
        self._follow(request, file_id)

    def _follow(self, request: Request, file_id: str) -> None:
        """Wait until the file is finished, download it whole, settle."""
        for delay in poll_delays():
            info = self._read("fileinfo", file_id=file_id)
            if info.get("status") in _FINISHED | _FAILED:
                break
            time.sleep(delay)
        answers = self._download(request, file_id, info)
        self._settle(request, answers, info)
        if info.get("status") in _FAILED:
            raise Trouble(
                f"{_VENDOR} ended file {file_id} as {info['status']}; {len(answers)} of {len(request.inputs)} addresses "
                "were answered, the others are asked again later"
            )

    def _download(self, request: Request, file_id: str, info: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """The file's rows by address, all that the vendor says it has. Downloading is free: a cut-off answer is fetched again.

        Raises Trouble when it stays cut off: settled as it is, the rows that are missing would be bought a second time.
        """
        asked = {email.lower(): email for email in request.inputs}
        verified = info.get("verified", info.get("total_rows"))
        promised = len(asked) if verified is None else min(len(asked), int(verified))
        for attempt in range(outbound_settings.rules().retries):
            rows = self._rows(file_id, asked)
            if len(rows) >= promised:
                return rows
            time.sleep(min(0.5 * 2**attempt, 30))
        raise Trouble(
            f"{_VENDOR} gives out {len(rows)} of the {promised} rows of file {file_id}; they are paid, and read again later"
        )

    def _rows(self, file_id: str, asked: Mapping[str, str]) -> dict[str, dict[str, Any]]:
        try:
            response = self._session.get(
                f"{self._access.urls['bulk']}/bulkapi/v2/download",
                params={"key": self._access.key, "file_id": file_id, "filter": "all"},
                timeout=timeouts(),
            )
            response.raise_for_status()
            text = response.content.decode("utf-8-sig", errors="replace")
        except OSError:  # requests' errors are OSErrors; a connection cut in the middle too
            return {}
        if text.lstrip().startswith("{"):
            return {}
        # a last line without its end may be cut off in the middle of a word
        lines = text.splitlines(keepends=True)
        complete = "".join(line for line in lines if line.endswith("\n") or line.count(",") >= 4)
        rows = csv.DictReader(io.StringIO(complete))
        return {
            asked[email]: dict(row)
            for row in rows
            if (email := str(row.get("email") or "").strip().lower()) in asked and row.get("result") in _RESULTS
        }

    def _read(self, path: str, **parameters: Any) -> dict[str, Any]:
        url = f"{self._access.urls['bulk']}/bulkapi/v2/{path}"
        body = read_json(self._session, _VENDOR, url, {"key": self._access.key, **parameters})
        _raise_error(body)
        return body

    # -- both

    def _settle(self, request: Request, answers: Mapping[str, dict[str, Any]], response: Mapping[str, Any]) -> None:
        price = _operation().usd_per_item
        with transaction() as connection:
            asked_before = _find_unknown_before(connection, request)
            settled = {}
            for email, answer in answers.items():
                result = _result(answer)
                once_more = result == "unknown" and email not in asked_before
                settled[email] = Answer(
                    answer,
                    price if result in rules().charged_results else Decimal(0),
                    rules().recheck_unknown_hours / 24 if once_more else None,
                )
            usd = sum((answer.usd for answer in settled.values()), Decimal(0))
            requests.settle(connection, request, _operation(), settled, usd, response)


class _Round:
    """Few addresses go one by one, many as a file; never more than there are credits."""

    def __init__(self, client: MillionVerifier, operation: Operation) -> None:
        self._client = client
        self._operation = operation
        self._balance: tuple[int, datetime] | None = None

    def shape(self, count_wanted: Callable[[], int], reserved: int) -> Shape | None:
        wanted = count_wanted()
        balance, moment = self._balance_before()
        credits = balance - reserved
        if not wanted or credits <= 0:
            return None
        body = {"credits": balance, "credits_at": moment.isoformat()}
        if wanted >= rules().single_below:
            limit = min(credits, self._operation.inputs_per_request)
            return Shape(lambda inputs: {"mode": "bulk", **body}, limit, at_once=1 if credits < wanted else None)
        return Shape(lambda inputs: {"mode": "single", **body}, 1, at_once=min(credits, rules().single_reserved))

    def _balance_before(self) -> tuple[int, datetime]:
        """(credits, when): read when the round begins, because then nothing of ours is under way; reconciliation needs it."""
        if self._balance is None:
            credits = self._client.credits()
            if credits == 0:
                raise Refused(f"{_VENDOR} has no credits left: buy some; the batch goes on by itself")
            with transaction() as connection:
                self._balance = credits, requests.database_time(connection)
        return self._balance


def _operation() -> Operation:
    return settings.rules().operations[OPERATION]


def _find_unknown_before(connection: Connection, request: Request) -> set[str]:
    """Inputs of the request whose answer in the freshness window before was ``unknown``: they were rechecked now."""
    found = sql.rows(
        connection,
        """
        SELECT c.input_key FROM marketing.vendor_calls c JOIN marketing.vendor_calls before
          ON (before.vendor, before.operation, before.environment, before.input_key, before.freshness_window)
           = (c.vendor, c.operation, c.environment, c.input_key, c.freshness_window - 1)
        WHERE c.request_id = %(id)s AND before.response ->> 'result' = 'unknown'
        """,
        id=request.id,
    )
    return {row["input_key"] for row in found}


def _count_charged_since(connection: Connection, lost: Sequence[Request]) -> int | None:
    """How many verifications we know to be charged of those reserved since the balance was read for the oldest lost one.

    None while others that may be charged too are under way: then a credit balance says nothing of the lost ones. Older
    ones that another process settles meanwhile are not counted: that errs on the side of "the lost one was charged".
    """
    oldest = min(lost, key=lambda request: request.id)
    row = sql.one(
        connection,
        """
        SELECT count(*) FILTER (WHERE c.state = 'settled' AND c.response ->> 'result' = ANY (%(charged_results)s)
                   AND r.reserved_at >= %(since)s::timestamptz) AS charged,
               bool_or(r.actual_usd IS NULL AND r.state IN ('sent', 'unknown') AND r.id <> ALL (%(lost)s::bigint[]))
                   AS others_under_way
        FROM marketing.vendor_requests r JOIN marketing.vendor_calls c ON c.request_id = r.id
        WHERE (r.vendor, r.environment) = (SELECT vendor, environment FROM marketing.vendor_requests WHERE id = %(oldest)s)
          AND (r.reserved_at >= %(since)s::timestamptz OR r.state IN ('sent', 'unknown'))
        """,
        oldest=oldest.id,
        since=oldest.body["credits_at"],
        lost=[request.id for request in lost],
        charged_results=list(rules().charged_results),
    )
    return None if row["others_under_way"] else int(row["charged"])


def file_name(request: Request) -> str:
    """Our name for a bulk file: it makes an upload whose answer was lost findable."""
    return f"barton-{request.request_key}.csv"


def _result(body: Mapping[str, Any]) -> str | None:
    """The result by name or code; never by ``quality``, which the vendor's own example contradicts."""
    result = body.get("result")
    if result not in _RESULTS:
        result = _CODES.get(body.get("resultcode", 0))
    return None if result == "error" else result


def _billed_json(response: Any, attempt: int) -> dict[str, Any]:
    """The answer to a billed request, or what its failure means for the money."""
    if response.status_code == 429:
        raise Refused(f"{_VENDOR}: too many requests", retry_after(response, attempt))
    if 400 <= response.status_code < 500 and response.status_code != 408:
        raise Refused(f"{_VENDOR} refused the request (HTTP {response.status_code})")
    try:
        body = response.json()
    except ValueError:
        raise Unclear(f"{_VENDOR} answered HTTP {response.status_code} with something unreadable") from None
    if response.status_code != 200 or not isinstance(body, dict):
        raise Unclear(f"{_VENDOR} answered HTTP {response.status_code}: {str(body)[:200]}")
    _raise_error(body)
    return body


def _raise_error(body: Mapping[str, Any]) -> None:
    """Raise Refused for the errors that arrive as HTTP 200; their exact wording is not documented."""
    text = str(body.get("error") or "").strip()
    if not text:
        return
    words = text.lower().replace("_", " ")
    if "credit" in words:
        raise Refused(f"{_VENDOR} has no credits left ({text}): buy some; the batch goes on by itself")
    if "key" in words or "api" in words:
        raise Refused(f"{_VENDOR} does not know the key ({text}). Check MILLIONVERIFIER_API_KEY.")
    if "ip" in words.split():
        raise Refused(f"{_VENDOR} has blocked the address of this machine ({text})")
    raise Refused(f"{_VENDOR} answered with an error: {text}")


def _rate_limit() -> RateLimit:
    global _rate
    _rate = _rate or RateLimit(rules().requests_per_second)
    return _rate
