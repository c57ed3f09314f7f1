"""``barton demo``: the main job on the sample batch, as an operator would run it.

It starts a real ``dagster dev``, loads the sample files, and only watches: the rows' own events start the runs.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import requests
from rich.console import Console
from rich.live import Live

from barton_pipeline.cli.batches import print_batch
from barton_pipeline.cli.printing import (
    Column,
    Importance,
    Kind,
    Table,
    as_json,
    console,
    error_console,
    print_json,
    render,
    say,
)
from barton_pipeline.cli.targets import print_targets
from barton_pipeline.cli.vendors import print_yield
from barton_pipeline.config import SHIPPED, require_project
from barton_pipeline.errors import BartonError, InputError
from barton_pipeline.intake.loading import load_file
from barton_pipeline.postgres import embedded, migrations, sql
from barton_pipeline.postgres.connection import connect, database_url, redact, transaction
from barton_pipeline.reports import spending
from barton_pipeline.reports.batches import list_stages
from barton_pipeline.reports.status import BatchReport, report_batch
from barton_pipeline.reports.targets import NextBest, Target, list_next_best, list_targets
from barton_pipeline.vendors.sandbox import running_sandbox
from barton_pipeline.vendors.settings import SANDBOX

SAMPLES = SHIPPED / "samples"
FIRST_PORT = 3000
START_SECONDS = 300
STOP_SECONDS = 60
PROGRESS = Table(
    "Stages",
    (
        Column("stage", "stage", Kind.KEY, Importance.HIGH),
        Column("rows_out", "rows", Kind.NUMBER, Importance.HIGH),
        Column("seconds", "seconds", Kind.NUMBER, decimals=3),
    ),
)


@dataclass(frozen=True)
class Demo:
    """What the demo came to; ``costs`` are what the invented purchases would have cost."""

    batch: str
    report: BatchReport
    targets: tuple[Target, ...]
    next_best: tuple[NextBest, ...]
    costs: spending.Yield
    dagster_url: str


@click.command()
@click.option("--exit", "exit_when_done", is_flag=True, help="Stop when the targets are printed.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the Dagster UI [default: 3000 or the next free].")
@click.option("--timeout", default=300, show_default=True, help="Seconds to wait for the targets.")
@as_json
def demo(exit_when_done: bool, port: int | None, timeout: int, json_output: bool) -> None:
    """Run the main job on the sample batch.

    You see the batch go through the stages by its events, the sniper targets, and the Dagster UI.
    """
    run(error_console if json_output else console, exit_when_done, port, timeout, json_output)


def run(console: Console, exit_when_done: bool, port: int | None, timeout: float, json_output: bool) -> None:
    """Run the demo, with its progress on ``console``; leaves the Dagster UI open until Ctrl-C unless ``exit_when_done``.

    Raises InputError outside a project's folder or when the port is taken, BartonError when a part does not come up or
    the targets are not there within ``timeout`` seconds.
    """
    require_project()
    if not Path("workspace.yaml").is_file():
        raise InputError(
            f"There is no workspace.yaml in {Path.cwd()}, which tells Dagster what to load. Run: barton init ."
        )
    # a shell starts what it runs in the background with SIGINT ignored: so would be the one we end dagster dev with
    signal.signal(signal.SIGINT, signal.default_int_handler)
    port = _free_port(port)
    console.print(f"Postgres: {redact(database_url())}", markup=False)
    applied = migrations.migrate()
    console.print(f"Schema: {len(applied)} files applied" if applied else "Schema: up to date")
    try:
        with running_sandbox() as sandbox, _dagster_dev(port, console, {SANDBOX: sandbox.url}):
            console.print(
                "Vendors: the sandbox. People and verdicts from it are invented (docs/reference/sandbox.md); nothing is paid."
            )
            batch = _load_samples(console)
            _watch(console, batch, timeout)
            _show(_examine(batch, port), json_output)
            if not exit_when_done:
                console.print("Ctrl-C stops it; the data stays, and `dagster dev` shows it again.")
                with contextlib.suppress(KeyboardInterrupt):
                    signal.pause()
    finally:
        embedded.stop_if_idle()


def _examine(batch: str, port: int) -> Demo:
    with transaction() as connection:
        return Demo(
            batch=batch,
            report=report_batch(connection, batch),
            targets=tuple(list_targets(connection, batch)),
            next_best=tuple(list_next_best(connection, batch)),
            costs=spending.measure_yield(connection, batch),
            dagster_url=f"http://127.0.0.1:{port}",
        )


def _show(demo: Demo, json_output: bool) -> None:
    if json_output:
        print_json(demo)
        return
    print_batch(demo.batch, demo.report)
    print_targets(demo.targets, demo.next_best)
    print_yield(demo.costs)
    say(f"\nDagster UI: {demo.dagster_url}")


def _free_port(wanted: int | None) -> int:
    for port in [wanted] if wanted else range(FIRST_PORT, FIRST_PORT + 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    raise InputError(f"Port {wanted or FIRST_PORT} is in use. Choose another one with --port, or leave --port away.")


@contextlib.contextmanager
def _dagster_dev(port: int, console: Console, environment: dict[str, str]) -> Iterator[None]:
    log = embedded.home() / "dagster-dev.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output, console.status("starting Dagster"):
        process = subprocess.Popen(
            [sys.executable, "-m", "dagster", "dev", "--host", "127.0.0.1", "--port", str(port)],
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C must reach us first, so that we can end it in order
        )
    try:
        with console.status(f"starting Dagster (log: {log})"):
            _wait_until_up(process, port, log)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_up(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            tail = " ".join(log.read_text(errors="replace").splitlines()[-3:])
            raise BartonError(f"dagster dev ended at once: {tail} The whole log is in {log}")
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"http://127.0.0.1:{port}/server_info", timeout=2).ok:
                return
        time.sleep(0.2)
    raise BartonError(f"dagster dev did not answer within {START_SECONDS} s; see {log}")


def _load_samples(console: Console) -> str:
    batch: str | None = None
    with contextlib.closing(connect()) as connection:
        for kind, name in (
            ("companies", "breweries.csv"),
            ("people", "people.csv"),
            ("signals", "signals.csv"),
        ):
            report = load_file(connection, SAMPLES / name, kind=kind, batch=batch)
            batch = report.batch
            said = "already loaded" if report.already_loaded else f"{report.loaded:,} {kind} loaded"
            console.print(f"samples/{name}: {said} as batch {batch}", markup=False, highlight=False)
    assert batch is not None
    return batch


def _watch(console: Console, batch: str, timeout: float) -> None:
    """Follow the batch's stages until its events are done."""
    deadline = time.monotonic() + timeout
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        while True:
            with transaction() as connection:
                stages = list_stages(connection, batch)
                open_events = sql.rows(
                    connection,
                    """
                    SELECT status, count(*) AS events, max(error_message) AS error FROM marketing.pipeline_events
                    WHERE import_batch_id = %(batch)s AND status <> 'processed' GROUP BY status
                    """,
                    batch=batch,
                )
            waiting = ", ".join(f"{row['events']} {row['status']}" for row in open_events) or "none"
            live.update(render(PROGRESS, stages, console.width, f"{batch}: events open: {waiting}"))
            if not open_events and stages[-1].completed_at:
                return
            if time.monotonic() > deadline or any(row["status"] == "failed" for row in open_events):
                raise BartonError(
                    f"Batch {batch} is not done: {open_events}. See `barton errors` and {embedded.home()}/dagster-dev.log"
                )
            time.sleep(0.25)
