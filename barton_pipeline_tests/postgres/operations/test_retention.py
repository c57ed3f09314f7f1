"""Old history goes, in chunks; whatever is open stays, however old it is."""

import threading
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test, freeze_time

from barton_pipeline.definitions import defs
from barton_pipeline.operations import retention
from barton_pipeline.orchestration.jobs import delete_old_runs

HISTORY = """
    INSERT INTO marketing.pipeline_events (event_type, import_batch_id, status, created_at, processed_at, lease_token, lease_until)
    SELECT 'company_created', status || days, status, now() - make_interval(days => days),
           CASE WHEN status IN ('processed', 'failed') THEN now() - make_interval(days => days) END,
           CASE WHEN status = 'processing' THEN gen_random_uuid() END, CASE WHEN status = 'processing' THEN now() END
    FROM unnest(ARRAY['pending', 'processing', 'processed', 'failed']) AS status, unnest(ARRAY[1, 29, 31, 400]) AS days;
    -- old, but ended yesterday
    INSERT INTO marketing.pipeline_events (event_type, import_batch_id, status, created_at, processed_at)
    VALUES ('company_created', 'late', 'processed', now() - interval '60 days', now() - interval '1 day');
    INSERT INTO marketing.pipeline_errors (event_type, error_message, created_at, resolved, resolved_at)
    SELECT 'x', days || CASE WHEN resolved THEN ' resolved' ELSE ' open' END, now() - make_interval(days => days), resolved,
           CASE WHEN resolved THEN now() - make_interval(days => days) END
    FROM unnest(ARRAY[1, 89, 91]) AS days, unnest(ARRAY[true, false]) AS resolved;
    INSERT INTO marketing.workflow_stats (workflow_name, status, triggered_by, created_at)
    SELECT 'raw_intake', 'ok', 'event', now() - make_interval(days => days) FROM unnest(ARRAY[1, 179, 181]) AS days;
    INSERT INTO marketing.alerts (rule, subject, severity, value, detail, created_at, recovered_at)
    SELECT 'x', 'open or not, ' || days, 'warning', 1, '', now() - make_interval(days => days), now() - make_interval(days => over)
    FROM (VALUES (400, NULL), (400, 179), (182, 181)) AS kept (days, over);
    INSERT INTO marketing.alert_messages (channel, kind, severity, title, body, state, created_at)
    SELECT 'x', 'alert', 'info', '', '', state, now() - make_interval(days => days)
    FROM unnest(ARRAY[29, 31]) AS days, unnest(ARRAY['pending', 'given_up']) AS state
"""


def test_what_is_old_and_ended_goes(db) -> None:
    db.execute(HISTORY)
    with closing(db.connect()) as connection:
        expected = {
            "processed_events": 2, "resolved_errors": 1, "workflow_stats": 1, "alerts": 1, "alert_messages": 1,
        }  # fmt: skip
        assert retention.count_old(connection) == expected
        assert retention.purge(connection) == expected
        assert retention.purge(connection) == dict.fromkeys(expected, 0)
    left = {batch for (batch,) in db.query("SELECT import_batch_id FROM marketing.pipeline_events")}
    kept = {f"{status}{days}" for status in ("pending", "processing", "failed") for days in (1, 29, 31, 400)}
    assert left == kept | {"processed1", "processed29", "late"}
    assert "91 open" in {message for (message,) in db.query("SELECT error_message FROM marketing.pipeline_errors")}


def test_chunks_limits_and_two_purges_at_once(db, monkeypatch) -> None:
    db.execute(
        """INSERT INTO marketing.pipeline_events (event_type, status, created_at, processed_at)
        SELECT 'company_created', 'processed', now() - interval '40 days', now() - interval '40 days' FROM generate_series(1, 1000)"""
    )
    monkeypatch.setattr(retention, "limits", lambda: replace(original, rows_per_transaction=30, rows_at_most=300))
    with closing(db.connect()) as connection:
        assert retention.purge(connection)["processed_events"] == 300
    monkeypatch.setattr(retention, "limits", lambda: replace(original, rows_per_transaction=10))
    counts, barrier = [], threading.Barrier(2)

    def purge() -> None:
        with closing(db.connect()) as connection:
            barrier.wait()
            counts.append(retention.purge(connection)["processed_events"])

    threads = [threading.Thread(target=purge) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 700 and db.value("SELECT count(*) FROM marketing.pipeline_events") == 0


original = retention.limits()


def test_a_purge_of_nothing_reads_an_index(db) -> None:
    db.execute(
        """INSERT INTO marketing.pipeline_events (event_type, status, created_at, processed_at)
        SELECT 'company_created', 'processed', now(), now() FROM generate_series(1, 20000); ANALYZE marketing.pipeline_events"""
    )
    table, condition = retention.OLD["processed_events"]
    with closing(db.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(
            f"EXPLAIN SELECT id FROM {table} WHERE {retention._is_old(condition)} ORDER BY created_at LIMIT 10",
            {"days": 30},
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "pipeline_events_created" in plan and "Seq Scan" not in plan


@pytest.mark.slow
def test_the_job_deletes_old_finished_runs_of_dagster_too(db) -> None:
    db.execute(HISTORY)
    with dg.DagsterInstance.ephemeral() as instance:
        with freeze_time(datetime.now(UTC) - timedelta(days=91)):
            done = create_run_for_test(instance, status=dg.DagsterRunStatus.SUCCESS)
            going = create_run_for_test(instance, status=dg.DagsterRunStatus.STARTED)
        young = create_run_for_test(instance, status=dg.DagsterRunStatus.FAILURE)
        result = defs.resolve_job_def("retention_job").execute_in_process(instance=instance)
        assert result.success
        runs = {run.run_id for run in instance.get_runs()}
        assert done.run_id not in runs and {going.run_id, young.run_id} <= runs
        assert delete_old_runs(instance) == 0
    assert db.value("SELECT count(*) FROM marketing.pipeline_events WHERE import_batch_id = 'processed400'") == 0
