"""Stage sniper_targets."""

import dagster as dg
from psycopg2.extensions import connection as Connection

from barton_pipeline.assets.materialize import materialize_stage, stage_options
from barton_pipeline.reports import spending
from barton_pipeline.scoring import targets
from barton_pipeline.stages import Counts

PREVIEW = """
    SELECT company_id, company_name, round(ple_score::numeric, 3) AS ple,
    round(bit_intent_score::numeric, 3) AS bit, contacts_ready, contacts_held, reasons FROM
    marketing.v_sniper_targets JOIN marketing.company_batches b ON b.company_unique_id = company_id
    WHERE b.import_batch_id = %(batch)s LIMIT %(limit)s
"""


@dg.asset(**stage_options("intelligence", "marketing.sniper_targets", deps=["ple_scores", "bit_scores"]))
def sniper_targets(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Companies worth contacting now: PLE or BIT above the cut, one row per company, best first."""
    return materialize_stage(context, targets_and_costs, PREVIEW)


def targets_and_costs(connection: Connection, import_batch_id: str) -> Counts:
    """Update the list; say what a filled slot, a verified address and a target have cost, if the batch bought anything."""
    counts = targets.run(connection, import_batch_id)
    if not spending.spent(connection, import_batch_id):
        return counts
    costs = spending.yields(connection, import_batch_id)
    return {**counts, "vendor_costs": [{"": name, " ": value} for name, value in costs.items()]}
