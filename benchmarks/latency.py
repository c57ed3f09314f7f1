"""``python -m benchmarks.latency [ROUNDS]``: from a committed batch of 262 companies to its sniper targets.

Seconds from the commit to the run's request, start and end. Beside it, in the same minutes, the least that Dagster does with
its stock launcher and queue: a sensor of the same kind starts a run of one asset that does nothing (on our storage, in its favour).
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg2

from barton_pipeline.postgres.connection import transaction
from benchmarks.system import System, system

ROWS = 262
STOCK_CODE = """
import dagster as dg
from barton_pipeline.postgres.connection import connect, transaction
from barton_pipeline.queue import listening

@dg.asset
def nothing(context) -> None:
    with transaction() as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE stock SET done = clock_timestamp() WHERE name = %s", (context.run.tags["name"],))

@dg.sensor(target=[nothing], minimum_interval_seconds=1, default_status=dg.DefaultSensorStatus.RUNNING)
def stock_sensor(context):
    with connect() as connection:
        listening.start_listening(connection)
        with connection.cursor() as cursor:
            for _ in range(2):
                cursor.execute("UPDATE stock SET seen = true WHERE NOT seen RETURNING name")
                if names := [name for (name,) in cursor.fetchall()]:
                    return [dg.RunRequest(run_key=name, tags={"name": name}) for name in names]
                listening.listen(connection, 4.5)

defs = dg.Definitions(assets=[nothing], sensors=[stock_sensor])
"""
STOCK_YAML = """
storage:
  custom: {module: barton_pipeline.instance.storage, class: BartonStorage, config: {}}
telemetry: {enabled: false}
"""
OURS = """
    SELECT max(processed_at) FROM marketing.pipeline_events WHERE import_batch_id = %(name)s
    HAVING bool_and(status = 'processed')
"""
STOCK = "SELECT done FROM stock WHERE name = %(name)s"
# Each in Dagster's own database; the tag that names the batch is dagster/partition in ours, name in the stock one.
RUN = """
    FROM runs r JOIN run_tags t USING (run_id) WHERE t.key IN ('dagster/partition', 'name') AND t.value = %(name)s
    AND NOT EXISTS (SELECT FROM run_tags k WHERE k.run_id = r.run_id AND k.key = 'barton/kind')
"""
REQUESTED = "SELECT min(r.create_timestamp) AT TIME ZONE 'UTC' " + RUN
STARTED = "SELECT to_timestamp(min(r.start_time)) " + RUN
MOMENTS = ("requested", "started", "done")


def value(url: str, statement: str, name: str) -> float | None:
    """The timestamp a query finds, in seconds since the epoch."""
    with transaction(url) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT extract(epoch FROM found)::float8 FROM ({statement}) AS q (found)", {"name": name})
        row = cursor.fetchone()
    return row[0] if row else None


def wait(look: Callable[[], float | None], seconds: float = 120) -> float:
    """The first value that is there."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (found := look()) is not None:
            return found
        time.sleep(0.05)
    raise TimeoutError("the run did not end; see the logs")


def commit(url: str, *statements: str, name: str) -> float:
    """Run statements, commit, and return the server's time just before the commit, in seconds since the epoch."""
    with transaction(url) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement, {"name": name, "rows": ROWS})
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        row = cursor.fetchone()
    assert row
    return float(row[0])


def moments(url: str, dagster: str, name: str, committed: float, done: str) -> list[float]:
    """Seconds from the commit to each of MOMENTS; ``dagster`` is the name of Dagster's database."""
    ended = wait(lambda: value(url, done, name))
    runs = url.replace("/barton?", f"/{dagster}?")
    return [
        wait(lambda: value(runs, REQUESTED, name)) - committed,
        wait(lambda: value(runs, STARTED, name)) - committed,
        ended - committed,
    ]


def ours(url: str, name: str) -> list[float]:
    """MOMENTS of a batch of companies."""
    committed = commit(
        url,
        """INSERT INTO intake.company_raw_intake (company, website, industry, import_batch_id)
        SELECT 'Company ' || n, 'https://' || %(name)s || n || '.com', 'mining', %(name)s FROM generate_series(1, %(rows)s) AS n""",
        name=name,
    )
    return moments(url, "barton_dagster", name, committed, OURS)


def stock(url: str, name: str) -> list[float]:
    """MOMENTS of a row for which a run does nothing."""
    committed = commit(
        url, "INSERT INTO stock (name) VALUES (%(name)s)", "SELECT pg_notify('pipeline_event', 'stock')", name=name
    )
    return moments(url, "stock_dagster", name, committed, STOCK)


def measure(running: System, rounds: int) -> None:
    """Alternate both, after a first round that does not count."""
    with transaction(running.url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE stock (name text, seen boolean DEFAULT false, done timestamptz)")
    measured: dict[str, list[list[float]]] = {"ours": [], "stock": []}
    for number in range(rounds + 1):
        for name, work in (("ours", ours), ("stock", stock)):
            times = work(running.url, f"{name}{number}")
            if number:
                measured[name].append(times)
        time.sleep(6)  # a replacement worker is started 5 s after a run begins
    print(f"{rounds} rounds; seconds from the commit, median (worst): {', '.join(MOMENTS)}")
    medians = {}
    for name, what in (("ours", f"{ROWS} companies to targets"), ("stock", "stock run of nothing")):
        columns = list(zip(*measured[name], strict=True))
        medians[name] = statistics.median(columns[-1])
        print(f"{what:26}" + "".join(f"{statistics.median(column):8.2f} ({max(column):.2f})" for column in columns))
    print(f"done: {medians['ours'] / medians['stock']:.2f} x")


def main() -> None:
    """Start both systems, measure, stop them."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with system() as running:
        running.start("daemon", [sys.executable, "-m", "dagster._daemon", "run", "-w", "workspace.yaml"])
        folder = running.home / "stock_code"
        folder.mkdir()
        Path(folder / "stock_definitions.py").write_text(STOCK_CODE)
        environment = running.dagster_home("stock", STOCK_YAML)
        environment["BARTON_DAGSTER_DATABASE_URL"] = running.url.replace("/barton?", "/stock_dagster?")
        command = [sys.executable, "-m", "dagster._daemon", "run", "-f", "stock_definitions.py"]
        running.start("stock", command, environment, folder)
        time.sleep(15)
        try:
            measure(running, rounds)
        except (TimeoutError, psycopg2.Error):
            for log in running.home.glob("*.log"):
                print(f"--- {log.name}\n{log.read_text(errors='replace')[-2000:]}", file=sys.stderr)
            raise


if __name__ == "__main__":
    main()
