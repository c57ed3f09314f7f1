"""Apify: starting actor runs, finding lost ones, following them, and reading their items (VENDORS.md; docs/explanation/vendors.md).

A run is started with one plain request, because the official client retries and Apify has no idempotency key; everything that
reads is the official client's. Not here: what the items mean (``items``).
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from barton_pipeline import config
from barton_pipeline.config import Count, Positive
from barton_pipeline.errors import InputError
from barton_pipeline.outbound import requests
from barton_pipeline.outbound import settings as outbound_settings
from barton_pipeline.outbound.requests import Answer, Request, Shape
from barton_pipeline.outbound.settings import Operation
from barton_pipeline.outbound.wire import Refused, Trouble, Unclear, retry_after, send_once
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.vendors import settings
from barton_pipeline.vendors.items import by_input
from barton_pipeline.vendors.settings import Access

if TYPE_CHECKING:
    from apify_client import ApifyClient

_ENDED = {"SUCCEEDED", "FAILED", "TIMED-OUT", "ABORTED"}
# these pass when other runs of the account end
_PASSING = {"rate-limit-exceeded", "concurrent-runs-limit-exceeded", "actor-memory-limit-exceeded"}
_PAGE = 1_000
_CLOCKS_DIFFER = timedelta(minutes=10)


@dataclass(frozen=True)
class Actor:
    """The actor that answers an operation; ``mode`` is its profileScraperMode, where it has one."""

    id: str
    mode: str = ""


@dataclass(frozen=True)
class Rules:
    """``apify.yaml``: actors by operation, and the times of a run."""

    actors: Mapping[str, Actor]
    job_titles: tuple[str, ...]
    run_timeout_seconds: Count
    overdue_seconds: Positive


@cache
def rules() -> Rules:
    """``apify.yaml``, read once per process. Raises InputError that names the file and the key that is wrong."""
    return read_rules(Path(__file__).with_name("apify.yaml"))


def read_rules(path: Path) -> Rules:
    """The rules that a file states. Raises InputError that names the file and the key that is wrong."""
    found = config.load(path, Rules)
    for name, operation in settings.rules().operations.items():
        if operation.vendor == Apify.name and name not in found.actors:
            raise InputError(f"{path.name}: actors.{name} is missing; vendors.yaml has that operation.")
    return found


class Apify:
    """Actor runs for ledger requests. Every method may raise Trouble (read again later)."""

    name: ClassVar[str] = "apify"
    title: ClassVar[str] = "Apify"
    key_variable: ClassVar[str] = "APIFY_TOKEN"
    urls: ClassVar[Mapping[str, str]] = {"api": "https://api.apify.com"}

    def __init__(self, access: Access, token: str) -> None:
        self._access = access
        self._token = token

    @cached_property
    def _client(self) -> "ApifyClient":
        from apify_client import ApifyClient

        return ApifyClient(
            self._access.key, api_url=self._access.urls["api"], max_retries=outbound_settings.rules().retries
        )

    def new_round(self, operation: Operation) -> "_Round":
        """Begin a round: the actors take whatever the budget allows."""
        return _Round(operation)

    def perform(self, request: Request) -> None:
        """Start the run of a reserved request and follow it until it is settled; unknown if that is not certain.

        Raises Refused when the vendor will not take it (the request is refused in the ledger too).
        """
        run_id = requests.send_fenced(request, self._token, lambda attempt: self._start(request, attempt))
        if run_id is not None:
            self._adopt(request, run_id)

    def resume(self, abandoned: Sequence[Request]) -> None:
        """Go on with requests whose process has ended."""
        for request in abandoned:
            if request.reference:
                self._follow(request, request.reference)
            else:
                self._find_and_follow(request)

    def _start(self, request: Request, attempt: int) -> str:
        operation, actor = _operation_of(request), rules().actors[request.operation]
        requests.check_held(request, self._token, attempt)
        response = send_once(
            "Apify",
            "POST",
            f"{self._access.urls['api']}/v2/actors/{actor.id}/runs",
            json=request.body,
            params={
                "maxTotalChargeUsd": str(request.estimated_usd),
                "maxItems": operation.items_per_input * len(request.inputs),
                "timeout": rules().run_timeout_seconds,
            },
            headers={"Authorization": f"Bearer {self._access.key}"},
        )
        if response.status_code == 201:
            try:
                return str(response.json()["data"]["id"])
            except (ValueError, KeyError, TypeError):
                raise Unclear("Apify confirmed a run in words we cannot read") from None
        kind, message = _error(response)
        words = f"Apify refused to start {actor.id} ({response.status_code} {kind}: {message})"
        if response.status_code == 429 or kind in _PASSING:
            raise Refused(f"{words}; its limits are reached", retry_after(response, attempt))
        if response.status_code in (400, 401, 402, 403, 404, 413):
            raise Refused(
                f"{words}. {_REMEDIES.get(response.status_code, 'Check the actor and its input in apify.yaml.')}"
            )
        raise Unclear(f"{words}: it may have started all the same")

    def _find_and_follow(self, request: Request) -> None:
        """Look for the run once its start must show in the vendor's list; without one the request was never charged."""
        with transaction() as connection:
            sent_at, seconds_ago = requests.sent_at(connection, request)
        time.sleep(max(0.0, outbound_settings.rules().grace_seconds - seconds_ago))
        run_id = self._find(request, sent_at)
        if run_id is None:
            with transaction() as connection:
                requests.refuse(connection, request, "the vendor's list has no such run: it was never started")
            return
        self._adopt(request, run_id)

    def _find(self, request: Request, sent_at: datetime) -> str | None:
        """The run that was started with the very input of the request and belongs to no other one."""
        actor = rules().actors[request.operation]
        with _reading():
            offset = 0
            while True:
                page = (
                    self._client.actor(actor.id)
                    .runs()
                    .list(
                        started_after=sent_at - _CLOCKS_DIFFER,
                        started_before=sent_at + _CLOCKS_DIFFER,
                        limit=_PAGE,
                        offset=offset,
                    )
                )
                for run in page.items:
                    if not _is_known(str(run.id)) and self._input_of(run.id) == request.body:
                        return str(run.id)
                if not page.items:
                    return None
                offset += len(page.items)

    def _input_of(self, run_id: str) -> Any:
        record = self._client.run(run_id).key_value_store().get_record("INPUT")
        return record["value"] if record else None

    def _adopt(self, request: Request, run_id: str) -> None:
        with transaction() as connection:
            requests.set_reference(connection, request, run_id)
        self._follow(request, run_id)

    def _follow(self, request: Request, run_id: str) -> None:
        """Wait for the run's end, read its items, settle."""
        aborted = False
        wait = timedelta(seconds=outbound_settings.rules().poll_seconds)
        with _reading():
            run = self._client.run(run_id).get()
            while run is not None and run.status not in _ENDED:
                overdue = _seconds_since(run.started_at) - rules().run_timeout_seconds - rules().overdue_seconds
                if overdue > 0 and not aborted:
                    aborted = True
                    self._client.run(run_id).abort()
                elif overdue > rules().overdue_seconds:
                    raise Trouble(
                        f"Apify run {run_id} does not end, not even when it is aborted; it is looked at again later. Abort it "
                        "in the Apify console: what it has found is then settled."
                    )
                run = self._client.run(run_id).wait_for_finish(wait_duration=wait)
            if run is None:
                raise Trouble(f"Apify no longer knows run {run_id} of request {request.id}")
            items = list(self._items(run.default_dataset_id))
        self._settle(request, run, items)

    def _items(self, dataset_id: str) -> Iterator[dict[str, Any]]:
        """All items; the end is an empty page, because a page may be short of what was asked for."""
        offset = 0
        while (answer := self._client.dataset(dataset_id).list_items(limit=_PAGE, offset=offset)).items:
            page = answer.items
            # the client makes a list of one out of an object that is no list
            if len(page) == 1 != answer.count or not all(isinstance(item, dict) for item in page):
                raise Trouble(
                    f"Apify gives out dataset {dataset_id} in a form we cannot read ({str(page)[:100]}); it is paid, kept by Apify "
                    "for some days, and read again later. If that goes on, Apify's interface has changed: barton needs an update."
                )
            yield from page
            offset += len(page)

    def _settle(self, request: Request, run: Any, items: list[dict[str, Any]]) -> None:
        operation = _operation_of(request)
        found = by_input(operation.name, request.inputs, items)
        assigned = sum(map(len, found.values()))
        usd = _charged(run, operation, len(items))
        complete = run.status == "SUCCEEDED"
        limit_reached = len(items) >= operation.items_per_input * len(request.inputs)
        answers = {
            key: Answer(
                {"items": found[key], "limit_reached": limit_reached, "run": run.id},
                (usd * max(len(found[key]), 1) / max(len(items), len(request.inputs))).quantize(Decimal("0.000001")),
            )
            for key in request.inputs
            # without items it may have been cut off before its turn; then it is asked again
            if found[key] or (complete and not (limit_reached and assigned))
        }
        response = {"run": run.model_dump(mode="json", by_alias=True), "items": len(items), "assigned": assigned}
        with transaction() as connection:
            requests.settle(connection, request, operation, answers, usd, response)
        if not complete:
            raise Trouble(
                f"Apify run {run.id} ended as {run.status} ({run.status_message or 'no reason given'}) with {len(items)} items; "
                f"they are kept, the other {len(request.inputs) - len(answers)} inputs are asked again later"
            )


@dataclass(frozen=True)
class _Round:
    operation: Operation

    def shape(self, count_wanted: Callable[[], int], reserved: int) -> Shape:
        return Shape(lambda inputs: actor_input(self.operation, inputs))


def actor_input(operation: Operation, inputs: Sequence[str]) -> dict[str, Any]:
    """The body that asks for the people of the companies ``inputs`` (domains, or LinkedIn slugs)."""
    titles = list(rules().job_titles)
    most = operation.items_per_input * len(inputs)
    if operation.name == "leads_finder":
        return {"company_domain": list(inputs), "contact_job_title": titles, "fetch_count": most}
    return {
        "profileScraperMode": rules().actors[operation.name].mode,
        "companies": [f"https://www.linkedin.com/company/{slug}" for slug in inputs],
        "jobTitles": titles,
        "companyBatchMode": "one_by_one",
        "maxItems": most,
        "maxItemsPerCompany": operation.items_per_input,
    }


_REMEDIES = {
    401: "Check APIFY_TOKEN.",
    402: "The account has no credit left: top it up; the batch goes on by itself.",
    403: "The account may not use the actor: rent it, or choose another in apify.yaml.",
}


def _error(response: Any) -> tuple[str, str]:
    try:
        error = response.json()["error"]
        return str(error["type"]), str(error["message"])[:300]
    except (ValueError, KeyError, TypeError):
        return "unreadable", response.text[:200]


def _charged(run: Any, operation: Operation, items: int) -> Decimal:
    """What the vendor says it charged; by our price list when it does not say."""
    if run.usage_total_usd is not None:
        return Decimal(str(run.usage_total_usd))
    return operation.usd_start + operation.usd_per_item * items


def _operation_of(request: Request) -> Operation:
    return settings.rules().operations[request.operation]


def _is_known(run_id: str) -> bool:
    with transaction() as connection:
        return requests.has_reference(connection, Apify.name, run_id)


def _seconds_since(moment: datetime) -> float:
    return time.time() - moment.timestamp()


@contextmanager
def _reading() -> Iterator[None]:
    """Turns what the official client raises into Trouble."""
    try:
        yield
    except Trouble:
        raise
    except Exception as error:
        if type(error).__module__.split(".")[0] not in ("apify_client", "impit", "pydantic_core", "json"):
            raise
        raise Trouble(
            f"Apify could not be read ({type(error).__name__}: {str(error)[:200]}); it is tried again later"
        ) from None
