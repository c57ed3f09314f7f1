"""``python -m benchmarks.views [EVENTS]``: every monitoring view, and the alerts, over a full database, in milliseconds.

Default: 10,000,000 events over 60 days, of which 10,000 are pending and 2,000 dead letters; a tenth as many statistics rows and
errors. Five reads each, after VACUUM ANALYZE; beside them ``SELECT 1``, the cost of asking at all.
"""

import statistics
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial

from psycopg2.extensions import connection as Connection

from barton_pipeline.monitoring import alerts
from barton_pipeline.postgres import migrations
from barton_pipeline.postgres.connection import connect
from benchmarks.__main__ import seconds
from benchmarks.system import system

FILL = """
    SET LOCAL synchronous_commit = off;
    INSERT INTO marketing.pipeline_events (event_type, import_batch_id, status, created_at, processed_at)
    SELECT 'company_created', 'OLD-' || n %% 5000, 'processed', moment, moment + interval '3 seconds'
    FROM (SELECT n, now() - n * interval '60 days' / %(events)s AS moment FROM generate_series(1, %(events)s) AS n) AS e;
    INSERT INTO marketing.pipeline_events (event_type, import_batch_id, created_at)
    SELECT 'company_' || n %% 5, 'NEW-' || n %% 100, now() - n * interval '1 second' FROM generate_series(1, 10000) AS n;
    INSERT INTO marketing.pipeline_events (event_type, import_batch_id, status, created_at, processed_at)
    SELECT 'company_created', 'BAD-' || n, 'failed', now() - n * interval '40 minutes', now() FROM generate_series(1, 2000) AS n;
    INSERT INTO marketing.event_days (date, processed, seconds)
    SELECT (created_at AT TIME ZONE 'UTC')::date, count(*), 3 * count(*) FROM marketing.pipeline_events
    WHERE status = 'processed' GROUP BY 1, extract(minute FROM created_at), extract(hour FROM created_at);
    INSERT INTO marketing.workflow_stats (workflow_name, status, duration_seconds, triggered_by, batch_id, created_at)
    SELECT s.stage, CASE WHEN n %% 50 = 0 THEN 'error' ELSE 'ok' END, n %% 100, 'event', 'B-' || n %% 5000,
           now() - n * interval '60 days' * 10 / %(events)s
    FROM generate_series(1, %(events)s / 10) AS n JOIN marketing.pipeline_stages s ON s.position = 1 + n %% 9;
    INSERT INTO marketing.pipeline_errors (event_type, error_message, severity, resolved, resolved_at, created_at)
    SELECT 'stage_' || n %% 9, 'something', (ARRAY['warning', 'error', 'critical'])[1 + n %% 3], n %% 100 > 0,
           CASE WHEN n %% 100 > 0 THEN now() END, now() - n * interval '60 days' * 10 / %(events)s
    FROM generate_series(1, %(events)s / 10) AS n
"""

# What a tick of the alerts costs. The first judging opens an alert for each of the 2,000 dead letters: see the worst.
ALERTS: dict[str, Callable[[Connection], object]] = {
    "alerts: measuring all rules": alerts.measure,
    "alerts: judging them (2,000 open alerts)": alerts.evaluate,
    "alerts: judging only what is critical": lambda connection: alerts.evaluate(connection, critical_only=True),
    "alerts: the hourly summary": alerts.summarise,
    "alerts: barton alerts": alerts.list_firing,
}


def main() -> None:
    """Fill, read, print."""
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    with system() as running, closing(connect(running.url)) as connection:
        with connection, connection.cursor() as cursor:
            cursor.execute(FILL, {"events": events})
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")

            def read(statement: str) -> float:
                def once() -> None:
                    cursor.execute(statement)
                    cursor.fetchall()

                return seconds(once) * 1000

            baseline = statistics.median(read("SELECT 1") for _ in range(20))
            print(
                f"{events:,} events, {events // 10:,} statistics rows, {events // 10:,} errors; SELECT 1: {baseline:.2f} ms"
            )
            print(f"{'view':45} {'median ms':>10} {'worst ms':>10} {'x SELECT 1':>11}")
            for view in sorted(
                name for name in migrations.declared_views() if name.startswith(("marketing.v_", "marketing.vw_"))
            ):
                times = [read(f"SELECT * FROM {view}") for _ in range(5)]
                median = statistics.median(times)
                print(f"{view:45} {median:10.1f} {max(times):10.1f} {median / baseline:11.0f}")
        connection.autocommit = False
        for name, work in ALERTS.items():
            times = []
            for _ in range(5):
                with connection:
                    times.append(seconds(partial(work, connection)) * 1000)
            print(f"{name:45} {statistics.median(times):10.1f} {max(times):10.1f}")


if __name__ == "__main__":
    main()
