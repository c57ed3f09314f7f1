"""Stage company_slots."""

import dagster as dg
from psycopg2.extensions import connection as Connection

from barton_pipeline.assets.materialize import materialize_stage, stage_options
from barton_pipeline.reports import spending
from barton_pipeline.stages import Counts, run_sql
from barton_pipeline.vendors import settings

PREVIEW = """
    SELECT company_slot_unique_id, company_unique_id, slot_type, slot_label, is_filled FROM
    marketing.company_slots JOIN marketing.company_batches b USING (company_unique_id) WHERE
    b.import_batch_id = %(batch)s ORDER BY company_slot_unique_id LIMIT %(limit)s
"""


@dg.asset(**stage_options("enrichment", "marketing.company_slots", deps=["company_master"]))
def company_slots(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Exactly three executive slots per company: CEO, CFO and HR Director."""
    return materialize_stage(context, slots_and_plan, PREVIEW)


def slots_and_plan(connection: Connection, import_batch_id: str) -> Counts:
    """Create the slots; say what filling them would cost before anything is spent, where there is a vendor to ask."""
    counts = run_sql(connection, "company_slots", batch=import_batch_id)
    if not any(settings.access(vendor) for vendor in settings.KEYS):
        return counts
    return {**counts, "vendor_plan": spending.plan(connection, import_batch_id)}
