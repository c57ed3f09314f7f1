"""The pre-warmed launcher on a small code location and an instance of its own: real processes, real code server."""

import json
import os
import signal
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget

from barton_pipeline.instance.launcher import WORKER_TAG

pytestmark = pytest.mark.slow

CODE = """
import signal
import time
from pathlib import Path
import dagster as dg

VERSION = {version!r}
WORD = (Path(__file__).parent / "word.txt").read_text()

@dg.op
def work(context):
    if (Path(__file__).parent / "deaf").exists():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    context.log.info(f"version {{VERSION}} word {{WORD}}")
    (Path(__file__).parent / f"started-{{context.run_id}}").touch()
    while (Path(__file__).parent / "hold").exists():
        time.sleep(0.05)

@dg.job(executor_def=dg.in_process_executor)
def job():
    work()

defs = dg.Definitions(jobs=[job])
"""


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 40) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"after {seconds} s: {what}")


class Site:
    """Code locations, an instance with our launcher, and a workspace with running code servers.

    ``locations`` are interpreters by location name; all load the same code. A second Site on the folder is the same instance
    in another process, as after a restart of the daemon.
    """

    def __init__(
        self, folder: Path, pool_size: int, stack: ExitStack, locations: Mapping[str, str] = {"site": sys.executable}
    ) -> None:
        self.folder = folder
        self.write(1)
        (folder / "word.txt").write_text("one")
        home = folder / "home"
        home.mkdir(exist_ok=True)
        (home / "dagster.yaml").write_text(
            json.dumps(
                {
                    "run_launcher": {
                        "module": "barton_pipeline.instance.launcher",
                        "class": "PrewarmedRunLauncher",
                        "config": {"pool_size": pool_size, "termination_grace_seconds": 2},
                    },
                    "telemetry": {"enabled": False},
                }
            )
        )
        self.instance = stack.enter_context(dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home))))
        workspace = folder / "workspace.yaml"
        loaded = [
            {
                "python_file": {
                    "relative_path": "site_defs.py",
                    "working_directory": str(folder),
                    "location_name": name,
                    "executable_path": interpreter,
                }
            }
            for name, interpreter in locations.items()
        ]
        workspace.write_text(json.dumps({"load_from": loaded}))
        self.process_context = stack.enter_context(
            WorkspaceProcessContext(self.instance, WorkspaceFileTarget([str(workspace)]))
        )

    def write(self, version: int) -> None:
        (self.folder / "site_defs.py").write_text(CODE.format(version=version))

    def launch(self, name: str = "site") -> str:
        context = self.process_context.create_request_context()
        location = context.get_code_location(name)
        (repository,) = location.get_repositories().values()
        remote_job = repository.get_full_job("job")
        plan = location.get_execution_plan(remote_job, {}, None, None, None)
        run = self._create(remote_job, plan)
        self.instance.launch_run(run.run_id, context)
        return str(run.run_id)

    def _create(self, remote_job: Any, plan: Any) -> dg.DagsterRun:
        return self.instance.create_run(
            job_name="job", run_id=None, run_config={}, status=None, tags={}, root_run_id=None, parent_run_id=None,
            step_keys_to_execute=None, execution_plan_snapshot=plan.execution_plan_snapshot,
            job_snapshot=remote_job.job_snapshot, parent_job_snapshot=None, asset_selection=None,
            asset_check_selection=None, resolved_op_selection=None, op_selection=None,
            remote_job_origin=remote_job.get_remote_origin(), job_code_origin=remote_job.get_python_origin(),
            asset_graph=AssetGraph.from_assets([]),
        )  # fmt: skip

    def run(self, run_id: str) -> dg.DagsterRun:
        run = self.instance.get_run_by_id(run_id)
        assert run
        return run

    def ended(self, run_id: str) -> str:
        wait_for(lambda: self.run(run_id).is_finished, f"run {self.run(run_id).status}: {self.messages(run_id)[-3:]}")
        return self.run(run_id).status.value

    def messages(self, run_id: str) -> list[str]:
        return [
            f"{entry.user_message} {entry.dagster_event and entry.dagster_event.message}"
            for entry in self.instance.all_logs(run_id)
        ]

    def said(self, run_id: str, what: str) -> bool:
        return any(what in message for message in self.messages(run_id))

    def worker(self, run_id: str) -> int:
        return int(json.loads(self.run(run_id).tags[WORKER_TAG])["pid"])

    def ready(self, count: int) -> list[int]:
        def pids() -> list[int]:
            pools = self.instance.run_launcher._pools.values()  # type: ignore[attr-defined]
            return [worker.process.pid for pool in pools for worker in pool.workers if worker.ready]

        return list(wait_for(lambda: len(pids()) == count and pids(), f"{count} ready workers"))


def is_warm_worker(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and any("warm_worker" in word for word in process.cmdline())
    except psutil.NoSuchProcess:
        return False


def workers() -> list[psutil.Process]:
    mine = psutil.Process().children(recursive=True)
    return [p for p in mine if is_warm_worker(p)]


@pytest.fixture
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(tmp_path, getattr(request, "param", 1), stack)
    wait_for(lambda: not workers(), "workers are left after the instance was closed", 15)


def test_runs_use_warm_workers_and_current_code(site: Site) -> None:
    first = site.launch()
    assert site.ended(first) == "SUCCESS"
    (warm,) = site.ready(1)
    second = site.launch()
    assert site.ended(second) == "SUCCESS"
    assert site.worker(second) == warm, "the idle worker was not used"
    assert site.said(second, "version 1 word one")
    # an edited module, and an edited file that was read at import: each seen by the very next run
    (warm,) = site.ready(1)
    site.write(2)
    third = site.launch()
    assert site.ended(third) == "SUCCESS"
    assert site.said(third, "version 2 word one"), site.messages(third)
    site.ready(1)
    (site.folder / "word.txt").write_text("two")
    fourth = site.launch()
    assert site.ended(fourth) == "SUCCESS"
    assert site.said(fourth, "version 2 word two"), site.messages(fourth)


def test_a_killed_worker_fails_its_run_and_a_terminated_one_is_cancelled(site: Site) -> None:
    hold = site.folder / "hold"
    hold.touch()
    killed = site.launch()
    wait_for(lambda: site.said(killed, "version 1"), "the run did not start")
    health = site.instance.run_launcher.check_run_worker_health
    assert health(site.run(killed)).status.value == "RUNNING"
    os.kill(site.worker(killed), signal.SIGKILL)
    assert site.ended(killed) == "FAILURE"
    assert health(site.run(killed)).status.value == "NOT_FOUND"
    assert site.said(killed, "ended with signal 9")
    (idle,) = site.ready(1)
    os.kill(idle, signal.SIGKILL)  # an idle worker that died costs nothing
    terminated = site.launch()
    wait_for(lambda: site.said(terminated, "version 1"), "the run did not start")
    assert site.worker(terminated) != idle
    assert site.instance.run_launcher.terminate(terminated)
    assert site.ended(terminated) == "CANCELED"
    wait_for(lambda: not psutil.pid_exists(site.worker(terminated)), "the terminated worker is still there")


@pytest.mark.parametrize("site", [0], indirect=True)
def test_without_a_pool_every_run_gets_a_fresh_process(site: Site) -> None:
    runs = [site.launch(), site.launch()]
    assert [site.ended(run) for run in runs] == ["SUCCESS", "SUCCESS"]
    assert site.worker(runs[0]) != site.worker(runs[1])
    wait_for(lambda: not workers(), "a worker is waiting although pool_size is 0")


def test_more_runs_than_idle_workers_each_run_once_in_a_process_of_their_own(site: Site) -> None:
    site.launch()
    site.ready(1)
    hold = site.folder / "hold"
    hold.touch()
    runs = [site.launch() for _ in range(4)]
    for run in runs:
        wait_for(partial(site.said, run, "version 1"), "a run did not start while others were running")
    assert len({site.worker(run) for run in runs}) == 4
    hold.unlink()
    assert [site.ended(run) for run in runs] == ["SUCCESS"] * 4
    for run in runs:
        assert sum("version 1" in message for message in site.messages(run)) == 1


def test_a_worker_that_does_not_hear_is_killed_after_the_grace_time(site: Site) -> None:
    (site.folder / "deaf").touch()
    (site.folder / "hold").touch()
    run = site.launch()
    wait_for(lambda: site.said(run, "version 1"), "the run did not start")
    worker = site.worker(run)
    assert site.instance.run_launcher.terminate(run)
    assert site.ended(run) == "CANCELED"
    wait_for(lambda: not psutil.pid_exists(worker), "the deaf worker is still there")


def test_each_code_location_has_a_pool_and_another_environment_gets_the_default_launcher(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    venv.create(elsewhere, with_pip=False, symlinks=True)
    libraries = Path(sysconfig.get_path("purelib", vars={"base": str(elsewhere), "platbase": str(elsewhere)}))
    (libraries / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
    interpreters = {"one": sys.executable, "two": sys.executable, "elsewhere": str(elsewhere / "bin" / "python")}
    with ExitStack() as stack:
        site = Site(tmp_path, 1, stack, interpreters)
        assert [site.ended(site.launch(name)) for name in ("one", "two")] == ["SUCCESS"] * 2
        warm = site.ready(2)
        runs = [site.launch(name) for name in ("one", "two")]
        assert [site.ended(run) for run in runs] == ["SUCCESS"] * 2
        assert sorted(site.worker(run) for run in runs) == sorted(warm), "each location has a worker of its own"

        hold = tmp_path / "hold"
        hold.touch()
        terminated, finished = site.launch("elsewhere"), site.launch("elsewhere")
        for run in (terminated, finished):
            wait_for(partial(site.said, run, "version 1"), "the run of another environment did not start")
            assert WORKER_TAG not in site.run(run).tags and GRPC_INFO_TAG in site.run(run).tags
            assert site.instance.run_launcher.check_run_worker_health(site.run(run)).status.value == "RUNNING"
        assert site.instance.run_launcher.terminate(terminated)
        assert site.ended(terminated) == "CANCELED"
        hold.unlink()
        assert site.ended(finished) == "SUCCESS"
    wait_for(lambda: not workers(), "workers are left after the instance was closed", 15)


FIRST_DAEMON = """
import sys, time
from contextlib import ExitStack
from pathlib import Path
from barton_pipeline_tests.dagster.test_run_launcher import Site

with ExitStack() as stack:
    site = Site(Path(sys.argv[1]), 1, stack)
    site.ended(site.launch())
    (warm,) = site.ready(1)
    (site.folder / "hold").touch()
    runs = [site.launch() for _ in range(3)]
    (site.folder / "launched.tmp").write_text(" ".join([str(warm), *runs]))
    (site.folder / "launched.tmp").rename(site.folder / "launched")
    time.sleep(600)
"""


@pytest.fixture
def orphaned_runs(tmp_path: Path) -> Iterator[tuple[int, list[str]]]:
    """Three runs at work whose daemon was killed with its code server, and the process id of the worker it had pre-warmed."""
    daemon = subprocess.Popen([sys.executable, "-c", FIRST_DAEMON, str(tmp_path)], start_new_session=True)
    launched = tmp_path / "launched"
    try:
        wait_for(launched.exists, "the first daemon did not launch its runs")
        warm, *runs = launched.read_text().split()
        wait_for(lambda: len(list(tmp_path.glob("started*"))) == 4, "the runs did not start")
        os.killpg(daemon.pid, signal.SIGKILL)
        yield int(warm), runs
    finally:
        with suppress(ProcessLookupError):
            os.killpg(daemon.pid, signal.SIGKILL)
        daemon.wait()
        (tmp_path / "hold").unlink(missing_ok=True)


def test_runs_outlive_their_daemon_and_its_successor_looks_after_them(
    tmp_path: Path, orphaned_runs: tuple[int, list[str]]
) -> None:
    warm, runs = orphaned_runs
    went_on, terminated, died = runs
    with ExitStack() as stack:
        site = Site(tmp_path, 1, stack)
        launcher = site.instance.run_launcher
        pids = {run: site.worker(run) for run in runs}
        assert pids[went_on] == warm, "the run was not given to the pre-warmed worker"
        assert [launcher.check_run_worker_health(site.run(run)).status.value for run in runs] == ["RUNNING"] * 3
        os.kill(pids[died], signal.SIGKILL)
        wait_for(lambda: not psutil.pid_exists(pids[died]), "the killed worker is still there")
        assert launcher.check_run_worker_health(site.run(died)).status.value == "NOT_FOUND"
        assert launcher.terminate(terminated)
        assert site.ended(terminated) == "CANCELED"
        assert launcher.terminate(died), "a run whose worker is gone can be cancelled too"
        assert site.ended(died) == "CANCELED"
        assert launcher.check_run_worker_health(site.run(went_on)).status.value == "RUNNING"
        (tmp_path / "hold").unlink()
        assert site.ended(went_on) == "SUCCESS"
        assert sum("version 1" in message for message in site.messages(went_on)) == 1
        wait_for(lambda: not any(psutil.pid_exists(pid) for pid in pids.values()), "a worker is left", 15)
