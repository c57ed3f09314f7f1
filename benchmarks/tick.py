"""``python -m benchmarks.tick [PROCESSED] [PENDING]``: what one tick of the event queue sensor costs with a full table.

Defaults: 1,000,000 processed and 10,000 pending events in 100 batches, and another 100,000 in a batch that is busy.
Before that the statements an idle system with a running daemon sends in a minute. After it claims and acknowledgements a second,
beside the barest: pending events taken by SKIP LOCKED and ended by token, no batches, routes or locks.
"""

import sys
import time
import uuid
from contextlib import closing

from psycopg2.extensions import connection as Connection

from barton_pipeline.pipeline import NAMES
from barton_pipeline.postgres.connection import connect
from barton_pipeline.queue import events, upkeep
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
        events.open_leases(connection)
        upkeep.settle_unroutable(connection)
    with connection:
        for batch in events.ready_batches(connection, events.settings().batches_per_tick):
            events.accept(connection, batch.import_batch_id)


BAREST_CLAIM = """
    UPDATE marketing.pipeline_events SET status = 'processing', lease_token = %(token)s, lease_until = now() + interval '30 s'
    WHERE status = 'pending' AND id = ANY (ARRAY(
        SELECT id FROM marketing.pipeline_events WHERE status = 'pending' ORDER BY id LIMIT %(size)s FOR UPDATE SKIP LOCKED))
"""
BAREST_ACKNOWLEDGEMENT = """
    UPDATE marketing.pipeline_events SET status = 'processed', processed_at = now(), lease_token = NULL, lease_until = NULL
    WHERE status = 'processing' AND lease_token = %(token)s
"""


def claim(connection: Connection, batch: str, size: int) -> None:
    """Claim what a batch has and acknowledge it, a transaction each."""
    with connection:
        taken = events.accept(connection, batch)
    assert taken and taken.events == size
    with connection:
        events.finish(connection, taken.lease_token, batch, NAMES[-1], must_hold=True)


def claim_barely(connection: Connection, batch: str, size: int) -> None:
    """The same number of events, whichever they are."""
    token = str(uuid.uuid4())
    for statement in (BAREST_CLAIM, BAREST_ACKNOWLEDGEMENT):
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, {"token": token, "size": size})
            assert cursor.rowcount == size


def rates(connection: Connection, size: int, batches: int = 100) -> tuple[float, float]:
    """Events a second, ours and barely, of 100 claims of this size."""
    measured = []
    for work in (claim, claim_barely):
        with connection, connection.cursor() as cursor:
            cursor.execute("TRUNCATE marketing.pipeline_events")
            cursor.execute(
                """INSERT INTO marketing.pipeline_events (event_type, import_batch_id)
                SELECT 'company_created', 'CLAIM-' || n %% %(batches)s FROM generate_series(1, %(events)s) AS n""",
                {"batches": batches, "events": size * batches},
            )
        started = time.perf_counter()
        for number in range(batches):
            work(connection, f"CLAIM-{number}", size)
        measured.append(size * batches / (time.perf_counter() - started))
    return measured[0], measured[1]


def idle(running: System, minutes: float = 1.0) -> float:
    """Transactions a minute on the pipeline's database, with a daemon that has nothing to do."""
    running.start("daemon", [sys.executable, "-m", "dagster._daemon", "run", "-w", "workspace.yaml"])
    time.sleep(25)
    counts = []
    for _ in range(2):
        with closing(connect(running.url)) as connection, connection.cursor() as cursor:
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
        with closing(connect(running.url)) as connection:
            with connection, connection.cursor() as cursor:
                cursor.execute("TRUNCATE marketing.pipeline_events")
                cursor.execute(EVENTS, {"processed": processed, "pending": pending})
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("VACUUM ANALYZE marketing.pipeline_events")
            connection.autocommit = False
            first, later = seconds(lambda: tick(connection)), [seconds(lambda: tick(connection)) for _ in range(3)]
            claims = {size: rates(connection, size) for size in (1, 100, 1000)}
        batches = events.settings().batches_per_tick
        print(
            f"tick that claims {batches} batches of {pending // 100} events beside {processed:,} processed: {first:.3f} s"
        )
        print("the next ones: " + ", ".join(f"{one:.3f} s" for one in later))
        for size, (ours, barest) in claims.items():
            print(f"claims of {size:>5,} events: {ours:8,.0f} a second, barely {barest:8,.0f}: {ours / barest:.2f} x")


if __name__ == "__main__":
    main()
