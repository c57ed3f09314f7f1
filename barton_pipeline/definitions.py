"""The only wiring: assets, checks, jobs, sensors and resources put together."""

from typing import Any

import dagster as dg

from barton_pipeline.orchestration.assets.learning import LEARNING_ASSETS
from barton_pipeline.orchestration.assets.stages import STAGE_ASSETS
from barton_pipeline.orchestration.checks import ALL_CHECKS, EXPECTATION_CHECKS
from barton_pipeline.orchestration.jobs import ALL_JOBS, ALL_SCHEDULES
from barton_pipeline.orchestration.resources import Database
from barton_pipeline.orchestration.sensors import ALL_SENSORS, event_queue_asset


def build_definitions(**resources: Any) -> dg.Definitions:
    """The project's definitions; ``resources`` override the defaults by key (``database``)."""
    return dg.Definitions(
        assets=[*STAGE_ASSETS, *LEARNING_ASSETS, event_queue_asset],
        asset_checks=[*ALL_CHECKS, *EXPECTATION_CHECKS],
        jobs=ALL_JOBS,
        schedules=ALL_SCHEDULES,
        sensors=ALL_SENSORS,
        resources={"database": Database(), **resources},
        executor=dg.in_process_executor,
    )


defs = build_definitions()
