"""Stage enriched_contacts."""

import dagster as dg

from barton_pipeline import enrichment
from barton_pipeline.assets.materialize import materialize_stage, stage_options

# Dagster keeps previews in its event log, out of reach of barton forget: people appear with their initials only.
PREVIEW = """
    SELECT person_unique_id, regexp_replace(full_name, '(\\w)\\w*', '\\1.', 'g') AS person, title, slot_type,
        round(slot_confidence::numeric, 2) AS confidence, source, company_slot_unique_id IS NOT NULL AS holds_slot
    FROM marketing.people_master JOIN marketing.company_batches b USING (company_unique_id)
    WHERE b.import_batch_id = %(batch)s ORDER BY holds_slot DESC, person_unique_id LIMIT %(limit)s
"""


@dg.asset(
    **stage_options("enrichment", "marketing.people_master", kinds=("postgres", "python"), deps=["company_slots"])
)
def enriched_contacts(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """People matched to companies and slots (docs/contacts.md). The best candidate fills a slot; all are kept."""
    return materialize_stage(context, enrichment.run, PREVIEW, enrichment.buy)
