"""What every run reads once per process, read when this module is imported: idle run workers import it (dagster.yaml).

Nothing here changes a result: the same caches fill by themselves at first use, half a second later.
"""

import dns.resolver  # noqa: F401

from barton_pipeline.addresses import checks, verification
from barton_pipeline.companies import phones, validation
from barton_pipeline.contacts import titles
from barton_pipeline.intake import names, values
from barton_pipeline.queue import events
from barton_pipeline.scoring import config
from barton_pipeline.vendors import registry, settings

phones.read("020 7946 0958", "United Kingdom", "US")
names.read("Jane Mary Doe, PhD")
titles.classify("Chief Executive Officer")
checks.check_address("somebody@example.com")
checks.rules_version()
for read in (
    events.settings,
    values.rules,
    validation.rules,
    names.rules,
    verification.rules,
    config.rules,
    settings.rules,
):
    read()
if registry.access("apify") is not None:
    import apify_client  # noqa: F401
