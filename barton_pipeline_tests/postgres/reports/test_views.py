"""The monitoring views: their columns, and their numbers against a computation of their own on a history with oddities."""

import random
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from barton_pipeline import doctor
from barton_pipeline.operations import retention
from barton_pipeline.pipeline import NAMES
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.queue import events, upkeep
from barton_pipeline_tests.builders import insert_companies, run_stages

# marketing.v_…: the columns other programs read, in order; more may follow
CONTRACT = {
    "v_workflow_stats_recent": "workflow_name, status, duration_seconds, error_message, triggered_by, batch_id, created_at",
    "v_workflow_summary": "workflow_name, total_runs, successful_runs, error_runs, timeout_runs, error_rate_pct, "
    "avg_duration_seconds, last_run_at",
    "v_workflow_stats_hourly": "workflow_name, runs_last_hour, errors_last_hour, avg_duration, last_run",
    "v_phase_stats": "phase, total_runs, errors, error_rate, avg_duration",
    "v_error_recent": "id, event_type, record_id, error_message, severity, resolved, created_at",
    "v_sniper_targets": "company_id, company_name, ple_score, bit_intent_score, ple_updated_at, last_signal_at",
    "v_workflow_health": "workflow_name, total_runs, error_count, error_rate_pct, avg_duration_sec, last_run, health_status",
    "v_event_queue_status": "event_type, pending_count, oldest_pending, newest_pending, oldest_age_minutes",
    "v_daily_throughput": "date, total_events, processed_events, failed_events, pending_events, avg_processing_time_seconds",
}
PHASE = {
    stage: "intelligence" if stage in ("bit_scores", "ple_scores", "sniper_targets") else "enrichment"
    for stage in NAMES
}


def rows(db: Any, view: str, order: str = "") -> list[dict[str, Any]]:
    columns = [
        name
        for (name,) in db.query(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'marketing' AND table_name = %s ORDER BY ordinal_position",
            view,
        )
    ]
    return [dict(zip(columns, row, strict=True)) for row in db.query(f"SELECT * FROM marketing.{view} {order}")]


def test_the_columns_are_those_of_the_contract(db) -> None:
    for view, columns in CONTRACT.items():
        wanted = columns.split(", ")
        found = db.query(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'marketing' AND table_name = %s ORDER BY ordinal_position",
            view,
        )
        assert [name for (name,) in found[: len(wanted)]] == wanted, view


@pytest.fixture
def history(db) -> list[dict[str, Any]]:
    """Executions of two weeks; names that only look like a stage, edges of windows, workflows of other programs."""
    now = db.value("SELECT now()")
    chance = random.Random(3)
    made = []
    for number in range(600):
        age = chance.choice(
            [
                timedelta(minutes=chance.uniform(1, 59)),
                timedelta(hours=chance.uniform(1.1, 23.9)),
                timedelta(days=chance.uniform(1.1, 14)),
            ]
        )
        name = chance.choice([*NAMES[:5], "people_sync", "complete_backup"])
        status = chance.choices(["ok", "error", "timeout", "cancelled"], [85, 8, 4, 3])[0]
        made.append(
            {
                "workflow_name": name,
                "status": status,
                "duration_seconds": round(chance.uniform(0, 400), 3),
                "created_at": now - age,
                "batch_id": None if number % 7 == 0 else f"B-{number}",
            }
        )
    for days, minutes in ((7, 2), (1, 2), (0, 62), (0, 58)):  # just outside and inside the windows
        made.append(
            {
                "workflow_name": "sniper_targets",
                "status": "error",
                "duration_seconds": 1.0,
                "created_at": now - timedelta(days=days, minutes=minutes),
                "batch_id": "EDGE",
            }
        )
    for row in made:
        db.execute(
            "INSERT INTO marketing.workflow_stats (workflow_name, status, duration_seconds, triggered_by, batch_id, created_at) VALUES (%s, %s, %s, 'event', %s, %s)",
            row["workflow_name"], row["status"], row["duration_seconds"], row["batch_id"], row["created_at"],
        )  # fmt: skip
    return made


def within(history: list[dict[str, Any]], **window: float) -> list[dict[str, Any]]:
    start = datetime.now(UTC) - timedelta(**window)
    return [row for row in history if row["created_at"] > start]


def is_error(row: dict[str, Any]) -> bool:
    return row["status"] in ("error", "timeout")


def mean(values: list[float]) -> float | None:
    return round(sum(values) / len(values), 3) if values else None


def close(found: Any, wanted: float | None) -> bool:
    return found is wanted if wanted is None else abs(float(found) - wanted) < 0.006


def test_workflow_views(db, history) -> None:
    by_name: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in within(history, days=7):
        by_name[row["workflow_name"]].append(row)
    summary = {row["workflow_name"]: row for row in rows(db, "v_workflow_summary")}
    assert summary.keys() == by_name.keys()
    for name, runs in by_name.items():
        status = Counter(row["status"] for row in runs)
        found = summary[name]
        assert (found["total_runs"], found["successful_runs"]) == (len(runs), status["ok"])
        assert (found["error_runs"], found["timeout_runs"]) == (status["error"], status["timeout"])
        assert close(found["error_rate_pct"], 100 * sum(map(is_error, runs)) / len(runs))
        assert close(found["avg_duration_seconds"], mean([row["duration_seconds"] for row in runs]))
    hourly = {row["workflow_name"]: row for row in rows(db, "v_workflow_stats_hourly")}
    last_hour = Counter(row["workflow_name"] for row in within(history, hours=1))
    assert {name: row["runs_last_hour"] for name, row in hourly.items()} == last_hour
    recent = rows(db, "v_workflow_stats_recent")
    assert len(recent) == len(within(history, hours=24))
    assert recent == sorted(recent, key=lambda row: row["created_at"], reverse=True)


def test_phases_follow_the_declared_mapping(db, history) -> None:
    found = {row["phase"]: row for row in rows(db, "v_phase_stats")}
    assert list(found) == ["enrichment", "intelligence", "messaging", "delivery"]
    for phase, row in found.items():
        runs = [run for run in within(history, hours=24) if PHASE.get(run["workflow_name"]) == phase]
        assert row["total_runs"] == len(runs), "people_sync and complete_backup belong to no phase"
        assert row["errors"] == sum(map(is_error, runs))
        assert close(row["error_rate"], 100 * sum(map(is_error, runs)) / len(runs) if runs else 0)
        assert close(row["avg_duration"], mean([run["duration_seconds"] for run in runs]))


def test_health_knows_every_workflow_and_says_idle(db, history) -> None:
    found = {row["workflow_name"]: row for row in rows(db, "v_workflow_health")}
    assert set(NAMES) <= found.keys() and {"people_sync", "complete_backup"} <= found.keys()
    for name, row in found.items():
        runs = [run for run in within(history, hours=1) if run["workflow_name"] == name]
        rate = sum(map(is_error, runs)) / len(runs) if runs else 0
        wanted = "idle" if not runs else "critical" if rate > 0.10 else "warning" if rate > 0.05 else "healthy"
        assert (row["total_runs"], row["health_status"]) == (len(runs), wanted), name
    assert found["ple_scores"]["health_status"] == "idle"


@pytest.mark.parametrize(("errors", "health"), [(1, "healthy"), (2, "warning"), (3, "critical")])
def test_health_at_the_thresholds(db, errors: int, health: str) -> None:
    """1 of 20 is exactly 5 %: not above it. 2 of 20 is exactly 10 %: not above it either."""
    db.execute(
        "INSERT INTO marketing.workflow_stats (workflow_name, status, triggered_by) SELECT 'ple_scores', CASE WHEN n <= %s THEN 'error' ELSE 'ok' END, 'event' FROM generate_series(1, 20) AS n",
        errors,
    )
    assert {row["workflow_name"]: row for row in rows(db, "v_workflow_health")}["ple_scores"]["health_status"] == health


def test_error_views(db) -> None:
    made = [
        ("stage_a", "warning", False, 1), ("stage_a", "critical", False, 2), ("stage_b", "error", True, 3),
        ("stage_b", "error", False, 30), ("stage_c", "error", False, 24 * 7 + 1),
    ]  # fmt: skip
    for event_type, severity, resolved, hours in made:
        db.execute(
            "INSERT INTO marketing.pipeline_errors (event_type, error_message, severity, resolved, resolved_at, created_at) VALUES (%s, 'x', %s, %s, CASE WHEN %s THEN now() END, now() - make_interval(hours => %s))",
            event_type, severity, resolved, resolved, hours,
        )  # fmt: skip
    assert [row["event_type"] for row in rows(db, "v_error_recent")] == ["stage_a", "stage_a", "stage_b", "stage_b"]
    rates = {
        row["event_type"]: (row["error_count"], row["critical_count"], row["unresolved_count"], float(row["share_pct"]))
        for row in rows(db, "vw_error_rate_24h")
    }
    assert rates == {"stage_a": (2, 1, 2, 66.67), "stage_b": (1, 0, 0, 33.33)}
    assert [row["severity"] for row in rows(db, "vw_unresolved_errors")] == ["critical", "error", "error", "warning"]


def count_by_day(db: Any) -> dict[Any, tuple[int, int, int, int]]:
    """(total, processed, failed, pending) of each UTC day, out of the events themselves."""
    found: dict[Any, Counter[str]] = defaultdict(Counter)
    for day, status in db.query("SELECT (created_at AT TIME ZONE 'UTC')::date, status FROM marketing.pipeline_events"):
        found[day]["pending" if status == "processing" else status] += 1
    return {day: (sum(c.values()), c["processed"], c["failed"], c["pending"]) for day, c in found.items()}


def throughput(db: Any) -> dict[Any, tuple[int, int, int, int]]:
    found = rows(db, "v_daily_throughput")
    assert len(found) == 30 and found == sorted(found, key=lambda row: row["date"], reverse=True)
    return {
        row["date"]: (row["total_events"], row["processed_events"], row["failed_events"], row["pending_events"])
        for row in found
        if row["total_events"]
    }


def test_daily_throughput_is_right_at_every_moment(db, monkeypatch) -> None:
    for zone in ("America/Los_Angeles", "Pacific/Auckland", "UTC"):
        db.execute(f"ALTER DATABASE {db.name} SET timezone = '{zone}'")
        insert_companies(db, f"B-{zone[:3]}", 3)
        db.execute(
            "INSERT INTO marketing.pipeline_events (event_type, import_batch_id, created_at) SELECT 'company_created', 'OLD', now() - n * interval '7 hours' FROM generate_series(1, 40) AS n"
        )
        assert throughput(db) == count_by_day(db)
        with transaction() as connection:
            claim = events.accept(connection, "OLD")
        assert claim is not None and throughput(db) == count_by_day(db)
        with transaction() as connection:
            events.fail(connection, claim.lease_token, "broken", crashed=False)
        assert throughput(db) == count_by_day(db)
        db.execute(
            "UPDATE marketing.pipeline_events SET status = 'failed', processed_at = now() WHERE import_batch_id = 'OLD' AND id %% 5 = 0 AND status = 'pending' AND %s",
            True,
        )
        assert throughput(db) == count_by_day(db)
        with transaction() as connection:
            upkeep.requeue(connection)
        run_stages(f"B-{zone[:3]}")
        db.execute(
            "UPDATE marketing.pipeline_events SET status = 'processed', processed_at = now() WHERE status = 'pending' AND id %% 2 = 0 AND %s",
            True,
        )
        assert throughput(db) == count_by_day(db)
    before = throughput(db)
    db.execute("UPDATE marketing.pipeline_events SET payload = payload WHERE status = 'processed'")
    limits = replace(retention.limits(), processed_events_days=0)
    monkeypatch.setattr(retention, "limits", lambda: limits)
    with closing(db.connect()) as connection:
        retention.purge(connection)
    assert db.value("SELECT count(*) FROM marketing.pipeline_events WHERE status = 'processed'") == 0
    assert throughput(db) == before, "what was purged has happened all the same"
    assert db.value("SELECT count(*) = count(DISTINCT date) FROM marketing.event_days")


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (
            "ALTER TABLE intake.company_raw_intake DISABLE TRIGGER company_raw_intake_insert_events",
            "ENABLE TRIGGER company_raw_intake_insert_events",
        ),
        ("DROP TRIGGER bit_signals_insert_events ON marketing.bit_signals", "marketing.bit_signals.sql"),
        ("DROP VIEW marketing.v_phase_stats", "v_phase_stats.sql"),
    ],
)
def test_doctor_notices_a_single_missing_trigger_or_view(db, damage: str, named: str) -> None:
    def findings() -> list[doctor.Finding]:
        return [finding for finding in doctor.examine() if finding.name in ("triggers", "views")]

    assert [finding.state for finding in findings()] == ["ok", "ok"]
    db.execute(damage)
    (finding,) = [finding for finding in findings() if finding.state == "error"]
    assert named in finding.remedy
