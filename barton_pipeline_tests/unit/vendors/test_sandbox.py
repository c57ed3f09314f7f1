"""The sandbox speaks the vendors' protocols (VENDORS.md), invents the same world every time, and counts what is charged."""

import base64
import gzip
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import requests
from apify_client import ApifyClient
from apify_client.errors import InvalidRequestError, UnauthorizedError
from starlette.requests import Request

from barton_pipeline.errors import InputError
from barton_pipeline.vendors.sandbox import (
    FAULTS,
    Sandbox,
    address_truth,
    domain_pattern,
    email_of,
    people_of,
    running_sandbox,
)
from barton_pipeline.vendors.sandbox.apify import MODES, _wait_seconds
from barton_pipeline_tests.conftest import PROJECT

EMPLOYEES = "harvestapi~linkedin-company-employees"
LEADS = "code_crafter~leads-finder"
PROFILES = "harvestapi~linkedin-profile-scraper"
SHORT, FULL, WITH_EMAIL = MODES


def first_company(wanted: Any) -> str:
    """The first invented domain whose people fit."""
    return next(key for key in (f"company{number}.com" for number in range(5_000)) if wanted(people_of(key)))


EIGHT = first_company(lambda people: len(people) == 8)
NOBODY = first_company(lambda people: not people)


def address_with(result: str) -> str:
    """An address the verification says this of, the first time it is asked."""
    addresses = (email_of("Averil", "Abernorth", f"domain{number}.com") for number in range(5_000))
    return next(address for address in addresses if address_truth(address).result == result)


class Vendor:
    """Calls as a client makes them."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.session = requests.Session()

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.session.request(method, self.sandbox.url + path, timeout=options.pop("timeout", 30), **options)

    def apify(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.call(
            method, f"/v2/{path}", headers={"Authorization": "Bearer t", **options.pop("headers", {})}, **options
        )

    def start(
        self, actor: str = EMPLOYEES, wait: int = 60, companies: Any = (EIGHT,), **options: Any
    ) -> requests.Response:
        run_input = options.pop("run_input", {"companies": list(companies), "maxItems": 1000})
        query = {"waitForFinish": wait, **options.pop("params", {})}
        return self.apify("POST", f"actors/{actor}/runs", json=run_input, params=query, **options)

    def items(self, run: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
        return self.apify("GET", f"datasets/{run['defaultDatasetId']}/items", params=query).json()

    def run_of(
        self, actor: str, run_input: dict[str, Any], **options: Any
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        run = self.start(actor, run_input=run_input, **options).json()["data"]
        return run, self.items(run)

    def single(self, email: str, key: str = "k", **options: Any) -> requests.Response:
        return self.call("GET", "/api/v3/", params={"api": key, "email": email, "timeout": 10}, **options)

    def upload(self, addresses: list[str], name: str = "batch-1.csv", **query: Any) -> dict[str, Any]:
        content = "email\r\n" + "\r\n".join(addresses) + "\r\n"
        params = {"key": "k", "remove_duplicates": 1, **query}
        return self.call(
            "POST", "/bulkapi/v2/upload", params=params, files={"file_contents": (name, content, "text/csv")}
        ).json()

    def bulk(self, path: str, **query: Any) -> requests.Response:
        return self.call("GET", f"/bulkapi/{path}", params={"key": "k", **query})

    def fault(self, fault: str, **options: Any) -> None:
        answer = self.call("POST", "/_sandbox/faults", json={"fault": fault, **options})
        assert answer.status_code == 201, answer.text

    def charges(self) -> dict[str, Any]:
        return self.call("GET", "/_sandbox/charges").json()


@pytest.fixture(scope="module")
def shared() -> Iterator[Vendor]:
    with running_sandbox(seed=1, run_seconds=0.0, bulk_seconds=0.0) as sandbox:
        yield Vendor(sandbox)


@pytest.fixture
def vendor(shared: Vendor) -> Vendor:
    """A sandbox as good as new, whose runs end at once."""
    shared.sandbox.reset()
    return shared


@pytest.fixture
def slow() -> Iterator[Vendor]:
    """A sandbox whose runs and files last long enough to be watched."""
    with running_sandbox(seed=1, run_seconds=2.0, bulk_seconds=2.0) as sandbox:
        yield Vendor(sandbox)


# --- the invented world


def test_the_world_is_the_same_in_every_process() -> None:
    program = ("from barton_pipeline.vendors.sandbox import *; "
               "print([repr(people_of(f'c{n}.com', 3, 2)) for n in range(20)], address_truth('a.b@c1.com', 3))")  # fmt: skip
    said = {
        subprocess.run([sys.executable, "-c", program], cwd=PROJECT, text=True, capture_output=True, check=True,
                       env={**os.environ, "PYTHONHASHSEED": salt}).stdout
        for salt in ("1", "2")
    }  # fmt: skip
    assert len(said) == 1
    assert people_of("c1.com", 3, 2) == people_of("C1.com", 3, 2) != people_of("c1.com", 4, 2)


def test_importing_it_loads_neither_dagster_nor_pandas() -> None:
    program = (
        "import sys, barton_pipeline.vendors.sandbox; print({'dagster', 'pandas', 'apify_client'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, text=True, capture_output=True, check=True)
    assert ran.stdout.strip() == "set()"


def test_people_come_with_every_trap() -> None:
    companies = [people_of(f"company{number}.com") for number in range(600)]
    everybody = [person for people in companies for person in people]
    sizes = Counter(map(len, companies))
    assert set(sizes) == set(range(9)) and min(sizes.values()) > 30
    titles = {person.title for person in everybody}
    assert {"CEO", "Owner", "President", "Managing Director", "VP Finance", "CFO", "Controller", "HR Director",
            "Chief People Officer", "Assistant to the CEO"} <= titles  # fmt: skip
    assert any(title.startswith("Interim ") for title in titles)
    left = [person for person in everybody if not person.works_here]
    assert any(person.headline.startswith("Former ") for person in left)
    assert any(job.end is None and not job.ours for person in left for job in person.jobs)
    assert any(person.credentials for person in everybody)
    assert len({person.public_identifier for person in everybody}) == len(everybody)
    assert all(person.email is None for person in people_of(EIGHT.split(".")[0]))


def test_a_generation_later_some_have_left_and_others_arrived() -> None:
    moved = stayed = 0
    for number in range(200):
        before = {person.public_identifier: person for person in people_of(f"company{number}.com", 1, 1)}
        after = {person.public_identifier: person for person in people_of(f"company{number}.com", 1, 2)}
        assert set(before) <= set(after)
        leavers = [name for name, person in before.items() if person.works_here and not after[name].works_here]
        assert len(after) - len(before) >= len(leavers)
        assert all(any(job.ours and job.end for job in after[name].jobs) for name in leavers)
        moved += len(leavers)
        stayed += sum(before[name] == after[name] for name in before)
    assert 0.1 < moved / (moved + stayed) < 0.4


def test_what_is_true_of_addresses() -> None:
    domains = [f"domain{number}.com" for number in range(4_000)]
    patterns = Counter(map(domain_pattern, domains))
    for pattern, share in {"first.last": 0.5, "flast": 0.2, "first": 0.15, "firstlast": 0.1, "last": 0.05}.items():
        assert abs(patterns[pattern] / len(domains) - share) < 0.03, pattern
    addresses = [email_of("Renéa", "D'Arvelle", domain) for domain in domains]
    kinds = Counter(address_truth(address).result for address in addresses)
    assert abs(kinds["catch_all"] / len(domains) - 0.08) < 0.02 and abs(kinds["unknown"] / len(domains) - 0.03) < 0.015
    assert abs(kinds["ok"] / (kinds["ok"] + kinds["invalid"]) - 0.92) < 0.03
    unknown = [address for address in addresses if address_truth(address).result == "unknown"]
    still = sum(address_truth(address, 1, 2).result == "unknown" for address in unknown)
    assert 0.25 < still / len(unknown) < 0.75
    strangers = Counter(address_truth(f"no.body@{domain}").result for domain in domains)
    assert strangers["ok"] == 0 and strangers["catch_all"] == kinds["catch_all"]
    assert address_truth("averil.abernorth@my-disposable.com").result == "disposable"
    assert address_truth("no address").result == address_truth("@domain.com").result == "invalid"


def test_one_pattern_a_domain_and_no_other_fits() -> None:
    forms = {
        "first.last": "averil.abernorth",
        "flast": "aabernorth",
        "first": "averil",
        "firstlast": "averilabernorth",
        "last": "abernorth",
    }
    for number in range(400):
        domain = f"domain{number}.com"
        if address_truth(f"x@{domain}").result != "invalid":
            continue
        fitting = {pattern for pattern, local in forms.items() if address_truth(f"{local}@{domain}").result == "ok"}
        assert fitting <= {domain_pattern(domain)}


# --- Apify


def test_a_run_as_apify_gives_it(vendor: Vendor) -> None:
    answer = vendor.start(params={"timeout": 100, "memory": 512, "build": "0.0.1"})
    run = answer.json()["data"]
    assert answer.status_code == 201 and answer.headers["X-Barton-Sandbox"] == "1"
    assert {"id", "actId", "userId", "startedAt", "status", "meta", "stats", "options", "buildId", "defaultKeyValueStoreId",
            "defaultDatasetId", "defaultRequestQueueId", "generalAccess", "finishedAt", "statusMessage", "exitCode",
            "usageTotalUsd", "chargedEventCounts"} <= set(run)  # fmt: skip
    assert run["options"] == {"build": "0.0.1", "timeoutSecs": 100, "memoryMbytes": 512, "diskMbytes": 1024}
    assert (run["status"], run["exitCode"]) == ("SUCCEEDED", 0)
    assert vendor.apify("GET", f"actor-runs/{run['id']}").json()["data"]["id"] == run["id"]


def test_both_spellings_of_actors_and_of_their_ids(vendor: Vendor) -> None:
    opaque = vendor.start().json()["data"]["actId"]
    for path in (f"acts/{EMPLOYEES}/runs", f"actors/{opaque}/runs", f"acts/{opaque}/runs"):
        assert vendor.apify("GET", path).json()["data"]["total"] == 1
    assert vendor.call("GET", f"/v2/acts/{EMPLOYEES}/runs?token=t").status_code == 200


def test_a_run_goes_from_ready_to_running_to_its_end(slow: Vendor) -> None:
    run = slow.start(wait=0).json()["data"]
    seen = [run["status"]]
    rows_seen = [0]
    while seen[-1] in ("READY", "RUNNING"):
        seen.append(slow.apify("GET", f"actor-runs/{run['id']}").json()["data"]["status"])
        rows_seen.append(len(slow.items(run)))
        time.sleep(0.05)
    assert list(dict.fromkeys(seen)) == ["READY", "RUNNING", "SUCCEEDED"]
    assert rows_seen == sorted(rows_seen) and rows_seen[-1] == 8 and len(set(rows_seen)) > 3  # the dataset fills up


def test_wait_for_finish_waits_for_the_finish(slow: Vendor) -> None:
    assert slow.start(wait=1).json()["data"]["status"] == "RUNNING"
    run = slow.start(wait=0).json()["data"]
    query = {"waitForFinish": 999999}
    assert slow.apify("GET", f"actor-runs/{run['id']}", params=query).json()["data"]["status"] == "SUCCEEDED"
    capped = Request({"type": "http", "query_string": b"waitForFinish=999999"})
    assert _wait_seconds(capped) == 60


def test_abort_ends_a_run_and_those_who_wait_for_it(slow: Vendor) -> None:
    with running_sandbox(run_seconds=50) as sandbox, ThreadPoolExecutor(1) as pool:
        patient = Vendor(sandbox)
        run = patient.start(wait=0).json()["data"]
        waiting = pool.submit(
            lambda: Vendor(sandbox).apify("GET", f"actor-runs/{run['id']}?waitForFinish=20").json()["data"]
        )
        aborted = patient.apify("POST", f"actor-runs/{run['id']}/abort").json()["data"]
        assert (aborted["status"], waiting.result()["status"]) == ("ABORTED", "ABORTED")
        assert aborted["finishedAt"] and len(patient.items(run)) == aborted["chargedEventCounts"]["full-profile"] == 8
    done = slow.start().json()["data"]
    assert slow.apify("POST", f"actor-runs/{done['id']}/abort").json()["data"]["status"] == "SUCCEEDED"


def test_a_lost_start_is_found_in_the_list(vendor: Vendor) -> None:
    first = vendor.start().json()["data"]
    time.sleep(0.01)
    second = vendor.start().json()["data"]
    vendor.start(LEADS, run_input={"company_domain": [EIGHT]})

    def ids(**query: Any) -> list[str]:
        data = vendor.apify("GET", f"actors/{EMPLOYEES}/runs", params=query).json()["data"]
        assert data["count"] == len(data["items"]) and {"total", "offset", "limit", "desc"} <= set(data)
        return [run["id"] for run in data["items"]]

    assert ids() == [first["id"], second["id"]]
    assert ids(desc=1) == [second["id"], first["id"]]
    assert ids(startedAfter=second["startedAt"]) == [second["id"]]
    assert ids(startedBefore=first["startedAt"]) == [first["id"]]
    assert ids(limit=1, offset=1) == [second["id"]]
    assert ids(status="FAILED,RUNNING") == [] and len(ids(status="SUCCEEDED")) == 2
    assert vendor.apify("GET", "actor-runs").json()["data"]["total"] == 3


def test_paging_through_a_dataset(vendor: Vendor) -> None:
    run = vendor.start().json()["data"]
    path = f"datasets/{run['defaultDatasetId']}/items"
    answer = vendor.apify("GET", path, params={"offset": 3, "limit": 2})
    assert [answer.headers[f"X-Apify-Pagination-{name}"] for name in ("Total", "Offset", "Limit", "Count", "Desc")] == [
        "8",
        "3",
        "2",
        "2",
        "false",
    ]
    everything = vendor.items(run)
    assert answer.json() == everything[3:5] and vendor.items(run, desc=1) == everything[::-1]
    assert vendor.items(run, offset=8) == []
    assert vendor.items(run, fields="id,headline")[0] == {name: everything[0][name] for name in ("id", "headline")}
    assert "#debug" in everything[0] and "#debug" not in vendor.items(run, clean=1)[0]
    assert vendor.apify("GET", f"actor-runs/{run['id']}/dataset/items").json() == everything
    assert vendor.apify("GET", f"datasets/{run['defaultDatasetId']}").json()["data"]["itemCount"] == 8


def test_a_clean_page_may_be_shorter_than_its_limit(vendor: Vendor) -> None:
    vendor.fault("empty_rows")
    run = vendor.start().json()["data"]
    answer = vendor.apify("GET", f"datasets/{run['defaultDatasetId']}/items", params={"limit": 4, "clean": 1})
    assert len(answer.json()) == 2 and answer.headers["X-Apify-Pagination-Count"] == "4"
    assert vendor.charges()["apify"]["items"] == 8


def test_running_in_one_call(vendor: Vendor, slow: Vendor) -> None:
    run_input = {"companies": [EIGHT], "maxItems": 3}
    answer = vendor.apify("POST", f"actors/{EMPLOYEES}/run-sync-get-dataset-items", json=run_input)
    assert answer.status_code == 201 and len(answer.json()) == 3
    slow.sandbox.settings.sync_timeout = 0.1
    late = slow.apify("POST", f"actors/{EMPLOYEES}/run-sync-get-dataset-items", json=run_input)
    assert (late.status_code, late.json()["error"]["type"]) == (408, "run-timeout-exceeded")
    assert slow.charges()["apify"]["items"] == 3  # billed although nothing came back


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "kind"),
    [
        ("GET", "actor-runs/none", {}, 404, "record-not-found"),
        ("GET", "datasets/none/items", {}, 404, "record-not-found"),
        ("POST", "actors/nobody~nothing/runs", {"json": {}}, 404, "record-not-found"),
        ("GET", "no-such-thing", {}, 404, "page-not-found"),
        ("GET", "actor-runs", {"headers": {"Authorization": ""}}, 401, "token-not-provided"),
        ("GET", "actor-runs", {"headers": {"Authorization": "Bearer bad"}}, 401, "user-or-token-not-found"),
        ("GET", "actor-runs?limit=-1", {}, 400, "invalid-value"),
        ("GET", "actor-runs?startedAfter=soon", {}, 400, "invalid-value"),
        ("POST", f"actors/{EMPLOYEES}/runs", {"data": b"{"}, 400, "invalid-input"),
        (
            "POST",
            f"actors/{EMPLOYEES}/runs",
            {"data": b"x", "headers": {"Content-Encoding": "gzip"}},
            400,
            "invalid-input",
        ),
        ("POST", f"actors/{EMPLOYEES}/runs", {"json": [1]}, 400, "invalid-input"),
        ("POST", f"actors/{EMPLOYEES}/runs", {"json": {"companies": ["a"]}}, 400, "invalid-input"),
        (
            "POST",
            f"actors/{EMPLOYEES}/runs",
            {"json": {"companies": ["a"] * 1001, "maxItems": 1}},
            400,
            "invalid-input",
        ),
        (
            "POST",
            f"actors/{EMPLOYEES}/runs",
            {"json": {"companies": ["a"], "maxItems": 1, "jobTitles": ["x"] * 21}},
            400,
            "invalid-input",
        ),
        (
            "POST",
            f"actors/{EMPLOYEES}/runs",
            {"json": {"companies": ["a"], "maxItems": 1, "profileScraperMode": "Full"}},
            400,
            "invalid-input",
        ),
        ("POST", f"actors/{EMPLOYEES}/runs", {"json": {"companies": "a", "maxItems": 1}}, 400, "invalid-input"),
        (
            "POST",
            f"actors/{EMPLOYEES}/runs?maxItems=0",
            {"json": {"companies": ["a"], "maxItems": 1}},
            400,
            "max-items-must-be-greater-than-zero",
        ),
        (
            "POST",
            f"actors/{LEADS}/runs?maxTotalChargeUsd=0.01",
            {"json": {"company_domain": ["a.com"]}},
            400,
            "max-total-charge-usd-below-minimum",
        ),
        ("POST", f"actors/{LEADS}/runs", {"json": {}}, 400, "invalid-input"),
        ("POST", f"actors/{PROFILES}/runs", {"json": {}}, 400, "invalid-input"),
        ("POST", f"actors/{LEADS}/runs?webhooks=x", {"json": {"company_domain": ["a.com"]}}, 400, "invalid-value"),
        ("POST", f"actors/{LEADS}/runs", {"json": {"company_domain": ["x" * 8_400_000]}}, 413, "request-too-large"),
    ],
)
def test_what_apify_refuses_costs_nothing(
    vendor: Vendor, method: str, path: str, options: dict[str, Any], status: int, kind: str
) -> None:
    answer = vendor.apify(method, path, **options)
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, kind) and answer.json()["error"]["message"]
    assert vendor.charges()["apify"]["runs"] == 0


def test_no_money_and_no_free_slot() -> None:
    with running_sandbox(run_seconds=50, apify_usd=0.1, max_concurrent_runs=1) as sandbox:
        vendor = Vendor(sandbox)
        assert vendor.start(wait=0).status_code == 201
        full = vendor.start(wait=0)
        assert (full.status_code, full.json()["error"]["type"]) == (402, "concurrent-runs-limit-exceeded")
        sandbox.settings.max_concurrent_runs = None
        broke = vendor.start(wait=0)
        assert (broke.status_code, broke.json()["error"]["type"]) == (402, "not-enough-usage-to-run-paid-actor")
        assert vendor.charges()["apify"] == {**vendor.charges()["apify"], "runs": 1, "usd": 0.064}


def test_a_compressed_body_is_read(vendor: Vendor) -> None:
    body = gzip.compress(json.dumps({"companies": [EIGHT], "maxItems": 2}).encode())
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    run = vendor.apify("POST", f"actors/{EMPLOYEES}/runs?waitForFinish=5", data=body, headers=headers).json()["data"]
    assert len(vendor.items(run)) == 2


@pytest.mark.parametrize(
    ("actor", "run_input", "query", "items", "usd"),
    [
        (EMPLOYEES, {"profileScraperMode": SHORT}, {}, 8, 0.032),
        (EMPLOYEES, {"profileScraperMode": FULL}, {"maxItems": 3}, 3, 0.024),
        (EMPLOYEES, {"profileScraperMode": WITH_EMAIL}, {"maxTotalChargeUsd": 0.03}, 2, 0.024),
        (EMPLOYEES, {"maxItems": 5}, {}, 5, 0.04),
        (EMPLOYEES, {}, {"maxItems": 2, "maxTotalChargeUsd": 0.05}, 2, 0.016),
        (EMPLOYEES, {"maxItemsPerCompany": 1}, {}, 1, 0.008),
        (EMPLOYEES, {"maxItems": None, "takePages": 1}, {}, 8, 0.064),
        (LEADS, {}, {}, 8, 0.036),
        (LEADS, {"fetch_count": 2}, {}, 2, 0.024),
        (LEADS, {}, {"maxTotalChargeUsd": 0.026}, 3, 0.026),
    ],
)
def test_the_bill_is_what_was_delivered(
    vendor: Vendor, actor: str, run_input: dict[str, Any], query: dict[str, Any], items: int, usd: float
) -> None:
    asked = {"company_domain": [EIGHT, NOBODY]} if actor == LEADS else {"companies": [EIGHT, NOBODY], "maxItems": 100}
    run, rows = vendor.run_of(actor, {**asked, **run_input}, params=query)
    charged = dict(run["chargedEventCounts"])
    charges = vendor.charges()
    assert len(rows) == items == charges["apify"]["items"] == sum(charged.values()) - charged.get("actor-start", 0)
    assert run["usageTotalUsd"] == charges["apify"]["usd"] == pytest.approx(usd)
    assert sum(charges["apify"]["people"].values()) == items
    assert len(charges["inputs"]) == 2 and set(charges["inputs"].values()) == {1}


def test_asking_twice_shows_in_the_counts(vendor: Vendor) -> None:
    for _ in range(2):
        vendor.start()
    charges = vendor.charges()
    assert set(charges["inputs"].values()) == {2} and set(charges["apify"]["people"].values()) == {2}
    vendor.call("POST", "/_sandbox/reset")
    assert vendor.charges()["inputs"] == {} and vendor.charges()["apify"]["usd"] == 0


def test_filters_choose_by_title(vendor: Vendor) -> None:
    domains = [f"company{number}.com" for number in range(40)]
    titles_held = {person.public_identifier: person.title for domain in domains for person in people_of(domain)}

    def titles(**filters: Any) -> set[str]:
        _, rows = vendor.run_of(EMPLOYEES, {"companies": domains, "maxItems": 1000, **filters})
        return {titles_held[row["publicIdentifier"]] for row in rows}

    everything = set(titles_held.values())
    assert titles() == titles(jobTitles=[], functionIds=[]) == everything
    assert titles(jobTitles=["PRESIDENT", "cfo"]) == {
        title for title in everything if "President" in title or "CFO" in title
    }
    assert {"CFO", "Controller"} <= titles(functionIds=["10"]) and not titles(functionIds=["10"]) & {"CEO", "Brewer"}
    assert "HR Director" in titles(functionIds=[12], seniorityLevelIds=["220"])
    assert "HR Manager" not in titles(functionIds=[12], seniorityLevelIds=["220"])
    # another question about the same company is another purchase
    asked = {name for name in vendor.charges()["inputs"] if name.split()[1] == "company1"}
    assert {name.partition(" company1")[2] for name in asked} == {
        "",
        " titles=cfo,president",
        " function=10",
        " seniority=220 function=12",
    }


def test_profiles_as_linkedin_has_them(vendor: Vendor) -> None:
    companies = [f"https://www.linkedin.com/company/company{number}/about/" for number in range(60)]
    _, rows = vendor.run_of(EMPLOYEES, {"companies": companies, "maxItems": 1000})
    assert {"id", "publicIdentifier", "linkedinUrl", "firstName", "lastName", "headline", "location", "currentPosition",
            "experience", "education"} <= set(rows[0])  # fmt: skip
    assert any(", " in row["lastName"] for row in rows) and not any("email" in row for row in rows)
    experience = [job for row in rows for job in row["experience"]]
    assert {"position", "companyName", "companyLinkedinUrl", "companyId", "startDate", "endDate"} <= set(experience[0])
    assert {job["endDate"]["text"] == "Present" for job in experience} == {True, False}
    for row in rows:
        assert row["currentPosition"] == [job for job in row["experience"] if job["endDate"]["text"] == "Present"]
    _, short = vendor.run_of(EMPLOYEES, {"companies": companies, "maxItems": 5, "profileScraperMode": SHORT})
    assert "experience" not in short[0]


def test_addresses_only_where_the_domain_is_known(vendor: Vendor) -> None:
    slug, domain = "the-eight-company", EIGHT
    with_email = {
        "companies": [f"https://www.linkedin.com/company/{slug}"],
        "maxItems": 100,
        "profileScraperMode": WITH_EMAIL,
    }
    assert not any("email" in row for row in vendor.run_of(EMPLOYEES, with_email)[1])
    vendor.call("POST", "/_sandbox/companies", json={slug: domain})
    _, rows = vendor.run_of(EMPLOYEES, with_email)
    assert {row.get("email") for row in rows} == {
        person.email if person.works_here else None for person in people_of(domain)
    }
    assert any(slug in job["companyLinkedinUrl"] for job in rows[0]["experience"])
    _, leads = vendor.run_of(LEADS, {"company_domain": [domain]})
    assert {lead["company_linkedin"] for lead in leads} == {f"https://www.linkedin.com/company/{slug}"}
    assert {lead["linkedin"].rsplit("/")[-1] for lead in leads} == {row["publicIdentifier"] for row in rows}
    vendor.sandbox.settings.companies.clear()


def test_who_left_has_no_address_here(vendor: Vendor) -> None:
    domains = [f"company{number}.com" for number in range(40)]
    people = {person.public_identifier: person for domain in domains for person in people_of(domain)}
    assert any(person.email and not person.works_here for person in people.values())
    _, rows = vendor.run_of(EMPLOYEES, {"companies": domains, "maxItems": 1000, "profileScraperMode": WITH_EMAIL})
    assert {row["publicIdentifier"] for row in rows if "email" in row} == {
        name for name, person in people.items() if person.email and person.works_here
    }


def test_leads(vendor: Vendor) -> None:
    _, leads = vendor.run_of(LEADS, {"company_domain": [f"company{number}.com" for number in range(80)], "contact_job_title": [],
                                     "seniority_level": [], "functional_level": []})  # fmt: skip
    assert {
        "first_name",
        "last_name",
        "full_name",
        "email",
        "linkedin",
        "job_title",
        "seniority_level",
        "company_domain",
    } <= set(leads[0])
    mails = [lead["email"] for lead in leads if lead["email"]]
    assert 0.5 < len(mails) / len(leads) < 0.7
    results = Counter(address_truth(mail).result for mail in mails)
    assert results["ok"] / (results["ok"] + results["invalid"]) > 0.85
    _, finance = vendor.run_of(
        LEADS, {"company_domain": [f"company{number}.com" for number in range(80)], "functional_level": ["finance"]}
    )
    assert 0 < len(finance) < len(leads) and {lead["functional_level"] for lead in finance} == {"finance"}


def leaver() -> tuple[str, str]:
    """A company and the identifier of somebody who works there in generation 1 and no longer in generation 2."""
    for domain in (f"company{number}.com" for number in range(500)):
        then = {person.public_identifier for person in people_of(domain) if person.works_here}
        now = {person.public_identifier for person in people_of(domain, 1, 2) if person.works_here}
        if then - now:
            return domain, min(then - now)
    raise AssertionError("nobody ever leaves")


def test_the_profile_of_somebody_who_left(vendor: Vendor) -> None:
    domain, identifier = leaver()
    vendor.run_of(EMPLOYEES, {"companies": [domain], "maxItems": 100})
    url = f"https://www.linkedin.com/in/{identifier}/"

    def employers() -> set[str]:
        run, (found, missing) = vendor.run_of(PROFILES, {"urls": [url], "publicIdentifiers": ["nobody-at-all"]})
        assert found["originalQuery"] == {"url": url} and missing["error"]
        assert run["chargedEventCounts"] == {"profile": 1, "actor-start": 1}
        assert run["usageTotalUsd"] == pytest.approx(0.0515)
        return {job["companyLinkedinUrl"] for job in found["experience"] if job["endDate"]["text"] == "Present"}

    here = f"https://www.linkedin.com/company/{domain.split('.')[0]}/"
    assert here in employers()
    assert vendor.call("POST", "/_sandbox/generation", json={"generation": 2}).json() == {"generation": 2}
    assert here not in employers()
    vendor.sandbox.reset()
    assert vendor.sandbox.settings.generation == 1


class Listener:
    """A small server that keeps the webhooks it is sent."""

    def __enter__(self) -> "Listener":
        heard: list[tuple[str, dict[str, str], Any]] = []
        self.heard = heard

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                heard.append(
                    (self.path, {name.lower(): value for name, value in self.headers.items()}, json.loads(body))
                )
                self.send_response(200)
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def hook(self, events: list[str], **more: str) -> str:
        url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        return base64.b64encode(json.dumps([{"eventTypes": events, "requestUrl": url, **more}]).encode()).decode()

    def wait(self, count: int) -> list[tuple[str, dict[str, str], Any]]:
        deadline = time.monotonic() + 10
        while len(self.heard) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.1)  # one too many would come now
        return self.heard


@pytest.mark.parametrize(("fault", "event", "times"), [
    (None, "ACTOR.RUN.SUCCEEDED", 1),
    ({"fault": "duplicate_webhook"}, "ACTOR.RUN.SUCCEEDED", 2),
    ({"fault": "run_fails", "status": "TIMED-OUT"}, "ACTOR.RUN.TIMED_OUT", 1),
])  # fmt: skip
def test_webhooks(vendor: Vendor, fault: dict[str, Any] | None, event: str, times: int) -> None:
    with Listener() as listener:
        if fault:
            vendor.fault(**fault)
        run = vendor.start(params={"webhooks": listener.hook([event, "ACTOR.RUN.ABORTED"])}).json()["data"]
        heard = listener.wait(times)
    assert len(heard) == times
    for _, _, body in heard:
        assert set(body) == {"userId", "createdAt", "eventType", "eventData", "resource"}
        assert body["eventType"] == event and body["eventData"] == {"actorId": run["actId"], "actorRunId": run["id"]}
        assert body["resource"]["id"] == run["id"] and body["resource"]["finishedAt"]


def test_webhooks_that_are_not_meant_and_templates(vendor: Vendor) -> None:
    with Listener() as listener:
        vendor.start(params={"webhooks": listener.hook(["ACTOR.RUN.FAILED"])})
        template = listener.hook(
            ["ACTOR.RUN.SUCCEEDED"], payloadTemplate='{"run": {{eventData}}}', headersTemplate='{"X-Secret": "s"}'
        )
        run = vendor.start(params={"webhooks": template}).json()["data"]
        heard = listener.wait(1)
    assert len(heard) == 1
    assert heard[0][1]["x-secret"] == "s" and heard[0][2]["run"]["actorRunId"] == run["id"]


def test_the_official_client_works_unmodified(vendor: Vendor) -> None:
    with running_sandbox(run_seconds=0.3) as sandbox:
        client = ApifyClient("t", api_url=sandbox.url, max_retries=1)
        companies = [
            f"https://www.linkedin.com/company/company{number}/" for number in range(60)
        ]  # over 1 KB: sent compressed
        actor = client.actor(EMPLOYEES)
        run = actor.call(run_input={"companies": companies, "maxItems": 100}, logger=None, max_total_charge_usd=0.5)  # type: ignore[arg-type]
        assert run is not None and run.status == "SUCCEEDED"
        assert run.charged_event_counts == {"full-profile": 62} and run.usage_total_usd == pytest.approx(0.496)
        dataset = client.dataset(run.default_dataset_id)
        page = dataset.list_items(limit=10, offset=60, clean=True)
        assert (len(page.items), page.total, page.desc) == (2, 62, False)
        assert len(list(dataset.iterate_items(chunk_size=7))) == 62
        details = dataset.get()
        assert details is not None and details.item_count == 62
        listed = actor.runs().list(started_after=run.started_at, status=["SUCCEEDED", "RUNNING"], desc=True)
        assert [item.id for item in listed.items] == [run.id] and client.runs().list().total == 1
        webhooks: list[Any] = [{"event_types": ["ACTOR.RUN.ABORTED"], "request_url": "http://127.0.0.1:9/"}]
        started = actor.start(run_input={"companies": [EIGHT], "maxItems": 1}, webhooks=webhooks)
        assert client.run(started.id).abort().status == "ABORTED"
        about = actor.get()
        assert about is not None and about.username == "harvestapi" and client.run("nobody").get() is None
        assert "results" in (client.log(run.id).get() or "")
        with pytest.raises(InvalidRequestError, match="maxItems"):
            actor.start(run_input={"companies": [EIGHT]})
        with pytest.raises(UnauthorizedError):
            ApifyClient("bad", api_url=sandbox.url).runs().list()


def test_the_official_client_retries_what_may_be_retried(vendor: Vendor) -> None:
    client = ApifyClient("t", api_url=vendor.sandbox.url)
    vendor.fault("rate_limit_bare", path="/runs$", method="POST")
    vendor.fault("server_error", path="/runs$", method="POST")
    client.actor(EMPLOYEES).start(run_input={"companies": [EIGHT], "maxItems": 1})
    assert vendor.charges()["apify"]["runs"] == 1
    # the client also repeats a start whose answer was lost, and the vendor charges twice: why a ledger is needed
    vendor.fault("drop_after_charging", path="/runs$", method="POST")
    client.actor(EMPLOYEES).start(run_input={"companies": [EIGHT], "maxItems": 1})
    assert vendor.charges()["apify"]["runs"] == 3


# --- MillionVerifier


@pytest.mark.parametrize(
    ("result", "code", "quality", "charged"),
    [("ok", 1, "good", 1), ("catch_all", 2, "risky", 0), ("unknown", 3, "unknown", 0), ("invalid", 6, "bad", 1)],
)
def test_single_verification(vendor: Vendor, result: str, code: int, quality: str, charged: int) -> None:
    address = address_with(result)
    answer = vendor.single(address)
    said = answer.json()
    assert answer.status_code == 200 and answer.headers["X-Barton-Sandbox"] == "1"
    assert set(said) == {"email", "quality", "result", "resultcode", "subresult", "free", "role", "didyoumean", "credits",
                         "executiontime", "error", "livemode"}  # fmt: skip
    assert (said["email"], said["result"], said["resultcode"], said["quality"]) == (address, result, code, quality)
    assert said["error"] == "" and said["credits"] == 1_000_000 - charged
    left = vendor.call("GET", "/api/v3/credits?api=k").json()
    assert set(left) == {"credits", "bulk_credits", "renewing_credits", "plan"} and left["credits"] == said["credits"]
    charges = vendor.charges()
    assert charges["million_verifier"] == {"verifications": charged, "emails": {address: 1} if charged else {}}
    assert charges["inputs"] == ({f"million_verifier {address}": 1} if charged else {})


def test_what_else_a_verification_knows(vendor: Vendor) -> None:
    assert vendor.single("someone@gmail.com").json()["free"] is True
    role = vendor.single("info@domain3.com").json()
    assert role["role"] is True and role["free"] is False
    disposable = vendor.single("x@disposable.example").json()
    assert (disposable["resultcode"], vendor.charges()["million_verifier"]["verifications"]) == (5, 3)


def test_unknown_may_clear_up_when_asked_again(vendor: Vendor) -> None:
    unknown = [email_of("Averil", "Abernorth", f"domain{number}.com") for number in range(3_000)]
    unknown = [address for address in unknown if address_truth(address).result == "unknown"]
    clears = next(address for address in unknown if address_truth(address, 1, 2).result != "unknown")
    stays = next(address for address in unknown if address_truth(address, 1, 2).result == "unknown")
    assert [vendor.single(clears).json()["result"] == "unknown" for _ in range(3)] == [True, False, False]
    assert {vendor.single(stays).json()["result"] for _ in range(3)} == {"unknown"}


@pytest.mark.parametrize(("key", "email", "error"), [
    ("bad", "a@b.com", "apikey not found"), ("", "a@b.com", "apikey not found"), ("k", "", "no email specified"),
    ("API_KEY_FOR_TEST_ERROR_INSUFFICIENT_CREDITS", "a@b.com", "insufficient credits"),
    ("API_KEY_FOR_TEST_ERROR_INVALID_APIKEY", "a@b.com", "apikey not found"),
    ("API_KEY_FOR_TEST_ERROR_IP_ADDRESS_BLOCKED", "a@b.com", "ip address blocked"),
    ("API_KEY_FOR_TEST_NONSENSE", "a@b.com", "apikey not found"),
])  # fmt: skip
def test_errors_arrive_as_http_200(vendor: Vendor, key: str, email: str, error: str) -> None:
    answer = vendor.single(email, key)
    said = answer.json()
    assert (answer.status_code, said["error"], said["result"], said["resultcode"]) == (200, error, "error", 4)
    assert vendor.charges()["million_verifier"]["verifications"] == 0


@pytest.mark.parametrize(("key", "result"), [("_OK", "ok"), ("_INVALID", "invalid"), ("_CATCH_ALL", "catch_all"),
                                             ("_DISPOSABLE", "disposable"), ("_UNKOWN", "unknown"), ("", "ok")])  # fmt: skip
def test_test_keys_cost_nothing(vendor: Vendor, key: str, result: str) -> None:
    said = vendor.single(address_with("ok"), f"API_KEY_FOR_TEST{key}").json()
    assert (said["result"], said["livemode"], said["credits"]) == (result, "test", 1_000_000)


def test_credits_run_out() -> None:
    with running_sandbox(credits=1, bulk_seconds=0.0) as sandbox:
        vendor, address = Vendor(sandbox), address_with("ok")
        assert "insufficient" in vendor.upload([address, address_with("invalid")])["error"]
        assert [vendor.single(address).json()["error"] for _ in range(2)] == ["", "insufficient credits"]
        assert vendor.charges()["million_verifier"]["verifications"] == 1


def test_a_file_from_upload_to_download(vendor: Vendor) -> None:
    addresses = [address_with(result) for result in ("ok", "catch_all", "unknown", "invalid")] + ["x@disposable.com"]
    uploaded = vendor.upload([*addresses, addresses[0].upper()], name="barton-0a1b2c.csv")
    info = vendor.bulk("v2/fileinfo", file_id=uploaded["file_id"]).json()
    assert {"file_id", "file_name", "status", "percent", "total_rows", "error"} <= set(info)
    assert (info["status"], info["percent"], info["total_rows"], info["unique_emails"], info["error"]) == (
        "finished",
        100,
        6,
        5,
        "",
    )
    assert [info[name] for name in ("ok", "catch_all", "unknown", "invalid", "disposable")] == [1, 1, 1, 1, 1]

    def download(name: str) -> list[str]:
        answer = vendor.bulk("v2/download", file_id=uploaded["file_id"], filter=name)
        assert answer.headers["content-type"].startswith("text/csv")
        lines = answer.text.splitlines()
        assert lines[0] == "email,quality,result,free,role"
        return [line.split(",")[2] for line in lines[1:]]

    assert download("all") == ["ok", "catch_all", "unknown", "invalid", "disposable"]
    assert download("ok") == ["ok"] and download("ok_and_catch_all") == ["ok", "catch_all"]
    assert download("unknown") == ["unknown"] and download("invalid") == ["invalid", "disposable"]
    assert vendor.charges()["million_verifier"]["emails"] == {addresses[0]: 1, addresses[3]: 1, addresses[4]: 1}
    download("all")
    assert vendor.charges()["million_verifier"]["verifications"] == 3  # looking again costs nothing
    other = vendor.upload(addresses[:1], name="another.csv")
    listed = vendor.bulk("v2/filelist", name="0a1b2c").json()
    assert [file["file_id"] for file in listed["files"]] == [uploaded["file_id"]]
    assert [file["file_id"] for file in vendor.bulk("v2/filelist", limit=1, offset=0).json()["files"]] == [
        other["file_id"]
    ]
    assert vendor.bulk("v2/delete", file_id=other["file_id"]).json() == {"result": "ok"}
    assert vendor.bulk("v2/fileinfo", file_id=other["file_id"]).json() == {"error": "file_not_found"}


def test_duplicates_are_kept_when_nobody_asks_to_remove_them(vendor: Vendor) -> None:
    address = address_with("ok")
    vendor.upload([address, address], remove_duplicates=0)
    assert vendor.charges()["million_verifier"]["emails"] == {address: 2}


def test_a_file_makes_progress_and_can_be_stopped(slow: Vendor) -> None:
    addresses = [f"nobody{number}@domain3.com" for number in range(200)]
    uploaded = slow.upload(addresses)
    seen: list[tuple[int, int, int]] = []
    while not seen or seen[-1][0] < 20:
        info = slow.bulk("v2/fileinfo", file_id=uploaded["file_id"]).json()
        assert info["status"] == "in_progress"
        rows = slow.bulk("v2/download", file_id=uploaded["file_id"]).text.splitlines()[1:]
        seen.append((info["percent"], len(rows), slow.charges()["million_verifier"]["verifications"]))
        time.sleep(0.05)
    assert seen == sorted(seen) and 0 < seen[-1][1] < 200
    assert slow.bulk("stop", file_id=uploaded["file_id"]).json() == {"result": "ok"}
    stopped = slow.bulk("v2/fileinfo", file_id=uploaded["file_id"]).json()
    assert stopped["status"] == "canceled" and stopped["verified"] < 200
    time.sleep(0.2)
    assert slow.charges()["million_verifier"]["verifications"] == stopped["credit"]


def test_two_large_files_at_a_time(slow: Vendor) -> None:
    large = [f"nobody{number}@domain3.com" for number in range(1_001)]
    states = [slow.upload(large, name=f"{number}.csv")["status"] for number in range(3)]
    assert states == ["in_progress", "in_progress", "in_queue_to_start"]
    assert slow.upload(large[:1_000])["status"] == "in_progress"


@pytest.mark.parametrize(("method", "path", "error"), [
    ("POST", "upload", "no_file_uploaded"), ("GET", "fileinfo", "file_not_found"), ("GET", "download?file_id=1", "file_not_found"),
])  # fmt: skip
def test_what_bulk_refuses(vendor: Vendor, method: str, path: str, error: str) -> None:
    for key, expected in (("k", error), ("bad", "invalid_api_key"), ("", "invalid_api_key")):
        answer = vendor.call(method, f"/bulkapi/v2/{path}", params={"key": key})
        assert (answer.status_code, answer.json()) == (200, {"error": expected})


def test_files_that_hold_no_address(vendor: Vendor) -> None:
    assert vendor.upload([])["error"] == "no_email_found"
    wide = "name;x\n".replace(";", ",") + "A,b@domain3.com\n"
    answer = vendor.call("POST", "/bulkapi/v2/upload?key=k", files={"file_contents": ("x.csv", wide)}).json()
    assert answer["error"] == "no_email_found"  # the first column, as no header says email
    bare = vendor.call(
        "POST", "/bulkapi/v2/upload?key=k", files={"file_contents": ("x.txt", "a@domain3.com\nb@domain3.com\n")}
    ).json()
    assert bare["total_rows"] == 2


# --- faults


def test_every_fault_is_tried_below() -> None:
    tried = {"rate_limit", "rate_limit_bare", "server_error", "no_credit", "bad_key", "api_error", "http200_error", "drop_before",
             "drop_after_charging", "slow_drip", "truncated_json", "wrong_schema", "run_fails", "run_hangs", "duplicate_webhook", "empty_rows"}  # fmt: skip
    assert tried == FAULTS


@pytest.mark.parametrize(
    ("fault", "status", "kind"),
    [
        ({"fault": "rate_limit", "retry_after": 7}, 429, "rate-limit-exceeded"),
        ({"fault": "rate_limit_bare"}, 429, "rate-limit-exceeded"),
        ({"fault": "server_error"}, 500, "internal-server-error"),
        ({"fault": "server_error", "status": 503}, 503, "internal-server-error"),
        ({"fault": "no_credit"}, 402, "not-enough-usage-to-run-paid-actor"),
        ({"fault": "bad_key"}, 401, "user-or-token-not-found"),
        (
            {"fault": "api_error", "status": 402, "type": "actor-memory-limit-exceeded"},
            402,
            "actor-memory-limit-exceeded",
        ),
    ],
)
def test_apify_answers_an_error_and_charges_nothing(
    vendor: Vendor, fault: dict[str, Any], status: int, kind: str
) -> None:
    vendor.fault(**fault, path="/runs$", method="POST", times=2)
    for _ in range(2):
        answer = vendor.start()
        assert (answer.status_code, answer.json()["error"]["type"]) == (status, kind)
        assert answer.headers.get("Retry-After") == {"rate_limit": "7"}.get(fault["fault"])
        assert answer.headers["X-Barton-Sandbox"] == "1"
    assert vendor.charges()["apify"]["runs"] == 0
    assert vendor.start().status_code == 201


@pytest.mark.parametrize(
    ("fault", "status", "error"),
    [
        ({"fault": "rate_limit"}, 429, "too many requests"),
        ({"fault": "http200_error", "message": "ip address blocked"}, 200, "ip address blocked"),
        ({"fault": "no_credit"}, 200, "insufficient credits"),
        ({"fault": "bad_key"}, 200, "apikey not found"),
    ],
)
def test_million_verifier_answers_an_error_and_charges_nothing(
    vendor: Vendor, fault: dict[str, Any], status: int, error: str
) -> None:
    vendor.fault(**fault, path="^/api/v3")
    answer = vendor.single(address_with("ok"))
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    vendor.fault(**fault, path="^/bulkapi")
    assert vendor.upload([address_with("ok")])["error"] == {"apikey not found": "invalid_api_key"}.get(error, error)
    assert vendor.charges()["million_verifier"]["verifications"] == 0


@pytest.mark.parametrize(("fault", "charged"), [("drop_before", 0), ("drop_after_charging", 1)])
def test_a_dropped_connection_tells_nothing(vendor: Vendor, fault: str, charged: int) -> None:
    address = address_with("ok")
    for call in (
        lambda: vendor.start(),
        lambda: vendor.single(address),
        lambda: vendor.upload([address], name="lost.csv"),
    ):
        vendor.fault(fault)
        with pytest.raises(requests.ConnectionError):
            call()
    charges = vendor.charges()
    assert charges["apify"]["runs"] == charged
    assert charges["million_verifier"]["emails"] == ({address: 2} if charged else {})
    assert vendor.apify("GET", f"actors/{EMPLOYEES}/runs").json()["data"]["total"] == charged  # and so it can be found
    assert vendor.bulk("v2/filelist", name="lost").json()["total"] == charged


def test_spoilt_answers_are_charged_all_the_same(vendor: Vendor) -> None:
    address = address_with("ok")
    vendor.fault("truncated_json")
    with pytest.raises(requests.exceptions.JSONDecodeError):
        vendor.single(address).json()
    vendor.fault("wrong_schema")
    assert "result" not in vendor.single(address).json()
    vendor.fault("wrong_schema", path="/items$", body=[{"profil": 1}])
    assert vendor.items(vendor.start().json()["data"]) == [{"profil": 1}]
    vendor.fault("slow_drip", delay=0.005)
    connection = http.client.HTTPConnection("127.0.0.1", vendor.sandbox.port, timeout=30)
    connection.request("GET", f"/api/v3/?api=k&email={address}")
    answer = connection.getresponse()
    pieces = list(iter(answer.read1, b""))
    connection.close()
    assert json.loads(b"".join(pieces))["result"] == "ok" and len(pieces) > 20
    assert vendor.charges()["million_verifier"]["emails"] == {address: 3}


@pytest.mark.parametrize(("status", "exit_code"), [("FAILED", 1), ("TIMED-OUT", None), ("ABORTED", None)])
def test_a_run_that_fails_charges_what_it_delivered(vendor: Vendor, status: str, exit_code: int | None) -> None:
    vendor.fault("run_fails", status=status, items=3)
    run = vendor.start().json()["data"]
    assert (run["status"], run["exitCode"], run["usageTotalUsd"]) == (status, exit_code, 0.024)
    assert len(vendor.items(run)) == 3 == vendor.charges()["apify"]["items"]


def test_a_run_that_hangs_ends_when_it_is_aborted(vendor: Vendor) -> None:
    vendor.fault("run_hangs", items=3)
    vendor.fault("run_hangs", items=2, stubborn=True)
    runs = [vendor.start(wait=0, params={"timeout": 1}).json()["data"] for _ in range(2)]
    time.sleep(1.1)
    paths = [f"actor-runs/{run['id']}" for run in runs]
    assert {vendor.apify("GET", path).json()["data"]["status"] for path in paths} <= {"READY", "RUNNING"}
    aborted = [vendor.apify("POST", f"{path}/abort").json()["data"] for path in paths]
    assert aborted[0]["status"] == "ABORTED" and aborted[1]["status"] != "ABORTED"
    assert aborted[0]["usageTotalUsd"] == 0.024 and len(vendor.items(aborted[0])) == 3


def test_a_run_longer_than_its_timeout(slow: Vendor) -> None:
    assert slow.start(params={"timeout": 1}).json()["data"]["status"] == "TIMED-OUT"


def test_faults_meet_only_the_calls_they_are_meant_for(vendor: Vendor) -> None:
    vendor.fault("server_error", path="^/v2/acts/")
    vendor.fault("run_fails")  # waits for the start of a run, whatever comes before
    assert vendor.apify("GET", f"actors/{EMPLOYEES}/runs").status_code == 200
    run = vendor.start()
    assert run.json()["data"]["status"] == "FAILED"
    assert vendor.apify("GET", f"actors/{EMPLOYEES}/runs").status_code == 200
    assert vendor.apify("GET", f"acts/{EMPLOYEES}/runs").status_code == 500


@pytest.mark.parametrize(
    "fault",
    [{"fault": "flood"}, {}, [1], {"fault": "drop_before", "path": "("}, {"fault": "run_fails", "status": "READY"}],
)
def test_what_is_no_fault_is_said(vendor: Vendor, fault: Any) -> None:
    answer = vendor.call("POST", "/_sandbox/faults", json=fault)
    assert answer.status_code == 400 and "not a fault" in answer.json()["error"]
    assert vendor.call("POST", "/_sandbox/generation", json={}).status_code == 400
    assert vendor.call("POST", "/_sandbox/companies", json=[]).status_code == 400


def test_the_rate_limit_is_enforced_per_vendor() -> None:
    with running_sandbox(rate_per_second=20) as sandbox:
        vendor = Vendor(sandbox)
        began = time.monotonic()
        codes = Counter(vendor.single("a@domain3.com").status_code for _ in range(300))
        seconds = int(time.monotonic() - began) + 1
        assert codes[429] > 0 and 20 <= codes[200] <= 20 * seconds
        assert vendor.apify("GET", "actor-runs").status_code == 200
        time.sleep(1.05)
        assert vendor.single("a@domain3.com").status_code == 200
        assert sum(vendor.charges()["million_verifier"]["emails"].values()) == codes[200] + 1


def test_latency() -> None:
    with running_sandbox(latency=1.0) as sandbox:
        vendor = Vendor(sandbox)
        with pytest.raises(requests.Timeout):
            vendor.single("a@domain3.com", timeout=0.3)
        assert vendor.single("a@domain3.com").status_code == 200


def test_many_callers_at_once(vendor: Vendor) -> None:
    address = address_with("ok")

    def work(number: int) -> str:
        own = Vendor(vendor.sandbox)
        for _ in range(20):
            assert own.single(address).json()["result"] == "ok"
            own.charges()
            vendor.sandbox.charges()
        return own.start().json()["data"]["id"]

    with ThreadPoolExecutor(8) as pool:
        runs = set(pool.map(work, range(8)))
    charges = vendor.charges()
    assert len(runs) == 8 == charges["apify"]["runs"]
    assert charges["million_verifier"]["emails"] == {address: 160}
    assert vendor.single(address).json()["credits"] == 1_000_000 - 161


# --- the command


def test_the_command_serves_until_interrupted() -> None:
    command = [sys.executable, "-m", "barton_pipeline.cli.main", "sandbox", "--port", "0", "--seed", "7"]
    process = subprocess.Popen(
        command, cwd=PROJECT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a suite in the background is started deaf to it
    )  # fmt: skip
    try:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(3)]
        url = said[1].split("BARTON_SANDBOX_URL=")[1].strip()
        assert url in said[0] and "Ctrl-C" in said[2]
        addresses = [email_of("Averil", "Abernorth", f"domain{number}.com", 7) for number in range(30)]
        told = [
            requests.get(f"{url}/api/v3/", params={"api": "k", "email": mail}, timeout=10).json()["result"]
            for mail in addresses
        ]
        assert told == [address_truth(mail, 7).result for mail in addresses]
        port = url.rsplit(":")[-1]
        second = subprocess.run([*command[:4], "--port", port], cwd=PROJECT, text=True, capture_output=True, timeout=60)
        assert second.returncode == 2 and f"Port {port} is in use" in second.stderr and "Traceback" not in second.stderr
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0 and process.stderr is not None and process.stderr.read() == ""
    finally:
        process.kill()
        process.communicate()
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=2)


def test_stopping_frees_the_port() -> None:
    with running_sandbox() as sandbox:
        port = sandbox.port
        with pytest.raises(InputError, match=f"Port {port} is in use"):
            Sandbox(port).start()
        Vendor(sandbox).charges()
    with running_sandbox(port=port) as again:
        assert again.url == f"http://127.0.0.1:{port}"
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    assert not [thread for thread in threading.enumerate() if thread.name == "sandbox" and not thread.daemon]
