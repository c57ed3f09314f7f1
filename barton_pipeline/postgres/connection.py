"""Where Postgres is and how to reach it: URLs, connections, transactions.

Not here: statements (``sql``), starting the embedded server (``embedded``), changing the schema (``migrations``).
"""

import contextlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from barton_pipeline.config import environment
from barton_pipeline.errors import DatabaseError, InputError
from barton_pipeline.postgres import embedded

# SQLAlchemy 2.1 takes plain postgresql:// for psycopg 3, which is not what Dagster and we use.
SCHEME = "postgresql+psycopg2"
EMBEDDED_DATABASE = "barton"


def database_url() -> str:
    """SQLAlchemy URL of the pipeline's database; starts the embedded server when no other is configured.

    Raises InputError for a malformed BARTON_DATABASE_URL, DatabaseError when the embedded server cannot start.
    """
    configured = _read_url("BARTON_DATABASE_URL")
    if configured:
        return configured
    return _embedded_url(EMBEDDED_DATABASE)


def dagster_database_url() -> str:
    """SQLAlchemy URL of Dagster's own storage: BARTON_DAGSTER_DATABASE_URL, or ``<database>_dagster`` beside ours."""
    configured = _read_url("BARTON_DAGSTER_DATABASE_URL")
    if configured:
        return configured
    parts = urlsplit(database_url())
    return urlunsplit(parts._replace(path=f"{parts.path}_dagster"))


def _read_url(variable: str) -> str | None:
    """The URL that a variable holds, None when it is unset. Raises InputError when it is no URL of a Postgres database."""
    value = environment(variable)
    if not value:
        return None
    try:
        parts = urlsplit(value)
        port_is_a_number = parts.port is None or parts.port > 0
    except ValueError:
        port_is_a_number = False
    if not port_is_a_number or parts.scheme not in ("postgres", "postgresql", SCHEME) or not parts.path.strip("/"):
        raise InputError(
            f"{variable} is not a Postgres URL ({redact(value)}). It should look like "
            "postgresql://user:password@host:5432/database"
        )
    return urlunsplit(parts._replace(scheme=SCHEME))


def _embedded_url(database: str) -> str:
    server = embedded.ensure_running()
    query = urlencode({"host": server["host"], "port": server["port"]}, quote_via=quote)
    return f"{SCHEME}://{server['user']}@/{database}?{query}"


def redact(url: str) -> str:
    """The URL with its password replaced, for messages and logs."""
    try:
        parts = urlsplit(url)
        password = parts.password
    except ValueError:
        return "unreadable URL"
    return url.replace(f":{password}@", ":***@") if password else url


def dsn_parameters(url: str) -> dict[str, str]:
    """libpq connection parameters of a SQLAlchemy URL; query parameters (sslmode, host, options…) are kept."""
    parts = urlsplit(url)
    parameters = {
        "host": parts.hostname,
        "port": str(parts.port) if parts.port else None,
        "user": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
        "dbname": unquote(parts.path.lstrip("/")),
        **dict(parse_qsl(parts.query)),
    }
    return {name: value for name, value in parameters.items() if value}


def connect(url: str | None = None) -> Connection:
    """A new psycopg2 connection to ``url`` (None: the pipeline's database, created if the server is ours).

    Raises DatabaseError with the cause and what to do; the message never holds the password.
    """
    target = url or database_url()
    try:
        return _connect(target)
    except psycopg2.OperationalError as error:
        if "does not exist" in str(error) and is_embedded(target):
            ensure_database(target)
            return _connect(target)
        raise DatabaseError(
            f"Postgres at {redact(target)} cannot be used: {' '.join(str(error).split())} "
            "Check BARTON_DATABASE_URL, that the server runs, and that the database exists (barton doctor)."
        ) from None


def _connect(url: str) -> Connection:
    # UTF-8 whatever PGCLIENTENCODING or the database says: the statements are
    options: dict[str, Any] = {
        "application_name": "barton",
        "client_encoding": "UTF8",
        "connect_timeout": "10",
        "keepalives_idle": "30",
    }
    connection = psycopg2.connect(**{**options, **dsn_parameters(url)})
    # so are they written with backslashes that are none of an escape; the server tells at no cost which way it reads them
    if connection.get_parameter_status("standard_conforming_strings") == "off":
        with connection, connection.cursor() as cursor:
            cursor.execute("SET standard_conforming_strings = on")
    return connection


def is_embedded(url: str) -> bool:
    """Whether the URL means the server that this installation starts itself."""
    return dsn_parameters(url).get("host") == str(embedded.data_directory())


@contextlib.contextmanager
def transaction(url: str | None = None) -> Iterator[Connection]:
    """A connection as ``connect`` gives: committed at the end of the block, rolled back on an error, and always closed."""
    connection = connect(url)
    try:
        with connection:
            yield connection
    finally:
        connection.close()


def ensure_database(url: str) -> None:
    """Create the database of ``url`` on its server when it is missing; safe when several processes do so at once.

    Raises DatabaseError when the user may not create databases.
    """
    try:
        _connect(url).close()
        return
    except psycopg2.OperationalError as error:
        if "does not exist" not in str(error):
            raise DatabaseError(
                f"Postgres at {redact(url)} cannot be used: {' '.join(str(error).split())} "
                "Check BARTON_DATABASE_URL and that the server runs (barton doctor)."
            ) from None
    name = dsn_parameters(url)["dbname"]
    parts = urlsplit(url)
    errors = []
    neighbours = ["postgres"] if is_embedded(url) else [dsn_parameters(database_url())["dbname"], "postgres"]
    for neighbour in neighbours:
        try:
            connection = _connect(urlunsplit(parts._replace(path=f"/{quote(neighbour)}")))
        except psycopg2.OperationalError as error:
            errors.append(str(error))
            continue
        try:
            connection.autocommit = True
            with connection.cursor() as cursor, contextlib.suppress(*_CREATED_MEANWHILE):
                cursor.execute(
                    sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(sql.Identifier(name))
                )
            return
        except psycopg2.Error as error:
            errors.append(str(error))
        finally:
            connection.close()
    raise DatabaseError(
        f"Database {name!r} does not exist and could not be created: {' '.join(' '.join(errors).split())} "
        f"Create it by hand (CREATE DATABASE {name}), or name another one in BARTON_DAGSTER_DATABASE_URL."
    )


_CREATED_MEANWHILE = (psycopg2.errors.DuplicateDatabase, psycopg2.errors.UniqueViolation)
