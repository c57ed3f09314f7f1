"""Runs the numbered SQL files of ``sql/migrations``: the thinnest runner that is safe.

Each file runs in one transaction together with its row in ``marketing.schema_migrations``, under an advisory lock that
is taken per transaction (so it works through a pooler). Files are idempotent and also run with ``psql -f``.
"""

import hashlib
import re
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection as Connection

from barton_pipeline.errors import DatabaseError, InputError
from barton_pipeline.postgres.connection import connect, is_embedded, redact, transaction
from barton_pipeline.postgres.sql import sql_path

LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('barton.migrations', 0))"
LEDGER = """
    CREATE SCHEMA IF NOT EXISTS marketing;
    CREATE TABLE IF NOT EXISTS marketing.schema_migrations (
        version integer PRIMARY KEY,
        name text NOT NULL,
        checksum text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now(),
        applied_by text NOT NULL DEFAULT current_user
    );
    COMMENT ON TABLE marketing.schema_migrations IS 'Migrations that barton migrate has applied';
    COMMENT ON COLUMN marketing.schema_migrations.version IS 'Number of the file';
    COMMENT ON COLUMN marketing.schema_migrations.name IS 'Rest of the file''s name';
    COMMENT ON COLUMN marketing.schema_migrations.checksum IS 'SHA-256 of the file as applied; an edited file is refused';
    COMMENT ON COLUMN marketing.schema_migrations.applied_at IS 'When';
    COMMENT ON COLUMN marketing.schema_migrations.applied_by IS 'Database user';
"""
_TRIGGER = re.compile(r"CREATE OR REPLACE TRIGGER (\w+)\s[^;]*?\sON (\w+\.\w+)")
_VIEW = re.compile(r"CREATE OR REPLACE VIEW (\w+\.\w+)")


@dataclass(frozen=True)
class Migration:
    """One numbered file and its way back."""

    version: int
    name: str
    up: Path
    down: Path

    @property
    def checksum(self) -> str:
        """SHA-256 of the file, to notice that an applied one was edited."""
        return hashlib.sha256(self.up.read_bytes()).hexdigest()


def available(folder: Path | None = None) -> list[Migration]:
    """The migrations on disk, in order. Raises DatabaseError for a gap-less rule broken: doubled number, no down file."""
    found: dict[int, Migration] = {}
    for path in sorted((folder or sql_path("migrations")).glob("[0-9]*.sql")):
        match = re.fullmatch(r"(\d{4})_([a-z0-9_]+)\.sql", path.name)
        if not match:
            continue
        version, down = int(match[1]), path.with_name(path.name.replace(".sql", ".down.sql"))
        if version in found or not down.exists():
            raise DatabaseError(f"Migration {path.name} has no .down.sql file or shares its number with another one")
        found[version] = Migration(version, match[2], path, down)
    return [found[version] for version in sorted(found)]


def applied(connection: Connection) -> dict[int, str]:
    """Version to checksum of what the database has; empty when it has no ledger."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('marketing.schema_migrations') IS NOT NULL")
        row = cursor.fetchone()
        if not row or not row[0]:
            return {}
        cursor.execute("SELECT version, checksum FROM marketing.schema_migrations")
        return dict(cursor.fetchall())


def missing(connection: Connection) -> list[Migration]:
    """The migrations on disk that the database does not have, in order."""
    have = applied(connection)
    return [migration for migration in available() if migration.version not in have]


def migrate(url: str | None = None, to: int | None = None, folder: Path | None = None) -> list[Migration]:
    """Apply what is missing, up to version ``to`` (default: all); returns what this call applied.

    Raises DatabaseError when an applied file was edited, the database is newer than the code, or a statement fails
    (that file's transaction is rolled back, earlier files stay).
    """
    migrations = available(folder)
    done = []
    for migration in migrations:
        if to is not None and migration.version > to:
            break
        if _apply(url, migration, migrations):
            done.append(migration)
    return done


def _apply(url: str | None, migration: Migration, migrations: list[Migration]) -> bool:
    with transaction(url) as connection, connection.cursor() as cursor:
        cursor.execute(LOCK)
        have = applied(connection)
        _check_ledger(have, migrations)
        if migration.version in have:
            return False
        try:
            cursor.execute(LEDGER)
            cursor.execute(migration.up.read_text(encoding="utf-8"))
        except psycopg2.Error as error:
            raise DatabaseError(_failure(migration.up, error)) from error
        cursor.execute(
            "INSERT INTO marketing.schema_migrations (version, name, checksum) VALUES (%s, %s, %s)",
            (migration.version, migration.name, migration.checksum),
        )
    return True


def _check_ledger(have: dict[int, str], migrations: list[Migration]) -> None:
    known = {migration.version: migration for migration in migrations}
    newer = sorted(set(have) - set(known))
    if newer:
        raise DatabaseError(
            f"The database has migrations {newer} that this version of Barton Pipeline does not know. "
            "Install the newer version, or roll back with the version that applied them (barton migrate --down-to)."
        )
    for version, checksum in have.items():
        if known[version].checksum != checksum:
            raise DatabaseError(
                f"{known[version].up.name} was edited after it was applied. Restore the file, and put the change in a "
                "new migration."
            )


def _failure(path: Path, error: psycopg2.Error) -> str:
    hint = "Does the user own the schemas, or may it create them? See docs/operations/."
    return f"{path.name} failed and was rolled back: {' '.join(str(error).split())} {hint}"


def migrate_down(to: int, url: str | None = None, folder: Path | None = None) -> list[Migration]:
    """Undo every applied migration above version ``to``, newest first; 0 removes everything, data included."""
    migrations = available(folder)
    check_version(to, migrations)
    undone = []
    for migration in reversed(migrations):
        if migration.version > to and _undo(url, migration):
            undone.append(migration)
    if to == 0:
        with transaction(url) as connection, connection.cursor() as cursor:
            cursor.execute(LOCK)
            cursor.execute("DROP TABLE IF EXISTS marketing.schema_migrations; DROP SCHEMA IF EXISTS marketing")
    return undone


def check_version(version: int, migrations: list[Migration]) -> None:
    """Raise InputError unless it is 0 or one of the migrations' numbers."""
    if version < 0 or (version and version not in {migration.version for migration in migrations}):
        raise InputError(f"There is no migration {version}; known: 0 (nothing) to {migrations[-1].version}")


def _undo(url: str | None, migration: Migration) -> bool:
    with transaction(url) as connection, connection.cursor() as cursor:
        cursor.execute(LOCK)
        if migration.version not in applied(connection):
            return False
        try:
            cursor.execute(migration.down.read_text(encoding="utf-8"))
        except psycopg2.Error as error:
            raise DatabaseError(_failure(migration.down, error)) from error
        cursor.execute("DELETE FROM marketing.schema_migrations WHERE version = %s", (migration.version,))
    return True


def ensure_migrated(url: str | None = None) -> None:
    """Bring the schema up to date; one cheap query when it is. Safe when several processes start at once."""
    with closing(connect(url)) as connection:
        have = applied(connection)
    migrations = available()
    _check_ledger(have, migrations)
    if len(have) < len(migrations):
        migrate(url)


def require_schema(url: str) -> None:
    """Bring the schema of the embedded server up to date; another server's is for its owner to change.

    Raises DatabaseError when migrations are missing there.
    """
    if is_embedded(url):
        ensure_migrated(url)
        return
    with closing(connect(url)) as connection:
        lacking = missing(connection)
    if lacking:
        raise DatabaseError(f"The schema of {redact(url)} lacks {len(lacking)} migration(s). Run: barton migrate")


def declared_triggers() -> dict[str, tuple[str, Path]]:
    """Every trigger that the migrations make: name → (table, the last file that makes it)."""
    return {
        name: (table, migration.up)
        for migration in available()
        for name, table in _TRIGGER.findall(migration.up.read_text(encoding="utf-8"))
    }


def declared_views() -> dict[str, Path]:
    """Every view that the migrations make: name → the last file that makes it."""
    return {
        name: migration.up
        for migration in available()
        for name in _VIEW.findall(migration.up.read_text(encoding="utf-8"))
    }
