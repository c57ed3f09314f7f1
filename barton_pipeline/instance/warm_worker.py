"""The process that executes one Dagster run, started and loaded before the run exists. The launcher is ``launcher``.

Started as ``python -m barton_pipeline.instance.warm_worker <id>`` with a socket as its stdin. Messages are lines of JSON:

- ``{"origin": …, "instance_ref": …, "location": …, "preload": […]}`` (optional, first): load this code, answer ``ready``, wait.
- ``{"command": "execute_run" | "resume_run", "args": …}``: answer ``taken``, do what ``dagster api <command>`` does
  with these arguments, exit.

While it waits it holds no database connection. It exits when the other end of the socket closes, or when a file it was
loaded from has changed. An order that finds it out of date is carried out by a fresh interpreter in the same process.

Imports of dagster stay inside functions: an interpreter that has an order must not wait for what it may not need.
"""

import contextlib
import gc
import importlib
import json
import os
import queue
import signal
import socket
import stat
import sys
import sysconfig
import tempfile
import threading
import time
from typing import Any

CHECK_SECONDS = 10.0
READY, TAKEN = b"ready\n", b"taken\n"

Message = dict[str, Any]
_LIBRARIES = tuple({sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_NOT_FILES = ("/proc/", "/sys/", "/dev/")


class Sources:
    """The files and folders this interpreter was loaded from, as they were just before they were read.

    Modules come from ``sys.modules``; other files (YAML, SQL, .env, also those that were looked for and missing) and
    folder listings come from Python's audit events, so nobody has to list what a code location reads at import.
    """

    def __init__(self) -> None:
        self._started = time.time_ns()
        self._found: dict[str, object] = {}
        self._recording = True
        self._record(".env")
        sys.addaudithook(self._on_event)

    def _on_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._recording:
            return
        if event == "open" and isinstance(arguments[0], str) and not (arguments[2] or 0) & os.O_ACCMODE:
            self._record(arguments[0])
        elif event in ("os.listdir", "os.scandir") and isinstance(arguments[0], str):
            folder = os.path.abspath(arguments[0])
            if not f"{folder}{os.sep}".startswith(_LIBRARIES):
                self._record(folder)

    def _record(self, name: str) -> None:
        path = os.path.abspath(name)
        if path in self._found or path.endswith(".pyc") or path.startswith(_NOT_FILES):
            return
        self._found[path] = None  # first, because listing a folder raises the event that brought us here
        self._found[path] = _signature(path)

    def finish(self) -> None:
        """Everything is loaded; what is read from now on does not count."""
        self._recording = False
        for module in list(sys.modules.values()):
            if file := getattr(module, "__file__", None):
                self._record(file)

    def changed(self) -> str | None:
        """The first path that is not as it was, or that changed while it was being loaded; None if there is none."""
        for path, signature in self._found.items():
            now = _signature(path)
            if now != signature or (isinstance(now, tuple) and now[0] > self._started):
                return path
        return None


def _signature(path: str) -> object:
    """A file's change time, modification time, size and inode; a folder's visible names; None for what is not there."""
    try:
        found = os.stat(path)
        if stat.S_ISDIR(found.st_mode):
            return [name for name in sorted(os.listdir(path)) if not name.startswith((".", "__pycache__"))]
    except (OSError, ValueError):
        return None
    return (found.st_ctime_ns, found.st_mtime_ns, found.st_size, found.st_ino)


def main() -> None:
    """Entry point; see the module's docstring."""
    # a shell that starts dagster in the background makes its children ignore Ctrl-C, and with it termination
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not stat.S_ISSOCK(os.fstat(0).st_mode):
        execute(json.loads(sys.stdin.readline()))
        return
    environment = dict(os.environ)
    sources = Sources()
    channel = socket.socket(fileno=os.dup(0))
    messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(channel, messages), daemon=True).start()
    message = messages.get()
    if "command" not in message:
        load(message)
        sources.finish()
        channel.sendall(READY)
        message = _wait(messages, sources)
        if changed := sources.changed():
            print(f"Run worker {os.getpid()} starts afresh: {changed} has changed", file=sys.stderr)
            channel.sendall(TAKEN)
            _start_over(message, environment)
    channel.sendall(TAKEN)
    channel.close()
    execute(message)


def _read(channel: socket.socket, messages: "queue.SimpleQueue[Message]") -> None:
    """Pass messages on; end the process when the launcher is gone, even in the middle of an import."""
    with channel.makefile("r") as lines:
        for line in lines:
            messages.put(message := json.loads(line))
            if "command" in message:
                return
    os._exit(0)


def _wait(messages: "queue.SimpleQueue[Message]", sources: Sources) -> Message:
    """The order; exits when the loaded code is out of date, so that the launcher can replace this worker in time."""
    while True:
        with contextlib.suppress(queue.Empty):
            return messages.get(timeout=CHECK_SECONDS)
        if changed := sources.changed():
            print(f"Idle run worker {os.getpid()} exits: {changed} has changed", file=sys.stderr)
            sys.exit(0)


def _start_over(message: Message, environment: dict[str, str]) -> None:
    """Replace this interpreter by a fresh one that gets the order as a file on stdin; same process, same id."""
    with tempfile.TemporaryFile() as order:
        order.write(json.dumps(message).encode())
        order.seek(0)
        os.dup2(order.fileno(), 0)
    assert __spec__ is not None
    os.execve(sys.executable, [sys.executable, "-m", __spec__.name, *sys.argv[1:]], environment)


def load(message: Message) -> None:
    """Import everything a run of this code location will need, and build its definitions; connects to nothing."""
    from dagster._core.definitions.repository_definition import RepositoryLoadData
    from dagster._core.instance import InstanceRef
    from dagster._core.origin import RepositoryPythonOrigin
    from dagster._serdes import ConfigurableClassData, deserialize_value
    from dagster._utils.hosted_user_process import recon_repository_from_origin

    instance_ref = deserialize_value(message["instance_ref"], InstanceRef)
    parts = [part.module_name for part in instance_ref if isinstance(part, ConfigurableClassData)]
    for module in ("dagster._cli.api", *parts):
        importlib.import_module(module)
    _ = instance_ref.defs_state_storage
    if secrets := instance_ref.secrets_loader:
        os.environ.update(secrets.get_secrets_for_environment(message["location"]))
    origin = deserialize_value(message["origin"], RepositoryPythonOrigin)
    load_data = RepositoryLoadData(code_location_name=message["location"])
    repository = recon_repository_from_origin(origin).with_repository_load_data(load_data).get_definition()
    for job in repository.get_all_jobs():
        job.get_job_index()
    for module in message["preload"]:
        importlib.import_module(module)
    _rehearse()
    gc.collect()
    gc.freeze()


def _rehearse() -> None:
    """Run a job that does nothing, in memory: Dagster imports much of what a run needs only while it runs one."""
    import dagster as dg

    @dg.op
    def nothing() -> None:
        pass

    @dg.job(executor_def=dg.in_process_executor, logger_defs={})
    def rehearsal() -> None:
        nothing()

    with dg.DagsterInstance.ephemeral() as instance:
        rehearsal.execute_in_process(
            instance=instance, run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        )


def execute(message: Message) -> None:
    """Do what ``dagster api execute_run`` or ``resume_run`` does, with nothing on the command line."""
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    from dagster._cli.api import execute_run_command, resume_run_command

    if message["command"] == "resume_run":
        assert resume_run_command.callback
        resume_run_command.callback(message["args"])
    else:
        assert execute_run_command.callback
        execute_run_command.callback(message["args"], None)


if __name__ == "__main__":
    main()
