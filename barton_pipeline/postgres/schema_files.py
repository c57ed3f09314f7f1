"""What the files under ``sql/`` say the schema is: numbered migrations, and files that are applied again when they change.

Belongs here: finding, ordering and fingerprinting the files, and what each of them makes. Not here: applying them
(``migrations``).
"""

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

from barton_pipeline.errors import DatabaseError
from barton_pipeline.postgres.sql import sql_path

# In the order in which they are applied. Views come last because they are dropped first: they are in the way of everything.
KINDS = ("data", "functions", "triggers", "views", "grants")
FOLDERS = {"data": "data", **{kind: f"objects/{kind}" for kind in ("functions", "triggers", "views")}}
GRANTS = "objects/grants.sql"

_FUNCTION = re.compile(r"^COMMENT ON FUNCTION ([\w.]+\([^)]*\)) IS", re.MULTILINE)
_TRIGGER = re.compile(r"^CREATE OR REPLACE TRIGGER (\w+)\s[^;]*?\sON (\w+\.\w+)", re.MULTILINE)
_VIEW = re.compile(r"^CREATE OR REPLACE VIEW (\w+\.\w+)", re.MULTILINE)
_READS = re.compile(r"\b(?:FROM|JOIN)\s+(\w+\.\w+)")


@dataclass(frozen=True)
class Migration:
    """One numbered file and its way back. ``checksum`` is the file's SHA-256, to notice that an applied one was edited."""

    version: int
    name: str
    up: Path
    down: Path
    checksum: str

    @property
    def path(self) -> str:
        """The file, from the folder ``sql``."""
        return f"migrations/{self.up.name}"


@dataclass(frozen=True)
class SchemaFile:
    """A file that is applied again when it changes. ``path`` counts from the folder ``sql``, ``kind`` is one of KINDS."""

    path: str
    kind: str
    file: Path
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the file."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def triggers(self) -> list[tuple[str, str]]:
        """The triggers it makes: (name, table)."""
        return _TRIGGER.findall(self.text)

    @property
    def views(self) -> list[str]:
        """The views it makes."""
        return _VIEW.findall(self.text)

    @property
    def makes(self) -> list[str]:
        """All that it makes, as DROP names it: ``FUNCTION f(text)``, ``TRIGGER t ON place``, ``VIEW v``."""
        return [
            *(f"FUNCTION {signature}" for signature in _FUNCTION.findall(self.text)),
            *(f"TRIGGER {name} ON {table}" for name, table in self.triggers),
            *(f"VIEW {name}" for name in self.views),
        ]


@dataclass(frozen=True)
class Schema:
    """All files, in the order in which they are applied. ``checksums`` are those of ``files``, by path."""

    folder: Path
    migrations: list[Migration]
    files: list[SchemaFile]
    checksums: dict[str, str]

    @property
    def newest(self) -> int:
        """The highest number of a migration."""
        return self.migrations[-1].version

    def of_kind(self, kind: str) -> list[SchemaFile]:
        """The files of a kind, in order."""
        return [file for file in self.files if file.kind == kind]


@cache
def shipped() -> Schema:
    """The schema of this installation, read once per process: a program that runs keeps the schema it was started with."""
    return read_schema(sql_path())


def read_schema(folder: Path) -> Schema:
    """Read all files. Raises DatabaseError when some are missing, or a migration has no way back or another one's number."""
    migrations = read_migrations(folder)
    files = [file for kind in KINDS for file in _read_kind(folder, kind)]
    return Schema(folder, migrations, files, {file.path: file.checksum for file in files})


def read_migrations(folder: Path) -> list[Migration]:
    """The numbered files in order. Raises DatabaseError: none, a number given twice, or no down file."""
    found: dict[int, Migration] = {}
    for path in sorted(folder.glob("migrations/[0-9]*.sql")):
        match = re.fullmatch(r"(\d{4})_([a-z0-9_]+)\.sql", path.name)
        if not match:
            continue
        version, down = int(match[1]), path.with_name(path.name.replace(".sql", ".down.sql"))
        if version in found or not down.exists():
            raise DatabaseError(f"Migration {path.name} has no .down.sql file or shares its number with another one.")
        found[version] = Migration(version, match[2], path, down, hashlib.sha256(path.read_bytes()).hexdigest())
    if not found:
        raise _incomplete("no migration", folder / "migrations")
    return [found[version] for version in sorted(found)]


def _read_kind(folder: Path, kind: str) -> list[SchemaFile]:
    paths = [folder / GRANTS] if kind == "grants" else sorted(folder.glob(f"{FOLDERS[kind]}/*.sql"))
    try:
        files = [_read_file(folder, kind, path) for path in paths]
    except FileNotFoundError:
        files = []
    if not files:
        raise _incomplete(f"no {kind}", folder)
    return _after_what_they_read(files) if kind == "views" else files


def _read_file(folder: Path, kind: str, path: Path) -> SchemaFile:
    return SchemaFile(path.relative_to(folder).as_posix(), kind, path, path.read_text(encoding="utf-8"))


def _after_what_they_read(files: list[SchemaFile]) -> list[SchemaFile]:
    """By name, but a view that reads another view (FROM or JOIN) comes after it."""
    by_view = {view: file for file in files for view in file.views}
    read = {file.path: {by_view[name].path for name in _READS.findall(file.text) if name in by_view} for file in files}
    order = TopologicalSorter({path: sorted(before - {path}) for path, before in read.items()}).static_order()
    by_path = {file.path: file for file in files}
    return [by_path[path] for path in order]


def _incomplete(what: str, folder: Path) -> DatabaseError:
    return DatabaseError(
        f"This installation is incomplete: there is {what} in {folder}. Install barton-pipeline again."
    )
