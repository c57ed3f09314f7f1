"""Checks are green on good data and red, naming rows and remedy, when somebody changes it behind the pipeline's back."""

from typing import Any

import dagster as dg
import pytest

from barton_pipeline.definitions import defs
from barton_pipeline.orchestration.assets.stages import LEASE_TAG
from barton_pipeline.orchestration.checks import RULES, check_rule
from barton_pipeline.orchestration.resources import Database
from barton_pipeline.pipeline import NAMES
from barton_pipeline.queue import events
from barton_pipeline_tests.builders import insert_companies, run_stages


def verdicts(batch: str = "B1") -> dict[str, dg.AssetCheckResult]:
    with Database().connection() as connection:
        return {rule.name: check_rule(connection, rule, batch) for rule in RULES}


@pytest.fixture
def batch(db):
    insert_companies(db, "B1", 20)
    db.execute(
        "INSERT INTO intake.people_raw_intake (full_name, title, company, website, import_batch_id) "
        "VALUES ('Ann Example', 'CEO', 'Company 1', 'company1.com', 'B1')"
    )
    run_stages("B1")
    assert all(result.passed for result in verdicts().values())
    return db


@pytest.mark.parametrize(
    ("sabotage", "rule", "named"),
    [
        ("DELETE FROM marketing.company_slots WHERE company_slot_unique_id = '04.04.05.84.00003.002'", "three_slots_per_company",
         "04.04.01.84.00003.001"),
        ("UPDATE marketing.company_master SET company_unique_id = '04.04.01.84.77777.001' "
         "WHERE company_unique_id = '04.04.01.84.00004.001'; "
         "UPDATE marketing.company_batches SET company_unique_id = '04.04.01.84.77777.001' "
         "WHERE company_unique_id = '04.04.01.84.00004.001'", "company_barton_ids", "04.04.01.84.77777.001"),
        ("ALTER TABLE marketing.company_slots DROP CONSTRAINT company_slots_follows_company; "
         "UPDATE marketing.company_slots SET company_slot_unique_id = '04.04.05.84.88888.001' "
         "WHERE company_slot_unique_id = '04.04.05.84.00005.001'", "slot_barton_ids", "04.04.05.84.88888.001"),
        ("UPDATE marketing.people_master SET person_unique_id = '04.04.02.84.55555.001'", "person_barton_ids", "04.04.02.84.55555.001"),
        ("UPDATE intake.company_raw_intake SET validated = NULL, validated_at = NULL WHERE company = 'Company 7 Inc'",
         "every_row_judged", "7"),
        ("DELETE FROM marketing.company_matches WHERE intake_id = (SELECT min(intake_id) FROM marketing.company_matches)",
         "promoted_once", "1"),
        ("DELETE FROM marketing.ple_results WHERE company_id = '04.04.01.84.00009.001'", "every_company_scored",
         "04.04.01.84.00009.001"),
    ],
)  # fmt: skip
def test_sabotage_is_found(batch, sabotage: str, rule: str, named: str) -> None:
    batch.execute(f"SET LOCAL session_replication_role = replica; {sabotage}")
    result = verdicts()[rule]
    assert not result.passed
    assert result.description and named in result.description
    assert str(result.metadata["remedy"].value) in result.description
    assert batch.value("SELECT count(*) FROM marketing.pipeline_errors WHERE event_type = %s", f"check_{rule}") == 1


@pytest.mark.slow
def test_a_partial_materialization_by_hand_is_continued(db) -> None:
    insert_companies(db, "B1", 3)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("import_batch", ["B1"])
        job = defs.resolve_job_def("pipeline_job")
        job.execute_in_process(
            instance=instance,
            tags={"dagster/partition": "B1"},
            asset_selection=[dg.AssetKey(stage) for stage in NAMES[:4]],
        )
    pending = db.query("SELECT DISTINCT event_type FROM marketing.pipeline_events WHERE status = 'pending' ORDER BY 1")
    assert pending == [("continue_at_enriched_contacts",), ("slot_created",)]


def test_a_missing_slot_comes_back_under_its_own_id(batch) -> None:
    batch.execute(
        "SET LOCAL session_replication_role = replica; DELETE FROM marketing.company_slots WHERE slot_type = 'HR'"
    )
    run_stages("B1")
    assert all(result.passed for result in verdicts().values())
    assert batch.value("SELECT count(*) FROM marketing.company_slots") == 60


@pytest.mark.slow
def test_a_red_check_hands_the_events_back_with_its_reason(db) -> None:
    insert_companies(db, "B1", 3)
    db.execute(
        """CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
        CREATE TRIGGER lose BEFORE INSERT ON marketing.company_slots FOR EACH ROW
        WHEN (NEW.slot_type = 'CFO') EXECUTE FUNCTION lose()"""
    )
    with db.connect() as connection:
        claim = events.accept(connection, "B1")
    assert claim
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("import_batch", ["B1"])
        tags = {"dagster/partition": "B1", LEASE_TAG: claim.lease_token}
        result = defs.resolve_job_def("pipeline_job").execute_in_process(
            instance=instance, tags=tags, raise_on_error=False
        )
    assert not result.success
    found = db.query(
        "SELECT DISTINCT status, crashes, split_part(error_message, ':', 1) FROM marketing.pipeline_events WHERE attempts > 0"
    )
    assert found == [("pending", 0, "check three_slots_per_company")]


def test_rows_that_come_while_a_run_is_at_work_are_no_fault(batch) -> None:
    batch.execute(
        "UPDATE marketing.pipeline_events SET status = 'processed', processed_at = now() WHERE status = 'pending'"
    )
    insert_companies(batch, "B1", 2)
    assert verdicts()["every_row_judged"].passed
    batch.execute("DELETE FROM marketing.pipeline_events WHERE status = 'pending'")
    assert not verdicts()["every_row_judged"].passed


@pytest.mark.slow
def test_the_suites_judge_neither_batches_without_companies_nor_rows_that_a_run_is_to_judge(db) -> None:
    from barton_pipeline.orchestration import expectations

    assert expectations.validate("intake", "UNDONE").passed
    db.execute(
        "INSERT INTO intake.company_raw_intake (company, website, import_batch_id) VALUES ('New', 'new.com', 'B1')"
    )
    assert expectations.validate("intake", "B1").passed
    db.execute("DELETE FROM marketing.pipeline_events")
    assert not expectations.validate("intake", "B1").passed


@pytest.mark.slow
def test_the_jobs_run_on_a_real_instance(db) -> None:
    insert_companies(db, "B1", 262)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("import_batch", ["B1"])
        tags = {"dagster/partition": "B1"}
        result = defs.resolve_job_def("pipeline_job").execute_in_process(instance=instance, tags=tags)
        assert all(evaluation.passed for evaluation in result.get_asset_check_evaluations())
        assert db.query("SELECT DISTINCT status FROM marketing.pipeline_events") == [("processed",)]
        assert db.value("SELECT count(*) FROM marketing.pipeline_events WHERE event_type LIKE 'continue%%'") == 0

        def metadata(stage: str) -> dict[str, Any]:
            (written,) = result.asset_materializations_for_node(stage)
            return dict(written.metadata)

        slots = metadata("company_slots")
        assert slots["rows_out"].value == 786
        assert len(slots["dagster/column_schema"].schema.columns) > 5
        assert "CEO" in slots["preview"].value
        assert "| 0.0 | 262 | ██████" in metadata("ple_scores")["score_distribution"].value
        suites = defs.resolve_job_def("expectations_job").execute_in_process(instance=instance, tags=tags)
        assert {(e.check_name, e.passed) for e in suites.get_asset_check_evaluations()} == {
            ("gx_intake", True),
            ("gx_master", True),
        }
        db.execute(
            "UPDATE marketing.company_master SET phone = 'call me' WHERE company_unique_id = '04.04.01.84.00001.001'"
        )
        suites = defs.resolve_job_def("expectations_job").execute_in_process(instance=instance, tags=tags)
        (red,) = [e for e in suites.get_asset_check_evaluations() if not e.passed]
        assert red.description and "phone" in red.description and "call me" in red.description
