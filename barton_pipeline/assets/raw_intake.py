"""Stage raw_intake."""

import dagster as dg

from barton_pipeline.assets.materialize import materialize_stage, stage_options
from barton_pipeline.stages import sql_stage

PREVIEW = """
    SELECT id, company, website, industry, num_employees, source_file, source_row FROM
    intake.company_raw_intake WHERE import_batch_id = %(batch)s ORDER BY id LIMIT %(limit)s
"""


@dg.asset(**stage_options("enrichment", "intake.company_raw_intake", kinds=("postgres", "csv")))
def raw_intake(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Companies, people and signals exactly as they came in.

    Takes stock of what the batch brought; loading itself is done by ``barton load`` or plain SQL inserts."""
    return materialize_stage(context, sql_stage("raw_intake"), PREVIEW)
