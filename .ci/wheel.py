"""Installs the wheel into a bare environment outside the checkout and uses it there as README says: init, demo, dagster dev.

Needs the environment of the tests (the dev extra): .venv/bin/python .ci/wheel.py
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from barton_pipeline.config import VARIABLES

CHECKOUT = Path(__file__).parent.parent
PROJECT = "my project"  # with a space, as folders have
# generous, for machines that do much else: what has failed ends at once
DEMO_SECONDS = 900
ANSWER_SECONDS = 300
STOP_SECONDS = 120
LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError {
    __typename ... on PythonError { message } } } } } }"""
RUNS = "{ runsOrError { ... on Runs { results { jobName status } } } }"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="barton-wheel-") as name:
        folder = Path(name)
        environment = bare_environment(folder / "venv")
        wheel = build(folder / "dist")
        step("bare environment", [sys.executable, "-m", "venv", folder / "venv"], folder, environment)
        # compiling what is never imported would take half of the time; what is imported is compiled once, by the next step
        install = ["pip", "install", "--quiet", "--no-compile", "-c", CHECKOUT / "constraints.txt", wheel]
        step("install", install, folder, environment)
        load = "import barton_pipeline.definitions, dagster_webserver.cli, dagster._cli.dev"
        step("load", ["python", "-W", "ignore", "-c", load], folder, environment)
        try:
            demo = f"barton init '{PROJECT}' && cd '{PROJECT}' && barton demo --exit --timeout {DEMO_SECONDS}"
            step("init and demo", ["bash", "-c", demo], folder, environment)
            with dagster_dev(folder / PROJECT, environment) as url:
                examine(url)
        except BaseException:
            for log in folder.rglob("dagster-dev.log"):
                print(f"== {log}\n{log.read_text()[-5000:]}", flush=True)
            raise
        finally:
            stop_postgres(folder / PROJECT, environment)
    print("The wheel works.", flush=True)


def bare_environment(venv: Path) -> dict[str, str]:
    """This process's environment without anything that would lead back to the checkout, and with ``venv`` activated."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in VARIABLES and not name.startswith(("DAGSTER", "PYTHON"))
    }
    return {**kept, "VIRTUAL_ENV": str(venv), "PATH": f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}"}


def build(into: Path) -> Path:
    step("build", [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", into], CHECKOUT, dict(os.environ))
    (wheel,) = into.glob("*.whl")
    return wheel


def step(what: str, command: list[Any], folder: Path, environment: dict[str, str]) -> None:
    """Run a command and say how long it took. Raises CalledProcessError when it fails."""
    started = time.monotonic()
    subprocess.run(command, cwd=folder, env=environment, check=True)
    print(f"== {what}: {time.monotonic() - started:.0f} s", flush=True)


@contextlib.contextmanager
def dagster_dev(project: Path, environment: dict[str, str]) -> Iterator[str]:
    """``dagster dev`` in the project, in a session of its own, ended by Ctrl-C; its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = project.parent / "dagster-dev.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            ["dagster", "dev", "--port", str(port)],
            cwd=project,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def examine(url: str) -> None:
    """The webserver answers, the code location is loaded, and the demo's run is remembered."""
    started = time.monotonic()
    locations = wait_for_answer(url)["workspaceOrError"]["locationEntries"]
    loaded = [(entry["name"], entry["locationOrLoadError"]["__typename"]) for entry in locations]
    assert loaded == [("barton_pipeline", "RepositoryLocation")], locations
    runs = ask(url, RUNS)["runsOrError"]["results"]
    assert {"jobName": "pipeline_job", "status": "SUCCESS"} in runs, runs
    print(f"== dagster dev answers: {time.monotonic() - started:.0f} s", flush=True)


def wait_for_answer(url: str) -> dict[str, Any]:
    """What the webserver says about its code locations, once they are loaded or have failed to."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(requests.RequestException):
            answer = ask(url, LOCATIONS)
            if all(entry["locationOrLoadError"] for entry in answer["workspaceOrError"]["locationEntries"]):
                return answer
        time.sleep(0.5)
    raise TimeoutError(f"dagster dev did not answer within {ANSWER_SECONDS} s")


def ask(url: str, query: str) -> dict[str, Any]:
    response = requests.post(f"{url}/graphql", json={"query": query}, timeout=30)
    response.raise_for_status()
    answer = response.json()
    assert "errors" not in answer, answer
    return dict(answer["data"])


def stop_postgres(project: Path, environment: dict[str, str]) -> None:
    """``barton stop``, and away with the data, which is not in the project when root ran it."""
    step("stop", ["barton", "stop"], project, environment)
    where = "from barton_pipeline.postgres.embedded import data_directory as d; print(d(), end='')"
    found = subprocess.run(
        ["python", "-c", where], cwd=project, env=environment, check=True, text=True, capture_output=True
    )
    assert not (Path(found.stdout) / "postmaster.pid").exists()
    shutil.rmtree(found.stdout)


if __name__ == "__main__":
    main()
