"""One module per stage, named after its asset, in pipeline order (``stages.STAGES``)."""

from barton_pipeline.assets.bit_scores import bit_scores
from barton_pipeline.assets.company_master import company_master
from barton_pipeline.assets.company_slots import company_slots
from barton_pipeline.assets.enriched_contacts import enriched_contacts
from barton_pipeline.assets.ple_scores import ple_scores
from barton_pipeline.assets.raw_intake import raw_intake
from barton_pipeline.assets.sniper_targets import sniper_targets
from barton_pipeline.assets.validated_companies import validated_companies
from barton_pipeline.assets.verified_emails import verified_emails

ALL_ASSETS = [
    raw_intake,
    validated_companies,
    company_master,
    company_slots,
    enriched_contacts,
    verified_emails,
    bit_scores,
    ple_scores,
    sniper_targets,
]
