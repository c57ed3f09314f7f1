"""Stage sniper_targets."""

import dagster as dg

from barton_pipeline.assets.materialize import materialize_stage, stage_options
from barton_pipeline.scoring import targets

PREVIEW = """
    SELECT company_id, company_name, round(ple_score::numeric, 3) AS ple,
    round(bit_intent_score::numeric, 3) AS bit, contacts_ready, contacts_held, reasons FROM
    marketing.v_sniper_targets JOIN marketing.company_batches b ON b.company_unique_id = company_id
    WHERE b.import_batch_id = %(batch)s LIMIT %(limit)s
"""


@dg.asset(**stage_options("intelligence", "marketing.sniper_targets", deps=["ple_scores", "bit_scores"]))
def sniper_targets(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Companies worth contacting now: PLE or BIT above the cut, one row per company, best first."""
    return materialize_stage(context, targets.run, PREVIEW)
