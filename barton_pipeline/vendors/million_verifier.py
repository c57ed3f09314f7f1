"""MillionVerifier: single verification, bulk files, the credit balance, and what became of lost requests (VENDORS.md).

Its errors arrive as HTTP 200 with a text in ``error``. Not here: which addresses are verified (``verification``).
"""

import csv
import io
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from barton_pipeline.postgres.connection import transaction
from barton_pipeline.vendors import ledger
from barton_pipeline.vendors.ledger import Answer, Request
from barton_pipeline.vendors.settings import Access, operations, rules
from barton_pipeline.vendors.wire import (
    RateLimit,
    Refused,
    Trouble,
    Unclear,
    insist,
    poll_delays,
    read_json,
    reading_session,
    retry_after,
    send_once,
    timeouts,
)

OPERATION = "verify_email"
_VENDOR = "MillionVerifier"
_RESULTS = {"ok", "catch_all", "unknown", "error", "disposable", "invalid"}
_CODES = {1: "ok", 2: "catch_all", 3: "unknown", 4: "error", 5: "disposable", 6: "invalid"}
_FINISHED = {"finished"}
_FAILED = {"canceled", "error"}
_rate: RateLimit | None = None


class MillionVerifier:
    """Verifications for ledger requests; ``request.body`` says single or bulk."""

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

    def perform(self, request: Request) -> None:
        """Send a reserved request and follow it until it is settled; refuses it in the ledger when the vendor does."""
        with transaction() as connection:
            if not ledger.mark_sent(connection, request, self._token):
                return
        bulk = request.body["mode"] == "bulk"
        try:
            answer = insist(lambda attempt: (self._upload if bulk else self._verify)(request, attempt))
        except Refused as error:
            with transaction() as connection:
                ledger.refuse(connection, request, str(error))
            raise
        except Unclear as error:
            with transaction() as connection:
                ledger.mark_unknown(connection, request, str(error))
            return
        if bulk:
            self._adopt(request, str(answer["file_id"]))
        else:
            self._settle(request, {request.inputs[0]: answer}, answer)

    def resume(self, requests: Sequence[Request]) -> None:
        """Go on with requests whose process has ended."""
        lost = [request for request in requests if request.body["mode"] == "single"]
        for request in requests:
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
        ledger.check_held(request, self._token, attempt)
        seconds = rules()["million_verifier"]["timeout_seconds"]
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
        price = operations()[OPERATION].usd_per_item
        with transaction() as connection:
            known = ledger.charged_since(connection, lost, rules()["million_verifier"]["charged_results"])
        if known is None:
            with transaction() as connection:
                for request in lost:
                    ledger.mark_unknown(
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
                    ledger.refuse(connection, request, "the vendor's credit balance shows that it was not charged")
                else:
                    message = (
                        f"{charged} of {len(lost)} lost verifications were charged; the answer cannot be had again"
                    )
                    ledger.mark_unknown(
                        connection, request, message, actual_usd=price if place < charged else Decimal(0)
                    )

    # -- bulk

    def _upload(self, request: Request, attempt: int) -> dict[str, Any]:
        ledger.check_held(request, self._token, attempt)
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
            _, seconds_ago = ledger.sent(connection, request)
        time.sleep(max(0.0, rules()["timing"]["grace_seconds"] - seconds_ago))
        body = self._read("filelist", name=file_name(request), offset=0, limit=50)
        files = [file for file in body.get("files") or [] if file.get("file_name") == file_name(request)]
        if not files:
            with transaction() as connection:
                ledger.refuse(connection, request, "the vendor has no such file: it was never uploaded")
            return
        self._adopt(request, str(files[0]["file_id"]))

    def _adopt(self, request: Request, file_id: str) -> None:
        with transaction() as connection:
            ledger.set_reference(connection, request, file_id)
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
        for attempt in range(rules()["timing"]["retries"]):
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
        settings, price = rules()["million_verifier"], operations()[OPERATION].usd_per_item
        with transaction() as connection:
            asked_before = ledger.unknown_before(connection, request)
            settled = {}
            for email, answer in answers.items():
                result = _result(answer)
                once_more = result == "unknown" and email not in asked_before
                settled[email] = Answer(
                    answer,
                    price if result in settings["charged_results"] else Decimal(0),
                    settings["recheck_unknown_hours"] / 24 if once_more else None,
                )
            usd = sum((answer.usd for answer in settled.values()), Decimal(0))
            ledger.settle(connection, request, settled, usd, response)


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
    _rate = _rate or RateLimit(rules()["million_verifier"]["requests_per_second"])
    return _rate
