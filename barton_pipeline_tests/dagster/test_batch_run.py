"""``barton run``: a claim is never left behind, whatever ends the command."""

import pytest
from rich.console import Console

from barton_pipeline.definitions import defs
from barton_pipeline.errors import BartonError, InputError
from barton_pipeline.orchestration import batch_run
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.queue import events
from barton_pipeline_tests.builders import insert_companies
from barton_pipeline_tests.conftest import PROJECT


@pytest.fixture
def project(tmp_path, monkeypatch) -> None:
    (tmp_path / "dagster.yaml").write_bytes((PROJECT / "dagster.yaml").read_bytes())
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("BARTON_HOME", str(tmp_path / ".barton"))
    monkeypatch.chdir(tmp_path)


def run(batch: str = "B1") -> batch_run.BatchRun:
    return batch_run.run_batch(defs, batch, Console(quiet=True))


def expire(db) -> None:
    db.execute(
        "UPDATE marketing.pipeline_events SET lease_until = now() - interval '1 minute' WHERE status = 'processing'"
    )


def states(db) -> list[tuple[str, int]]:
    return db.query("SELECT DISTINCT status, attempts FROM marketing.pipeline_events ORDER BY 1, 2")


def test_a_claim_that_no_run_took_is_given_back_by_the_next_acceptor(db) -> None:
    insert_companies(db, "B1", 2)
    with transaction() as connection:
        assert events.accept(connection, "B1")
        assert events.accept(connection, "B1") is None, "the first may still start"
    expire(db)
    with transaction() as connection:
        again = events.accept(connection, "B1")
    assert again is not None and states(db) == [("processing", 1)]


def test_an_expired_lease_of_a_run_is_not_taken_by_accept(db) -> None:
    insert_companies(db, "B1", 1)
    with transaction() as connection:
        claim = events.accept(connection, "B1")
        assert claim is not None and events.extend(connection, claim.lease_token, "a run")
    expire(db)
    with transaction() as connection:
        assert events.accept(connection, "B1") is None, "only Dagster knows whether the run is dead"


def test_outside_a_project_nothing_is_claimed(db, tmp_path, monkeypatch) -> None:
    insert_companies(db, "B1", 1)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"dagster\.yaml"):
        run()
    assert states(db) == [("pending", 0)]


def test_an_error_before_the_run_gives_the_claim_back(db, project, monkeypatch) -> None:
    insert_companies(db, "B1", 1)

    def fail(*_: object) -> None:
        raise RuntimeError("Dagster's storage is gone")

    monkeypatch.setattr(batch_run, "_execute", fail)
    with pytest.raises(RuntimeError):
        run()
    assert states(db) == [("pending", 0)]


@pytest.mark.slow
def test_a_claim_left_behind_does_not_block_barton_run(db, project) -> None:
    insert_companies(db, "B1", 2)
    with transaction() as connection:
        assert events.accept(connection, "B1")
    with pytest.raises(BartonError, match="about to start"):
        run()
    expire(db)
    assert run().success
    assert db.value("SELECT count(*) FROM marketing.pipeline_events WHERE status <> 'processed'") == 0
