"""Stage company_slots."""

import dagster as dg

from barton_pipeline.assets.materialize import materialize_stage, stage_options
from barton_pipeline.stages import sql_stage

PREVIEW = """
    SELECT company_slot_unique_id, company_unique_id, slot_type, slot_label, is_filled FROM
    marketing.company_slots JOIN marketing.company_batches b USING (company_unique_id) WHERE
    b.import_batch_id = %(batch)s ORDER BY company_slot_unique_id LIMIT %(limit)s
"""


@dg.asset(**stage_options("enrichment", "marketing.company_slots", deps=["company_master"]))
def company_slots(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Exactly three executive slots per company: CEO, CFO and HR Director."""
    return materialize_stage(context, sql_stage("company_slots"), PREVIEW)
