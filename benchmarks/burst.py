"""``python -m benchmarks.burst [SCENARIO …]``: what a newly arrived row has to wait for while much else arrives.

batches   100 batches of 50 rows committed at once, then one row of its own: who is served when
rows      10,000 transactions of one row, as fast as eight writers go, in 50 batches: rate, runs, time until all is done
bulk      a batch of 1,000,000 rows, and a row of its own every few seconds beside it
writers   64 writers, each commit made to take 3 ms as to a remote server: commits a second with our notifications and without
poison    a batch of 1,000,000 rows of which a stage fails on three, beside twice the time of 500,000 healthy ones
snapshot  a REPEATABLE READ transaction held open while batches arrive and are processed
"""

import statistics
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial

from barton_pipeline.postgres.connection import connect, transaction
from benchmarks.latency import OURS, commit, value, wait
from benchmarks.system import System, system

INSERT = """
    INSERT INTO intake.company_raw_intake (company, website, industry, import_batch_id)
    SELECT 'Company ' || n, 'https://c' || n || '.com', 'mining', %(name)s FROM generate_series(1, {rows}) AS n
"""
TARGETS = """
    SELECT max(created_at) FROM marketing.workflow_stats
    WHERE batch_id = %(name)s AND workflow_name = 'sniper_targets' AND status = 'ok'
"""


def arrive(url: str, name: str, rows: int = 1) -> float:
    """Commit a batch; the server's time of the commit."""
    return commit(url, INSERT.format(rows=rows), name=name)


def done(url: str, name: str, seconds: float = 900) -> float:
    """The server's time at which the last event of the batch was processed."""
    return wait(lambda: value(url, OURS, name), seconds)


def targets(url: str, name: str, seconds: float = 1800) -> float:
    """The server's time at which the batch was through its last stage, dead letters or not."""
    return wait(lambda: value(url, TARGETS, name), seconds)


def drained(url: str, prefix: str, seconds: float = 900) -> None:
    """Wait until no event of batches with the prefix is open."""

    def nothing_open() -> float | None:
        with transaction(url) as connection, connection.cursor() as cursor:
            cursor.execute(
                """SELECT FROM marketing.pipeline_events WHERE status IN ('pending', 'processing')
                AND import_batch_id LIKE %s LIMIT 1""",
                (f"{prefix}%",),
            )
            return 1.0 if cursor.fetchone() is None else None

    wait(nothing_open, seconds)


def runs(url: str, prefix: str) -> int:
    """How many Dagster runs worked on batches with the prefix."""
    with transaction(url.replace("/barton?", "/barton_dagster?")) as connection, connection.cursor() as cursor:
        cursor.execute(
            """SELECT count(*) FROM runs r JOIN run_tags t USING (run_id) WHERE t.key = 'dagster/partition' AND t.value LIKE %s
            AND NOT EXISTS (SELECT FROM run_tags k WHERE k.run_id = r.run_id AND k.key = 'barton/kind')""",
            (f"{prefix}%",),
        )
        row = cursor.fetchone()
    return row[0] if row else 0


def batches(running: System) -> None:
    """See the module."""
    started = time.monotonic()
    for number in range(100):
        arrive(running.url, f"BURST-{number}", rows=50)
    time.sleep(3)
    one = arrive(running.url, "INTERACTIVE")
    alone = done(running.url, "INTERACTIVE") - one
    drained(running.url, "BURST-")
    total = time.monotonic() - started
    print(f"batches: the row that came 3 s after 100 batches was done after {alone:.1f} s, all 100 after {total:.0f} s")


def rows(running: System) -> None:
    """See the module."""

    def write(writer: int) -> None:
        with closing(connect(running.url)) as connection, connection.cursor() as cursor:
            for number in range(1250):
                cursor.execute(INSERT.format(rows=1), {"name": f"ROWS-{(writer * 1250 + number) % 50}"})
                connection.commit()

    started = time.monotonic()
    _all_at_once([partial(write, writer) for writer in range(8)])
    written = time.monotonic() - started
    drained(running.url, "ROWS-")
    print(
        f"rows: 10,000 transactions in {written:.1f} s ({10_000 / written:,.0f} a second); all done "
        f"{time.monotonic() - started - written:.1f} s later, by {runs(running.url, 'ROWS-')} runs"
    )


def bulk(running: System) -> None:
    """See the module."""
    started = arrive(running.url, "BULK", rows=1_000_000)
    waits: list[float] = []
    while value(running.url, OURS, "BULK") is None:
        name = f"BESIDE-{len(waits)}"
        waits.append(_one(running.url, name))
        time.sleep(5)
    print(
        f"bulk: 1,000,000 rows done after {done(running.url, 'BULK') - started:.0f} s; {len(waits)} single rows beside it after "
        f"{statistics.median(waits):.1f} s (median), {max(waits):.1f} s (worst)"
    )


def poison(running: System) -> None:
    """See the module."""
    arrived = arrive(running.url, "HEALTHY", rows=500_000)  # there are 1.6 million company numbers
    whole = 2 * (targets(running.url, "HEALTHY") - arrived)
    running.poison()
    started = commit(
        running.url,
        """INSERT INTO intake.company_raw_intake (company, website, industry, import_batch_id)
        SELECT CASE WHEN n IN (7, 500000, 999999) THEN 'Poison ' ELSE 'Company ' END || n,
               'https://p' || n || '.com', 'mining', %(name)s
        FROM generate_series(1, 1000000) AS n""",
        name="POISONED",
    )
    seconds = targets(running.url, "POISONED") - started
    with transaction(running.url) as connection, connection.cursor() as cursor:
        cursor.execute(
            """SELECT (SELECT count(*) FROM marketing.company_batches WHERE import_batch_id = 'POISONED'),
            (SELECT array_agg(error_message) FROM marketing.pipeline_events WHERE status = 'failed')"""
        )
        companies, letters = cursor.fetchone() or (0, [])
    print(
        f"poison: 1,000,000 rows done after {seconds:.0f} s, {seconds / whole:.1f} x the same without poison; "
        f"{companies:,} companies, dead letters: {letters}"
    )


def _one(url: str, name: str) -> float:
    started = arrive(url, name)
    return done(url, name) - started


def writers(running: System) -> None:
    """See the module."""
    seconds = 8.0

    def write(writer: int, counts: list[int]) -> None:
        with closing(connect(running.url)) as connection, connection.cursor() as cursor:
            cursor.execute("SET commit_delay = 3000; SET commit_siblings = 0")
            connection.commit()
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                cursor.execute("SELECT marketing.notify_pipeline_event('message_sent', '{}', NULL)")
                connection.commit()
                counts[writer] += 1

    def rate() -> float:
        counts = [0] * 64
        _all_at_once([partial(write, writer, counts) for writer in range(64)])
        return sum(counts) / seconds

    with transaction(running.url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef('marketing.wake_listeners(text, text, bigint)'::regprocedure)")
        row = cursor.fetchone()
    assert row
    ours, silent = [], []
    for _ in range(2):
        ours.append(rate())
        _execute(
            running.url,
            """CREATE OR REPLACE FUNCTION marketing.wake_listeners(event_type text, import_batch_id text, n_rows bigint)
            RETURNS void LANGUAGE sql AS 'SELECT'""",
        )
        silent.append(rate())
        _execute(running.url, row[0])
    share = max(ours) / max(silent)
    print(
        f"writers: 64 writers, {max(ours):,.0f} commits a second, without notifications {max(silent):,.0f}: {share:.0%}"
    )


def snapshot(running: System) -> None:
    """See the module."""
    with closing(connect(running.url)) as connection, connection.cursor() as cursor:
        connection.set_session(isolation_level="REPEATABLE READ")
        cursor.execute("SELECT count(*) FROM marketing.pipeline_events")
        waits = [_one(running.url, f"SNAPSHOT-{number}") for number in range(20)]
        connection.rollback()
    print(
        f"snapshot: 20 batches while a snapshot is held open: {statistics.median(waits):.1f} s (median), {max(waits):.1f} s (worst)"
    )


def _all_at_once(work: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=one) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _execute(url: str, statement: str) -> None:
    with transaction(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement)


SCENARIOS = {"batches": batches, "rows": rows, "snapshot": snapshot, "writers": writers, "bulk": bulk, "poison": poison}


def main() -> None:
    """Run the scenarios named, or all, with a daemon of their own."""
    with system() as running:
        running.start("daemon", [sys.executable, "-m", "dagster._daemon", "run", "-w", "workspace.yaml"])
        time.sleep(15)
        for name in sys.argv[1:] or SCENARIOS:
            SCENARIOS[name](running)


if __name__ == "__main__":
    main()
