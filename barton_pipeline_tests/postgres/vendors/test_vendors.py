"""Buying from vendors end to end, against the sandbox: what is asked, paid, kept, held back, and rebuilt."""

import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import psycopg2
import pytest

from barton_pipeline.addresses import verification
from barton_pipeline.addresses.checks import MxLookup
from barton_pipeline.operations import replay
from barton_pipeline.outbound import budgets, holds, requests
from barton_pipeline.outbound import settings as outbound_settings
from barton_pipeline.outbound.budgets import Buyer
from barton_pipeline.outbound.ledger import Input
from barton_pipeline.outbound.requests import Shape
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.reports import spending
from barton_pipeline.vendors import apify, items, million_verifier, settings
from barton_pipeline.vendors.sandbox import Sandbox, running_sandbox
from barton_pipeline_tests.builders import change_rules, insert_companies, run_stages

SHORT: dict[str, Any] = {
    "lease_seconds": 2,
    "heartbeat_seconds": 0.5,
    "grace_seconds": 0.5,
    "poll_seconds": 0.1,
    "retries": 2,
    "read_seconds": 5,
}


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Both vendors, reached as BARTON_SANDBOX_URL says; short times."""
    with running_sandbox(seed=1, run_seconds=0.05, bulk_seconds=0.05) as server:
        monkeypatch.setenv(settings.SANDBOX, server.url)
        change_rules(monkeypatch, outbound_settings, **SHORT)
        yield server


@pytest.fixture
def set_budget(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets one budget: ``set_budget("apify", "day", 0.1)``."""

    def change(vendor: str, scope: str, usd: Decimal | float) -> None:
        present = settings.rules().budgets
        budget = present[vendor]
        changed = replace(budget, usd=replace(budget.usd, **{scope: Decimal(str(usd))}))
        change_rules(monkeypatch, settings, budgets={**present, vendor: changed})

    return change


def with_profiles(db: Any, batch: str, count: int, first: int = 1) -> None:
    """Companies with a website and a LinkedIn page."""
    insert_companies(db, batch, count, first)
    db.execute(
        """
        UPDATE intake.company_raw_intake
        SET company_linkedin_url = 'https://www.linkedin.com/company/' || split_part(website, '.', 2) || '/'
        WHERE import_batch_id = %s
        """,
        batch,
    )


def ledger_usd(db: Any, vendor: str) -> Decimal:
    return db.value(
        "SELECT coalesce(sum(actual_usd), 0) FROM marketing.vendor_requests WHERE vendor = %s AND state <> 'refused'",
        vendor,
    )


def charged_usd(sandbox: Sandbox, vendor: str) -> Decimal:
    charges = sandbox.charges()
    if vendor == "apify":
        return Decimal(str(charges["apify"]["usd"]))
    return settings.rules().operations["verify_email"].usd_per_item * charges["million_verifier"]["verifications"]


def test_slots_are_filled_and_addresses_verified_and_nothing_is_bought_twice(db, sandbox) -> None:
    with_profiles(db, "B1", 20)
    counts = run_stages("B1")
    assert counts["enriched_contacts"]["slots_filled"] > 30
    assert counts["verified_emails"]["valid"] > 20
    assert db.value("SELECT count(*) FROM marketing.company_slots WHERE search_state = 'not_searched'") == 0
    for vendor in ("apify", "million_verifier"):
        assert ledger_usd(db, vendor) == charged_usd(sandbox, vendor) > 0
    before = sandbox.charges()
    insert_companies(db, "B2", 20)  # the same companies in another batch
    run_stages("B1")
    run_stages("B2")
    assert sandbox.charges() == before
    assert {times for times in before["inputs"].values()} == {1}


def test_more_single_verifications_than_are_reserved_at_once(db, sandbox, monkeypatch) -> None:
    change_rules(monkeypatch, million_verifier, single_below=10**9, single_reserved=7)
    with_profiles(db, "B1", 20)
    run_stages("B1")
    assert (
        db.value("SELECT count(*) FROM marketing.vendor_requests WHERE operation = 'verify_email' AND inputs = 1")
        > 5 * 7
    )
    assert (
        db.query("SELECT operation FROM marketing.vendor_holds WHERE reason <> 'refresh' AND reason <> 'recheck'") == []
    )
    assert ledger_usd(db, "million_verifier") == charged_usd(sandbox, "million_verifier") > 0


def test_everything_from_the_sandbox_says_so(db, sandbox) -> None:
    with_profiles(db, "B1", 10)
    run_stages("B1")
    assert db.query("SELECT DISTINCT environment FROM marketing.vendor_requests") == [("sandbox",)]
    assert db.value("SELECT count(*) FROM marketing.people_master WHERE source NOT LIKE 'sandbox:%%' AND %s", True) == 0
    assert (
        db.value(
            "SELECT count(*) FROM marketing.email_verification WHERE status = 'valid' AND source NOT LIKE 'sandbox:%%' AND %s",
            True,
        )
        == 0
    )


def test_sandbox_and_real_answers_do_not_mix(db, sandbox, monkeypatch) -> None:
    with_profiles(db, "B1", 3)
    db.execute(
        """
        INSERT INTO marketing.vendor_requests (vendor, operation, environment, inputs, estimated_usd, holder, lease_until)
        VALUES ('apify', 'leads_finder', 'real', 1, 1, gen_random_uuid(), now())
        """
    )
    run_stages("B1")
    assert sandbox.charges()["apify"]["runs"] == 0
    assert "invented people do not mix" in db.value("SELECT min(message) FROM marketing.vendor_holds")
    monkeypatch.setenv(outbound_settings.ALLOW_MIXED, "1")
    run_stages("B1")
    assert sandbox.charges()["apify"]["runs"] > 0


def test_without_a_key_nothing_is_bought_and_the_stage_says_so(db) -> None:
    insert_companies(db, "B1", 3)
    counts = run_stages("B1")
    assert counts["enriched_contacts"]["vendors"]["leads_finder"] == "skipped: no key is configured"
    assert counts["verified_emails"]["vendors"] == {"verify_email": "skipped: no key is configured"}
    assert db.value("SELECT count(*) FROM marketing.vendor_requests") == 0
    assert db.query("SELECT DISTINCT search_state FROM marketing.company_slots") == [("not_searched",)]


def test_the_plan_is_what_the_run_then_does(db, sandbox) -> None:
    with_profiles(db, "B1", 12)
    run_stages("B1", ("raw_intake", "validated_companies", "company_master", "company_slots"))
    with transaction() as connection:
        planned = {line.operation: line for line in spending.plan(connection, "B1")}
    assert sandbox.charges()["apify"]["runs"] == 0
    run_stages("B1")
    done = {
        operation: (inputs, requests, usd)
        for operation, inputs, requests, usd in db.query(
            "SELECT operation, sum(inputs), count(*), sum(estimated_usd) FROM marketing.vendor_requests GROUP BY 1"
        )
    }
    first = planned["leads_finder"]
    assert first.certainty == "exact"
    assert done["leads_finder"] == (first.to_buy, first.requests, first.usd)
    assert done["linkedin_employees"][2] <= planned["linkedin_employees"].usd
    assert planned["linkedin_employees"].certainty == "at most"
    assert done["verify_email"][2] <= planned["verify_email"].usd + planned["guessed addresses"].usd
    with transaction() as connection:
        assert sum(line.to_buy for line in spending.plan(connection, "B1") if line.certainty == "exact") == 0


def test_plan_and_purchase_agree_on_the_addresses_worth_paying_for(db, sandbox) -> None:
    insert_companies(db, "B1", 3)
    people = [
        ("Ann Holder", "CEO", "ann.holder@company1.com", 1),
        ("Bob Role", "CFO", "info@company1.com", 1),
        ("Cid Invalid", "HR Director", "cid@mailinator.com", 1),
        ("Dan Left", "CEO", "dan.left@company2.com", 2),
        ("Eve Twice", "CFO", "eve@company2.com", 2),
        ("Fay Without", "HR Director", None, 2),
        ("Gil Shared", "CEO", "eve@company2.com", 3),
        ("Hal Sales", "Sales Manager", "hal@company3.com", 3),
    ]
    for full_name, title, email, company in people:
        db.execute(
            """
            INSERT INTO intake.people_raw_intake (full_name, title, email, website, import_batch_id)
            VALUES (%s, %s, %s, 'company' || %s || '.com', 'B1')
            """,
            full_name, title, email, company,
        )  # fmt: skip
    with transaction() as connection:
        holds.switch(connection, "apify", False, "not this time")
        holds.switch(connection, "million_verifier", False, "not yet")
    run_stages("B1")
    held = "SELECT count(*) FROM marketing.company_slots JOIN marketing.people_master USING (person_unique_id)"
    assert db.value(f"{held} WHERE email IN ('info@company1.com', 'cid@mailinator.com', 'dan.left@company2.com')") == 3
    db.execute("UPDATE marketing.people_master SET left_at = now() WHERE full_name = 'Dan Left'")
    page = {"batch": "B1", "after": "", "last": "~"}
    with transaction() as connection:
        planned = {line.operation: line.to_buy for line in spending.plan(connection, "B1")}
        wanted = [item.key for item in verification.given_addresses(connection, page)]
    assert sorted(wanted) == ["ann.holder@company1.com", "eve@company2.com"]
    assert planned["verify_email"] == len(wanted)
    with transaction() as connection:
        holds.switch(connection, "million_verifier", True, None)
    run_stages("B1", ("verified_emails",))
    bought = db.query("SELECT input_key FROM marketing.vendor_calls WHERE NOT input ? 'guessed_for' ORDER BY 1")
    assert [key for (key,) in bought] == sorted(wanted)


def test_a_budget_stops_buying_and_the_rest_waits_until_there_is_money(db, sandbox, set_budget) -> None:
    with_profiles(db, "B1", 20)
    leads = settings.rules().operations["leads_finder"]
    set_budget("apify", "day", float(leads.estimate(7)))
    run_stages("B1")
    assert db.value("SELECT sum(inputs) FROM marketing.vendor_requests WHERE operation = 'leads_finder'") >= 7
    assert charged_usd(sandbox, "apify") <= leads.estimate(7)
    ((inputs, message),) = db.query(
        "SELECT inputs, message FROM marketing.vendor_holds WHERE reason = 'budget' AND operation = 'leads_finder'"
    )
    assert inputs == 20 - db.value("SELECT sum(inputs) FROM marketing.vendor_requests WHERE operation = 'leads_finder'")
    assert "budget per day" in message
    db.execute("UPDATE marketing.vendor_holds SET retry_at = now() WHERE reason = 'budget'")
    with transaction() as connection:
        assert holds.wake_holds(connection, settings.rules().operations, settings.rules().budgets) == [], (
            "there is no money yet"
        )
    set_budget("apify", "day", 10)
    db.execute("UPDATE marketing.vendor_holds SET retry_at = now() WHERE reason = 'budget'")
    with transaction() as connection:
        assert holds.wake_holds(connection, settings.rules().operations, settings.rules().budgets) == ["B1"]
    assert db.value(
        "SELECT count(*) FROM marketing.pipeline_events WHERE event_type = 'continue_at_enriched_contacts' AND status = 'pending'"
    )
    run_stages("B1")
    assert db.value("SELECT count(*) FROM marketing.vendor_holds WHERE reason = 'budget'") == 0
    assert db.value("SELECT count(*) FROM marketing.company_slots WHERE search_state = 'not_searched'") == 0


def test_a_budget_nearly_used_is_a_warning_and_a_used_one_an_error(db, sandbox, set_budget) -> None:
    with_profiles(db, "B1", 10)
    run_stages("B1")
    spent = charged_usd(sandbox, "apify")
    for share, severity in ((Decimal("0.9"), "warning"), (Decimal("1.0"), "error")):
        set_budget("apify", "day", float(spent / share))
        for _ in range(2):
            with transaction() as connection:
                budgets.warn_about_budgets(connection, "apify", "sandbox", settings.rules().budgets["apify"], "B1")
        rows = db.query("SELECT severity FROM marketing.pipeline_errors WHERE event_type = 'vendor_budget' ORDER BY id")
        assert rows[-1] == (severity,)
    assert len(rows) == 2, "each once a day"


def test_a_budget_of_nothing_is_used_up(db, sandbox, set_budget) -> None:
    set_budget("apify", "day", 0.0)
    with transaction() as connection:
        shown = {(use.vendor, use.budget): use.used_pct for use in spending.list_budgets(connection)}
    assert shown["apify", "day"] == 100 and shown["apify", "month"] == 0
    with_profiles(db, "B1", 1)
    run_stages("B1")
    assert charged_usd(sandbox, "apify") == 0


def test_two_runs_racing_for_the_last_money_cannot_overspend(db, sandbox, set_budget) -> None:
    for number in range(4):
        with_profiles(db, f"B{number}", 10, first=1 + 100 * number)
        run_stages(f"B{number}", ("raw_intake", "validated_companies", "company_master", "company_slots"))
    limit = settings.rules().operations["leads_finder"].estimate(13)
    set_budget("apify", "month", float(limit))
    threads = [threading.Thread(target=run_stages, args=(f"B{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reserved = db.value(
        "SELECT max(total) FROM (SELECT sum(estimated_usd) OVER (ORDER BY id) AS total FROM marketing.vendor_requests WHERE vendor = 'apify') t"
    )
    assert charged_usd(sandbox, "apify") == ledger_usd(db, "apify") <= limit
    assert reserved > 0
    assert (
        db.value(
            "SELECT count(DISTINCT import_batch_id) FROM marketing.vendor_holds WHERE reason IN ('budget', 'in_flight')"
        )
        >= 1
    )


def test_a_switched_off_vendor_gets_nothing(db, sandbox) -> None:
    with transaction() as connection:
        holds.switch(connection, "apify", False, "too dear")
    with_profiles(db, "B1", 3)
    run_stages("B1")
    assert sandbox.charges()["apify"]["runs"] == 0
    assert "too dear" in db.value("SELECT message FROM marketing.vendor_holds WHERE operation = 'leads_finder'")


@pytest.mark.parametrize(
    ("fault", "path", "words"),
    [
        ("no_credit", "/runs$", "top it up"),
        ("bad_key", "/runs$", "Check APIFY_TOKEN"),
        ("wrong_schema", "/v2/actor-runs/", "could not be read"),
        ("wrong_schema", "/items$", "in a form we cannot read"),
        ("bad_key", "/api/v3", "Check MILLIONVERIFIER_API_KEY"),
        ("no_credit", "/api/v3", "no credits left"),
    ],
)
def test_a_vendor_in_trouble_is_explained_and_the_batch_goes_on_later(
    db, sandbox, fault: str, path: str, words: str
) -> None:
    with_profiles(db, "B1", 6)
    sandbox.fault(fault, path, times=50)
    counts = run_stages("B1")
    assert counts["sniper_targets"]["rows_in"] == 6, "free work goes on"
    assert words in "".join(message for (message,) in db.query("SELECT error_message FROM marketing.pipeline_errors"))
    assert db.value("SELECT count(*) FROM marketing.vendor_holds WHERE reason = 'vendor_trouble'") >= 1
    sandbox._faults.clear()
    db.execute("UPDATE marketing.vendor_requests SET lease_until = now() WHERE state = 'sent'")
    run_stages("B1")
    assert db.value("SELECT count(*) FROM marketing.vendor_holds WHERE reason = 'vendor_trouble'") == 0
    for vendor in ("apify", "million_verifier"):
        assert ledger_usd(db, vendor) == charged_usd(sandbox, vendor) > 0


@pytest.mark.parametrize("single_below", [1, 10**9])
def test_no_more_addresses_are_sent_than_there_are_credits(db, sandbox, monkeypatch, single_below: int) -> None:
    change_rules(monkeypatch, million_verifier, single_below=single_below)
    sandbox.settings.credits = 7
    with_profiles(db, "B1", 10)
    run_stages("B1")
    assert charged_usd(sandbox, "million_verifier") == ledger_usd(db, "million_verifier") == 7 * Decimal("0.0037")
    assert "no credits left" in db.value("SELECT message FROM marketing.vendor_holds WHERE operation = 'verify_email'")


def test_a_vendor_that_is_down_costs_nothing(db, sandbox) -> None:
    with_profiles(db, "B1", 3)
    sandbox.stop()
    run_stages("B1")
    assert "cannot be reached" in db.value(
        "SELECT min(message) FROM marketing.vendor_holds WHERE operation = 'leads_finder'"
    )
    assert db.query("SELECT DISTINCT state FROM marketing.vendor_requests") == [("refused",)]


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_run_that_does_not_end_is_aborted_paid_and_asked_again(db, sandbox, monkeypatch, stubborn: bool) -> None:
    change_rules(monkeypatch, apify, run_timeout_seconds=1, overdue_seconds=0.5)
    insert_companies(db, "B1", 60)  # two runs
    sandbox.fault("run_hangs", "/runs$", items=20, stubborn=stubborn)
    run_stages("B1")
    message = db.value("SELECT message FROM marketing.vendor_holds WHERE reason = 'vendor_trouble'")
    states = db.query("SELECT state FROM marketing.vendor_requests WHERE operation = 'leads_finder' ORDER BY state")
    if stubborn:
        assert "does not end" in message and states == [("sent",), ("settled",)]
        for run in sandbox.apify.runs.values():
            run.stubborn = False
        db.execute("UPDATE marketing.vendor_requests SET lease_until = now() WHERE state = 'sent'")
    else:
        assert "ended as ABORTED" in message and "with 20 items" in message and states == [("settled",)] * 2
        assert ledger_usd(db, "apify") == charged_usd(sandbox, "apify")
        held = db.value("SELECT inputs FROM marketing.vendor_holds WHERE reason = 'vendor_trouble'")
        assert 0 < held == db.value("SELECT count(*) FROM marketing.vendor_calls WHERE state = 'refused'") < 50
    for _ in range(2):
        run_stages("B1")
    assert db.value("SELECT count(*) FROM marketing.vendor_holds WHERE reason = 'vendor_trouble'") == 0
    assert db.value("SELECT count(*) FROM marketing.company_slots WHERE search_state = 'not_searched'") == 0
    assert len(sandbox.apify.runs) == 3
    assert ledger_usd(db, "apify") == charged_usd(sandbox, "apify")


def test_a_guess_waits_for_the_addresses_at_its_domain(db, sandbox) -> None:
    insert_companies(db, "B1", 20)
    run_stages("B1")
    guesses = "operation = 'verify_email' AND input ? 'guessed_for'"
    domain = db.value(f"SELECT split_part(input_key, '@', 2) FROM marketing.vendor_calls WHERE {guesses} LIMIT 1")
    db.execute(f"DELETE FROM marketing.vendor_calls WHERE {guesses}")
    db.execute("UPDATE marketing.people_master SET email = NULL")
    page = {"batch": "B1", "after": "", "last": "~"}

    def asked() -> set[str]:
        with transaction() as connection:
            guesses = verification.next_guesses(connection, page, MxLookup(1, probes=()))
        return {guess.key for guess in guesses if guess.key.endswith(f"@{domain}")}

    free = asked()
    with transaction() as connection:
        rules, buyer = settings.rules(), Buyer("B9", "", str(uuid.uuid4()))
        operation, budget = rules.operations["verify_email"], rules.budgets["million_verifier"]
        under_way = f"somebody@{domain}"
        requests.reserve(connection, operation, "sandbox", budget, [Input(under_way)], buyer, Shape(lambda inputs: {}))
    assert free and asked() == {under_way}


def test_a_download_that_stays_cut_off_is_read_again_later_and_nothing_is_bought_twice(
    db, sandbox, monkeypatch
) -> None:
    """The answers are paid and the vendor has them: settling what could be read would buy the others again."""
    change_rules(monkeypatch, million_verifier, single_below=1)
    with_profiles(db, "B1", 10)
    sandbox.fault("truncated_json", "/download", times=SHORT["retries"])
    run_stages("B1")
    assert db.query("SELECT message FROM marketing.vendor_holds WHERE reason = 'vendor_trouble'")[0][0].startswith(
        "MillionVerifier gives out"
    )
    time.sleep(SHORT["lease_seconds"])
    run_stages("B1")
    assert set(sandbox.charges()["inputs"].values()) == {1}
    assert ledger_usd(db, "million_verifier") == charged_usd(sandbox, "million_verifier") > 0
    assert db.value("SELECT count(*) FROM marketing.vendor_requests WHERE state IN ('sent', 'unknown')") == 0


def test_executives_who_leave_and_arrive_are_history_and_signals(db, sandbox) -> None:
    with_profiles(db, "B1", 20)
    run_stages("B1")
    held = dict(
        db.query("SELECT company_slot_unique_id, person_unique_id FROM marketing.company_slots WHERE is_filled")
    )
    sandbox.set_generation(2)
    db.execute(
        """
        UPDATE marketing.vendor_calls SET answered_at = answered_at - interval '31 days', fresh_until = now() - interval '1 day';
        UPDATE intake.people_raw_intake SET observed_at = observed_at - interval '31 days';
        UPDATE marketing.people_master SET observed_at = observed_at - interval '31 days';
        UPDATE marketing.company_slots SET searched_at = searched_at - interval '31 days'
        """
    )
    run_stages("B1")
    left = db.query(
        "SELECT company_slot_unique_id, person_unique_id FROM marketing.contact_enrichment WHERE outcome = 'left'"
    )
    assert left and all(held[slot] == person for slot, person in left)
    holders = {person for (person,) in db.query("SELECT person_unique_id FROM marketing.company_slots WHERE is_filled")}
    assert not holders & {person for _, person in left}
    signals = dict(db.query("SELECT signal_type, count(*) FROM marketing.bit_signals GROUP BY 1"))
    assert signals["executive_departure"] == len(left)
    assert 0 < signals["executive_hire"] <= len(left)
    assert db.value("SELECT count(*) FROM marketing.vendor_holds WHERE reason = 'refresh'") == 2


def test_an_unknown_address_is_asked_once_more_and_then_parked(db, sandbox) -> None:
    with_profiles(db, "B1", 40)
    run_stages("B1")
    unknown = db.value("SELECT count(*) FROM marketing.vendor_calls WHERE response ->> 'result' = 'unknown'")
    assert unknown, "the seed has none: choose another"
    for _ in range(3):
        db.execute(
            "UPDATE marketing.vendor_calls SET fresh_until = now() WHERE response ->> 'result' = 'unknown' AND fresh_until < now() + interval '2 days'"
        )
        run_stages("B1")
    windows = db.value("SELECT max(freshness_window) FROM marketing.vendor_calls WHERE operation = 'verify_email'")
    assert windows <= 1


def test_a_replay_rebuilds_everything_without_a_single_call(db, sandbox) -> None:
    with_profiles(db, "B1", 15)
    run_stages("B1")
    with_profiles(db, "B2", 15, first=8)
    db.execute(
        """
        INSERT INTO intake.people_raw_intake (full_name, title, email, website, import_batch_id)
        VALUES ('Ada Example', 'CEO', 'nobody@company9.com', 'company9.com', 'B2'), ('Bo Sample', 'CFO', NULL, 'company9.com', 'B2')
        """
    )
    run_stages("B2")
    for batch, company in (("B1", 3), ("S1", 9), ("S1", 9), ("S1", 99)):
        db.execute(
            """
            INSERT INTO intake.signals_raw_intake (website, signal_type, occurred_at, external_id, source_system, import_batch_id)
            VALUES ('company' || %s || '.com', 'reply', '2026-10-01', %s, 'test', %s)
            """,
            company, f"E{company}", batch,
        )  # fmt: skip
    run_stages("B1")
    run_stages("S1")
    signals = "SELECT id, company_name_key, domain, outcome, outcome_reasons FROM intake.signals_raw_intake ORDER BY id"
    judged = db.query(signals)
    assert [row[3] for row in judged] == ["recorded", "recorded", "duplicate", "company_unknown"]
    ids = db.query("SELECT company_unique_id FROM marketing.company_master ORDER BY 1")
    history = db.value("SELECT count(*) FROM marketing.barton_id_history")
    events = db.value("SELECT count(*) FROM marketing.pipeline_events")
    sandbox.stop()
    for apply in (False, True, False):
        done = replay.replay(apply)
        assert done.differences == ()
        assert done.rows["marketing.company_master"] == 22 and done.rows["marketing.people_master"] > 30
        assert db.query(signals) == judged
    assert db.query("SELECT company_unique_id FROM marketing.company_master ORDER BY 1") == ids
    assert db.value("SELECT count(*) FROM marketing.barton_id_history") == history
    assert db.value("SELECT count(*) FROM marketing.pipeline_events") == events
    assert db.value("SELECT count(*) FROM marketing.known_ids") == 0


def test_a_replay_finds_what_does_not_follow_from_the_sources(db, sandbox) -> None:
    with_profiles(db, "B1", 5)
    run_stages("B1")
    db.execute(
        "UPDATE marketing.people_master SET title = 'Emperor' WHERE person_unique_id = (SELECT min(person_unique_id) FROM marketing.people_master)"
    )
    differences = replay.replay(apply=False).differences
    assert {difference.table for difference in differences} >= {"marketing.people_master"}
    assert db.value("SELECT count(*) FROM marketing.people_master WHERE title = 'Emperor'") == 1


def test_the_slug_of_a_linkedin_page_is_the_same_in_sql_and_python(db) -> None:
    urls = ["https://www.linkedin.com/company/Acme-Corp/", "linkedin.com/school/x?y=1", "https://linkedin.com/in/jane", "", None,
            "http://de.linkedin.com/company/%C3%BC#about", "https://www.linkedin.com/showcase/a/b"]  # fmt: skip
    for url in urls:
        assert db.value("SELECT marketing.linkedin_slug(%s)", url) == items.linkedin_slug(url)


@pytest.mark.slow
def test_buyers_killed_at_every_step_pay_for_everything_once(db, sandbox) -> None:
    from benchmarks.charges import compare, torment

    trial = torment(db.url, sandbox, kills=10, seed=5, companies=5)
    both, twice, still_open = compare(db.url, sandbox)
    assert sum(trial.kills.values()) == 10
    assert not twice and not still_open
    assert all(ours == theirs for ours, theirs in both.values()), both


def test_the_command_line_shows_plan_and_spending(db, sandbox) -> None:
    with_profiles(db, "B1", 4)
    run_stages("B1")

    def barton(*arguments: str) -> Any:
        command = [sys.executable, "-m", "barton_pipeline.cli.main", *arguments, "--json"]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert {line["certainty"] for line in barton("plan", "B1")} <= {"exact", "at most"}
    found = barton("vendors", "--off", "apify", "--reason", "lunch")
    assert {row["access"] for row in found["budgets"] if row["vendor"] == "apify"} == {"switched off"}
    assert found["yield"]["filled_slots"] > 0 and float(found["yield"]["usd_per_filled_slot"]) > 0
    assert barton("replay")["differences"] == []


def everything_stored(db: Any) -> str:
    """Every row of our tables as text."""
    tables = db.query(
        "SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_schema IN ('intake', 'marketing') AND table_type = 'BASE TABLE' AND table_name NOT IN ('public_suffix', 'shared_domains')"
    )
    return "\n".join(str(db.query(f"SELECT to_jsonb(t)::text FROM {table} t")) for (table,) in tables).lower()


@pytest.mark.parametrize("by", ["person", "email", "linkedin"])
def test_a_forgotten_person_is_gone_everywhere_and_does_not_come_back(db, sandbox, by: str) -> None:
    with_profiles(db, "B1", 10)
    run_stages("B1")
    ((person, email, linkedin, full_name),) = db.query(
        """
        SELECT p.person_unique_id, p.email, p.linkedin_url, p.full_name FROM marketing.people_master p
        JOIN marketing.company_slots s USING (person_unique_id) JOIN marketing.email_verification v ON v.email = p.email
        WHERE v.status = 'valid' AND p.linkedin_url IS NOT NULL
          AND (SELECT count(*) FROM marketing.people_master q WHERE q.full_name = p.full_name) = 1 ORDER BY 1 LIMIT 1
        """
    )
    stored = everything_stored(db)
    assert email in stored and full_name.lower() in stored
    db.query(
        "SELECT * FROM marketing.forget_person(%s, 'on request')",
        {"person": person, "email": email, "linkedin": linkedin}[by],
    )
    for _ in range(2):
        stored = everything_stored(db)
        assert (
            email not in stored
            and linkedin.lower().rsplit("/", 1)[-1] not in stored
            and full_name.lower() not in stored
        )
        db.execute(
            "INSERT INTO intake.people_raw_intake (full_name, title, email, website, import_batch_id) SELECT %s, 'CEO', %s, split_part(%s, '@', 2), 'B1'",
            full_name, email, email,
        )  # fmt: skip
        run_stages("B1")
    reasons = db.query("SELECT DISTINCT outcome_reasons FROM intake.people_raw_intake WHERE outcome = 'invalid'")
    assert (["suppressed"],) in reasons
    with pytest.raises(psycopg2.errors.NoDataFound, match="Nobody is known"):
        db.query("SELECT * FROM marketing.forget_person('04.04.02.99.99999.001', 'x')")
