"""Many batches in one Dagster run: each ends as it would alone, and a failing one holds up nobody."""

import dagster as dg
import pytest
from dagster._core.instance.ref import InstanceRef
from hypothesis import given
from hypothesis import strategies as st

from barton_pipeline.definitions import defs
from barton_pipeline.orchestration import batch_run
from barton_pipeline.pipeline import NAMES
from barton_pipeline.postgres.connection import transaction
from barton_pipeline_tests.builders import insert_companies, run_stages
from barton_pipeline_tests.conftest import PROJECT

RANGE = {"dagster/asset_partition_range_start": "B1", "dagster/asset_partition_range_end": "B3"}


@given(known=st.lists(st.integers(0, 400), unique=True, max_size=300), wanted=st.sets(st.integers(0, 400)))
def test_ranges_cover_what_is_wanted_and_nothing_else(known: list[int], wanted: set[int]) -> None:
    keys = [str(key) for key in known]
    covered = []
    for first, last, count in batch_run._ranges(keys, {str(key) for key in wanted}):
        stretch = keys[keys.index(first) : keys.index(last) + 1]
        assert len(stretch) == count <= batch_run.BATCHES_PER_BACKFILL_RUN
        covered += stretch
    assert covered == [key for key in keys if int(key) in wanted]


@pytest.fixture
def three_batches(db):
    for number in (1, 2, 3):
        insert_companies(db, f"B{number}", 4, first=number * 10)
    return db


def execute(instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    instance.add_dynamic_partitions("import_batch", ["B1", "B2", "B3"])
    return defs.resolve_job_def("pipeline_job").execute_in_process(instance=instance, tags=RANGE, raise_on_error=False)


def open_events(db) -> list[tuple]:
    return db.query(
        "SELECT event_type, import_batch_id, status FROM marketing.pipeline_events WHERE status <> 'processed' ORDER BY 2, 1"
    )


@pytest.mark.slow
def test_one_run_does_many_batches_and_reports_each(three_batches) -> None:
    db = three_batches
    with dg.DagsterInstance.ephemeral() as instance:
        result = execute(instance)
        assert result.success
        found = {
            event.partition: event.step_materialization_data.materialization.metadata["rows_out"].value
            for event in result.all_events
            if event.is_step_materialization and event.asset_key == dg.AssetKey("company_slots")
        }
    assert found == {"B1": 12, "B2": 12, "B3": 12}
    assert db.value("SELECT count(*) FROM marketing.ple_results") == 12
    assert open_events(db) == []
    assert db.query("SELECT DISTINCT triggered_by, status FROM marketing.workflow_stats") == [("manual", "ok")]


@pytest.mark.slow
def test_dagsters_storage_has_what_was_planned_and_done_for_each_batch(three_batches, tmp_path, monkeypatch) -> None:
    """Both are written many at a time; the UI's partition view needs every single one, and each asset's latest run."""
    monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE", raising=False)
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(tmp_path), config_dir=str(PROJECT))) as instance:
        result = execute(instance)
        assert result.success
        for stage in NAMES:
            asset = dg.AssetKey(stage)
            assert instance.get_materialized_partitions(asset) == {"B1", "B2", "B3"}
            (record,) = instance.get_asset_records([asset])
            assert record.asset_entry.last_run_id == result.run_id
            planned = instance.get_event_records(
                dg.EventRecordsFilter(dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, asset)
            )
            assert sorted(str(event.partition_key) for event in planned) == ["B1", "B2", "B3"]


@pytest.mark.slow
def test_a_lost_connection_costs_one_batch_not_all(three_batches) -> None:
    """The batches of a range share a connection; the one at work when it breaks fails, the next gets a new one."""
    db = three_batches
    db.execute(
        """
        CREATE FUNCTION break_connection() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;
        CREATE TRIGGER break_connection BEFORE INSERT ON marketing.company_slots FOR EACH ROW
        WHEN (current_setting('barton.import_batch_id') = 'B1') EXECUTE FUNCTION break_connection()
        """
    )
    with dg.DagsterInstance.ephemeral() as instance:
        assert not execute(instance).success
    assert db.query("SELECT import_batch_id FROM marketing.pipeline_errors") == [("B1",)]
    assert {row[1] for row in open_events(db) if row[0] == "continue_at_enriched_contacts"} == {"B2", "B3"}


@pytest.mark.slow
def test_a_batch_that_fails_does_not_hold_up_the_others(three_batches) -> None:
    db = three_batches
    db.execute(
        """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no slots for B2'; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON marketing.company_slots FOR EACH ROW
        WHEN (current_setting('barton.import_batch_id') = 'B2') EXECUTE FUNCTION refuse()
        """
    )
    with dg.DagsterInstance.ephemeral() as instance:
        assert not execute(instance).success
    assert db.query("SELECT import_batch_id FROM marketing.pipeline_errors") == [("B2",)]
    assert {row for row in open_events(db) if row[0].startswith("continue")} == {
        ("continue_at_enriched_contacts", "B1", "pending"),
        ("continue_at_enriched_contacts", "B3", "pending"),
    }
    assert {batch for _, batch, status in open_events(db) if status == "pending"} == {"B1", "B2", "B3"}
    db.execute("DROP TRIGGER refuse ON marketing.company_slots")
    for batch in ("B1", "B2", "B3"):
        run_stages(batch)
    assert open_events(db) == []


@pytest.mark.slow
def test_a_red_check_ends_the_run_and_hands_the_other_batches_on(three_batches) -> None:
    db = three_batches
    run_stages("B2")
    with transaction(db.url) as connection, connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica; DELETE FROM marketing.barton_id_history WHERE id = 1")
    with dg.DagsterInstance.ephemeral() as instance:
        assert not execute(instance).success
    waiting = {batch for event, batch, _ in open_events(db) if event == "continue_at_company_slots"}
    assert waiting == {"B1", "B3"}
