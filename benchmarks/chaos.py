"""``python -m benchmarks.chaos [--kills N] [--seed S]``: kill everything at random while batches arrive, then count.

It starts a Postgres of its own, Dagster's daemon and webserver from this folder under a supervisor that restarts what
dies (as systemd would), a feeder that commits, updates and rolls back rows, and loaders; it kills one of them every few
seconds. Some of the rows are poisoned: a stage fails on them. Afterwards it waits until the queue is empty and compares what
was committed with what came out.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg2

from barton_pipeline.postgres.connection import DatabaseError, connect, transaction
from barton_pipeline.queue import events, upkeep
from benchmarks.system import PROJECT, System, system

SERVICES = {
    "daemon": [sys.executable, "-m", "dagster._daemon", "run", "-w", "workspace.yaml"],
    "webserver": [sys.executable, "-m", "dagster_webserver", "-w", "workspace.yaml", "--port", "0"],
}
LOADER_ROWS = 5_000
DISK_FULL = "disk full for 20 s"

# What must hold when the queue is empty; each query returns the offending rows.
INVARIANTS = {
    "rows never judged": "SELECT id FROM intake.company_raw_intake WHERE validated IS NULL",
    "valid rows without a company": """
        SELECT r.id FROM intake.company_raw_intake r LEFT JOIN marketing.company_matches m ON m.intake_id = r.id
        WHERE r.validated AND m.intake_id IS NULL""",
    "rows whose company has another domain": """
        SELECT r.id FROM intake.company_raw_intake r JOIN marketing.company_matches m ON m.intake_id = r.id
        JOIN marketing.company_master c USING (company_unique_id) WHERE r.domain <> c.domain""",
    "companies that exist twice": """
        SELECT domain, company_name_key FROM marketing.company_master GROUP BY 1, 2 HAVING count(*) > 1""",
    "companies nobody brought": """
        SELECT c.company_unique_id FROM marketing.company_master c WHERE NOT EXISTS
        (SELECT FROM marketing.company_batches b WHERE b.company_unique_id = c.company_unique_id)""",
    "companies without exactly three slots": """
        SELECT c.company_unique_id FROM marketing.company_master c LEFT JOIN marketing.company_slots s USING (company_unique_id)
        GROUP BY 1 HAVING count(s.*) <> 3""",
    "IDs given twice": "SELECT barton_id FROM marketing.barton_id_history WHERE change = 'given' GROUP BY 1 HAVING count(*) > 1",
    "companies without both scores": """
        SELECT company_unique_id FROM marketing.company_master c WHERE NOT EXISTS
        (SELECT FROM marketing.ple_results r WHERE r.company_id = c.company_unique_id) OR NOT EXISTS
        (SELECT FROM marketing.bit_results r WHERE r.company_id = c.company_unique_id)""",
    "events left open": "SELECT id FROM marketing.pipeline_events WHERE status IN ('pending', 'processing')",
    "rows that were rolled back": "SELECT id FROM intake.company_raw_intake WHERE company LIKE 'Phantom%'",
    "dead letters without an error": """
        SELECT e.id FROM marketing.pipeline_events e WHERE e.status = 'failed' AND NOT EXISTS
        (SELECT FROM marketing.pipeline_errors p WHERE p.event_type IN ('dead_letter', 'row_set_aside')
         AND p.import_batch_id = e.import_batch_id)""",
    "poisoned rows without a dead letter of their own": """
        SELECT r.id FROM intake.company_raw_intake r WHERE r.company LIKE 'Poison%' AND 1 <>
        (SELECT count(*) FROM marketing.pipeline_events e WHERE e.status = 'failed' AND e.first_record_id = r.id::text
         AND e.payload ->> 'set_aside' = 'intake.company_raw_intake')""",
    "healthy rows set aside": """
        SELECT id FROM intake.company_raw_intake
        WHERE company NOT LIKE 'Poison%' AND 'processing_failed' = ANY (validation_reasons)""",
}


@dataclass
class Chaos:
    """One trial: its server, processes, random source and tallies. ``pause``: least and most seconds between two changes."""

    system: System
    random: random.Random
    pause: tuple[float, float] = (0.1, 1.0)
    kills: Counter[str] = field(default_factory=Counter)
    restarts: Counter[str] = field(default_factory=Counter)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    quiet: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    committed: int = 0
    requeued: int = 0
    loads: dict[str, Path] = field(default_factory=dict)

    # -- the system under test

    def supervise(self) -> None:
        """Restart services that ended, until the trial is over."""
        while not self.over.wait(0.5):
            for name, command in SERVICES.items():
                process = self.processes.get(name)
                if process is None or process.poll() is not None:
                    if process is not None:
                        self.restarts[name] += 1
                    self.processes[name] = self.system.start(name, command)

    def members(self) -> dict[str, list[psutil.Process]]:
        """Living processes of this trial by part: daemon, webserver, code_server, run_worker, loader."""
        found: dict[str, list[psutil.Process]] = {}
        for process in self.system.processes():
            with suppress(psutil.Error):
                if part := _part(process):
                    found.setdefault(part, []).append(process)
        return found

    # -- what arrives

    def feed(self) -> None:
        """Commit, update and roll back rows until it is to be quiet; a lost connection is opened again."""
        number = 0
        while not self.quiet.wait(self.random.uniform(*self.pause)):
            number += 1
            with (
                suppress(psycopg2.Error, DatabaseError),
                closing(connect(self.system.url)) as connection,
            ):
                self._one_change(connection, number)

    def _one_change(self, connection: Any, number: int) -> None:
        batch = f"CHAOS-{number if self.random.random() < 0.5 else self.random.randint(1, number)}"
        rows = self.random.choice([1, 1, 1, 3, 150])
        insert = """INSERT INTO intake.company_raw_intake (company, website, import_batch_id)
            SELECT %s || ' ' || n || ' Inc', 'https://www.c' || n || '.com', %s FROM generate_series(%s, %s) AS n"""
        first = self.random.randint(1, 3000)
        with connection.cursor() as cursor:
            if self.random.random() < 0.1:
                cursor.execute(insert, ("Phantom", batch, first, first + rows))
                connection.rollback()
                return
            if self.random.random() < 0.2:
                cursor.execute(
                    """UPDATE intake.company_raw_intake SET website = website || '/x', industry = 'mining'
                    WHERE id = (SELECT id FROM intake.company_raw_intake ORDER BY random() LIMIT 1)"""
                )
            else:
                cursor.execute(insert, ("Company", batch, first, first + rows - 1))
            if self.random.random() < 0.1:
                cursor.execute(insert, ("Poison", batch, 10_000 + number, 10_000 + number))
        connection.commit()
        self.committed += 1

    def start_load(self) -> None:
        """A ``barton load`` of a file of its own; killed or not, it is run again at the end."""
        batch = f"FILE-{len(self.loads) + 1}"
        file = self.system.home / f"{batch}.csv"
        file.write_text(
            "Company,Website\n"
            + "".join(f"{batch} firm {n},https://{batch.lower()}-{n}.com\n" for n in range(LOADER_ROWS))
        )
        self.loads[batch] = file
        self.processes[batch] = self.system.start("loader", self.load_command(batch))

    def load_command(self, batch: str) -> list[str]:
        """The command line that loads a file under its batch."""
        return [sys.executable, "-m", "barton_pipeline.cli.main", "load", str(self.loads[batch]), "--batch", batch]

    # -- faults

    def kill_part(self, part: str) -> bool:
        """SIGKILL one process of a part; False when there is none."""
        found = self.members().get(part, [])
        if not found:
            return False
        with suppress(psutil.Error):
            self.random.choice(found).kill()
        return True

    def kill_loader(self) -> bool:
        """Start a load and kill it on its way."""
        self.start_load()
        time.sleep(self.random.uniform(0.3, 2.5))
        return self.kill_part("loader")

    def crash_postgres(self) -> bool:
        """Immediate stop of the server, as a power cut; it starts again at once."""
        postmaster = psutil.Process(int((self.system.data / "postmaster.pid").read_text().splitlines()[0]))
        postmaster.send_signal(signal.SIGQUIT)  # what pg_ctl -m immediate sends
        postmaster.wait(30)
        self.system.server.ensure_postgres_running()
        return True

    def stop_postgres_for_a_while(self) -> bool:
        """The server is stopped and cannot be reached for 30 s."""
        postmaster = psutil.Process(int((self.system.data / "postmaster.pid").read_text().splitlines()[0]))
        postmaster.send_signal(signal.SIGINT)  # what pg_ctl -m fast sends
        postmaster.wait(30)
        time.sleep(30)
        self.system.server.ensure_postgres_running()
        return True

    def fill_disk(self) -> bool:
        """Something else fills the disk that Postgres writes to, whatever the server frees, for 20 s; then it is gone."""
        if not self.members().get("run_worker"):
            return False
        ballast = self.system.data / "ballast"
        end = time.monotonic() + 20
        with ballast.open("wb") as file:
            while time.monotonic() < end:
                free = shutil.disk_usage(self.system.data).free
                with suppress(OSError):
                    os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), max(free, 1))
                time.sleep(0.1)
        ballast.unlink()
        for _ in range(10):  # a server that could not write its log has ended; it recovers when it is started again
            with suppress(subprocess.SubprocessError):
                self.system.server.ensure_postgres_running()
                return True
            time.sleep(3)
        return False

    def start_second_daemon(self) -> bool:
        """Somebody starts another daemon by mistake; it runs beside the first for a while."""
        second = self.system.start("second_daemon", SERVICES["daemon"])
        threading.Timer(40, second.kill).start()
        return True

    def insert_one_by_one(self) -> bool:
        """Commit 1,000 rows one by one, as fast as they go, all for one batch."""
        with closing(connect(self.system.url)) as connection, connection.cursor() as cursor:
            for number in range(1000):
                cursor.execute(
                    """INSERT INTO intake.company_raw_intake (company, website, import_batch_id)
                    VALUES (%s, %s, %s)""",
                    (f"Single {number}", f"https://single{number}.com", f"SINGLE-{sum(self.kills.values())}"),
                )
                connection.commit()
                self.committed += 1
        return True

    def end_backend(self) -> bool:
        """pg_terminate_backend of a random connection."""
        with closing(connect(self.system.url)) as connection, connection.cursor() as cursor:
            cursor.execute(
                """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' ORDER BY random() LIMIT 1"""
            )
            return cursor.fetchone() is not None

    def freeze_worker(self) -> bool:
        """SIGSTOP a run worker until its lease is over and the batch has gone on elsewhere, then wake the zombie."""
        found = self.members().get("run_worker", [])
        if not found:
            return False
        frozen = self.random.choice(found)
        with suppress(psutil.Error):
            frozen.suspend()
            threading.Timer(events.settings().lease_seconds + 15, lambda: _wake(frozen)).start()
        return True

    def faults(self) -> dict[str, tuple[int, Callable[[], bool]]]:
        """Every fault with its weight."""
        faults: dict[str, tuple[int, Callable[[], bool]]] = {
            "run worker killed": (10, lambda: self.kill_part("run_worker")),
            "daemon killed": (3, lambda: self.kill_part("daemon")),
            "code server killed": (3, lambda: self.kill_part("code_server")),
            "webserver killed": (1, lambda: self.kill_part("webserver")),
            "loader killed": (2, self.kill_loader),
            "Postgres crashed": (2, self.crash_postgres),
            "Postgres away for 30 s": (1, self.stop_postgres_for_a_while),
            "second daemon started": (1, self.start_second_daemon),
            "1,000 single-row transactions": (1, self.insert_one_by_one),
            "connection ended": (4, self.end_backend),
            "run worker frozen past its lease": (2, self.freeze_worker),
        }
        if self.system.small_disk:
            faults[DISK_FULL] = (1, self.fill_disk)
        return faults

    def torment(self, kills: int, only: str | None = None) -> None:
        """Inject ``kills`` faults, a few seconds apart."""
        faults = self.faults()
        names = [only] if only else list(faults)
        while sum(self.kills.values()) < kills:
            name = self.random.choices(names, [faults[name][0] for name in names])[0]
            with suppress(psycopg2.Error, DatabaseError):
                if faults[name][1]():
                    self.kills[name] += 1
                    print(f"{sum(self.kills.values()):3} {name}", flush=True)
            time.sleep(self.random.uniform(0.5, 6.0))

    # -- afterwards

    def finish_loads(self) -> None:
        """Load every file again, as an operator would after a crash."""
        for batch in self.loads:
            with suppress(subprocess.TimeoutExpired):
                self.processes[batch].wait(60)
            subprocess.run(
                self.load_command(batch), cwd=PROJECT, env=self.system.environment, check=True, capture_output=True
            )

    def drain(self, seconds: float) -> float:
        """Wait until no event is open, requeueing dead letters as an operator would; returns the seconds it took."""
        started = time.monotonic()
        while time.monotonic() - started < seconds:
            time.sleep(1)
            if self.query(INVARIANTS["events left open"]):
                continue
            dead = self.query(
                "SELECT FROM marketing.pipeline_events WHERE status = 'failed' AND payload ->> 'set_aside' IS NULL"
            )
            if not dead:
                break
            with transaction(self.system.url) as connection:
                upkeep.requeue(connection)
            self.requeued += len(dead)
        return time.monotonic() - started

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows of a SELECT."""
        with transaction(self.system.url) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def verdict(self) -> dict[str, int]:
        """Offending rows by invariant; an empty dictionary is what we want."""
        counts = {name: len(self.query(statement)) for name, statement in INVARIANTS.items()}
        for batch in self.loads:
            ((rows,),) = self.query(f"SELECT count(*) FROM intake.company_raw_intake WHERE import_batch_id = '{batch}'")
            counts[f"rows of {batch} missing or loaded twice"] = abs(rows - LOADER_ROWS)
        return {name: count for name, count in counts.items() if count}

    def told(self) -> list[tuple[str, int]]:
        """What the error log says most, numbers and names of batches left out."""
        return [
            (message, count)
            for message, count in self.query(
                """SELECT regexp_replace(left(error_message, 160), '\\S*\\d\\S*', '…', 'g'), count(*)
                FROM marketing.pipeline_errors GROUP BY 1 ORDER BY 2 DESC LIMIT 8"""
            )
        ]


def _part(process: psutil.Process) -> str | None:
    line = process.cmdline()
    if any(part.endswith("warm_worker") for part in line) or any("spawn_main" in part for part in line):
        return "run_worker"
    for part, word in (
        ("daemon", "dagster._daemon"),
        ("webserver", "dagster_webserver"),
        ("code_server", "grpc"),
        ("loader", "load"),
    ):
        if word in line:
            return part
    return None


def _wake(process: psutil.Process) -> None:
    with suppress(psutil.Error):
        process.resume()


@contextmanager
def chaos(
    seed: int,
    keep_logs: Path | None = None,
    disk_megabytes: int | None = None,
    pause: tuple[float, float] = Chaos.pause,
) -> Iterator[Chaos]:
    """A running system to torment; everything it started is gone afterwards."""
    with system(disk_megabytes) as running:
        running.poison()
        trial = Chaos(running, random.Random(seed), pause)
        try:
            for work in (trial.supervise, trial.feed):
                threading.Thread(target=work, daemon=True).start()
            yield trial
        finally:
            trial.quiet.set()
            trial.over.set()
            for log in running.home.glob("*.log"):
                if keep_logs:
                    shutil.copy(log, keep_logs)


def main() -> None:
    """Torment, drain, count."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", help="inject only this fault")
    parser.add_argument("--logs", type=Path, help="folder to keep the logs in")
    parser.add_argument("--drain-seconds", type=float, default=600)
    parser.add_argument(
        "--disk-megabytes", type=int, help="put Postgres on a tmpfs of this size and fill it as well (as root; try 600)"
    )
    options = parser.parse_args()
    with chaos(options.seed, options.logs, options.disk_megabytes) as trial:
        trial.torment(options.kills, options.only)
        trial.quiet.set()
        trial.finish_loads()
        drained = trial.drain(options.drain_seconds)
        wrong = trial.verdict()
        told = trial.told()
        ((rows, batches, companies, events, poisoned),) = trial.query(
            """SELECT (SELECT count(*) FROM intake.company_raw_intake), (SELECT count(DISTINCT import_batch_id) FROM
            intake.company_raw_intake), (SELECT count(*) FROM marketing.company_master),
            (SELECT count(*) FROM marketing.pipeline_events),
            (SELECT count(*) FROM intake.company_raw_intake WHERE company LIKE 'Poison%')"""
        )
    print(
        f"seed {options.seed}: {sum(trial.kills.values())} faults: {dict(trial.kills)}; restarts {dict(trial.restarts)}"
    )
    print(
        f"{trial.committed} transactions, {rows:,} rows in {batches} batches, {companies:,} companies, {events:,} events, "
        f"{poisoned} poisoned rows; "
        f"drained in {drained:.0f} s, {trial.requeued} dead letters requeued by hand"
    )
    print("error log: " + "; ".join(f"{count} x {message}" for message, count in told))
    print("nothing lost, nothing twice" if not wrong else f"WRONG: {wrong}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
