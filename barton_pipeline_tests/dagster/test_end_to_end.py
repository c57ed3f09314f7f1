"""A real ``dagster dev``: a committed row becomes scores, with no other command; a restart keeps everything."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from barton_pipeline_tests.conftest import PROJECT

INSERT = "INSERT INTO intake.company_raw_intake(company, website, import_batch_id) VALUES ('Test Co {n}', 'https://test{n}.com', '{batch}')"

pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"after {seconds} s: {what}")


def is_up(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/server_info", timeout=2).ok
    except requests.RequestException:
        return False


@contextmanager
def dagster_dev(log: Path, *command: str) -> Iterator[int]:
    """``dagster dev`` as a user starts it, in a session of its own; ended by Ctrl-C."""
    port = free_port()
    with log.open("a") as output:
        process = subprocess.Popen(
            [*(command or (sys.executable, "-m", "dagster", "dev")), "--port", str(port)],
            cwd=PROJECT,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
    try:
        wait_for(lambda: is_up(port), 90, f"dagster dev did not come up: {log.read_text()[-2000:]}")
        yield port
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def graphql(port: int, query: str) -> dict[str, Any]:
    answer = requests.post(f"http://127.0.0.1:{port}/graphql", json={"query": query}, timeout=30).json()
    assert "errors" not in answer, answer
    return dict(answer["data"])


def runs(port: int) -> list[dict[str, Any]]:
    data = graphql(port, "{ runsOrError { ... on Runs { results { runId status jobName tags { key value } } } } }")
    return list(data["runsOrError"]["results"])


def kill_run_worker(port: int, batch: str) -> None:
    """kill -9 the process that executes the batch's run."""
    tags = [{tag["key"]: tag["value"] for tag in run["tags"]} for run in runs(port) if run["status"] == "STARTED"]
    (worker,) = [json.loads(found["barton/run_worker"]) for found in tags if found.get("dagster/partition") == batch]
    os.kill(worker["pid"], signal.SIGKILL)


def statuses(port: int, batch: str) -> list[str]:
    """How the batch's pipeline runs stand, in alphabetical order."""
    tag = {"key": "dagster/partition", "value": batch}
    return sorted(run["status"] for run in runs(port) if tag in run["tags"] and run["jobName"] == "pipeline_job")


def cancel_run(port: int, batch: str) -> None:
    """What the Terminate button of the UI does."""
    tag = {"key": "dagster/partition", "value": batch}
    (run,) = [run["runId"] for run in runs(port) if run["status"] == "STARTED" and tag in run["tags"]]
    answer = graphql(port, f'mutation {{ terminateRun(runId: "{run}") {{ __typename }} }}')
    assert answer["terminateRun"]["__typename"] == "TerminateRunSuccess", answer


def settled(db, batch: str) -> bool:
    return db.value(
        "SELECT count(*) > 0 AND bool_and(status = 'processed') FROM marketing.pipeline_events WHERE import_batch_id = %s",
        batch,
    )


def test_a_row_becomes_scores_and_a_restart_keeps_everything(db, tmp_path: Path) -> None:
    log = tmp_path / "dagster.log"
    with dagster_dev(log) as port:
        db.execute(INSERT.format(n=1, batch="TEST-001"))
        wait_for(lambda: settled(db, "TEST-001"), 90, f"the batch is not done: {log.read_text()[-3000:]}")
        assert db.value("SELECT count(*) FROM marketing.ple_results") == 1
        assert db.value("SELECT count(*) FROM marketing.bit_results") == 1
        db.execute("UPDATE intake.company_raw_intake SET website = 'https://new-test1.com'")
        assert dict(
            db.query(
                "SELECT event_type, payload->>'website' FROM marketing.pipeline_events WHERE event_type IN ('company_created', 'company_updated')"
            )
        ) == {"company_created": "https://test1.com", "company_updated": "https://new-test1.com"}
        wait_for(lambda: settled(db, "TEST-001"), 90, "the update was not processed")
        wait_for(
            lambda: any(run["jobName"] == "expectations_job" and run["status"] == "SUCCESS" for run in runs(port)),
            120,
            "the Great Expectations suites did not follow",
        )
        sensors = graphql(port, "{ sensorsOrError(repositorySelector: {repositoryName: \"__repository__\", "
                                "repositoryLocationName: \"barton_pipeline\"}) { ... on Sensors { results { name sensorState { status } } } } }")  # fmt: skip
        assert {s["sensorState"]["status"] for s in sensors["sensorsOrError"]["results"]} == {"RUNNING"}
        before = {run["runId"] for run in runs(port) if run["jobName"] == "pipeline_job"}
        assert len(before) == 2, "one insert and one update are two runs, and the runs' own writes start none"
    db.execute(INSERT.format(n=2, batch="TEST-002"))
    with dagster_dev(log) as port:
        wait_for(
            lambda: settled(db, "TEST-002"),
            90,
            f"work left while Dagster was down is not done: {log.read_text()[-3000:]}",
        )
        assert before < {run["runId"] for run in runs(port)}, "the history did not survive the restart"


def test_a_killed_worker_and_a_cancelled_run_do_no_harm(db, tmp_path: Path) -> None:
    log = tmp_path / "dagster.log"
    with dagster_dev(log) as port:
        # the run of this batch waits for a lock that we hold, and is killed there
        with db.connect() as holder, holder.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('barton.batch:KILLED', 0))")
            db.execute(INSERT.format(n=3, batch="KILLED"))
            wait_for(
                lambda: db.value(
                    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND wait_event = 'advisory'"
                ),
                60,
                "the run did not reach its first stage",
            )
            kill_run_worker(port, "KILLED")
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('barton.batch:CANCELLED', 0))")
            db.execute(INSERT.format(n=5, batch="CANCELLED"))
            wait_for(lambda: statuses(port, "CANCELLED") == ["STARTED"], 60, "the run to cancel did not start")
            cancel_run(port, "CANCELLED")
            db.execute(INSERT.format(n=4, batch="HEALTHY"))
            wait_for(lambda: settled(db, "HEALTHY"), 90, "a stuck batch delayed a healthy one")
            # blocked in SQL it does not hear the signal: it is killed after the grace time
            wait_for(lambda: "CANCELED" in statuses(port, "CANCELLED"), 90, "the cancelled run goes on")
        wait_for(
            lambda: settled(db, "KILLED"), 120, f"the killed batch was not taken up again: {log.read_text()[-3000:]}"
        )
        wait_for(lambda: statuses(port, "KILLED") == ["FAILURE", "SUCCESS"], 30, f"runs: {statuses(port, 'KILLED')}")
        wait_for(lambda: settled(db, "CANCELLED"), 120, "the cancelled batch was not taken up again")
        wait_for(
            lambda: sorted(statuses(port, "CANCELLED")) == ["CANCELED", "SUCCESS"], 30, f"{statuses(port, 'CANCELLED')}"
        )
    assert db.value("SELECT count(*) FROM marketing.company_master") == 3
    assert db.value("SELECT max(attempts) FROM marketing.pipeline_events WHERE event_type = 'company_created'") == 2
    # the sensor counts the killed run; the cancelled one counts itself if it still hears the signal before it is killed
    ends = db.query(
        "SELECT batch_id, workflow_name, status FROM marketing.workflow_stats WHERE status <> 'ok' ORDER BY 1"
    )
    assert ends == [("CANCELLED", "raw_intake", "cancelled"), ("KILLED", "raw_intake", "error")]
