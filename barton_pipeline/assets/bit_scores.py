"""Stage bit_scores."""

import dagster as dg

from barton_pipeline.assets.materialize import materialize_stage, stage_options
from barton_pipeline.scoring import bit

PREVIEW = """
    SELECT * FROM (SELECT DISTINCT ON (r.company_id) r.company_id, c.company_name,
    round(r.bit_score::numeric, 4) AS bit_score, r.last_signal_at, r.bit_model_version FROM
    marketing.bit_results r JOIN marketing.company_batches b ON b.company_unique_id = r.company_id
    JOIN marketing.company_master c ON c.company_unique_id = r.company_id WHERE b.import_batch_id =
    %(batch)s ORDER BY r.company_id, r.calculated_at DESC, r.id DESC) latest ORDER BY bit_score
    DESC, company_id LIMIT %(limit)s
"""


@dg.asset(**stage_options("intelligence", "marketing.bit_results", deps=["company_master", "verified_emails"]))
def bit_scores(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Barton Intelligence Tracker: buyer intent 0..1 from signals that decay with age (docs/scoring.md)."""
    return materialize_stage(context, bit.run, PREVIEW)
