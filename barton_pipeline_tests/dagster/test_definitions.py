"""What Dagster sees; what stays off the run path; that our dagster.yaml loads."""

import itertools
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.errors import DagsterResourceFunctionError

from barton_pipeline.definitions import defs
from barton_pipeline.errors import DatabaseError
from barton_pipeline.instance.storage import BartonStorage
from barton_pipeline.orchestration import sensors
from barton_pipeline.orchestration.assets.stages import STAGE_ASSETS
from barton_pipeline.orchestration.checks import RULES
from barton_pipeline.orchestration.resources import Database
from barton_pipeline.pipeline import NAMES, stages_from
from barton_pipeline.postgres import migrations
from barton_pipeline.postgres.connection import dsn_parameters
from barton_pipeline.queue.events import Claim
from barton_pipeline_tests.builders import insert_companies
from barton_pipeline_tests.conftest import PROJECT
from tools import pipeline_stages


def test_assets_are_the_stages_in_order() -> None:
    assert tuple(asset.key.to_user_string() for asset in STAGE_ASSETS) == NAMES
    graph = defs.resolve_asset_graph()
    for before, after in itertools.pairwise(NAMES):
        assert dg.AssetKey(before) in graph.get(dg.AssetKey(after)).parent_keys, f"{after} could run before {before}"


def test_every_asset_is_described() -> None:
    for spec in (spec for asset in STAGE_ASSETS for spec in asset.specs):
        assert spec.description and spec.group_name in ("enrichment", "intelligence")
        assert spec.owners and spec.kinds and spec.metadata["dagster/table_name"]
        assert isinstance(spec.partitions_def, dg.DynamicPartitionsDefinition)
        assert spec.partitions_def.name == "import_batch"


def test_the_database_has_the_same_stages_in_the_same_order(db) -> None:
    assert (
        tuple(stage for (stage,) in db.query("SELECT stage FROM marketing.pipeline_stages ORDER BY position")) == NAMES
    )


def test_jobs_and_sensors() -> None:
    names = {node.name for node in defs.resolve_job_def("pipeline_job").nodes}
    assert {*NAMES, *(f"{rule.asset}_{rule.name}" for rule in RULES)} == names
    for sensor in defs.sensors or []:
        assert sensor.default_status == dg.DefaultSensorStatus.RUNNING


def test_the_queue_is_an_asset_whose_numbers_are_observed_when_they_change(db) -> None:
    with dg.DagsterInstance.ephemeral() as instance:

        def tick(cursor: str | None) -> str | None:
            context = dg.build_sensor_context(instance, cursor=cursor, resources={"database": Database()})
            return sensors.reconciler_sensor.evaluate_tick(context).cursor

        def observed() -> list[Mapping[str, dg.MetadataValue]]:
            records = instance.fetch_observations(sensors.event_queue_asset.key, limit=10).records
            observations = [record.event_log_entry.asset_observation for record in records]
            return [observation.metadata for observation in observations if observation]

        cursor = tick(tick(None))
        assert len(observed()) == 1, "nothing has changed in between"
        insert_companies(db, "B1", 3)
        tick(cursor)
        assert len(observed()) == 2
        newest = {name: value.value for name, value in observed()[0].items()}
        assert (newest["pending"], newest["dead_letters"], newest["created_last_hour"]) == (3, 0, 3)


HEAVY = (
    *(
        "great_expectations",
        "pandas",
        "sklearn",
        "scipy",
        "matplotlib",
        "apprise",
        "tldextract",
        "openpyxl",
        "starlette",
    ),
    *("uvicorn", "email_validator", "disposable_email_domains", "dns", "apify_client", "threadpoolctl", "leadforge"),
)
# Prints the data files that are opened from here on, at the end.
WATCH_FILES = """
import atexit, sys
opened = []
def watch(event, arguments):
    if event == "open" and str(arguments[0]).endswith((".yaml", "METADATA")):
        opened.append(arguments[0])
sys.addaudithook(watch)
atexit.register(lambda: print(opened))
"""


def run_python(code: str) -> list[str]:
    """Lines that the code prints in an interpreter of its own."""
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    return run.stdout.splitlines()


def test_importing_the_definitions_reads_no_rules_and_loads_nothing_heavy() -> None:
    code = f"{WATCH_FILES}\nimport barton_pipeline.definitions\nprint([m for m in {HEAVY} if m in sys.modules])"
    assert run_python(code) == ["[]", "[]"]


def test_a_run_in_a_worker_that_waited_reads_no_rules_any_more(db) -> None:
    insert_companies(db, "B1", 1)
    db.execute(
        "INSERT INTO intake.people_raw_intake (full_name, title, email, website, import_batch_id) "
        "VALUES ('Ann Ames', 'CEO', 'ann@company1.com', 'company1.com', 'B1')"
    )
    code = "import barton_pipeline.definitions, barton_pipeline.orchestration.preload\n"
    code += "from barton_pipeline_tests.builders import run_stages\n"
    assert run_python(f"{code}{WATCH_FILES}\nrun_stages('B1')") == ["[]"]
    assert db.value("SELECT count(*) FROM marketing.email_verification") == 1


@pytest.mark.parametrize("entry_stage", NAMES)
def test_event_runs_leave_great_expectations_to_the_job_that_follows(entry_stage: str) -> None:
    request = sensors._run_request(Claim("B1", "token", entry_stage, 1), rows=5)
    job = defs.resolve_job_def("pipeline_job").get_subset(
        asset_selection=set(request.asset_selection or ()), asset_check_selection=set(request.asset_check_keys or ())
    )
    stages = stages_from(entry_stage)
    checks = [f"{rule.asset}_{rule.name}" for rule in RULES if rule.asset in stages]
    assert {node.name for node in job.nodes} == {*stages, *checks}


def test_everything_below_orchestration_works_without_dagster() -> None:
    rooms = ("cli.main", "doctor", "pipeline", "operations.replay", "monitoring.alerts", "web.signals")
    imports = "; ".join(f"import barton_pipeline.{room}" for room in rooms)
    code = f"import sys; {imports}; print('dagster' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_the_file_of_stages_is_written_from_their_table() -> None:
    written = pipeline_stages.FILE.read_text(encoding="utf-8")
    assert written == pipeline_stages.text(), "The table of stages has changed. Run: python -m tools.pipeline_stages"


def test_dagster_yaml_loads_our_storage(db, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dagster.yaml").write_bytes((PROJECT / "dagster.yaml").read_bytes())
    from barton_pipeline.instance.local import local_instance

    with local_instance() as instance:
        storage = instance.get_ref().storage
        assert isinstance(storage, BartonStorage)
        assert dsn_parameters(storage.postgres_url)["dbname"] == f"{db.name}_dagster"
        run_queue = instance.get_concurrency_config().run_queue_config
        assert run_queue is not None and run_queue.tag_concurrency_limits[0]["limit"] == 1


def test_workspace_and_project_agree_on_the_location_name() -> None:
    assert "location_name: barton_pipeline" in (PROJECT / "workspace.yaml").read_text()
    assert (PROJECT / "pyproject.toml").read_text().count('code_location_name = "barton_pipeline"') == 2


def test_a_tick_without_tables_says_what_to_do_and_makes_them_on_our_own_server(empty_db, monkeypatch) -> None:
    def tick() -> object:
        with dg.DagsterInstance.ephemeral() as instance:
            context = dg.build_sensor_context(instance, resources={"database": Database()})
            return sensors.reconciler_sensor.evaluate_tick(context).skip_message

    with pytest.raises(DagsterResourceFunctionError) as failed:
        tick()
    assert isinstance(failed.value.user_exception, DatabaseError)
    assert "Run: barton migrate" in str(failed.value.user_exception)
    monkeypatch.setattr(migrations, "is_embedded", lambda url: True)
    assert "Every row is judged" in str(tick())
