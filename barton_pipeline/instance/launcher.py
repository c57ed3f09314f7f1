"""A Dagster run launcher whose run workers are started, with the code loaded, before there is a run for them.

Each worker (``warm_worker``) executes exactly one run in a session of its own and exits, as with Dagster's default
launcher; only its start-up is taken out of the time between request and result. docs/explanation/run-launcher.md says what is
guaranteed. Works for any code location whose code server runs on this host and in this Python environment; all other
runs are left to Dagster's default launcher, from which this one inherits.
"""

import contextlib
import json
import logging
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, Self

import dagster as dg
import psutil
from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, ResumeRunContext, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._core.origin import RepositoryPythonOrigin
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, ManagedGrpcPythonEnvCodeLocationOrigin
from dagster._core.run_coordinator import QueuedRunCoordinator
from dagster._grpc.types import ExecuteRunArgs, ResumeRunArgs
from dagster._serdes import ConfigurableClassData, serialize_value

from barton_pipeline.instance import warm_worker

WORKER_TAG = "barton/run_worker"
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
# A replacement waits this long, unless the pool is empty: its imports would take the processor from the run itself.
REFILL_DELAY_SECONDS = 5.0
# A worker that goes out of date younger than this is replaced only at the next launch: something keeps changing.
STEADY_SECONDS = 60.0
# At the daemon's start, pools are warmed for the code locations of this many latest runs.
RECENT_RUNS = 25

_log = logging.getLogger("dagster.run_launcher")


class Worker:
    """A ``warm_worker`` process as the launcher sees it: its channel, what it said, which run it was given."""

    def __init__(self, order: warm_worker.Message | None = None, run_id: str | None = None) -> None:
        self.name = uuid.uuid4().hex
        self.started = time.monotonic()
        self.ready = False
        self.taken = False
        self.order = order
        self.run_id = run_id
        self.told = threading.Event()
        self.channel, its_end = socket.socketpair()
        with its_end:
            self.process = subprocess.Popen(
                [sys.executable, "-m", warm_worker.__name__, self.name],
                stdin=its_end.fileno(),
                start_new_session=True,
            )

    def send(self, message: warm_worker.Message) -> None:
        """Never waits and never fails: that a worker is gone is noticed by who listens to it."""
        with contextlib.suppress(OSError):
            self.channel.sendall(json.dumps(message).encode() + b"\n")

    def dismiss(self) -> None:
        """An idle worker exits when its channel closes."""
        with contextlib.suppress(OSError):
            self.channel.shutdown(socket.SHUT_RDWR)

    def lines(self) -> Iterator[bytes]:
        """What the worker says, until it has taken an order or is gone."""
        with contextlib.suppress(OSError), self.channel, self.channel.makefile("rb") as lines:
            for line in lines:
                self.ready = self.ready or line == warm_worker.READY
                self.taken = self.taken or line == warm_worker.TAKEN
                yield line


class Pool:
    """The idle workers of one code location. ``code_server`` is the id of the server process they stand beside."""

    def __init__(self, location: str, origin: RepositoryPythonOrigin) -> None:
        self.location = location
        self.origin = origin
        self.code_server: str | None = None
        self.workers: list[Worker] = []


class PrewarmedRunLauncher(DefaultRunLauncher):
    """Launches runs in processes that have loaded Dagster and the code location already.

    ``pool_size``: idle workers per code location; 0 starts a fresh process for every run.
    ``termination_grace_seconds``: a worker that has not ended so long after being terminated is killed.
    ``preload``: modules that idle workers import besides the code location, for what runs would load at first use.
    """

    def __init__(
        self,
        pool_size: int = 2,
        termination_grace_seconds: int = 30,
        preload: Sequence[str] = (),
        inst_data: ConfigurableClassData | None = None,
    ) -> None:
        super().__init__(inst_data=inst_data)
        self._pool_size = pool_size
        self._preload = list(preload)
        self._grace = termination_grace_seconds
        self._lock = threading.Lock()
        self._disposed = False
        self._pools: dict[tuple[str, str], Pool] = {}

    @classmethod
    def config_type(cls) -> Any:
        """``pool_size``, ``termination_grace_seconds`` and ``preload``."""
        return {
            "pool_size": dg.Field(dg.Int, is_required=False, default_value=2),
            "termination_grace_seconds": dg.Field(dg.Int, is_required=False, default_value=30),
            "preload": dg.Field([str], is_required=False, default_value=[]),
        }

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> Self:
        """Called by Dagster when it loads dagster.yaml."""
        return cls(inst_data=inst_data, **config_value)

    # -- launching

    def launch_run(self, context: LaunchRunContext) -> None:
        """Give the run to a warm worker, else to a fresh process, else to its code server as Dagster does by default.

        Raises what Dagster raises when the code location cannot be reached.
        """
        run = context.dagster_run
        origin = local_origin(run)
        if origin is None or context.workspace is None:
            super().launch_run(context)
            return
        assert run.job_code_origin is not None
        arguments = ExecuteRunArgs(run.job_code_origin, run.run_id, self._instance.get_ref())
        order = {"command": "execute_run", "args": serialize_value(arguments)}
        location = context.workspace.get_code_location(_location_name(run))
        if self._has_load_data(run):
            self._hand_over(self._fresh(run.run_id, order))
            return
        pool = self._pool(run, origin)
        worker = self._take(pool, getattr(location, "server_id", None), run.run_id, order)
        self._hand_over(worker or self._fresh(run.run_id, order))
        if not pool.workers:
            self._fill(pool)

    @property
    def supports_resume_run(self) -> bool:
        """True; whether runs are resumed is decided by run_monitoring.max_resume_run_attempts in dagster.yaml."""
        return True

    def resume_run(self, context: ResumeRunContext) -> None:
        """Go on, in a fresh process, with a run whose worker vanished."""
        run = context.dagster_run
        assert run.job_code_origin is not None
        arguments = ResumeRunArgs(run.job_code_origin, run.run_id, self._instance.get_ref())
        self._hand_over(self._fresh(run.run_id, {"command": "resume_run", "args": serialize_value(arguments)}))

    def warm_up(self) -> None:
        """Fill the pools of the code locations that the latest runs belong to, before the first launch."""
        for run in self._instance.get_runs(limit=RECENT_RUNS):
            if origin := local_origin(run):
                self._fill(self._pool(run, origin))

    def dispose(self) -> None:
        """Idle workers exit; working ones finish their run."""
        with self._lock:
            self._disposed = True
            for pool in self._pools.values():
                for worker in pool.workers:
                    worker.dismiss()
        super().dispose()

    # -- workers

    def _pool(self, run: dg.DagsterRun, origin: RepositoryPythonOrigin) -> Pool:
        location = _location_name(run)
        with self._lock:
            return self._pools.setdefault((location, origin.get_id()), Pool(location, origin))

    def _has_load_data(self, run: dg.DagsterRun) -> bool:
        """True when its definitions are built from data that the code server computed for this run's plan."""
        if not run.has_repository_load_data or run.execution_plan_snapshot_id is None:
            return False
        data = self._instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id).repository_load_data
        return bool(data and (data.cacheable_asset_data or data.reconstruction_metadata or data.defs_state_info))

    def _take(self, pool: Pool, code_server: str | None, run_id: str, order: warm_worker.Message) -> Worker | None:
        """A worker for the run, ready ones first; those from before the code server's last restart are dismissed."""
        with self._lock:
            if pool.code_server not in (None, code_server):
                for worker in pool.workers:
                    worker.dismiss()
                pool.workers.clear()
            pool.code_server = code_server
            if not pool.workers:
                return None
            worker = min(pool.workers, key=lambda worker: (not worker.ready, worker.started))
            pool.workers.remove(worker)
            worker.run_id, worker.order = run_id, order
            return worker

    def _fresh(self, run_id: str, order: warm_worker.Message) -> Worker:
        worker = Worker(order, run_id)
        threading.Thread(target=self._follow, args=(worker, None), daemon=True).start()
        return worker

    def _fill(self, pool: Pool) -> None:
        """Start one more worker if the pool lacks one; the next follows when this one is ready."""
        with self._lock:
            lacks = len(pool.workers) < self._pool_size and all(worker.ready for worker in pool.workers)
            if self._disposed or not lacks:
                return
            worker = Worker()
            pool.workers.append(worker)
        worker.send(
            {
                "origin": serialize_value(pool.origin),
                "instance_ref": serialize_value(self._instance.get_ref()),
                "location": pool.location,
                "preload": self._preload,
            }
        )
        threading.Thread(target=self._follow, args=(worker, pool), daemon=True).start()

    def _hand_over(self, worker: Worker) -> None:
        """Write down who executes the run, then give the order: a run that works can always be found."""
        assert worker.run_id and worker.order
        found = {
            "run": worker.run_id,
            "host": socket.gethostname(),
            "pid": worker.process.pid,
            "worker": worker.name,
        }
        try:
            self._instance.add_run_tags(worker.run_id, {WORKER_TAG: json.dumps(found)})
            worker.send(worker.order)
        except BaseException:
            worker.order = None
            worker.dismiss()
            raise
        finally:
            worker.told.set()

    def _follow(self, worker: Worker, pool: Pool | None) -> None:
        """A thread per worker: keeps the pool filled, collects the process, and deals with one that did not finish."""
        try:
            for _ in worker.lines():
                if pool and worker.ready and not worker.taken:
                    self._fill(pool)
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.process.wait(REFILL_DELAY_SECONDS if worker.taken else None)
            if pool:
                self._replace(worker, pool)
            worker.process.wait()
            if worker.order:
                worker.told.wait()
                self._settle(worker, warm=pool is not None)
        except Exception:
            # the daemon may be stopping, or the database be away: run monitoring looks after the run then
            _log.exception("Could not look after run worker %s of run %s", worker.process.pid, worker.run_id)

    def _replace(self, worker: Worker, pool: Pool) -> None:
        with self._lock:
            if worker in pool.workers:
                pool.workers.remove(worker)
        if worker.ready and (worker.taken or time.monotonic() - worker.started > STEADY_SECONDS):
            self._fill(pool)

    def _settle(self, worker: Worker, warm: bool) -> None:
        """After a worker's end: nothing, if its run has ended too."""
        assert worker.run_id and worker.order
        run = self._instance.get_run_by_id(worker.run_id)
        if run is None or run.is_finished:
            return
        message = (
            f"The worker of this run (process {worker.process.pid}) ended with {_how(worker.process.returncode)} "
            "before the run did."
        )
        if run.status == dg.DagsterRunStatus.CANCELING:
            self._instance.report_run_canceled(run, message)
        elif warm and not worker.taken:
            self._hand_over(self._fresh(worker.run_id, worker.order))
        elif not self._instance.run_monitoring_max_resume_run_attempts:
            self._instance.report_run_failed(run, message)

    # -- termination and health

    def terminate(self, run_id: str) -> bool:
        """Interrupt the run's worker, as Ctrl-C would; kill it when it has not ended after the grace time."""
        run = self._instance.get_run_by_id(run_id)
        found = _worker_of(run) if run else None
        if run is None or run.is_finished or found is None:
            return bool(super().terminate(run_id))
        self._instance.report_run_canceling(run)
        if found["host"] != socket.gethostname():
            self._instance.report_engine_event(
                f"The run's worker is process {found['pid']} on host {found['host']} and cannot be reached from "
                f"{socket.gethostname()}. End it there.",
                run,
            )
            return False
        process = _process(found)
        if process is None:
            self._instance.report_run_canceled(run, f"The run's worker, process {found['pid']}, had ended already.")
            return True
        process.send_signal(signal.SIGINT)
        threading.Thread(target=_kill_later, args=(found, self._grace), daemon=True).start()
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        """True: run monitoring fails or resumes runs whose worker is gone."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """NOT_FOUND when the worker's process is gone; RUNNING also where it cannot be seen from here."""
        found = _worker_of(run)
        if found is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "Started by its code server; not watched.")
        name = str(found["worker"])
        if found["host"] != socket.gethostname():
            return CheckRunHealthResult(
                WorkerStatus.RUNNING, f"On host {found['host']}; not visible from here.", run_worker_id=name
            )
        if _process(found) is None:
            return CheckRunHealthResult(WorkerStatus.NOT_FOUND, f"Process {found['pid']} is gone.", run_worker_id=name)
        return CheckRunHealthResult(WorkerStatus.RUNNING, run_worker_id=name)


class PrewarmingRunCoordinator(QueuedRunCoordinator):
    """Dagster's run queue, which also warms the pools as soon as the daemon looks at the queue for the first time.

    Dagster loads the run launcher only to launch the first run, which would find no warm worker. Other processes
    that load the instance (webserver, code servers, run workers) start nothing.
    """

    def register_instance(self, instance: dg.DagsterInstance) -> None:
        """Called by Dagster when a process first asks for the run coordinator."""
        super().register_instance(instance)
        launcher = instance.run_launcher
        if isinstance(launcher, PrewarmedRunLauncher) and _is_daemon():
            threading.Thread(target=launcher.warm_up, daemon=True).start()


def _is_daemon() -> bool:
    return any(argument == "dagster._daemon" or argument.endswith("dagster-daemon") for argument in sys.orig_argv)


def local_origin(run: dg.DagsterRun) -> RepositoryPythonOrigin | None:
    """What to load for this run; None unless its code server is on this host and uses this interpreter."""
    if run.remote_job_origin is None or run.job_code_origin is None:
        return None
    server = run.remote_job_origin.repository_origin.code_location_origin
    here = isinstance(server, ManagedGrpcPythonEnvCodeLocationOrigin) or (
        isinstance(server, GrpcServerCodeLocationOrigin) and (server.socket or server.host in LOCAL_HOSTS)
    )
    origin = run.job_code_origin.repository_origin
    return origin if here and origin.executable_path == sys.executable and not origin.container_image else None


def _location_name(run: dg.DagsterRun) -> str:
    assert run.remote_job_origin is not None
    return run.remote_job_origin.location_name


def _worker_of(run: dg.DagsterRun) -> dict[str, Any] | None:
    """The tag that names the run's worker. A re-execution inherits its parent's tags: that one does not count."""
    found = json.loads(run.tags.get(WORKER_TAG, "{}"))
    return dict(found) if found.get("run") == run.run_id else None


def _process(found: dict[str, Any]) -> psutil.Process | None:
    """The worker's process. A re-used process id is not mistaken for it: the worker's name is on its command line."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(found["pid"])
        if found["worker"] in process.cmdline():
            return process
    return None


def _kill_later(found: dict[str, Any], seconds: float) -> None:
    process = _process(found)
    if process is None:
        return
    with contextlib.suppress(psutil.NoSuchProcess):
        try:
            process.wait(seconds)
        except psutil.TimeoutExpired:
            if still := _process(found):
                still.kill()


def _how(returncode: int | None) -> str:
    return f"exit code {returncode}" if returncode is None or returncode >= 0 else f"signal {-returncode}"
