"""Stage validated_companies."""

import dagster as dg

from barton_pipeline import validation
from barton_pipeline.assets.materialize import materialize_stage, stage_options

PREVIEW = """
    SELECT id, company, website, validated, validation_reasons, validation_notes FROM
    intake.company_raw_intake WHERE import_batch_id = %(batch)s ORDER BY validated NULLS FIRST, id
    LIMIT %(limit)s
"""


@dg.asset(**stage_options("enrichment", "intake.company_raw_intake", deps=["raw_intake"]))
def validated_companies(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Every intake row judged: valid, or invalid with reason codes (docs/validation.md). Nothing is dropped."""
    return materialize_stage(context, validation.run, PREVIEW)
