"""``python -m benchmarks.history [COMPANIES …]``: what a batch of 262 companies costs beside a history of other companies.

Default: beside 0, 10,000, 100,000 and 1,000,000 companies with slots, people, verdicts, paid answers, signals and scores. The
batch brings people, signals and paid answers too. Each stage in milliseconds, the best of three batches, and as a ratio of the same
beside nothing; twice: with the planner's statistics taken before the batch came, and with none at all, as after a restore.
"""

import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

from psycopg2.extensions import connection as Connection

from barton_pipeline.addresses.checks import MxLookup
from barton_pipeline.pipeline import BY_NAME, NAMES, stage_run
from barton_pipeline.postgres import sql
from barton_pipeline.postgres.connection import connect
from barton_pipeline.stages.runner import run_stage
from benchmarks.__main__ import checkpoint, execute
from benchmarks.system import system

DEFAULT_SIZES = [0, 10_000, 100_000, 1_000_000]
COMPANIES, TURNS = 262, 3
BEFORE, NONE = "statistics from before", "no statistics"

# Without triggers and foreign keys, which would take longer than all measurements; the rows are those a run would have left.
HISTORY = """
    SET LOCAL session_replication_role = replica;
    SET LOCAL synchronous_commit = off;
    CREATE TEMP TABLE old ON COMMIT DROP AS
    SELECT n, substr(marketing.barton_id('01', n), 9) AS tail, 'OLD-' || n / 5000 AS batch, 'old' || n || '.com' AS domain,
           now() - n % 500 * interval '1 day' AS moment
    FROM generate_series(1, {companies}) AS n;
    INSERT INTO intake.company_raw_intake (company, website, import_batch_id, validated, validated_at, domain, company_name_key)
    SELECT 'Old ' || n || ' Inc', 'https://' || domain, batch, true, moment, domain, 'old ' || n FROM old;
    INSERT INTO marketing.company_master (company_unique_id, company_name, website_url, domain, company_name_key, industry,
        employee_count, city, linkedin_url, import_batch_id)
    SELECT '04.04.01' || tail, 'Old ' || n || ' Inc', 'https://' || domain, domain, 'old ' || n, 'Mining', 1 + n % 3000, 'Wheeling',
        'https://www.linkedin.com/company/old-' || n, batch FROM old;
    INSERT INTO marketing.company_batches (import_batch_id, company_unique_id, mentioned_by)
    SELECT batch, '04.04.01' || tail, 'companies' FROM old;
    INSERT INTO marketing.company_matches (intake_id, company_unique_id, rule)
    SELECT r.id, c.company_unique_id, 'new_company' FROM intake.company_raw_intake r JOIN marketing.company_master c USING (domain);
    INSERT INTO marketing.people_master (person_unique_id, company_unique_id, company_slot_unique_id, person_key, full_name, title,
        slot_type, slot_confidence, slot_rule, email, source, import_batch_id, observed_at)
    SELECT '04.04.02' || tail, '04.04.01' || tail, '04.04.05' || substr(tail, 1, 9) || '.001', 'ann ames ' || n, 'Ann Ames', 'CEO',
        'CEO', 1, 'ceo', 'ann@' || domain, 'import', batch, moment FROM old;
    INSERT INTO marketing.company_slots (company_slot_unique_id, company_unique_id, slot_type, slot_label, is_filled,
        person_unique_id, filled_at, fill_confidence, search_state)
    SELECT '04.04.05' || substr(tail, 1, 9) || kind.version, '04.04.01' || tail, kind.slot_type, kind.slot_type,
        kind.slot_type = 'CEO', CASE kind.slot_type WHEN 'CEO' THEN '04.04.02' || tail END,
        CASE kind.slot_type WHEN 'CEO' THEN moment END, CASE kind.slot_type WHEN 'CEO' THEN 1 END,
        CASE kind.slot_type WHEN 'CEO' THEN 'filled' ELSE 'not_searched' END
    FROM old CROSS JOIN (VALUES ('CEO', '.001'), ('CFO', '.002'), ('HR', '.003')) AS kind (slot_type, version);
    INSERT INTO marketing.contact_enrichment (company_slot_unique_id, person_unique_id, outcome, title, confidence, rule, source,
        import_batch_id)
    SELECT '04.04.05' || substr(tail, 1, 9) || '.001', '04.04.02' || tail, 'filled', 'CEO', 1, 'ceo', 'import', batch FROM old;
    INSERT INTO intake.people_raw_intake (full_name, title, email, company, website, import_batch_id, judged_at, outcome, domain,
        company_name_key)
    SELECT 'Ann Ames', 'CEO', 'ann@' || domain, 'Old ' || n, domain, batch, moment,
        CASE WHEN n % 5 = 0 THEN 'company_unknown' ELSE 'matched' END, domain, 'old ' || n FROM old;
    INSERT INTO marketing.email_verification (email, status, source, rules_version, import_batch_id, verified_at)
    SELECT 'ann@' || domain, 'valid', 'million_verifier', '1', batch, moment FROM old;
    INSERT INTO marketing.vendor_requests (vendor, operation, environment, state, inputs, estimated_usd, actual_usd,
        import_batch_id, run_id, holder, lease_until, reserved_at, sent_at, ended_at)
    SELECT 'apify', 'leads_finder', 'real', 'settled', 100, 0.2, 0.2, batch, 'run-0', gen_random_uuid(), moment, moment,
        moment, moment
    FROM old WHERE n % 100 = 1;
    INSERT INTO marketing.vendor_calls (request_id, vendor, operation, environment, input_key, state, response, estimated_usd,
        actual_usd, answered_at, fresh_until)
    SELECT 1, 'apify', kind.operation, 'real', kind.input_key, 'settled', kind.response, 0.002, 0.002, moment,
        moment + interval '90 days'
    FROM old CROSS JOIN LATERAL (VALUES
        ('leads_finder', domain, '{{"items": [], "limit_reached": false}}'::jsonb),
        ('linkedin_employees', 'old-' || n, '{{"items": [], "limit_reached": false}}'::jsonb),
        ('verify_email', 'ann@' || domain, '{{"result": "ok"}}'::jsonb)) AS kind (operation, input_key, response);
    INSERT INTO marketing.bit_signals (company_id, signal_type, signal_timestamp, observed_at, source, external_id)
    SELECT '04.04.01' || tail, 'website_visit', moment, moment, 'ga4', 'visit-' || n FROM old;
    INSERT INTO intake.signals_raw_intake (website, signal_type, occurred_at, import_batch_id, judged_at, outcome, domain)
    SELECT domain, 'website_visit', moment::text, batch, moment,
        CASE WHEN n % 5 = 0 THEN 'company_unknown' ELSE 'recorded' END, domain FROM old;
    INSERT INTO marketing.bit_results (company_id, bit_score, bit_model_version, calculated_at)
    SELECT '04.04.01' || tail, 0.2, 'x', moment FROM old;
    INSERT INTO marketing.ple_results (company_id, ple_score, ple_model_version, calculated_at)
    SELECT '04.04.01' || tail, 0.5, 'x', moment FROM old;
    INSERT INTO marketing.sniper_targets (company_id, ple_score, bit_intent_score, rules_version)
    SELECT '04.04.01' || tail, 0.8, 0.1, 'x' FROM old WHERE n % 10 = 0;
    INSERT INTO marketing.pipeline_events (event_type, import_batch_id, status, created_at, processed_at)
    SELECT 'company_created', batch, 'processed', moment, moment FROM old;
    INSERT INTO marketing.workflow_stats (workflow_name, status, duration_seconds, triggered_by, batch_id, created_at)
    SELECT s.stage, 'ok', 1, 'event', batch, moment FROM old CROSS JOIN marketing.pipeline_stages s WHERE n % 50 = 0;
    SELECT setval('marketing.company_number', greatest({companies}, 1)),
        setval('marketing.person_number', greatest({companies}, 1));
"""

BATCH = """
    INSERT INTO intake.company_raw_intake (company, website, industry, num_employees, company_city, import_batch_id)
    SELECT 'Firm ' || n || ' Inc', 'https://' || lower(%(batch)s) || '-' || n || '.com', 'Mining', n::text, 'Wheeling', %(batch)s
    FROM generate_series(1, {companies}) AS n;
    INSERT INTO intake.people_raw_intake (full_name, title, email, company, website, import_batch_id)
    SELECT person.name, person.title, person.account || '@' || lower(%(batch)s) || '-' || n || '.com', 'Firm ' || n,
        lower(%(batch)s) || '-' || n || '.com', %(batch)s
    FROM generate_series(1, {companies}) AS n CROSS JOIN (VALUES
        ('Bo Bell', 'CEO', 'bo'), ('Cy Cole', 'Chief Financial Officer', 'cy')) AS person (name, title, account);
    INSERT INTO intake.signals_raw_intake (website, signal_type, occurred_at, source_system, import_batch_id)
    SELECT lower(%(batch)s) || '-' || n || '.com', 'website_visit', now()::text, 'ga4', %(batch)s
    FROM generate_series(1, {companies}) AS n;
    INSERT INTO marketing.vendor_requests (vendor, operation, environment, state, inputs, estimated_usd, actual_usd,
        import_batch_id, run_id, holder, lease_until, reserved_at, sent_at, ended_at)
    SELECT 'apify', 'leads_finder', 'real', 'settled', 100, 0.2, 0.2, %(batch)s, 'run-1', gen_random_uuid(), now(), now(),
        now(), now();
    INSERT INTO marketing.vendor_calls (request_id, vendor, operation, environment, input_key, state, response, estimated_usd,
        actual_usd, answered_at, fresh_until)
    SELECT (SELECT max(id) FROM marketing.vendor_requests), 'apify', 'leads_finder', 'real', lower(%(batch)s) || '-' || n || '.com',
        'settled', '{{"items": [], "limit_reached": false}}', 0.002, 0.002, now(), now() + interval '90 days'
    FROM generate_series(1, {companies}, 2) AS n
"""


def measure(companies: int, statistics: str) -> dict[str, float]:
    """Seconds of each stage, and of all of them, beside so many companies: the best of three batches."""
    with system() as running, closing(connect(running.url)) as connection:
        fill_history(connection, companies)
        if statistics == BEFORE:
            execute(connection, "ANALYZE")
        checkpoint(connection)
        turns = [
            {name: counts["seconds"] for name, counts in run_batch(connection, f"NEW-{turn}")} for turn in range(TURNS)
        ]
    best = {stage: min(turn[stage] for turn in turns) for stage in NAMES}
    return {**best, "all": min(sum(turn.values()) for turn in turns)}


def fill_history(connection: Connection, companies: int) -> None:
    """Put a history of so many companies into an empty database, without statistics; autovacuum will not take any."""
    for row in sql.rows(
        connection,
        "SELECT format('%%I.%%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname IN ('intake', 'marketing')",
    ):
        sql.execute(connection, f"ALTER TABLE {row['name']} SET (autovacuum_enabled = false)")
    execute(connection, HISTORY.format(companies=companies))


def run_batch(connection: Connection, batch: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Bring a batch and run its stages on the connection; each one's name and counts as it ends."""
    execute(connection, BATCH.format(companies=COMPANIES), batch=batch)
    run_id = str(uuid.uuid4())
    run = stage_run(batch, run_id, run_id, False, frozenset(NAMES), "manual")
    for name in NAMES:
        stage = BY_NAME[name]
        if name == "verified_emails":  # DNS is not asked: the answers of a network are no part of this
            stage = replace(stage, work=partial(stage.work, mx=MxLookup(timeout_seconds=1, probes=())))
        yield name, run_stage(run, stage, connection)


def main() -> None:
    """Measure every size with and without statistics."""
    sizes = [int(argument) for argument in sys.argv[1:]] or DEFAULT_SIZES
    for statistics in (BEFORE, NONE):
        alone = measure(0, statistics)
        print(f"{COMPANIES} companies, {statistics}; alone: {1000 * alone['all']:.0f} ms", flush=True)
        for companies in [size for size in sizes if size]:
            beside = measure(companies, statistics)
            print(f"  beside {companies:,} companies: {beside['all'] / alone['all']:.2f} x", flush=True)
            for name in NAMES:
                print(f"    {name:20} {1000 * beside[name]:7.0f} ms {beside[name] / alone[name]:6.2f} x", flush=True)


if __name__ == "__main__":
    main()
