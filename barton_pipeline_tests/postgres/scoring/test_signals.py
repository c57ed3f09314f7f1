"""Signals on their way in: by HTTP, one company at a time; and what the list says of change, surge and explanation."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest
import requests
from click.testing import CliRunner

from barton_pipeline.cli.main import barton
from barton_pipeline.errors import InputError
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.queue import events
from barton_pipeline.web.signals import MOST_SIGNALS, TOKEN, application
from barton_pipeline_tests.builders import claim_batch, insert_companies, run_stages, stage_with

SECRET = "a-secret-of-some-length"
SCORING = ("bit_scores", "ple_scores", "sniper_targets")


@pytest.fixture
def endpoint(db, monkeypatch):
    """URL of a real ``barton receive-signals``; two companies are there."""
    insert_companies(db, "B1", 2)
    run_stages("B1")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "barton_pipeline.cli.main", "receive-signals", "--port", str(port)],
        env={**os.environ, TOKEN: SECRET, "BARTON_DATABASE_URL": db.url},
    )
    url = f"http://127.0.0.1:{port}/signals"
    try:
        for _ in range(200):
            try:
                requests.get(url, timeout=1)
                break
            except requests.ConnectionError:
                time.sleep(0.1)
        yield url
    finally:
        server.send_signal(signal.SIGINT)
        assert server.wait(10) == 0


def post(url: str, body, token: str = SECRET) -> requests.Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return requests.post(url, data=data, headers={"Authorization": f"Bearer {token}"}, timeout=10)


def test_a_signal_by_http_becomes_a_score(db, endpoint) -> None:
    now = datetime.now(UTC).isoformat()
    one = {
        "website": "company1.com",
        "signal_type": "demo_request",
        "occurred_at": now,
        "external_id": "web-1",
        "source_system": "crm",
    }
    answers = [
        post(endpoint, one),
        post(endpoint, [one, {"website": "company2.com", "signal_type": "reply", "strength": 0.5}]),
    ]
    assert [(answer.status_code, answer.json()["received"]) for answer in answers] == [(202, 1), (202, 2)]
    batch = answers[0].json()["batch"]
    assert re.fullmatch(r"20\d{6}-SIGNALS", batch)
    run_event(batch)
    assert db.query("SELECT outcome FROM intake.signals_raw_intake ORDER BY id") == [
        ("recorded",),
        ("duplicate",),
        ("recorded",),
    ]
    assert [company for (company,) in db.query("SELECT company_name FROM marketing.v_sniper_targets")] == [
        "Company 1 Inc"
    ]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"{", 400, "not JSON"), (b"[]", 400, "list of objects"), (b"[1]", 400, "list of objects"), (b"\xff\xfe", 400, "not JSON"),
        ([{"website": "a.com", "signal_type": "reply"}] * (MOST_SIGNALS + 1), 400, "At most"),
        ({"website": "company1.com", "signal_type": "telepathy"}, 422, "is not one of"),
        ({"signal_type": "reply"}, 422, "no company"), ({"website": "a.com", "signal_type": "reply", "mood": "good"}, 422, "unknown field 'mood'"),
        ({"website": "a\x00.com", "signal_type": "reply"}, 422, "NUL"), (b"[" + b" " * 1_000_001 + b"]", 413, "bytes"),
    ],
)  # fmt: skip
def test_a_body_that_cannot_be_recorded_is_refused_whole(db, endpoint, body, status: int, says: str) -> None:
    answer = post(endpoint, body)
    assert answer.status_code == status and says in answer.text
    assert db.value("SELECT count(*) FROM intake.signals_raw_intake") == 0


def test_only_who_has_the_token_may_send(db, endpoint, monkeypatch) -> None:
    good = {"website": "company1.com", "signal_type": "reply"}
    assert [post(endpoint, good, token).status_code for token in ("", "wrong", SECRET + "x", "ä")] == [401] * 4
    assert requests.get(endpoint, timeout=5).status_code == 405
    assert db.value("SELECT count(*) FROM intake.signals_raw_intake") == 0
    for weak in ("", "short"):
        monkeypatch.setenv(TOKEN, weak)
        with pytest.raises(InputError, match=TOKEN):
            application()


def test_many_senders_at_once_lose_nothing(db, endpoint) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda n: (
                    post(
                        endpoint, {"website": "company1.com", "signal_type": "site_visit", "external_id": str(n)}
                    ).status_code
                ),
                range(60),
            )
        )
    assert answers == [202] * 60
    assert db.value("SELECT count(*) FROM intake.signals_raw_intake") == 60


def run_event(batch: str, stages=SCORING) -> dict:
    """Run the batch's pending events as the sensor would have it run."""
    with transaction() as connection:
        claim = events.accept(connection, batch)
    assert claim is not None and claim.entry_stage == stages[0]
    return run_stages(batch, stages, token=claim.lease_token)


def new_signal(db, company: int, kind: str = "demo_request") -> None:
    db.execute(
        "INSERT INTO marketing.bit_signals (company_id, signal_type, signal_timestamp) SELECT company_unique_id, %s, now() "
        "FROM marketing.company_master WHERE domain = %s", kind, f"company{company}.com",
    )  # fmt: skip


def test_a_new_signal_scores_only_its_company(db) -> None:
    insert_companies(db, "B1", 50)
    run_stages("B1")
    new_signal(db, 7)
    counts = run_event("B1")
    assert [counts[stage]["rows_in"] for stage in SCORING] == [1, 1, 1] and counts["sniper_targets"]["entered"] == 1
    assert db.value("SELECT count(*) FROM marketing.companies_to_score") == 0
    new_signal(db, 8)
    new_signal(db, 8)
    new_signal(db, 9)
    assert [count["rows_in"] for count in run_event("B1").values()] == [2, 2, 2]
    assert run_stages("B1", SCORING)["bit_scores"]["rows_in"] == 50, "by hand everything is scored"


def test_other_work_that_came_with_a_signal_scores_the_whole_batch(db) -> None:
    """An address verified meanwhile concerns a company that has no new signal."""
    insert_companies(db, "B1", 5)
    run_stages("B1")
    new_signal(db, 1)
    db.execute(
        "INSERT INTO marketing.email_verification (email, status, source, import_batch_id) VALUES ('a@company2.com', 'valid', 'x', 'B1')"
    )
    assert [count["rows_in"] for count in run_event("B1").values()] == [5, 5, 5]


def test_a_run_that_dies_between_the_stages_leaves_its_companies_to_the_next(db) -> None:
    insert_companies(db, "B1", 5)
    run_stages("B1")
    new_signal(db, 1)
    with pytest.raises(psycopg2.errors.DivisionByZero):
        _die_after_bit("B1", claim_batch(db, "B1").lease_token)
    db.execute("UPDATE marketing.pipeline_events SET available_at = now() WHERE status = 'pending'")
    new_signal(db, 2)
    counts = run_event("B1")
    assert [count["rows_in"] for count in counts.values()] == [2, 2, 2]
    assert db.value("SELECT count(*) FROM marketing.sniper_targets") == 2


def _die_after_bit(batch: str, token: str) -> None:
    from barton_pipeline.scoring import bit
    from barton_pipeline.stages.runner import run_stage
    from barton_pipeline_tests.builders import manual_run

    run = manual_run(batch, SCORING, token)
    run_stage(run, stage_with("bit_scores", bit.run))

    def fails(connection, batch):
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")

    run_stage(run, stage_with("ple_scores", fails))


def test_the_list_shows_the_change_and_how_fresh_it_is(db) -> None:
    insert_companies(db, "B1", 1)
    run_stages("B1")
    new_signal(db, 1, "demo_request")
    run_event("B1")
    new_signal(db, 1, "reply")
    run_event("B1")
    ((before, now, change, days, readiness),) = db.query(
        "SELECT previous_bit_intent_score, bit_intent_score, bit_change, days_since_signal, contact_readiness FROM marketing.v_sniper_target_details"
    )
    assert before < now and change == pytest.approx(now - before) and days == 0 and readiness == "none"
    run_stages("B1", SCORING)
    assert db.query("SELECT previous_bit_intent_score FROM marketing.sniper_targets") == [(before,)], (
        "no change, no new before"
    )


def test_the_surge_view_compares_three_weeks_with_the_twelve_before(db) -> None:
    insert_companies(db, "B1", 3)
    run_stages("B1")
    ids = dict(db.query("SELECT domain, company_unique_id FROM marketing.company_master"))

    def visits(company: int, *days: int, kind: str = "site_visit") -> None:
        for day in days:
            when = datetime.now(UTC) - timedelta(days=day)
            db.execute(
                "INSERT INTO marketing.bit_signals (company_id, signal_type, signal_timestamp, observed_at) VALUES (%s, %s, %s, %s)",
                ids[f"company{company}.com"], kind, when, when,
            )  # fmt: skip

    visits(1, 1, 2, 3, 4, 5, 6, 30, 50, 70, 100)  # 6 now, 4 in 84 days: 1 usual
    visits(2, 1, 2, *range(22, 100, 10))  # 2 now, 2 usual: no surge
    visits(3, *range(20), kind="email_open")  # opens do not count
    visits(1, 106, 200)  # too old to matter
    assert db.query("SELECT company_name, signals_21_days, signals_84_days_before, usual_21_days, surge, signal_types FROM marketing.v_bit_surge") == [
        ("Company 1 Inc", 6, 4, 1, 6, ["site_visit"])
    ]  # fmt: skip


def test_explain_as_of_any_moment_and_wrong_input(db) -> None:
    insert_companies(db, "B1", 2)
    run_stages("B1")
    new_signal(db, 1)
    run_event("B1")

    def explained(*arguments: str) -> dict:
        result = CliRunner().invoke(barton, ["explain", *arguments, "--json"], catch_exceptions=False)
        return json.loads(result.output)

    now = explained("company1.com")
    assert (
        sum(reason["share"] for reason in now["bit"]["reasons"]) == pytest.approx(now["bit"]["score"], abs=1e-9)
        and now["bit"]["score"] > 0.7
    )
    assert now["stored"]["bit"]["score"] == pytest.approx(now["bit"]["score"], abs=1e-3)
    before = explained("Company 1 Inc", "--as-of", "2026-01-01")
    assert (before["bit"]["score"], before["bit"]["reasons"], before["stored"]["bit"]) == (0, [], None)
    later = explained(now["company_id"], "--as-of", (datetime.now(UTC) + timedelta(days=14)).isoformat())
    assert later["bit"]["score"] < now["bit"]["score"]
    for arguments, says in (
        (["nobody.com"], "No company"),
        (["company1.com", "--as-of", "yesterday"], "is not a moment"),
    ):
        with pytest.raises(InputError, match=says):
            CliRunner().invoke(barton, ["explain", *arguments], catch_exceptions=False)
    assert "demo request" in CliRunner().invoke(barton, ["explain", "company1.com"]).output
