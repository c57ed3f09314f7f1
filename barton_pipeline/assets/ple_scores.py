"""Stage ple_scores."""

import dagster as dg

from barton_pipeline.assets.materialize import materialize_stage, stage_options
from barton_pipeline.scoring import ple

PREVIEW = """
    SELECT * FROM (SELECT DISTINCT ON (r.company_id) r.company_id, c.company_name,
    round(r.ple_score::numeric, 4) AS ple_score, r.method, r.ple_model_version FROM
    marketing.ple_results r JOIN marketing.company_batches b ON b.company_unique_id = r.company_id
    JOIN marketing.company_master c ON c.company_unique_id = r.company_id WHERE b.import_batch_id =
    %(batch)s ORDER BY r.company_id, r.calculated_at DESC, r.id DESC) latest ORDER BY ple_score
    DESC, company_id LIMIT %(limit)s
"""


@dg.asset(**stage_options("intelligence", "marketing.ple_results", deps=["verified_emails", "bit_scores"]))
def ple_scores(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Pipeline Learning Engine: lead score 0..1 with its reasons, by the champion model or the rubric (docs/scoring.md)."""
    return materialize_stage(context, ple.run, PREVIEW)
