"""Ways to the database: through a pooler in transaction mode, and with TLS."""

import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from barton_pipeline.errors import DatabaseError
from barton_pipeline.postgres import migrations
from barton_pipeline.postgres.connection import SCHEME, connect, dsn_parameters, transaction
from barton_pipeline.queue import listening
from barton_pipeline.scoring import rescoring
from barton_pipeline_tests.builders import claim_batch, insert_companies, run_stages

POOLER = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def readable() -> Iterator[Path]:
    """A folder that other users can read: as root, servers run as somebody else."""
    with tempfile.TemporaryDirectory(prefix="barton-test-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def pooler(url: str, folder: Path) -> Iterator[str]:
    """URL of a real PgBouncer in transaction mode before the database, with two server connections."""
    parameters, port = dsn_parameters(url), free_port()
    server = {"host": parameters["host"], "port": parameters.get("port", "5432"), "user": parameters["user"]}
    if "password" in parameters:
        server["password"] = parameters["password"]
    settings = folder / "pgbouncer.ini"
    (folder / "users.txt").write_text('"pool" "pool"\n')
    listed = " ".join(f"{name}='{value}'" for name, value in server.items())
    settings.write_text(
        f"[databases]\n{parameters['dbname']} = {listed}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = plain\nauth_file = {folder / 'users.txt'}\npool_mode = transaction\ndefault_pool_size = 2\n"
        "max_client_conn = 100\nignore_startup_parameters = extra_float_digits,options\n"
    )
    user = ["runuser", "-u", "nobody", "--"] if os.geteuid() == 0 else []
    process = subprocess.Popen(
        [*user, POOLER, "-q", str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    pooled = f"{SCHEME}://pool:pool@127.0.0.1:{port}/{parameters['dbname']}"
    try:
        for _ in range(100):
            try:
                connect(pooled).close()
                break
            except DatabaseError:
                time.sleep(0.1)
        yield pooled
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.skipif(not Path(POOLER).exists(), reason="pgbouncer is not installed")
def test_everything_but_listen_works_through_a_pooler_in_transaction_mode(empty_db, readable, monkeypatch) -> None:
    if dsn_parameters(empty_db.url)["host"].startswith("/"):
        pytest.skip("the embedded server's socket is private: no pooler reaches it")
    with pooler(empty_db.url, readable) as pooled:
        monkeypatch.setenv("BARTON_DATABASE_URL", pooled)
        assert migrations.migrate()[: len(migrations.available())] == [one.path for one in migrations.available()]
        insert_companies(empty_db, "B1", 30)
        counts = run_stages("B1", token=claim_batch(empty_db, "B1").lease_token)
        assert counts["sniper_targets"]["rows_in"] == 30
        assert empty_db.value("SELECT count(*) FROM marketing.pipeline_events WHERE status <> 'processed'") == 0
        assert rescoring.rescore("manual")["companies"] == 30
        settings = empty_db.query("SELECT current_setting('barton.lease_token', true)")
        assert settings in ([(None,)], [("",)]), "nothing of a run stays on a pooled connection"

        # LISTEN is accepted and lost with its transaction: whoever follows looks into the table instead
        writer = threading.Timer(2, insert_companies, (empty_db, "B2", 1, 31))
        writer.start()
        event = next(listening.follow(time.monotonic() + 20))
        writer.join()
        assert event.import_batch_id == "B2"


@contextmanager
def server_with_tls(folder: Path) -> Iterator[tuple[str, Path]]:
    """(URL without sslmode, certificate) of a system Postgres that takes TLS connections only."""
    data, certificate, key, port = folder / "data", folder / "server.crt", folder / "server.key", free_port()
    subprocess.run(
        ["openssl", "req", "-new", "-x509", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-out", str(certificate), "-keyout", str(key)],
        check=True, capture_output=True,
    )  # fmt: skip
    key.chmod(0o600)
    user = []
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", "nobody", str(folder)], check=True)
        user = ["runuser", "-u", "nobody", "--"]
    subprocess.run([*user, "initdb", "-D", str(data), "-U", "owner", "--auth=trust"], check=True, capture_output=True)
    (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 trust\n")
    options = f"-p {port} -h localhost -k {folder} -c ssl=on -c ssl_cert_file={certificate} -c ssl_key_file={key}"
    subprocess.run(
        [*user, "pg_ctl", "-w", "-D", str(data), "-l", str(folder / "log"), "-o", options, "start"],
        check=True,
        capture_output=True,
    )
    try:
        yield f"{SCHEME}://owner@localhost:{port}/postgres", certificate
    finally:
        subprocess.run([*user, "pg_ctl", "-D", str(data), "-m", "immediate", "stop"], capture_output=True)


@pytest.mark.skipif(
    shutil.which("initdb") is None or shutil.which("openssl") is None, reason="needs a system Postgres and openssl"
)
def test_tls_modes_are_honoured(readable) -> None:
    with server_with_tls(readable) as (url, certificate):

        def is_encrypted(options: str) -> bool:
            with transaction(f"{url}?{options}") as connection, connection.cursor() as cursor:
                cursor.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
                ((encrypted,),) = cursor.fetchall()
                return encrypted

        assert is_encrypted("sslmode=require") and is_encrypted(f"sslmode=verify-full&sslrootcert={certificate}")
        with pytest.raises(DatabaseError, match=r"cannot be used: .*certificate"):
            is_encrypted("sslmode=verify-full")
        with pytest.raises(DatabaseError, match="no encryption"):
            is_encrypted("sslmode=disable")
