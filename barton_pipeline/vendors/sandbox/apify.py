"""The Apify API v2 of the sandbox: runs of three actors, their datasets, webhooks.

Belongs here: Apify's wire format, prices and life of a run. Not here: who works where (people.py), faults (server.py).
A run costs what it will cost the moment it is started, and its dataset holds exactly what was paid for, even if aborted.
"""

import asyncio
import base64
import binascii
import json
import re
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .people import Job, Person, passes, passes_filters, people_of, slug_of
from .settings import BadRequest, Settings, body_of, fault_of, json_response

USER_ID = "sandboxUser000001"
LONGEST_WAIT = 60
LARGEST_INPUT = 8 * 1024 * 1024
LARGEST_PAGE = 1_000
NO_LIMIT = 999_999_999_999  # what Apify answers as the limit when none was asked for
PAGE_OF_SEARCH = 25
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FOR_EVER = 10.0**9  # seconds
TERMINAL = ("SUCCEEDED", "FAILED", "TIMED-OUT", "ABORTED")
MODES = {  # mode: (price of a profile in USD, event it is charged as)
    "Short ($4 per 1k)": (0.004, "short-profile"),
    "Full ($8 per 1k)": (0.008, "full-profile"),
    "Full + email search ($12 per 1k)": (0.012, "full-profile-with-email"),
}
LEAD_PRICE, LEAD_START = 0.002, 0.02
PROFILE_PRICE, PROFILE_START = 0.0015, 0.05


class ApiError(Exception):
    """An error answer: HTTP status, Apify's error type, message."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message

    def response(self) -> Response:
        """The answer as Apify words it."""
        return json_response({"error": {"type": self.kind, "message": self.message}}, self.status)


@dataclass
class Order:
    """What a run's input comes to: ``items`` are paid for, ``free`` are not; ``asked`` names each input."""

    items: list[dict[str, Any]]
    price: float
    event: str
    start_fee: float
    asked: list[str]
    free: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Run:
    """A run; its status follows from the clock. Times in milliseconds, because that is what the wire carries."""

    id: str
    actor: str
    rows: list[dict[str, Any]]
    charged: dict[str, int]
    usd: float
    started: int
    ends: int
    outcome: str
    options: dict[str, Any]
    input_bytes: int
    webhooks: list[dict[str, Any]]
    deliveries: int
    client: dict[str, Any]
    run_input: dict[str, Any]
    stubborn: bool = False
    aborted: int | None = None

    def status(self) -> str:
        """READY, RUNNING, and then how it ended."""
        now = _now()
        if self.aborted is not None:
            return "ABORTED"
        if now >= self.ends:
            return self.outcome
        return "RUNNING" if now >= self.started + (self.ends - self.started) // 10 else "READY"

    def visible_rows(self) -> list[dict[str, Any]]:
        """What the dataset holds now: it fills while the run runs."""
        if self.status() in TERMINAL or self.ends <= self.started:
            return self.rows
        return self.rows[: len(self.rows) * (_now() - self.started) // (self.ends - self.started)]

    def short(self) -> dict[str, Any]:
        """The run as an entry of a list."""
        status = self.status()
        finished = None
        if status in TERMINAL:
            finished = _iso(self.aborted if self.aborted is not None else self.ends)
        return {
            "id": self.id,
            "actId": _opaque("actor", self.actor),
            "userId": USER_ID,
            "status": status,
            "startedAt": _iso(self.started),
            "finishedAt": finished,
            "buildId": _opaque("build", self.actor),
            "buildNumber": "0.0.1",
            "meta": {"origin": "API", **self.client},
            "usageTotalUsd": self.usd,
            "defaultKeyValueStoreId": _opaque("store", self.id),
            "defaultDatasetId": self.dataset_id,
            "defaultRequestQueueId": _opaque("queue", self.id),
        }

    def full(self) -> dict[str, Any]:
        """The run as Apify gives it when asked for by id."""
        status = self.status()
        seconds = (min(_now(), self.aborted or self.ends) - self.started) / 1000
        messages = {"READY": None, "RUNNING": "Starting the crawl.", "ABORTED": "Actor run was aborted."}
        return {
            **self.short(),
            "statusMessage": messages.get(
                status, f"Finished. {len(self.rows)} results." if status == "SUCCEEDED" else status
            ),
            "isStatusMessageTerminal": status in TERMINAL,
            "exitCode": {"SUCCEEDED": 0, "FAILED": 1}.get(status),
            "stats": {
                "inputBodyLen": self.input_bytes,
                "restartCount": 0,
                "resurrectCount": 0,
                "durationMillis": int(seconds * 1000),
                "runTimeSecs": seconds,
                "computeUnits": 0.0,
            },
            "options": self.options,
            "generalAccess": "FOLLOW_USER_SETTING",
            "chargedEventCounts": self.charged,
            "platformUsageBillingModel": "DEVELOPER",
        }

    @property
    def dataset_id(self) -> str:
        """The run's only dataset."""
        return _opaque("dataset", self.id)


class Apify:
    """State and endpoints of the pretended Apify."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.actors: dict[str, Callable[[dict[str, Any]], Order]] = {
            "harvestapi/linkedin-company-employees": self._employees,
            "code_crafter/leads-finder": self._leads,
            "harvestapi/linkedin-profile-scraper": self._profiles,
        }
        self.seen: dict[str, tuple[str, str]] = {}  # people handed out: where to look them up again
        self._tasks: set[asyncio.Task[None]] = set()
        self.reset()

    def reset(self) -> None:
        """Forget runs and charges, but not who was found: the world has not changed."""
        self.runs: dict[str, Run] = {}
        self.inputs: Counter[str] = Counter()
        self.bought: Counter[str] = Counter()

    def charges(self) -> dict[str, Any]:
        """Runs started, items paid for, dollars, and how often each person was paid for."""
        with self.settings.lock:
            return {
                "runs": len(self.runs),
                "items": sum(self.bought.values()),
                "usd": round(sum(run.usd for run in self.runs.values()), 6),
                "people": dict(self.bought),
            }

    def routes(self) -> list[Route]:
        """Every endpoint; ``acts`` is the older name of ``actors``."""
        routes = [
            Route("/v2/actor-runs", self._list_runs),
            Route("/v2/actor-runs/{run_id}", self._get_run),
            Route("/v2/actor-runs/{run_id}/abort", self._abort, methods=["POST"]),
            Route("/v2/actor-runs/{run_id}/log", self._log),
            Route("/v2/actor-runs/{run_id}/dataset/items", self._items),
            Route("/v2/logs/{run_id}", self._log),
            Route("/v2/actor-runs/{run_id}/key-value-store/records/INPUT", self._input),
            Route("/v2/datasets/{dataset_id}", self._get_dataset),
            Route("/v2/datasets/{dataset_id}/items", self._items),
        ]
        for name in ("actors", "acts"):
            routes += [
                Route(f"/v2/{name}/{{actor}}", self._get_actor),
                Route(f"/v2/{name}/{{actor}}/runs", self._list_runs),
                Route(f"/v2/{name}/{{actor}}/runs", self._start_run, methods=["POST"]),
                Route(f"/v2/{name}/{{actor}}/run-sync-get-dataset-items", self._run_sync, methods=["POST"]),
            ]
        return routes

    # endpoints

    async def _start_run(self, request: Request) -> Response:
        run = await self._start(request)
        await _wait(run, _wait_seconds(request))
        return json_response({"data": run.full()}, 201)

    async def _run_sync(self, request: Request) -> Response:
        run = await self._start(request)
        await _wait(run, self.settings.sync_timeout)
        if run.status() == "SUCCEEDED":
            return json_response(run.rows, 201, _page_headers(run.rows, 0, NO_LIMIT, len(run.rows), False))
        if run.status() in TERMINAL:
            raise ApiError(400, "run-failed", f"Actor run did not succeed (run ID: {run.id}, status: {run.status()}).")
        raise ApiError(408, "run-timeout-exceeded", f"Actor run exceeded {self.settings.sync_timeout:.0f} seconds")

    async def _get_run(self, request: Request) -> Response:
        run = self._run(request)
        await _wait(run, _wait_seconds(request))
        return json_response({"data": run.full()})

    async def _input(self, request: Request) -> Response:
        return json_response(self._run(request).run_input)

    async def _abort(self, request: Request) -> Response:
        run = self._run(request)
        with self.settings.lock:
            if run.status() not in TERMINAL and not run.stubborn:
                run.aborted = _now()
        return json_response({"data": run.full()})

    async def _list_runs(self, request: Request) -> Response:
        check_token(request)
        actor = self._actor(request.path_params["actor"]) if "actor" in request.path_params else None
        query = request.query_params
        wanted = set(filter(None, query.get("status", "").split(",")))
        after, before = _instant(query.get("startedAfter")), _instant(query.get("startedBefore"))
        offset, limit, desc = _number(query, "offset", 0), _number(query, "limit", LARGEST_PAGE), _flag(query, "desc")
        limit = min(limit, LARGEST_PAGE) or LARGEST_PAGE
        with self.settings.lock:
            runs = [
                run.short()
                for run in self.runs.values()
                if (actor is None or run.actor == actor)
                and (not wanted or run.status() in wanted)
                and (after is None or _time(run.started) >= after)
                and (before is None or _time(run.started) <= before)
            ]
        page = (runs[::-1] if desc else runs)[offset : offset + limit]
        data = {"total": len(runs), "offset": offset, "limit": limit, "desc": desc, "count": len(page), "items": page}
        return json_response({"data": data})

    async def _items(self, request: Request) -> Response:
        run = self._run(request)
        query = request.query_params
        if query.get("format", "json") != "json":
            raise ApiError(400, "invalid-value", "The sandbox only knows format=json")
        offset, desc, clean = _number(query, "offset", 0), _flag(query, "desc"), _flag(query, "clean")
        limit = _number(query, "limit", NO_LIMIT) or NO_LIMIT
        rows = run.visible_rows()
        page = (rows[::-1] if desc else rows)[offset : offset + limit]
        headers = _page_headers(rows, offset, limit, len(page), desc)
        if clean or _flag(query, "skipHidden"):
            page = [{name: value for name, value in row.items() if not name.startswith("#")} for row in page]
        if fields := list(filter(None, query.get("fields", "").split(","))):
            page = [{name: row[name] for name in fields if name in row} for row in page]
        if clean or _flag(query, "skipEmpty"):  # after counting: a page may be shorter than what was scanned for it
            page = [row for row in page if row]
        return json_response(page, 200, headers)

    async def _get_dataset(self, request: Request) -> Response:
        run = self._run(request)
        rows = run.visible_rows()
        data = {
            "id": run.dataset_id,
            "name": None,
            "userId": USER_ID,
            "createdAt": _iso(run.started),
            "modifiedAt": _iso(run.started),
            "accessedAt": _iso(_now()),
            "itemCount": len(rows),
            "cleanItemCount": len([row for row in rows if row]),
            "actId": _opaque("actor", run.actor),
            "actRunId": run.id,
            "consoleUrl": f"https://console.apify.com/storage/datasets/{run.dataset_id}",
        }
        return json_response({"data": data})

    async def _get_actor(self, request: Request) -> Response:
        check_token(request)
        actor = self._actor(request.path_params["actor"])
        user, name = actor.split("/")
        data = {
            "id": _opaque("actor", actor),
            "userId": _opaque("user", user),
            "name": name,
            "username": user,
            "isPublic": True,
            "createdAt": "2024-01-01T00:00:00.000Z",
            "modifiedAt": "2025-01-01T00:00:00.000Z",
            "stats": {"totalRuns": len(self.runs)},
            "versions": [{"versionNumber": "0.0", "sourceType": None, "buildTag": "latest"}],
            "defaultRunOptions": {"build": "latest", "timeoutSecs": 3600, "memoryMbytes": 1024},
        }
        return json_response({"data": data})

    async def _log(self, request: Request) -> Response:
        run = self._run(request)
        lines = [
            f"{_iso(run.started)} ACTOR: Starting container.",
            f"{_iso(run.started)} INFO  {len(run.rows)} results",
        ]
        return Response("\n".join(lines) + "\n", 200, media_type="text/plain")

    # a run's start

    async def _start(self, request: Request) -> Run:
        check_token(request)
        actor = self._actor(request.path_params["actor"])
        try:
            body = await body_of(request)
            run_input = json.loads(body or b"{}")
        except (BadRequest, ValueError) as error:
            raise ApiError(400, "invalid-input", f"The input cannot be read: {error}") from error
        if len(body) > LARGEST_INPUT:
            raise ApiError(413, "request-too-large", "The POST payload is too large")
        if not isinstance(run_input, dict):
            raise _invalid("input", "must be an object")
        options, webhooks = _run_options(request), _webhooks(request)
        client = {
            "clientIp": request.client.host if request.client else None,
            "userAgent": request.headers.get("user-agent"),
        }
        with self.settings.lock:
            run = self._charge(actor, run_input, options, webhooks, fault_of(request), len(body), client)
        if webhooks:
            task = asyncio.create_task(self._deliver(run))
            self._tasks.add(task)  # the loop itself keeps no reference
            task.add_done_callback(self._tasks.discard)
        return run

    def _charge(
        self,
        actor: str,
        run_input: dict[str, Any],
        options: dict[str, Any],
        webhooks: list[dict[str, Any]],
        fault: dict[str, Any],
        input_bytes: int,
        client: dict[str, Any],
    ) -> Run:
        order = self.actors[actor](run_input)
        self._check_free_slot()
        items = _truncated(order, options)
        outcome = "SUCCEEDED"
        if fault.get("fault") in ("run_fails", "run_hangs"):
            outcome = fault.get("status", "FAILED")
            items = items[: int(fault.get("items", 0))]
        usd = round(order.start_fee + len(items) * order.price, 6)
        if sum(run.usd for run in self.runs.values()) + usd > self.settings.apify_usd:
            raise NO_CREDIT
        rows = [*items, *order.free]
        if fault.get("fault") == "empty_rows":
            rows = [row for item in rows for row in (item, {})]
        charged = {order.event: len(items)}
        if order.start_fee:
            charged["actor-start"] = 1
        started, seconds = _now(), self.settings.run_seconds
        if 0 < options["timeoutSecs"] < seconds:
            seconds, outcome = options["timeoutSecs"], "TIMED-OUT"
        if fault.get("fault") == "run_hangs":
            seconds = FOR_EVER
        run = Run(
            id=_opaque("run", uuid.uuid4()), actor=actor, rows=rows, charged=charged, usd=usd, started=started,
            ends=started + int(seconds * 1000), outcome=outcome, options=options, input_bytes=input_bytes,
            webhooks=webhooks, deliveries=2 if fault.get("fault") == "duplicate_webhook" else 1, client=client, run_input=run_input,
            stubborn=bool(fault.get("stubborn")),
        )  # fmt: skip
        self.runs[run.id] = run
        self.inputs.update(f"{actor} {asked}" for asked in order.asked)
        self.bought.update(item.get("publicIdentifier") or item["linkedin"].rsplit("/", 1)[-1] for item in items)
        return run

    def _check_free_slot(self) -> None:
        running = sum(run.status() not in TERMINAL for run in self.runs.values())
        if self.settings.max_concurrent_runs is not None and running >= self.settings.max_concurrent_runs:
            raise ApiError(402, "concurrent-runs-limit-exceeded", "You reached the limit of concurrent Actor runs.")

    async def _deliver(self, run: Run) -> None:
        await _wait(run, float("inf"))
        event = f"ACTOR.RUN.{run.status().replace('-', '_')}"
        data: dict[str, Any] = {
            "userId": USER_ID,
            "createdAt": _iso(_now()),
            "eventType": event,
            "eventData": {"actorId": _opaque("actor", run.actor), "actorRunId": run.id},
            "resource": run.full(),
        }
        for webhook in run.webhooks:
            if event not in webhook["eventTypes"]:
                continue
            body = _filled(webhook.get("payloadTemplate"), data) or json.dumps(data)
            headers = json.loads(_filled(webhook.get("headersTemplate"), data) or "{}")
            for _ in range(run.deliveries):
                await asyncio.to_thread(_post, webhook["requestUrl"], body, headers)

    def _actor(self, name: str) -> str:
        for actor in self.actors:
            if name in (actor, actor.replace("/", "~"), _opaque("actor", actor)):
                return actor
        raise ApiError(404, "record-not-found", "Actor was not found")

    def _run(self, request: Request) -> Run:
        check_token(request)
        run_id, dataset_id = request.path_params.get("run_id"), request.path_params.get("dataset_id")
        with self.settings.lock:
            for run in self.runs.values():
                if run_id == run.id or (dataset_id is not None and dataset_id == run.dataset_id):
                    return run
        raise ApiError(404, "record-not-found", "Actor run was not found" if run_id else "Dataset was not found")

    # the actors

    def _employees(self, run_input: dict[str, Any]) -> Order:
        companies = _strings(run_input, "companies", most=1_000)
        titles = _strings(run_input, "jobTitles", most=20)
        seniorities, functions = _strings(run_input, "seniorityLevelIds"), _strings(run_input, "functionIds")
        mode = run_input.get("profileScraperMode", "Full ($8 per 1k)")
        if mode not in MODES:
            raise _invalid("profileScraperMode", f"must be equal to one of the allowed values: {', '.join(MODES)}")
        if not companies:
            raise _invalid("companies", "must hold at least one company")
        per_company = _count(run_input, "maxItemsPerCompany")
        most, pages = _count(run_input, "maxItems"), _count(run_input, "takePages")
        if most is None and pages is None:
            raise _invalid("maxItems", "is required when takePages is not set")
        if pages is not None:
            per_company = min(per_company or NO_LIMIT, pages * PAGE_OF_SEARCH)
        items: list[dict[str, Any]] = []
        for company in companies:
            slug, key = self._company(company)
            found = [
                person
                for person in self._people(key, slug)
                if passes(person.title, titles)
                and passes_filters(person.title, seniorities)
                and passes_filters(person.title, functions)
            ]
            items += [_profile(person, mode, company) for person in found[:per_company]]
        price, event = MODES[mode]
        filters = "".join(
            f" {name}={','.join(sorted(map(str.lower, chosen)))}"
            for name, chosen in (("titles", titles), ("seniority", seniorities), ("function", functions))
            if chosen
        )
        return Order(items[:most], price, event, 0.0, [self._company(company)[0] + filters for company in companies])

    def _leads(self, run_input: dict[str, Any]) -> Order:
        domains = [domain.lower() for domain in _strings(run_input, "company_domain")]
        titles = _strings(run_input, "contact_job_title")
        seniorities, functions = _strings(run_input, "seniority_level"), _strings(run_input, "functional_level")
        most = _count(run_input, "fetch_count")
        if not domains:
            raise _invalid("company_domain", "must hold at least one domain")
        slugs = {domain: slug for slug, domain in self.settings.companies.items()}
        items = [
            _lead(person, domain, slugs.get(domain, slug_of(domain)))
            for domain in domains
            for person in self._people(domain, slugs.get(domain, slug_of(domain)))
            if passes(person.title, titles)
            and passes_filters(person.title, seniorities)
            and passes_filters(person.title, functions)
        ]
        return Order(items[:most], LEAD_PRICE, "lead", LEAD_START, domains)

    def _profiles(self, run_input: dict[str, Any]) -> Order:
        asked = [
            (name, value) for field_name, name in (("queries", "query"), ("urls", "url"), ("publicIdentifiers", "publicIdentifier"))
            for value in _strings(run_input, field_name)
        ]  # fmt: skip
        if not asked:
            raise _invalid("queries", "one of queries, urls, publicIdentifiers must hold at least one profile")
        found: list[dict[str, Any]] = []
        missing: list[dict[str, Any]] = []
        for name, value in asked:
            person = self._person(_identifier(value))
            if person:
                found.append({"originalQuery": {name: value}, **_profile(person, "Full ($8 per 1k)", value)})
            else:
                missing.append({"originalQuery": {name: value}, "status": 404, "error": "Profile not found"})
        return Order(
            found, PROFILE_PRICE, "profile", PROFILE_START, [_identifier(value) for _, value in asked], missing
        )

    def _company(self, asked: str) -> tuple[str, str]:
        """Slug and key (the domain where it is known) of a company given as LinkedIn URL, domain or slug."""
        found = re.search(r"linkedin\.com/(?:company|school)/([^/?#]+)", asked.lower())
        name = found.group(1) if found else re.sub(r"^(https?://)?(www\.)?", "", asked.lower()).split("/")[0]
        if found is None and "." in name:
            return slug_of(name), name
        return name, self.settings.companies.get(name, name)

    def _people(self, key: str, slug: str) -> list[Person]:
        people = people_of(key, self.settings.seed, self.settings.generation, slug)
        self.seen.update({person.public_identifier: (key, slug) for person in people})
        return people

    def _person(self, identifier: str) -> Person | None:
        if identifier not in self.seen:
            return None
        return next(
            (person for person in self._people(*self.seen[identifier]) if person.public_identifier == identifier), None
        )


NO_CREDIT = ApiError(
    402,
    "not-enough-usage-to-run-paid-actor",
    "By launching this job you will exceed your remaining usage. Please consider an upgrade to a higher subscription plan.",
)


def check_token(request: Request) -> None:
    """Raises ApiError unless the request carries a token; the token ``bad`` is nobody's."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip() if scheme.lower() == "bearer" else request.query_params.get("token", "")
    if not token:
        raise ApiError(401, "token-not-provided", "Authentication token was not provided")
    if token == "bad":
        raise ApiError(401, "user-or-token-not-found", "User was not found or authentication token is not valid")


def _truncated(order: Order, options: dict[str, Any]) -> list[dict[str, Any]]:
    most = options.get("maxItems", NO_LIMIT)
    ceiling = options.get("maxTotalChargeUsd")
    if ceiling is not None:
        if ceiling < order.start_fee:
            raise ApiError(
                400, "max-total-charge-usd-below-minimum", f"maxTotalChargeUsd must be at least {order.start_fee}"
            )
        most = min(most, int((ceiling - order.start_fee) / order.price + 1e-9))
    return order.items[:most]


def _run_options(request: Request) -> dict[str, Any]:
    query = request.query_params
    memory = _number(query, "memory", 1024)
    if not 128 <= memory <= 32_768:
        raise ApiError(400, "invalid-value", "memory must be between 128 and 32768")
    options: dict[str, Any] = {
        "build": query.get("build", "latest"),
        "timeoutSecs": _number(query, "timeout", 3600),
        "memoryMbytes": memory,
        "diskMbytes": memory * 2,
    }
    if "maxItems" in query:
        options["maxItems"] = _number(query, "maxItems", 0)
        if options["maxItems"] < 1:
            raise ApiError(400, "max-items-must-be-greater-than-zero", "maxItems must be greater than zero")
    if "maxTotalChargeUsd" in query:
        try:
            options["maxTotalChargeUsd"] = float(query["maxTotalChargeUsd"])
        except ValueError as error:
            raise ApiError(400, "invalid-value", "maxTotalChargeUsd must be a number") from error
        if not options["maxTotalChargeUsd"] > 0:
            raise ApiError(
                400, "max-total-charge-usd-must-be-greater-than-zero", "maxTotalChargeUsd must be above zero"
            )
    return options


def _webhooks(request: Request) -> list[dict[str, Any]]:
    encoded = request.query_params.get("webhooks")
    if not encoded:
        return []
    try:
        webhooks = json.loads(base64.b64decode(encoded, validate=True))
        if all(isinstance(hook["eventTypes"], list) and isinstance(hook["requestUrl"], str) for hook in webhooks):
            return list(webhooks)
    except (binascii.Error, ValueError, TypeError, KeyError):
        pass
    raise ApiError(
        400, "invalid-value", "webhooks must be a Base64 JSON array of objects with eventTypes and requestUrl"
    )


def _filled(template: str | None, data: dict[str, Any]) -> str | None:
    if not template:
        return None
    return re.sub(r"\{\{(\w+)\}\}", lambda found: json.dumps(data.get(found.group(1))), template)


def _post(url: str, body: str, headers: dict[str, str]) -> None:
    try:
        requests.post(url, body.encode(), headers={"content-type": "application/json", **headers}, timeout=10)
    except requests.RequestException:
        return  # the vendor tries again much later; a webhook that is lost is what clients must live with


def _profile(person: Person, mode: str, asked: str) -> dict[str, Any]:
    """A LinkedIn profile as the harvestapi actors give it."""
    place = person.location
    profile: dict[str, Any] = {
        "id": _opaque("person", person.public_identifier),
        "publicIdentifier": person.public_identifier,
        "linkedinUrl": f"https://www.linkedin.com/in/{person.public_identifier}",
        "firstName": person.first_name,
        "lastName": ", ".join(filter(None, (person.last_name, person.credentials))),
        "headline": person.headline,
        "location": {
            "linkedinText": f"{place['city']}, {place['state']}, {place['country']}",
            "countryCode": place["code"],
            "parsed": {key: place[key] for key in ("city", "state", "country")},
        },
        "currentPosition": [_row(job) for job in person.jobs if job.end is None],
        "openToWork": False,
        "premium": False,
        "connectionsCount": 100 + len(person.headline) * 7,
        "_meta": {"query": {"company": asked}},
        "#debug": {"requestId": person.public_identifier},
    }
    if not mode.startswith("Short"):
        profile["experience"] = [_row(job) for job in person.jobs]
        profile["education"] = [{"schoolName": "Riverbend College", "degree": "BA", "endDate": {"text": "2005"}}]
        profile["skills"] = [{"name": "Leadership"}]
    if "email" in mode and person.works_here and person.email:
        profile["email"] = person.email
    return profile


def _row(job: Job) -> dict[str, Any]:
    return {
        "position": job.title,
        "companyName": job.company,
        "companyLinkedinUrl": f"https://www.linkedin.com/company/{job.slug}/",
        "companyId": str(int(uuid.uuid5(uuid.NAMESPACE_URL, job.slug)) % 90_000_000 + 1_000_000),
        "employmentType": "Full-time",
        "startDate": {"month": job.start[0], "year": job.start[1], "text": f"{job.start[0]} {job.start[1]}"},
        "endDate": {"text": "Present"}
        if job.end is None
        else {"month": job.end[0], "year": job.end[1], "text": f"{job.end[0]} {job.end[1]}"},
    }


def _lead(person: Person, domain: str, slug: str) -> dict[str, Any]:
    """A lead as leads-finder gives it: its data is older, so whoever left is still listed as being there."""
    ours = next(job for job in person.jobs if job.ours)
    seniority = next((name for name in ("c_suite", "owner", "founder", "vp", "director", "head", "manager")
                      if passes_filters(person.title, [name])), "entry")  # fmt: skip
    return {
        "first_name": person.first_name,
        "last_name": person.last_name,
        "full_name": f"{person.first_name} {person.last_name}",
        "email": person.email,
        "personal_email": None,
        "mobile_number": None,
        "linkedin": f"https://www.linkedin.com/in/{person.public_identifier}",
        "job_title": person.title,
        "headline": person.headline,
        "seniority_level": seniority,
        "functional_level": next(
            (name for name in ("finance", "human_resources") if passes_filters(person.title, [name])), None
        ),
        "city": person.location["city"],
        "state": person.location["state"],
        "country": person.location["country"],
        "company_name": ours.company,
        "company_domain": domain,
        "company_website": f"https://www.{domain}",
        "company_linkedin": f"https://www.linkedin.com/company/{slug}",
        "company_size": "11-50",
        "keywords": "manufacturing, wholesale",
    }


def _identifier(asked: str) -> str:
    return re.sub(r"[/?#].*$", "", re.sub(r"^.*linkedin\.com/in/", "", asked.strip().lower()))


def _strings(run_input: dict[str, Any], name: str, most: int | None = None) -> list[str]:
    values = run_input.get(name) or []
    if not isinstance(values, list) or not all(isinstance(value, str | int) for value in values):
        raise _invalid(name, "must be an array of strings")
    if most is not None and len(values) > most:
        raise _invalid(name, f"must NOT have more than {most} items")
    return [str(value).strip() for value in values]


def _count(run_input: dict[str, Any], name: str) -> int | None:
    value = run_input.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _invalid(name, "must be an integer >= 0")
    return value or None  # these actors read 0 as "not set"


def _invalid(name: str, why: str) -> ApiError:
    return ApiError(400, "invalid-input", f"Input is not valid: Field input.{name} {why}")


def _number(query: Any, name: str, default: int) -> int:
    try:
        value = int(float(query.get(name, default)))
    except (ValueError, OverflowError):
        value = -1
    if value < 0:
        raise ApiError(400, "invalid-value", f"Invalid value provided in {name}: must be a number >= 0")
    return value


def _flag(query: Any, name: str) -> bool:
    return query.get(name, "").lower() in ("1", "true")


def _instant(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise ApiError(400, "invalid-value", f"{text} is not an ISO 8601 date") from error
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _wait_seconds(request: Request) -> float:
    return min(_number(request.query_params, "waitForFinish", 0), LONGEST_WAIT)


async def _wait(run: Run, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while run.status() not in TERMINAL and (left := deadline - time.monotonic()) > 0:
        await asyncio.sleep(min(0.05, left))  # short, because an abort may end the run at any time


def _page_headers(rows: list[Any], offset: int, limit: int, count: int, desc: bool) -> dict[str, str]:
    values = {"Total": len(rows), "Offset": offset, "Limit": limit, "Count": count, "Desc": str(desc).lower()}
    return {f"X-Apify-Pagination-{name}": str(value) for name, value in values.items()}


def _opaque(kind: str, name: Any) -> str:
    """A vendor's id: 17 letters and digits, the same for the same thing."""
    number, letters = uuid.uuid5(uuid.NAMESPACE_OID, f"{kind} {name}").int, ""
    alphabet = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # pragma: allowlist secret
    for _ in range(17):
        number, digit = divmod(number, len(alphabet))
        letters += alphabet[digit]
    return letters


def _now() -> int:
    return time.time_ns() // 1_000_000


def _time(milliseconds: int) -> datetime:
    return EPOCH + timedelta(milliseconds=milliseconds)


def _iso(milliseconds: int) -> str:
    return _time(milliseconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")
