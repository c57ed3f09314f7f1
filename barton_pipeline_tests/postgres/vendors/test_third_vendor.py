"""A vendor that exists only here: buying, ledger, budgets, holds, reports and switches know no vendor by name."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from barton_pipeline import config
from barton_pipeline.errors import InputError
from barton_pipeline.outbound import holds, requests
from barton_pipeline.outbound import settings as outbound_settings
from barton_pipeline.outbound.ledger import Input
from barton_pipeline.outbound.requests import Answer, Request, Shape
from barton_pipeline.outbound.settings import Budget, Dollars, RequestLimits
from barton_pipeline.outbound.wire import Refused, Trouble, Unclear, read_json, reading_session, retry_after, send_once
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.reports import spending
from barton_pipeline.vendors import registry, settings
from barton_pipeline.vendors.buying import Purchase
from barton_pipeline.vendors.settings import Access, PaidOperation
from barton_pipeline_tests.builders import change_rules

LOOKUP = PaidOperation(
    name="look_up", vendor="almanac", stage="enriched_contacts", usd_start=Decimal("0.01"), usd_per_item=Decimal("0.002"),
    items_per_input=1, inputs_per_request=3, at_once=4, fresh_days=30, confidence=1.0,
)  # fmt: skip
ENOUGH = Budget(Dollars(run=Decimal(1), batch=Decimal(1), day=Decimal(1), month=Decimal(1)), RequestLimits())


class Almanac(ThreadingHTTPServer):
    """The vendor's own side: it charges for every order it takes, and knows each by the key it came with.

    ``fault`` happens to the next order: refuse it, or take it and drop the connection.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.orders: dict[str, list[str]] = {}
        self.fault = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def charged_usd(self) -> Decimal:
        return sum((LOOKUP.estimate(len(questions)) for questions in self.orders.values()), Decimal(0))


class _Handler(BaseHTTPRequestHandler):
    server: Almanac

    def do_POST(self) -> None:
        order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fault, self.server.fault = self.server.fault, ""
        if self.headers["Key"] != "secret" or fault == "refuse":
            return self._answer(403, {"error": "not for you"})
        self.server.orders[order["key"]] = order["questions"]
        if fault != "drop":
            self._answer(200, self._order(order["key"]))
        return None

    def do_GET(self) -> None:
        key = self.path.split("key=")[1]
        self._answer(200, self._order(key) if key in self.server.orders else {})

    def _order(self, key: str) -> dict[str, Any]:
        questions = self.server.orders[key]
        return {"usd": str(LOOKUP.estimate(len(questions))), "answers": {name: name.upper() for name in questions}}

    def _answer(self, status: int, body: Any) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *arguments: Any) -> None:
        pass


class AlmanacClient:
    """Our side of the vendor."""

    name: ClassVar[str] = "almanac"
    title: ClassVar[str] = "Almanac"
    key_variable: ClassVar[str] = "ALMANAC_KEY"
    urls: ClassVar[Mapping[str, str]] = {"api": ""}

    def __init__(self, access: Access, token: str) -> None:
        self._access = access
        self._token = token

    def new_round(self, operation: PaidOperation) -> "AlmanacClient":
        return self

    def shape(self, count_wanted: Callable[[], int], reserved: int) -> Shape:
        return Shape(lambda inputs: {"questions": list(inputs)})

    def perform(self, request: Request) -> None:
        answer = requests.send_fenced(request, self._token, lambda attempt: self._order(request, attempt))
        if answer is not None:
            self._settle(request, answer)

    def resume(self, abandoned: Sequence[Request]) -> None:
        for request in abandoned:
            found = read_json(reading_session(), self.title, self._access.urls["api"], {"key": request.request_key})
            if found:
                self._settle(request, found)
            else:
                with transaction() as connection:
                    requests.refuse(connection, request, "never arrived")

    def _order(self, request: Request, attempt: int) -> dict[str, Any]:
        requests.check_held(request, self._token, attempt)
        response = send_once(
            self.title, "POST", self._access.urls["api"], json={"key": request.request_key, **request.body},
            headers={"Key": self._access.key},
        )  # fmt: skip
        if response.status_code == 429:
            raise Refused("too many", retry_after(response, attempt))
        if response.status_code == 403:
            raise Refused("Almanac says it is not for us")
        if response.status_code != 200:
            raise Unclear(f"HTTP {response.status_code}")
        body: dict[str, Any] = response.json()
        return body

    def _settle(self, request: Request, answer: dict[str, Any]) -> None:
        usd = Decimal(answer["usd"])
        answers = {key: Answer(said, usd / len(request.inputs)) for key, said in answer["answers"].items()}
        with transaction() as connection:
            if not requests.settle(connection, request, LOOKUP, answers, usd, answer):
                raise Trouble("it was settled meanwhile")


@pytest.fixture
def almanac(monkeypatch: pytest.MonkeyPatch) -> Iterator[Almanac]:
    """The vendor at work, registered, with a key and a budget."""
    with Almanac() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setitem(config.VARIABLES, "ALMANAC_KEY", "key of a vendor that exists only here")
        monkeypatch.setenv("ALMANAC_KEY", "secret")
        monkeypatch.setattr(AlmanacClient, "urls", {"api": server.url})
        monkeypatch.setitem(registry.VENDORS, AlmanacClient.name, AlmanacClient)
        rules = settings.rules()
        operations, budgets = {**rules.operations, LOOKUP.name: LOOKUP}, {**rules.budgets, "almanac": ENOUGH}
        change_rules(monkeypatch, settings, operations=operations, budgets=budgets)
        change_rules(monkeypatch, outbound_settings, retries=1, lease_seconds=2, heartbeat_seconds=0.5, read_seconds=5)
        yield server
        server.shutdown()


def new_purchase() -> Purchase:
    return Purchase("B1", "run-1", still_mine=lambda: None)


def questions(count: int) -> list[Input]:
    return [Input(f"question {number}") for number in range(count)]


def ledger_rows(db: Any) -> list[tuple[Any, ...]]:
    """(state, inputs, dollars) of every request, in the order of asking."""
    return db.query("SELECT state, inputs, actual_usd FROM marketing.vendor_requests ORDER BY id")


def test_it_is_bought_from_once_and_the_ledger_ends_to_the_cent(db: Any, almanac: Almanac) -> None:
    assert new_purchase().buy("look_up", questions(7))
    assert ledger_rows(db) == [
        ("settled", 3, Decimal("0.016")), ("settled", 3, Decimal("0.016")), ("settled", 1, Decimal("0.012")),
    ]  # fmt: skip
    answers = dict(db.query("SELECT input_key, response FROM marketing.vendor_calls WHERE environment = 'real'"))
    assert answers == {f"question {number}": f"QUESTION {number}" for number in range(7)}
    assert almanac.charged_usd == Decimal("0.044")
    assert not new_purchase().buy("look_up", questions(7)), "everything is known"
    assert almanac.charged_usd == Decimal("0.044")
    with transaction() as connection:
        (spent,) = spending.list_spending(connection, "B1")
        uses = {(use.vendor, use.budget): use.used_usd for use in spending.list_budgets(connection)}
    assert (spent.vendor, spent.settled, spent.inputs, spent.actual_usd) == ("almanac", 3, 7, almanac.charged_usd)
    assert uses["almanac", "day"] == almanac.charged_usd


def test_what_was_lost_is_found_again_and_not_paid_twice(db: Any, almanac: Almanac) -> None:
    almanac.fault = "drop"
    purchase = new_purchase()
    assert purchase.buy("look_up", questions(2))
    assert ledger_rows(db) == [("settled", 2, Decimal("0.014"))] and almanac.charged_usd == Decimal("0.014")
    assert db.query("SELECT reason FROM marketing.vendor_holds") == []


def test_what_it_refuses_costs_nothing_and_waits(db: Any, almanac: Almanac) -> None:
    almanac.fault = "refuse"
    purchase = new_purchase()
    purchase.buy("look_up", questions(2))
    assert purchase.is_waiting("look_up") and purchase.notes == {"look_up": "waiting: Almanac says it is not for us"}
    assert ledger_rows(db) == [("refused", 2, None)] and almanac.charged_usd == 0
    assert db.query("SELECT vendor, reason, inputs, stage FROM marketing.vendor_holds") == [
        ("almanac", "vendor_trouble", 2, "enriched_contacts")
    ]
    db.execute("UPDATE marketing.vendor_holds SET retry_at = now()")
    with transaction() as connection:
        assert holds.wake_holds(connection, settings.rules().operations, settings.rules().budgets) == ["B1"]
    ((event, payload),) = db.query("SELECT event_type, payload FROM marketing.pipeline_events")
    assert event == "continue_at_enriched_contacts"
    assert (payload["record_id"], payload["reason"]) == ("look_up", "vendor_trouble")


def test_its_budget_and_its_switch_hold_it_back(db: Any, almanac: Almanac, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = Budget(Dollars(Decimal(1), Decimal(1), LOOKUP.estimate(2), Decimal(1)), RequestLimits())
    change_rules(monkeypatch, settings, budgets={**settings.rules().budgets, "almanac": narrow})
    purchase = new_purchase()
    purchase.buy("look_up", questions(5))
    assert almanac.charged_usd == LOOKUP.estimate(2)
    assert purchase.notes["look_up"].startswith("3 inputs wait: the almanac budget per day is $0.014, of which $0.0000")
    warning = "SELECT severity FROM marketing.pipeline_errors WHERE event_type = 'vendor_budget' AND record_id = 'almanac:day:100'"
    assert db.query(warning) == [("error",)]
    with transaction() as connection:
        holds.switch(connection, "almanac", False, "lunch")
    purchase = new_purchase()
    purchase.buy("look_up", questions(5))
    assert almanac.charged_usd == LOOKUP.estimate(2)
    ((reason, message),) = db.query("SELECT reason, message FROM marketing.vendor_holds")
    assert reason == "switched_off" and "lunch" in message and message.endswith("barton vendors --on almanac")


def test_a_daily_number_of_requests_is_kept(db: Any, almanac: Almanac, monkeypatch: pytest.MonkeyPatch) -> None:
    change_rules(
        monkeypatch, settings, budgets={**settings.rules().budgets, "almanac": Budget(ENOUGH.usd, RequestLimits(day=2))}
    )
    purchase = new_purchase()
    purchase.buy("look_up", questions(10))
    assert len(almanac.orders) == 2
    assert purchase.notes == {"look_up": "4 inputs wait: 2 requests a day are allowed for almanac"}


def test_without_its_key_it_is_skipped(db: Any, almanac: Almanac, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALMANAC_KEY", "")
    purchase = new_purchase()
    assert not purchase.buy("look_up", questions(3))
    assert purchase.notes == {"look_up": "skipped: almanac has no key (3 inputs)"}


def test_a_typo_in_the_settings_stops_the_purchase_before_anything_is_reserved(
    db: Any, almanac: Almanac, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mistaken = tmp_path / "vendors.yaml"
    mistaken.write_text(settings.FILE.read_text().replace("    fresh_days", "    fresh_day", 1))
    monkeypatch.setattr(settings, "rules", lambda: settings.read_rules(mistaken))
    with pytest.raises(InputError, match=r"vendors\.yaml: unknown key operations\.leads_finder\.fresh_day"):
        new_purchase().buy("look_up", questions(3))
    assert ledger_rows(db) == [] and almanac.orders == {}
