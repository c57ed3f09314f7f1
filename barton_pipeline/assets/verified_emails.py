"""Stage verified_emails."""

from functools import partial

import dagster as dg

from barton_pipeline import verification
from barton_pipeline.assets.materialize import materialize_stage, stage_options

# Dagster keeps previews in its event log, out of reach of barton forget: of addresses only the domain appears.
PREVIEW = """
    SELECT regexp_replace(v.email, '^(.).*@', '\\1…@') AS address, v.status, v.reason, v.is_role, v.mx, v.source
    FROM marketing.email_verification v WHERE v.email IN (
        SELECT p.email FROM marketing.people_master p JOIN marketing.company_batches b USING (company_unique_id)
        WHERE b.import_batch_id = %(batch)s)
    ORDER BY v.status, v.email LIMIT %(limit)s
"""


@dg.asset(
    **stage_options(
        "enrichment", "marketing.email_verification", kinds=("postgres", "python"), deps=["enriched_contacts"]
    )
)
def verified_emails(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Addresses with a verdict: free checks first, then the slot holders' from the vendor; guesses where none works."""
    return materialize_stage(context, partial(verification.run, mx=verification.mx_lookup()), PREVIEW, verification.buy)
