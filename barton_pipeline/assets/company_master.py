"""Stage company_master."""

import dagster as dg

from barton_pipeline.assets.materialize import materialize_stage, stage_options
from barton_pipeline.stages import sql_stage

PREVIEW = """
    SELECT company_unique_id, company_name, domain, industry, employee_count, data_quality_score
    FROM marketing.company_master JOIN marketing.company_batches b USING (company_unique_id) WHERE
    b.import_batch_id = %(batch)s ORDER BY company_unique_id LIMIT %(limit)s
"""


@dg.asset(**stage_options("enrichment", "marketing.company_master", deps=["validated_companies"]))
def company_master(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Valid companies promoted once, with a permanent Barton ID.

    Identity is registrable domain plus normalised name; a re-import joins the company it finds."""
    return materialize_stage(context, sql_stage("company_master"), PREVIEW)
