"""The MillionVerifier of the sandbox: single verification, credits, and files in bulk.

Belongs here: its wire format, credits and the progress of files. Not here: which addresses exist (people.py), faults.
Errors are HTTP 200 with a filled ``error``, as the vendor sends them. A file is charged row by row as it is verified;
how far it is follows from the clock.
"""

import csv
import email.parser
import email.policy
import io
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .people import Truth, address_truth
from .settings import Settings, json_response

TEST_KEY = "API_KEY_FOR_TEST"
TEST_RESULTS = {  # what the vendor's test keys answer
    "_OK": Truth("ok", 1, "good", "", False, False),
    "_CATCH_ALL": Truth("catch_all", 2, "risky", "", False, False),
    "_UNKOWN": Truth("unknown", 3, "unknown", "timeout_error", False, False),  # the vendor's own spelling
    "_DISPOSABLE": Truth("disposable", 5, "bad", "", False, False),
    "_INVALID": Truth("invalid", 6, "bad", "no_mailbox", False, False),
}
TEST_ERRORS = {"_ERROR_INVALID_APIKEY": "apikey not found"}
MOST_ROWS = 1_000_000
MOST_BYTES = 100 * 1024 * 1024
LARGE_ROWS = 1_000  # of files above this, two are worked on at a time
FILTERS = {
    "all": ("ok", "catch_all", "unknown", "disposable", "invalid"),
    "ok": ("ok",),
    "ok_and_catch_all": ("ok", "catch_all"),
    "unknown": ("unknown",),
    "invalid": ("invalid", "disposable"),
}


@dataclass
class File:
    """An uploaded file. ``results`` grows up to ``addresses`` as the clock goes; times are ``time.time()``."""

    id: int
    name: str
    addresses: list[str]
    total_rows: int
    created: float
    starts: float
    ends: float
    results: list[Truth] = field(default_factory=list)
    stopped: bool = False

    def status(self) -> str:
        """in_queue_to_start, in_progress, finished or canceled."""
        if self.stopped:
            return "canceled"
        now = time.time()
        return "finished" if now >= self.ends else "in_progress" if now >= self.starts else "in_queue_to_start"

    def due(self) -> int:
        """How many addresses are to be verified by now."""
        done = {"finished": 1.0, "in_queue_to_start": 0.0}.get(self.status())
        if done is None:
            done = (time.time() - self.starts) / (self.ends - self.starts)
        return len(self.results) if self.stopped else int(done * len(self.addresses))

    def info(self) -> dict[str, Any]:
        """The file as ``fileinfo`` and ``filelist`` give it."""
        counts = Counter(truth.result for truth in self.results)
        return {
            "file_id": str(self.id),
            "file_name": self.name,
            "status": self.status(),
            "total_rows": self.total_rows,
            "unique_emails": len(self.addresses),
            "percent": 100 * len(self.results) // len(self.addresses) if self.addresses else 100,
            "verified": len(self.results),
            "unverified": len(self.addresses) - len(self.results),
            **{name: counts[name] for name in ("ok", "catch_all", "disposable", "invalid", "unknown")},
            "reverify": 0,
            "credit": sum(truth.charged for truth in self.results),
            "estimated_time_sec": max(0, round(self.ends - time.time())),
            "createdate": datetime.fromtimestamp(self.created, UTC).strftime("%Y-%m-%d %H:%M:%S"),
            "error": "",
        }


class VendorError(Exception):
    """An error the vendor reports in the field ``error`` of an answer."""


class MillionVerifier:
    """State and endpoints of the pretended MillionVerifier."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.reset()

    def reset(self) -> None:
        """Forget files, charges and questions; the credits are full again."""
        self.files: dict[int, File] = {}
        self.spent: Counter[str] = Counter()
        self.questions: Counter[str] = Counter()

    def charges(self) -> dict[str, Any]:
        """Charged verifications, in all and per address."""
        with self.settings.lock:
            self._advance_all()
            return {"verifications": self.spent.total(), "emails": dict(self.spent)}

    def routes(self) -> list[Route]:
        """Every endpoint."""
        return [
            Route("/api/v3/", self._single),
            Route("/api/v3", self._single),
            Route("/api/v3/credits", self._credits_left),
            Route("/bulkapi/v2/upload", self._upload, methods=["POST"]),
            Route("/bulkapi/v2/fileinfo", self._file_info),
            Route("/bulkapi/v2/filelist", self._file_list),
            Route("/bulkapi/v2/download", self._download),
            Route("/bulkapi/stop", self._stop),
            Route("/bulkapi/v2/delete", self._delete),
        ]

    @property
    def credits(self) -> int:
        """What is left to spend."""
        return self.settings.credits - self.spent.total()

    # single

    async def _single(self, request: Request) -> Response:
        began, query = time.monotonic(), request.query_params
        address, key = query.get("email", "").strip(), query.get("api", "")
        try:
            with self.settings.lock:
                truth = self._verify_single(key, address)
                answer = single_answer(address, truth, self.credits, key)
        except VendorError as error:
            answer = single_error(address, str(error), key)
        answer["executiontime"] = int(time.monotonic() - began)
        return json_response(answer)

    def _verify_single(self, key: str, address: str) -> Truth:
        if key.startswith(TEST_KEY):
            return _test_truth(key, address, self.settings.seed)
        check_key(key, "apikey not found")
        if not address:
            raise VendorError("no email specified")
        self._advance_all()
        if self.credits < 1:
            raise VendorError("insufficient credits")
        return self._verify(address.lower())

    def _verify(self, address: str) -> Truth:
        self.questions[address] += 1
        truth = address_truth(address, self.settings.seed, self.questions[address])
        if truth.charged:
            self.spent[address] += 1
        return truth

    async def _credits_left(self, request: Request) -> Response:
        try:
            check_key(request.query_params.get("api", ""), "apikey not found")
        except VendorError as error:
            return json_response({"error": str(error)})
        with self.settings.lock:
            self._advance_all()
            return json_response({"credits": self.credits, "bulk_credits": 0, "renewing_credits": 0, "plan": 0})

    # bulk

    async def _upload(self, request: Request) -> Response:
        body = await request.body()
        try:
            self._check(request)
            name, content = _uploaded(request.headers.get("content-type", ""), body)
            rows = _addresses(content)
            unique = list(dict.fromkeys(rows)) if request.query_params.get("remove_duplicates") == "1" else rows
            with self.settings.lock:
                return json_response(self._accept(name, unique, len(rows)).info())
        except VendorError as error:
            return json_response({"error": str(error)})

    def _accept(self, name: str, addresses: list[str], total_rows: int) -> File:
        self._advance_all()
        open_rows = sum(len(file.addresses) - len(file.results) for file in self.files.values() if not file.stopped)
        if self.credits < len(addresses) + open_rows:
            raise VendorError("insufficient_credits")
        now = starts = time.time()
        if len(addresses) > LARGE_ROWS:
            busy = sorted(
                file.ends for file in self.files.values() if _large(file) and file.ends > now and not file.stopped
            )
            starts = busy[-2] if len(busy) >= 2 else now
        number = max(self.files, default=1000) + 1
        file = File(number, name, addresses, total_rows, now, starts, starts + self.settings.bulk_seconds)
        self.files[number] = file
        return file

    async def _file_info(self, request: Request) -> Response:
        return self._answer(request, lambda: self._file(request).info())

    async def _file_list(self, request: Request) -> Response:
        return self._answer(request, lambda: self._listed(request))

    async def _stop(self, request: Request) -> Response:
        return self._answer(request, lambda: self._stopped(request))

    async def _delete(self, request: Request) -> Response:
        return self._answer(request, lambda: self._deleted(request))

    async def _download(self, request: Request) -> Response:
        wanted = FILTERS.get(request.query_params.get("filter", "all"))
        try:
            self._check(request)
            with self.settings.lock:
                file = self._file(request)
            if wanted is None:
                raise VendorError("invalid_filter")
        except VendorError as error:
            return json_response({"error": str(error)})
        text = io.StringIO()
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow(["email", "quality", "result", "free", "role"])
        for address, truth in zip(file.addresses, file.results, strict=False):  # fewer results while it is in progress
            if truth.result in wanted:
                lines.writerow([address, truth.quality, truth.result, _yes(truth.free), _yes(truth.role)])
        headers = {"content-disposition": f'attachment; filename="{file.id}.csv"'}
        return Response(text.getvalue(), 200, headers, "text/csv; charset=utf-8")

    def _answer(self, request: Request, work: Any) -> Response:
        try:
            self._check(request)
            with self.settings.lock:
                return json_response(work())
        except VendorError as error:
            return json_response({"error": str(error)})

    def _check(self, request: Request) -> None:
        check_key(request.query_params.get("key", ""), "invalid_api_key")

    def _listed(self, request: Request) -> dict[str, Any]:
        query = request.query_params
        self._advance_all()
        named = [file.info() for file in reversed(self.files.values()) if query.get("name", "") in file.name]
        offset, limit = _number(query.get("offset"), 0), _number(query.get("limit"), 50)
        return {"files": named[offset : offset + limit], "total": len(named)}

    def _stopped(self, request: Request) -> dict[str, str]:
        file = self._file(request)
        file.stopped = file.stopped or file.status() != "finished"
        return {"result": "ok"}

    def _deleted(self, request: Request) -> dict[str, str]:
        del self.files[self._file(request).id]
        return {"result": "ok"}

    def _file(self, request: Request) -> File:
        file = self.files.get(_number(request.query_params.get("file_id"), -1))
        if file is None:
            raise VendorError("file_not_found")
        self._advance(file)
        return file

    def _advance_all(self) -> None:
        for file in self.files.values():
            self._advance(file)

    def _advance(self, file: File) -> None:
        for address in file.addresses[len(file.results) : file.due()]:
            file.results.append(self._verify(address))


def single_answer(address: str, truth: Truth, credits_left: int, key: str) -> dict[str, Any]:
    """The answer to a single verification."""
    return {
        "email": address,
        "quality": truth.quality,
        "result": truth.result,
        "resultcode": truth.code,
        "subresult": truth.subresult,
        "free": truth.free,
        "role": truth.role,
        "didyoumean": "",
        "credits": credits_left,
        "executiontime": 0,
        "error": "",
        "livemode": "test" if key.startswith(TEST_KEY) else "live",
    }


def single_error(address: str, message: str, key: str = "") -> dict[str, Any]:
    """The same with an error: no verdict, and still HTTP 200."""
    return {**single_answer(address, Truth("error", 4, "", "", False, False), 0, key), "error": message}


def check_key(key: str, message: str) -> None:
    """Raises VendorError with ``message`` without a key, and for the key ``bad``."""
    if key in ("", "bad"):
        raise VendorError(message)


def _test_truth(key: str, address: str, seed: int) -> Truth:
    kind = key.removeprefix(TEST_KEY)
    if kind.startswith("_ERROR_"):
        raise VendorError(TEST_ERRORS.get(kind, kind.removeprefix("_ERROR_").replace("_", " ").lower()))
    if kind and kind not in TEST_RESULTS:
        raise VendorError("apikey not found")
    if not address:
        raise VendorError("no email specified")
    return TEST_RESULTS[kind] if kind else address_truth(address, seed)


def _uploaded(content_type: str, body: bytes) -> tuple[str, bytes]:
    if len(body) > MOST_BYTES:
        raise VendorError("file_too_large")
    # a multipart body is a MIME message without its first header
    parser = email.parser.BytesParser(policy=email.policy.HTTP)
    message: Any = parser.parsebytes(b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n" + body)
    for part in message.iter_parts() if message.is_multipart() else ():
        if part.get_param("name", header="content-disposition") == "file_contents":
            return part.get_filename() or "upload.csv", part.get_payload(decode=True)
    raise VendorError("no_file_uploaded")


def _addresses(content: bytes) -> list[str]:
    rows = [row for row in csv.reader(io.StringIO(content.decode("utf-8-sig", errors="replace"))) if any(row)]
    if not rows:
        raise VendorError("file_is_empty")
    header = [cell.strip().lower() for cell in rows[0]]
    if "@" not in "".join(header):
        column = header.index("email") if "email" in header else 0
        rows = rows[1:]
    else:
        column = next(number for number, cell in enumerate(header) if "@" in cell)
    if len(rows) > MOST_ROWS:
        raise VendorError("too_many_rows")
    found = [row[column].strip().lower() for row in rows if len(row) > column and "@" in row[column]]
    if not found:
        raise VendorError("no_email_found")
    return found


def _large(file: File) -> bool:
    return len(file.addresses) > LARGE_ROWS


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() else default


def _yes(value: bool) -> str:
    return "yes" if value else "no"
