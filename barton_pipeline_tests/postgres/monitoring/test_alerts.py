"""Alerts: each rule at its threshold and just below, the life of an alert, two watchdogs at once, the hourly summary."""

import json
import threading
import time
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import dagster as dg
import psycopg2
import pytest

from barton_pipeline.monitoring import alerts, channels
from barton_pipeline.orchestration import sensors
from barton_pipeline.postgres.connection import transaction
from barton_pipeline_tests.builders import insert_companies, run_stages
from barton_pipeline_tests.receivers import http_receiver

RUNS = """
    INSERT INTO marketing.workflow_stats (workflow_name, status, triggered_by, duration_seconds, created_at)
    SELECT %(stage)s, CASE WHEN n <= %(errors)s THEN (ARRAY['error', 'timeout'])[1 + n %% 2] ELSE 'ok' END, 'event', %(seconds)s,
           now() - make_interval(mins => %(minutes)s) FROM generate_series(1, %(runs)s) AS n
"""
EVENT = """
    INSERT INTO marketing.pipeline_events (event_type, import_batch_id, status, created_at, processed_at)
    SELECT 'company_created', %(batch)s, %(status)s, now() - %(age)s::interval, CASE WHEN %(status)s IN ('processed', 'failed') THEN now() END
"""
SPENT = """
    INSERT INTO marketing.vendor_requests (vendor, operation, environment, state, inputs, estimated_usd, actual_usd, holder,
        lease_until, reserved_at, sent_at, ended_at)
    SELECT %(vendor)s, 'x', 'real', 'settled', 1, %(usd)s, %(usd)s, gen_random_uuid(), now(), date_trunc('day', now(), 'UTC'),
           now(), now()
"""
ERROR = """
    INSERT INTO marketing.pipeline_errors (event_type, error_message, severity, import_batch_id, resolved, resolved_at)
    VALUES (%(type)s, 'boss@example.com is wrong', %(severity)s, %(batch)s, %(resolved)s, CASE WHEN %(resolved)s THEN now() END)
"""


def runs(total: int, errors: int, stage: str = "company_slots", seconds: float = 1, minutes: int = 70) -> tuple:
    return RUNS, {"runs": total, "errors": errors, "stage": stage, "seconds": seconds, "minutes": minutes}


def event(age: str, status: str = "pending", batch: str | None = "B1") -> tuple:
    return EVENT, {"age": age, "status": status, "batch": batch}


def error(severity: str, kind: str = "check_x", batch: str | None = "B1", resolved: bool = False) -> tuple:
    return ERROR, {"severity": severity, "type": kind, "batch": batch, "resolved": resolved}


def spent(vendor: str, usd: str) -> tuple:
    return SPENT, {"vendor": vendor, "usd": usd}


def judge(db, *seeds: tuple, critical_only: bool = False) -> list[tuple[str, str, str, str]]:
    """Seed and judge in one transaction, where now() stands still; (what, rule, subject, severity) of each change."""
    with transaction(db.url) as connection:
        with connection.cursor() as cursor:
            for statement, parameters in seeds:
                cursor.execute(statement, parameters or None)
        changes = alerts.evaluate(connection, critical_only)
    return [(change.what, change.rule, change.subject, change.severity) for change in changes]


PHASE = ("phase_error_rate", "enrichment")
QUEUE = ("queue_age", "event queue")


@pytest.mark.parametrize(
    "seed, rule, subject, severity",
    [
        (runs(100, 5), *PHASE, None),
        (runs(100, 6), *PHASE, "warning"),
        (runs(100, 10), *PHASE, "warning"),
        (runs(100, 11), *PHASE, "critical"),
        (runs(1, 1), *PHASE, None),
        (runs(19, 19), *PHASE, None),
        (runs(20, 1), *PHASE, None),
        (runs(20, 3), *PHASE, "critical"),
        (runs(100, 11, minutes=24 * 60 + 1), *PHASE, None),
        (runs(100, 11, stage="ple_scores"), "phase_error_rate", "intelligence", "critical"),
        (runs(100, 11, stage="people_sync"), "phase_error_rate", "intelligence", None),
        (event("10 minutes"), *QUEUE, None),
        (event("10 minutes 1 millisecond"), *QUEUE, "warning"),
        (event("30 minutes"), *QUEUE, "warning"),
        (event("30 minutes 1 millisecond"), *QUEUE, "critical"),
        (event("1 day", "processed"), *QUEUE, None),
        (runs(2, 0, seconds=300, minutes=59), "stage_seconds", "company_slots", None),
        (runs(2, 0, seconds=300.001, minutes=59), "stage_seconds", "company_slots", "warning"),
        (runs(2, 0, seconds=900, minutes=61), "stage_seconds", "company_slots", None),
        (runs(2, 0, seconds=900, minutes=59, stage="people_sync"), "stage_seconds", "people_sync", None),
        (event("1 second", "failed"), "dead_letters", "B1", "critical"),
        (event("1 second", "failed", None), "dead_letters", "no batch", "critical"),
        (event("1 second"), "dead_letters", "B1", None),
        (spent("apify", "7.999"), "vendor_budget", "apify per day", None),
        (spent("apify", "8"), "vendor_budget", "apify per day", "warning"),
        # the cheapest request costs 0.032: what is left is enough, and just not enough
        (spent("apify", "9.968"), "vendor_budget", "apify per day", "warning"),
        (spent("apify", "9.969"), "vendor_budget", "apify per day", "critical"),
        (spent("apify", "20"), "vendor_budget", "apify per month", "warning"),
        (spent("million_verifier", "15.99"), "vendor_budget", "million_verifier per day", None),
        (spent("million_verifier", "20"), "vendor_budget", "million_verifier per day", "critical"),
        (error("error"), "critical_errors", "check_x of B1", None),
        (error("critical"), "critical_errors", "check_x of B1", "critical"),
        (error("critical", batch=None), "critical_errors", "check_x", "critical"),
        (error("critical", resolved=True), "critical_errors", "check_x of B1", None),
        (error("critical", kind="dead_letter"), "critical_errors", "dead_letter of B1", None),
    ],
)
def test_each_rule_fires_at_its_threshold_and_not_below(db, seed, rule, subject, severity) -> None:
    changes = judge(db, seed)
    assert {what for what, *_ in changes} <= {"new"}
    fired = {(name, about): level for _, name, about, level in changes}
    assert fired.get((rule, subject)) == severity
    assert {name for name, _ in fired} == ({rule} if severity else set()), "nothing else fires beside it"


def test_every_rule_of_the_configuration_is_one_of_those_tested_and_measured() -> None:
    assert (
        set(vars(alerts.settings().rules)) == {*alerts._MEASURES, "vendor_budget", "not_measured"} == set(alerts._WORDS)
    )
    for rule in alerts.rules().values():
        assert rule.over_at < min(rule.levels.values()), "an alert would be over while it fires"


OLDER = "UPDATE marketing.pipeline_events SET created_at = now() - %s::interval"
ANNOUNCED = "UPDATE marketing.alerts SET announced_at = announced_at - %s::interval"


def test_an_alert_fires_once_is_repeated_gets_worse_and_is_over(db) -> None:
    def aged(age: str) -> tuple:
        return OLDER, (age,)

    assert judge(db, event("11 minutes")) == [("new", *QUEUE, "warning")]
    assert judge(db, aged("29 minutes")) == [], "it holds and everybody has been told"
    assert judge(db, (ANNOUNCED, ("11 hours 59 minutes",))) == []
    assert judge(db, (ANNOUNCED, ("1 minute",)), aged("20 minutes")) == [("still", *QUEUE, "warning")]
    assert judge(db, aged("20 minutes")) == [], "repeating starts the time again"
    assert judge(db, aged("31 minutes")) == [("worse", *QUEUE, "critical")], "at once, whatever the time"
    assert judge(db, aged("31 minutes")) == []
    assert judge(db, aged("20 minutes")) == [], "less bad is no news"
    assert judge(db, aged("31 minutes")) == [], "nor is to be as bad as before"
    assert judge(db, (ANNOUNCED, ("4 hours",)), aged("8 minutes")) == [("still", *QUEUE, "warning")]
    assert judge(db, aged("5 minutes 1 second")) == [], "below the threshold, but not over"
    assert judge(db, aged("5 minutes")) == [("over", *QUEUE, "warning")]
    assert judge(db, aged("9 minutes")) == [], "over is over"
    assert judge(db, aged("11 minutes")) == [("new", *QUEUE, "warning")], "a new incident"
    assert db.value("SELECT count(*) FROM marketing.alerts") == 2


@pytest.mark.parametrize(
    "seed, repair, rule",
    [
        (runs(100, 11), ("DELETE FROM marketing.workflow_stats", None), "phase_error_rate"),
        (runs(100, 11), runs(175, 0), "phase_error_rate"),
        (runs(1, 0, seconds=301, minutes=1), ("DELETE FROM marketing.workflow_stats", None), "stage_seconds"),
        (
            event("1 second", "failed"),
            ("UPDATE marketing.pipeline_events SET status = 'processed'", None),
            "dead_letters",
        ),
        (spent("apify", "8"), ("DELETE FROM marketing.vendor_requests", None), "vendor_budget"),
        (
            error("critical"),
            ("UPDATE marketing.pipeline_errors SET resolved = true, resolved_at = now()", None),
            "critical_errors",
        ),
        (event("1 hour"), ("DELETE FROM marketing.pipeline_events", None), "queue_age"),
    ],
)
def test_every_rule_recovers(db, seed, repair, rule) -> None:
    assert {name for what, name, *_ in judge(db, seed) if what == "new"} == {rule}
    assert {name for what, name, *_ in judge(db, repair) if what == "over"} == {rule}
    assert db.value("SELECT count(*) FROM marketing.alerts WHERE recovered_at IS NULL") == 0


def test_a_rule_that_cannot_be_judged_is_an_alert_and_the_others_go_on(db, monkeypatch) -> None:
    assert judge(db, runs(100, 6)) == [("new", *PHASE, "warning")]
    gone = ("ALTER VIEW marketing.v_phase_stats RENAME TO elsewhere", None)
    blind = ("not_measured", "phase_error_rate")
    assert judge(db, gone, event("11 minutes")) == [("new", *blind, "warning"), ("new", *QUEUE, "warning")]
    (told,) = db.query("SELECT detail FROM marketing.alerts WHERE rule = 'not_measured'")
    assert 'relation "marketing.v_phase_stats" does not exist' in told[0]
    back = ("ALTER VIEW marketing.elsewhere RENAME TO v_phase_stats", None)
    assert judge(db, back) == [("over", *blind, "warning")], "what could not be measured was not over"
    with monkeypatch.context() as patch:
        patch.setitem(alerts._MEASURES, "queue_age", "SELECT 'event queue' AS subject, 0 AS value FROM pg_sleep(30)")
        hurried = replace(alerts.settings(), statement_seconds=1)
        patch.setattr(alerts, "settings", lambda: hurried)
        alerts.watch()
    assert [alert.subject for alert in open_alerts(db) if alert.rule == "not_measured"] == ["queue_age"]
    monkeypatch.setattr(alerts, "_measure_budgets", lambda _: 1 / 0)
    assert ("new", "not_measured", "vendor_budget", "warning") in judge(db)


def test_between_the_rounds_only_what_is_critical_is_told(db) -> None:
    assert judge(db, event("11 minutes"), runs(100, 6), critical_only=True) == []
    assert judge(db, runs(100, 50), critical_only=True) == [("new", *PHASE, "critical")]
    assert judge(db) == [("new", *QUEUE, "warning")]
    repaired = ("DELETE FROM marketing.workflow_stats", None)
    assert judge(db, repaired, (OLDER, ("31 minutes",)), critical_only=True) == [("worse", *QUEUE, "critical")]
    assert judge(db) == [("over", *PHASE, "critical")]


@pytest.fixture
def receiver(monkeypatch):
    """A local server, the only channel."""
    with http_receiver() as found:
        monkeypatch.setenv(channels.VARIABLE, found.url("json"))
        yield found


def titles(receiver) -> list[str]:
    return [json.loads(request.body)["title"] for request in receiver.requests]


def test_the_alert_and_the_recovery_arrive(db, receiver) -> None:
    judge(db, event("1 minute", "failed", "B-7"), (ERROR, {**error("critical")[1], "batch": "B-7"}))
    assert "1 sent" in channels.deliver(alerts.settings().delivery)
    judge(db, ("DELETE FROM marketing.pipeline_events", None))
    assert "1 sent" in channels.deliver(alerts.settings().delivery)
    first, second = (json.loads(request.body) for request in receiver.requests)
    assert first["title"] == f"Barton ({db.name}) critical: 2 alerts" and first["type"] == "failure"
    assert first["message"].splitlines() == [
        "critical: 1 open critical error(s) check_x of B-7. Look: barton errors; close with --resolve",
        "critical: 1 event(s) of B-7 were given up. Fix the cause (barton errors), then run: barton retry BATCH",
    ]
    assert second["title"] == f"Barton ({db.name}) over: dead_letters, B-7" and second["type"] == "info"
    told = {alert.rule: alert.delivered_to for alert in open_alerts(db)}
    assert told == {"critical_errors": ("json-1",)}


@pytest.fixture
def within_a_quarter() -> None:
    """No quarter of an hour begins during the test."""
    left = 900 - time.time() % 900
    if left < 20:
        time.sleep(left)


def open_alerts(db) -> list[alerts.Alert]:
    with transaction(db.url) as connection:
        return alerts.list_firing(connection)


def test_many_alerts_of_a_moment_are_one_message_without_markup_or_names(db, receiver) -> None:
    batches = [event("1 minute", "failed", f"B-{n:03}") for n in range(60)]
    judge(db, *batches, event("1 minute", "failed", "<!channel> @everyone *x*\nboss"), error("critical"))
    (body,) = [body for (body,) in db.query("SELECT body FROM marketing.alert_messages")]
    told = len(body.splitlines()) - 1
    assert 10 < told < 62 and body.endswith(f"and {62 - told} more: barton alerts")
    assert len(body) < 1800, "Discord refuses 2,000 with the title"
    assert db.value("SELECT cardinality(alert_ids) FROM marketing.alert_messages") == 62
    assert "<" not in body and "@" not in body and "*" not in body
    assert db.value("SELECT count(*) FROM marketing.alerts WHERE subject = '??channel? ?everyone ?x??boss'") == 1


def test_what_fires_is_shown_before_it_is_announced_and_without_channels(db) -> None:
    with transaction(db.url) as connection, connection.cursor() as cursor:
        cursor.execute(*event("11 minutes"))
    (found,) = open_alerts(db)
    assert (found.rule, found.severity, found.since) == ("queue_age", "warning", None)
    judge(db)
    (found,) = open_alerts(db)
    assert found.since is not None and found.delivered_to == ()
    assert db.value("SELECT count(*) FROM marketing.alert_messages") == 0


@pytest.mark.parametrize("taken", [["summary"], ["summary", "watchdog"]])
def test_watchdogs_at_once_tell_it_once(db, receiver, within_a_quarter, taken) -> None:
    with transaction(db.url) as connection, connection.cursor() as cursor:
        cursor.execute(*event("1 hour"))
        cursor.execute("INSERT INTO marketing.alert_beats SELECT unnest(%s), now()", (taken,))
    barrier, answers = threading.Barrier(8), []

    def watch() -> None:
        barrier.wait()
        for _ in range(3):
            answers.append(alerts.watch())

    threads = [threading.Thread(target=watch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 24
    assert titles(receiver) == [f"Barton ({db.name}) critical: queue_age, event queue"]
    assert Counter(answer.split(" judged")[0] for answer in answers)["All rules"] == 2 - len(taken)


def test_a_tick_judges_all_rules_each_quarter_and_sums_up_each_hour(db, receiver, within_a_quarter) -> None:
    with transaction(db.url) as connection, connection.cursor() as cursor:
        cursor.execute(*event("11 minutes"))
    assert alerts.watch().startswith("All rules judged: 1 change(s).")
    assert alerts.watch().startswith("Critical rules judged: 0 change(s).")
    assert [title.split(") ")[1].split(" ")[0] for title in titles(receiver)] == ["warning:", "summary"]
    earlier = "UPDATE marketing.alert_beats SET beat_at = beat_at - interval '15 minutes' WHERE name = %s"
    db.execute(earlier, "watchdog")
    assert alerts.watch().startswith("All rules judged")
    assert len(receiver.requests) == 2, "nothing new, and no second summary of the hour"
    db.execute(earlier, "summary")
    alerts.watch()
    assert len(receiver.requests) == 3
    db.execute("UPDATE marketing.alert_beats SET beat_at = now() + interval '1 day'")
    assert alerts.watch().startswith("All rules judged"), "the server's clock jumped back"


def test_a_summary_that_fails_does_not_stop_the_alerts(db, receiver) -> None:
    with transaction(db.url) as connection, connection.cursor() as cursor:
        cursor.execute(*event("1 hour"))
    db.execute("ALTER TABLE marketing.email_verification RENAME TO elsewhere")
    with pytest.raises(psycopg2.errors.UndefinedTable):
        alerts.watch()
    assert titles(receiver) == [f"Barton ({db.name}) critical: queue_age, event queue"]
    db.execute("ALTER TABLE marketing.elsewhere RENAME TO email_verification")
    alerts.watch()
    assert len(receiver.requests) == 2, "the summary is made up for"


def test_an_hour_without_anything_is_not_summed_up(db, receiver) -> None:
    alerts.watch()
    assert receiver.requests == []
    assert db.query("SELECT name FROM marketing.alert_beats ORDER BY 1") == [("summary",), ("watchdog",)]


def test_the_summary_counts_one_hour(db) -> None:
    insert_companies(db, "B1", 4)
    db.execute(
        "INSERT INTO intake.people_raw_intake (full_name, title, email, website, import_batch_id) "
        "VALUES ('Ann Example', 'CEO', 'ann@company1.com', 'company1.com', 'B1')"
    )
    run_stages("B1")
    insert_companies(db, "B2", 2, first=10)
    end = db.value("SELECT now()")
    for age, severity in ((0, "critical"), (60, "critical"), (59, "error"), (61, "critical")):  # minutes before the end
        db.execute(
            "INSERT INTO marketing.pipeline_errors (event_type, error_message, severity, created_at) VALUES ('x', 'y', %s, %s)",
            severity, end - timedelta(minutes=age),
        )  # fmt: skip
    for table, column in (("company_slots", "filled_at"), ("company_master", "created_at")):
        db.execute(f"UPDATE marketing.{table} SET {column} = %s WHERE {column} IS NOT NULL", end - timedelta(minutes=1))
    db.execute(*[SPENT % {"vendor": "'apify'", "usd": "1.25"}])
    db.execute("UPDATE marketing.vendor_requests SET reserved_at = %s", end - timedelta(minutes=30))
    with transaction(db.url) as connection:
        counts = alerts.summarise(connection, end)
        before = alerts.summarise(connection, end - timedelta(hours=1))
    assert counts.since == end - timedelta(hours=1) and counts.until == end
    assert (counts.batches, counts.stage_executions, counts.failed_executions) == (1, 9, 0)
    assert (counts.new_companies, counts.slots_filled) == (4, 1)
    assert (counts.errors, counts.critical_errors, float(counts.spent_usd)) == (2, 1, 1.25)
    assert (counts.pending_events, counts.dead_letters) == (2, 0)
    assert (before.new_companies, before.slots_filled, before.errors, before.spent_usd) == (0, 0, 1, 0)
    text = "\n".join(alerts.word_summary(counts))
    assert "4 new companies, 1 slots filled" in text and "2 errors (1 critical), $1.25" in text


def test_the_sensor_judges_and_sends_as_the_application_role(db, receiver, monkeypatch) -> None:
    with transaction(db.url) as connection, connection.cursor() as cursor:
        cursor.execute(*event("1 hour", "failed"))
    monkeypatch.setenv("BARTON_DATABASE_URL", db.app_url)
    with dg.DagsterInstance.ephemeral() as instance:
        tick = sensors.alerts_sensor.evaluate_tick(dg.build_sensor_context(instance))
    assert "1 change(s). Messages: 2 sent, 0 failed" in (tick.skip_message or "")
    assert len(receiver.requests) == 2, "the alert and the first summary"
    assert db.value("SET LOCAL ROLE barton_readonly; SELECT count(*) FROM marketing.v_alerts") == 1
