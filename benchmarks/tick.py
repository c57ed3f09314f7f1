"""``python -m benchmarks.tick [PROCESSED] [PENDING]``: what one tick of the event queue sensor costs with a full table.

Defaults: 1,000,000 processed and 10,000 pending events in 100 batches, and another 100,000 in a batch that is busy.
Then the statements an idle system with a running daemon sends in a minute.
"""

import sys
import time
from contextlib import closing

from psycopg2.extensions import connection as Connection

from barton_pipeline import database, event_queue
from benchmarks.__main__ import seconds
from benchmarks.system import System, system

EVENTS = """
    INSERT INTO marketing.pipeline_events (event_type, import_batch_id, status, processed_at)
    SELECT 'company_created', 'OLD-' || n %% 5000, 'processed', now() FROM generate_series(1, %(processed)s) AS n;
    INSERT INTO marketing.pipeline_events (event_type, import_batch_id)
    SELECT 'company_created', 'NEW-' || n %% 100 FROM generate_series(1, %(pending)s) AS n;
    INSERT INTO marketing.pipeline_events (event_type, import_batch_id, status, lease_token, lease_until)
    SELECT 'company_created', 'BUSY', 'processing', '00000000-0000-0000-0000-000000000001', now() + interval '1 hour';
    INSERT INTO marketing.pipeline_events (event_type, import_batch_id)
    SELECT 'company_created', 'BUSY' FROM generate_series(1, 100000)
"""


def tick(connection: Connection) -> None:
    """The statements of a tick that finds work, without Dagster's own."""
    with connection:
        event_queue.open_leases(connection)
        event_queue.settle_unroutable(connection)
    with connection:
        for batch in event_queue.ready_batches(connection, event_queue.settings().batches_per_tick):
            event_queue.accept(connection, batch.import_batch_id)


def idle(running: System, minutes: float = 1.0) -> float:
    """Transactions a minute on the pipeline's database, with a daemon that has nothing to do."""
    running.start("daemon", [sys.executable, "-m", "dagster._daemon", "run", "-w", "workspace.yaml"])
    time.sleep(25)
    counts = []
    for _ in range(2):
        with closing(database.connect(running.url)) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
            )
            row = cursor.fetchone()
            counts.append(row[0] if row else 0)
        time.sleep(60 * minutes)
    return (counts[1] - counts[0]) / minutes


def main() -> None:
    """Fill, tick, idle."""
    processed = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    pending = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    with system() as running:
        print(f"idle: {idle(running):.0f} transactions a minute")
        for process in running.processes():
            process.kill()
        with closing(database.connect(running.url)) as connection:
            with connection, connection.cursor() as cursor:
                cursor.execute("TRUNCATE marketing.pipeline_events")
                cursor.execute(EVENTS, {"processed": processed, "pending": pending})
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("VACUUM ANALYZE marketing.pipeline_events")
            connection.autocommit = False
            first, later = seconds(lambda: tick(connection)), [seconds(lambda: tick(connection)) for _ in range(3)]
        batches = event_queue.settings().batches_per_tick
        print(
            f"tick that claims {batches} batches of {pending // 100} events beside {processed:,} processed: {first:.3f} s"
        )
        print("the next ones: " + ", ".join(f"{one:.3f} s" for one in later))


if __name__ == "__main__":
    main()
