"""The jobs. Both run in one process: an interpreter per step would triple the time of a batch of 262 companies."""

import dagster as dg

from barton_pipeline.assets import ALL_ASSETS
from barton_pipeline.batches import import_batches
from barton_pipeline.checks import EXPECTATION_CHECKS

_EXPECTATIONS = dg.AssetSelection.checks(*EXPECTATION_CHECKS)

pipeline_job = dg.define_asset_job(
    "pipeline_job",
    selection=dg.AssetSelection.assets(*ALL_ASSETS) - _EXPECTATIONS,
    partitions_def=import_batches,
    executor_def=dg.in_process_executor,
    description="All stages of one import batch, with the checks that block.",
)

expectations_job = dg.define_asset_job(
    "expectations_job",
    selection=_EXPECTATIONS,
    partitions_def=import_batches,
    executor_def=dg.in_process_executor,
    description="The Great Expectations suites of one import batch; runs after the batch is done.",
)
