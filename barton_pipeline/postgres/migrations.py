"""Brings a database to the schema that the files under ``sql/`` describe: the thinnest runner that is safe.

Numbered migrations (tables, indexes, constraints) run once. Data and objects (functions, triggers, views, grants) are applied
again whenever their file changes. All of it happens in one transaction, under an advisory lock that is taken per transaction
(so it works through a pooler). Files are idempotent and also run with ``psql -f`` (``sql/install.sql``).
Not here: which files there are and in which order (``schema_files``).
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql as composed
from psycopg2.extensions import connection as Connection

from barton_pipeline.errors import DatabaseError, InputError
from barton_pipeline.postgres import schema_files, sql
from barton_pipeline.postgres.connection import connect, is_embedded, redact, transaction
from barton_pipeline.postgres.schema_files import Migration, Schema, SchemaFile
from barton_pipeline.postgres.sql import Lock, sql_path

# The migrations of version 0.1.0, in order. A database that has them all has what the first nine migrations make now.
VERSION_0_1_0 = (
    "foundation", "intake", "normalisation", "events", "companies", "scores", "triggers", "grants", "scoring",
    "faster_normalisation", "column_comments", "matching", "queue_indexes", "vendors", "monitoring_views", "learning",
    "operations", "holder_indexes", "alerts", "set_aside", "surge", "numbers",
)  # fmt: skip
BASELINE = 9
# The files by which names of companies are read: when they change, what is stored of names follows.
NAMES = {"objects/functions/company_names.sql", "objects/functions/legal_forms.sql"}
ROLES = ("barton_owner", "barton_app", "barton_readonly")


@dataclass(frozen=True)
class _Ledger:
    """What a database says it has: migrations (version → name and checksum), and the checksums of other files by path."""

    migrations: dict[int, tuple[str, str]]
    files: dict[str, str]

    @property
    def is_version_0_1_0(self) -> bool:
        """Whether the database was made by version 0.1.0 and is complete."""
        return {version: name for version, (name, _) in self.migrations.items()} == dict(enumerate(VERSION_0_1_0, 1))

    def adopted(self, schema: Schema) -> "_Ledger":
        """The same, with the migrations of version 0.1.0 replaced by those that make the same now."""
        if not self.is_version_0_1_0:
            return self
        baseline = [migration for migration in schema.migrations if migration.version <= BASELINE]
        return _Ledger({one.version: (one.name, one.checksum) for one in baseline}, self.files)


def available(folder: Path | None = None) -> list[Migration]:
    """The migrations on disk, in order. Raises DatabaseError when the installation is incomplete."""
    return _schema(folder).migrations


def _schema(folder: Path | None) -> Schema:
    return schema_files.read_schema(folder) if folder else schema_files.shipped()


def applied(connection: Connection) -> dict[int, str]:
    """Version to checksum of the migrations the database has; empty when it has no ledger."""
    return {version: checksum for version, (_, checksum) in _read_ledger(connection).migrations.items()}


def _read_ledger(connection: Connection) -> _Ledger:
    """One query when the ledgers are there; the transaction goes on when they are not."""
    for files in ("(SELECT jsonb_object_agg(path, checksum) FROM marketing.schema_objects)", "NULL::jsonb"):
        with contextlib.suppress(psycopg2.errors.UndefinedTable):
            found = sql.one(
                connection,
                f"""
                SAVEPOINT ledgers;
                SELECT (SELECT jsonb_object_agg(version, jsonb_build_array(name, checksum))
                        FROM marketing.schema_migrations) AS migrations, {files} AS files
                """,
            )
            numbered = {
                int(version): (name, checksum) for version, (name, checksum) in (found["migrations"] or {}).items()
            }
            return _Ledger(numbered, found["files"] or {})
        sql.execute(connection, "ROLLBACK TO SAVEPOINT ledgers")
    return _Ledger({}, {})


def missing(connection: Connection, folder: Path | None = None) -> list[str]:
    """Paths (from the folder ``sql``) of what ``migrate`` would apply or take away; empty when the schema is up to date.

    Raises DatabaseError when the database is newer than the code, or an applied migration was edited.
    """
    schema = _schema(folder)
    have = _read_ledger(connection).adopted(schema)
    _check(have, schema.migrations)
    if not have.migrations.keys() ^ _versions(schema) and have.files == schema.checksums:
        return []
    pending = [migration.path for migration in schema.migrations if migration.version not in have.migrations]
    changed = [path for path, checksum in schema.checksums.items() if have.files.get(path) != checksum]
    return [*pending, *changed, *sorted(have.files.keys() - schema.checksums)]


def _versions(schema: Schema) -> set[int]:
    return {migration.version for migration in schema.migrations}


def _check(have: _Ledger, migrations: list[Migration]) -> None:
    known = {migration.version: migration for migration in migrations}
    if have.migrations.get(1, ("", ""))[0] == VERSION_0_1_0[0]:
        raise DatabaseError(
            f"The database was made by version 0.1.0 and has only migrations {sorted(have.migrations)} of its 1 to "
            f"{len(VERSION_0_1_0)}. Install the last commit of version 0.1.0, run barton migrate there, then this version."
        )
    newer = sorted(have.migrations.keys() - known)
    if newer:
        raise DatabaseError(
            f"The database has migrations {newer} that this version of Barton Pipeline does not know. "
            "Install the newer version, or roll back with the version that applied them (barton migrate --down-to)."
        )
    for version, (_, checksum) in have.migrations.items():
        if known[version].checksum != checksum:
            raise DatabaseError(
                f"{known[version].up.name} was edited after it was applied. Restore the file, and put the change in a "
                "new migration."
            )


def migrate(url: str | None = None, to: int | None = None, folder: Path | None = None) -> list[str]:
    """Bring the database to the schema on disk; returns the paths (from the folder ``sql``) of what was applied or dropped.

    ``to`` stops at that migration. Functions, triggers and views belong to the newest one, so before it there are none.
    Rollbacks that are in force stay in force. A failure leaves the database as it was.
    Raises DatabaseError when an applied file was edited, the database is newer than the code, or a statement fails.
    """
    schema = _schema(folder)
    with transaction(url) as connection:
        sql.lock(connection, Lock.MIGRATIONS)
        if not missing(connection, folder) and not _lacks_roles(connection):
            return []
        _run_file(connection, sql_path("ledgers.sql"))
        have = _adopt(connection, schema)
        pending = [one for one in schema.migrations if one.version not in have.migrations]
        if to is not None and to < schema.newest:
            return _apply_up_to(connection, pending, to)
        changed = [file for file in schema.files if have.files.get(file.path) != file.checksum]
        _apply_all(connection, schema, pending, changed)
        gone = sorted(have.files.keys() - schema.checksums)
        return [*(one.path for one in pending), *(file.path for file in changed), *gone]


def _lacks_roles(connection: Connection) -> bool:
    """Whether the roles of grants.sql could not be created yet; somebody with more rights may be running now."""
    return bool(
        sql.value(
            connection,
            "SELECT count(*) < %(roles)s FROM pg_roles WHERE rolname = ANY (%(names)s)",
            roles=len(ROLES),
            names=list(ROLES),
        )
    )


def _adopt(connection: Connection, schema: Schema) -> _Ledger:
    """Turn the ledger of version 0.1.0 into ours; returns the ledger."""
    have = _read_ledger(connection)
    if not have.is_version_0_1_0:
        return have
    _run_file(connection, sql_path("adopt_version_0_1_0.sql"))
    for migration in schema.migrations[:BASELINE]:
        _record_migration(connection, migration)
    return _read_ledger(connection)


def _apply_up_to(connection: Connection, pending: list[Migration], to: int) -> list[str]:
    due = [migration for migration in pending if migration.version <= to]
    if due:
        _drop_objects(connection)
    for migration in due:
        _apply_migration(connection, migration)
    return [migration.path for migration in due]


def _apply_all(connection: Connection, schema: Schema, pending: list[Migration], changed: list[SchemaFile]) -> None:
    """Migrations, data, functions, triggers, views, grants; what no file makes any more goes.

    Views are in the way of migrations, and their columns cannot be changed in place: when one of them or a table may have
    changed they are all dropped first and made again last.
    """
    declared = [name for file in schema.files for name in file.makes]
    recorded = _recorded_objects(connection)
    stale = [name for name in recorded if name not in declared]
    due = {file.path for file in (schema.files if pending else changed) if file.kind != "data" or file in changed}
    remake_views = bool(pending or stale) or any(file.kind == "views" for file in changed)
    views = _drop_views(connection, {*declared, *recorded}) if remake_views else []
    if remake_views:
        due |= {file.path for file in schema.of_kind("views")}

    for migration in pending:
        _apply_migration(connection, migration)
    sql.execute(connection, "SET LOCAL check_function_bodies = off")  # so that functions need no order
    for kind in ("data", "functions", "triggers"):
        _apply_files(connection, schema, kind, due)
    _drop(connection, _not_by_another_name(connection, stale, declared))
    _apply_files(connection, schema, "views", due)
    _run_file(connection, schema.folder / schema_files.GRANTS)
    _grant_again(connection, views)
    if NAMES & {file.path for file in changed}:
        sql.execute(connection, "SELECT marketing.rekey_companies()")
    sql.execute(connection, "SELECT marketing.enforce_rollbacks()")
    _record_files(connection, schema, changed)


def _apply_migration(connection: Connection, migration: Migration) -> None:
    _run_file(connection, migration.up)
    _record_migration(connection, migration)


def _record_migration(connection: Connection, migration: Migration) -> None:
    sql.execute(
        connection,
        "INSERT INTO marketing.schema_migrations (version, name, checksum) VALUES (%(version)s, %(name)s, %(checksum)s)",
        version=migration.version,
        name=migration.name,
        checksum=migration.checksum,
    )


def _apply_files(connection: Connection, schema: Schema, kind: str, due: set[str]) -> None:
    for file in schema.of_kind(kind):
        if file.path in due:
            _run_file(connection, file.file)


def _run_file(connection: Connection, file: Path) -> None:
    with connection.cursor() as cursor:
        try:
            cursor.execute(file.read_text(encoding="utf-8"))
        except psycopg2.Error as error:
            raise DatabaseError(
                f"{file.name} failed and was rolled back: {' '.join(str(error).split())} "
                "Does the user own the schemas, or may it create them? See docs/how-to/operations/."
            ) from error


def _record_files(connection: Connection, schema: Schema, changed: list[SchemaFile]) -> None:
    for file in changed:
        sql.execute(
            connection,
            """
            INSERT INTO marketing.schema_objects (path, checksum, makes) VALUES (%(path)s, %(checksum)s, %(makes)s)
            ON CONFLICT (path) DO UPDATE SET checksum = excluded.checksum, makes = excluded.makes,
                applied_at = excluded.applied_at, applied_by = excluded.applied_by
            """,
            path=file.path,
            checksum=file.checksum,
            makes=file.makes,
        )
    sql.execute(
        connection,
        "DELETE FROM marketing.schema_objects WHERE path <> ALL (%(known)s)",
        known=list(schema.checksums),
    )


def _recorded_objects(connection: Connection) -> list[str]:
    """All that applied files have made, as DROP names it."""
    rows = sql.rows(connection, "SELECT unnest(makes) AS name FROM marketing.schema_objects ORDER BY path")
    return [row["name"] for row in rows]


def _not_by_another_name(connection: Connection, stale: list[str], declared: list[str]) -> list[str]:
    """Without the functions that are still made and whose arguments are merely spelt differently (int, integer)."""
    found = sql.rows(
        connection,
        """
        SELECT name FROM unnest(%(stale)s::text[]) AS name
        WHERE NOT name LIKE 'FUNCTION %%' OR to_regprocedure(substr(name, 10)) NOT IN (
            SELECT to_regprocedure(substr(made, 10)) FROM unnest(%(declared)s) AS made WHERE made LIKE 'FUNCTION %%')
        """,
        stale=stale,
        declared=declared,
    )
    return [row["name"] for row in found]


def _drop_objects(connection: Connection) -> None:
    """Drop every function, trigger and view of ours: they belong to the version of the code that made them."""
    recorded = _recorded_objects(connection)
    _drop_views(connection, set(recorded))
    _drop(connection, recorded)
    sql.execute(connection, "DELETE FROM marketing.schema_objects")


def _drop(connection: Connection, names: list[str]) -> None:
    """Drop triggers, then functions; views have gone before."""
    for kind in ("TRIGGER", "FUNCTION"):
        for name in names:
            if name.startswith(f"{kind} "):
                _drop_statement(connection, f"DROP {name.replace(kind, f'{kind} IF EXISTS', 1)}")


def _drop_views(connection: Connection, names: set[str]) -> list[dict[str, Any]]:
    """Drop those of the names that are views; returns the privileges on them that somebody else has granted."""
    views = sorted(name.removeprefix("VIEW ") for name in names if name.startswith("VIEW "))
    granted = sql.rows(
        connection,
        """
        SELECT format('%%I.%%I', n.nspname, c.relname) AS view, coalesce(r.rolname, 'public') AS grantee,
               a.privilege_type AS privilege, a.is_grantable
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN aclexplode(c.relacl) a
        LEFT JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.relkind = 'v' AND n.nspname || '.' || c.relname = ANY (%(views)s) AND a.grantee <> c.relowner
          AND coalesce(r.rolname, '') NOT IN ('barton_app', 'barton_readonly')
        """,
        views=views,
    )
    if views:
        _drop_statement(connection, f"DROP VIEW IF EXISTS {', '.join(views)}")
    return granted


def _drop_statement(connection: Connection, statement: str) -> None:
    try:
        sql.execute(connection, statement)
    except psycopg2.errors.DependentObjectsStillExist as error:
        raise DatabaseError(
            "Something that is not ours depends on what has to be made again: "
            f"{'; '.join((error.diag.message_detail or '').splitlines())}. Save its definition "
            "(\\d+ in psql, or pg_get_viewdef), drop it, run this command again, and create it anew. Nothing was changed."
        ) from error


def _grant_again(connection: Connection, granted: list[dict[str, Any]]) -> None:
    """Give back on the new views what others had been granted on the old ones."""
    for grant in granted:
        if sql.value(connection, "SELECT to_regclass(%(view)s) IS NOT NULL", view=grant["view"]):
            grantee = composed.SQL("PUBLIC") if grant["grantee"] == "public" else composed.Identifier(grant["grantee"])
            with connection.cursor() as cursor:
                cursor.execute(
                    composed.SQL("GRANT {} ON {} TO {}{}").format(
                        composed.SQL(grant["privilege"]),
                        composed.SQL(grant["view"]),
                        grantee,
                        composed.SQL(" WITH GRANT OPTION" if grant["is_grantable"] else ""),
                    )
                )


def check_version(version: int, folder: Path | None = None) -> None:
    """Raise InputError unless it is 0 or the number of a migration."""
    schema = _schema(folder)
    if version < 0 or (version and version not in _versions(schema)):
        raise InputError(f"There is no migration {version}; known: 0 (nothing) to {schema.newest}")


def migrate_down(to: int, url: str | None = None, folder: Path | None = None) -> list[str]:
    """Undo every applied migration above version ``to``, newest first; 0 removes everything, data included.

    All functions, triggers and views go first: they belong to the version of the code, and ``barton migrate`` of the version
    that is to be used then makes its own. Returns the paths of the migrations that were undone.
    Raises InputError for an unknown version, DatabaseError when a statement fails; then nothing is changed.
    """
    schema = _schema(folder)
    check_version(to, folder)
    with transaction(url) as connection:
        sql.lock(connection, Lock.MIGRATIONS)
        _run_file(connection, sql_path("ledgers.sql"))
        have = _adopt(connection, schema)
        _check(have, schema.migrations)
        undone = [one for one in reversed(schema.migrations) if one.version > to and one.version in have.migrations]
        if undone:
            _drop_objects(connection)
        for migration in undone:
            _run_file(connection, migration.down)
            sql.execute(
                connection,
                "DELETE FROM marketing.schema_migrations WHERE version = %(version)s",
                version=migration.version,
            )
        if to == 0:
            _drop_statement(
                connection, "DROP TABLE marketing.schema_migrations, marketing.schema_objects; DROP SCHEMA marketing"
            )
    return [migration.path for migration in undone]


def ensure_migrated(url: str | None = None) -> None:
    """Bring the schema up to date; one cheap query when it is. Safe when several processes start at once."""
    with contextlib.closing(connect(url)) as connection:
        lacking = missing(connection)
    if lacking:
        migrate(url)


def require_schema(url: str) -> None:
    """Bring the schema of the embedded server up to date; another server's is for its owner to change.

    Raises DatabaseError when it is not up to date there.
    """
    if is_embedded(url):
        ensure_migrated(url)
        return
    with contextlib.closing(connect(url)) as connection:
        lacking = missing(connection)
    if lacking:
        raise DatabaseError(
            f"The schema of {redact(url)} is not that of this version: {len(lacking)} file(s) are to be applied, "
            f"for example {lacking[0]}. Run: barton migrate"
        )


def declared_triggers() -> dict[str, tuple[str, Path]]:
    """Every trigger of ours: name → (table, the file that makes it)."""
    return {
        name: (table, file.file) for file in schema_files.shipped().of_kind("triggers") for name, table in file.triggers
    }


def declared_views() -> dict[str, Path]:
    """Every view of ours: name → the file that makes it."""
    return {name: file.file for file in schema_files.shipped().of_kind("views") for name in file.views}
