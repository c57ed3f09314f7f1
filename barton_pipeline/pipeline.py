"""The stages as one table. Assets, checks, replay, tests and benchmarks read it; ``sql/data/pipeline_stages.sql`` is made from it.

A new stage is one entry here, one file ``sql/stages/<name>.sql``, and one test (docs/how-to/add-a-stage.md). What a stage does is
its subject's business; running it is ``stages.runner``'s.
"""

from dataclasses import asdict
from functools import partial

from psycopg2.extensions import connection as Connection

from barton_pipeline.addresses import verification
from barton_pipeline.companies import validation
from barton_pipeline.contacts import enrichment
from barton_pipeline.queue import set_aside
from barton_pipeline.reports import spending
from barton_pipeline.scoring import bit, ple, targets
from barton_pipeline.stages.lease import StageRun
from barton_pipeline.stages.runner import Counts, Stage, sql_work
from barton_pipeline.vendors import registry


def _plan_purchases(connection: Connection, import_batch_id: str) -> Counts:
    """What filling the open slots would cost, before anything is spent; nothing where there is no vendor to ask."""
    if not any(registry.access(vendor) for vendor in registry.VENDORS):
        return {}
    return {"vendor_plan": [asdict(line) for line in spending.plan(connection, import_batch_id)]}


def _count_costs(connection: Connection, import_batch_id: str) -> Counts:
    """What a filled slot, a verified address and a target have cost; nothing if the batch bought nothing."""
    if not spending.list_spending(connection, import_batch_id):
        return {}
    costs = asdict(spending.measure_yield(connection, import_batch_id))
    return {"vendor_costs": [{"": name, " ": value} for name, value in costs.items()]}


STAGES = (
    Stage(
        name="raw_intake",
        phase="enrichment",
        table="intake.company_raw_intake",
        kinds=("postgres", "csv"),
        entered_by=("company_created", "company_updated"),
        description="""Companies, people and signals exactly as they came in.

            Takes stock of what the batch brought; loading itself is done by ``barton load`` or plain SQL inserts.""",
        work=sql_work("raw_intake"),
        preview="""
            SELECT id, company, website, industry, num_employees, source_file, source_row
            FROM intake.company_raw_intake WHERE import_batch_id = %(batch)s ORDER BY id LIMIT %(limit)s
        """,
    ),
    Stage(
        name="validated_companies",
        phase="enrichment",
        table="intake.company_raw_intake",
        after=("raw_intake",),
        description=(
            "Every intake row judged: valid, or invalid with reason codes (docs/explanation/validation.md). "
            "Nothing is dropped."
        ),
        work=validation.run,
        source=set_aside.COMPANIES,
        preview="""
            SELECT id, company, website, validated, validation_reasons, validation_notes
            FROM intake.company_raw_intake WHERE import_batch_id = %(batch)s
            ORDER BY validated NULLS FIRST, id LIMIT %(limit)s
        """,
    ),
    Stage(
        name="company_master",
        phase="enrichment",
        table="marketing.company_master",
        after=("validated_companies",),
        description="""Valid companies promoted once, with a permanent Barton ID.

            Identity is registrable domain plus normalised name; a re-import joins the company it finds.""",
        work=sql_work("company_master"),
        source=set_aside.COMPANIES,
        draws_numbers=True,
        preview="""
            SELECT company_unique_id, company_name, domain, industry, employee_count, data_quality_score
            FROM marketing.company_master JOIN marketing.company_batches b USING (company_unique_id)
            WHERE b.import_batch_id = %(batch)s ORDER BY company_unique_id LIMIT %(limit)s
        """,
    ),
    Stage(
        name="company_slots",
        phase="enrichment",
        table="marketing.company_slots",
        after=("company_master",),
        entered_by=("company_promoted", "company_master_updated"),
        description="Exactly three executive slots per company: CEO, CFO and HR Director.",
        work=sql_work("company_slots"),
        report=_plan_purchases,
        preview="""
            SELECT company_slot_unique_id, company_unique_id, slot_type, slot_label, is_filled
            FROM marketing.company_slots JOIN marketing.company_batches b USING (company_unique_id)
            WHERE b.import_batch_id = %(batch)s ORDER BY company_slot_unique_id LIMIT %(limit)s
        """,
    ),
    Stage(
        name="enriched_contacts",
        phase="enrichment",
        table="marketing.people_master",
        kinds=("postgres", "python"),
        after=("company_slots",),
        entered_by=("slot_created", "contact_created", "contact_updated"),
        description=(
            "People matched to companies and slots (docs/explanation/contacts.md). The best candidate fills a "
            "slot; all are kept."
        ),
        work=enrichment.run,
        buy=enrichment.buy,
        source=set_aside.PEOPLE,
        draws_numbers=True,
        # Dagster keeps previews in its event log, out of reach of barton forget: people appear with their initials only
        preview="""
            SELECT person_unique_id, regexp_replace(full_name, '(\\w)\\w*', '\\1.', 'g') AS person, title, slot_type,
                round(slot_confidence::numeric, 2) AS confidence, source, company_slot_unique_id IS NOT NULL AS holds_slot
            FROM marketing.people_master JOIN marketing.company_batches b USING (company_unique_id)
            WHERE b.import_batch_id = %(batch)s ORDER BY holds_slot DESC, person_unique_id LIMIT %(limit)s
        """,
    ),
    Stage(
        name="verified_emails",
        phase="enrichment",
        table="marketing.email_verification",
        kinds=("postgres", "python"),
        after=("enriched_contacts",),
        entered_by=("slot_updated",),
        description="""Addresses with a verdict: free checks first, then the slot holders' from the vendor; guesses where none
            works.""",
        work=verification.run,
        shared=lambda: {"mx": verification.mx_lookup()},
        buy=verification.buy,
        # of addresses only the domain appears, for the same reason
        preview="""
            SELECT regexp_replace(v.email, '^(.).*@', '\\1…@') AS address, v.status, v.reason, v.is_role, v.mx, v.source
            FROM marketing.email_verification v WHERE v.email IN (
                SELECT p.email FROM marketing.people_master p JOIN marketing.company_batches b USING (company_unique_id)
                WHERE b.import_batch_id = %(batch)s)
            ORDER BY v.status, v.email LIMIT %(limit)s
        """,
    ),
    Stage(
        name="bit_scores",
        phase="intelligence",
        table="marketing.bit_results",
        after=("company_master", "verified_emails"),
        entered_by=("signal_received", "signal_recorded"),
        description=(
            "Barton Intelligence Tracker: buyer intent 0..1 from signals that decay with age "
            "(docs/explanation/scoring.md)."
        ),
        work=bit.run,
        source=set_aside.SIGNALS,
        preview="""
            SELECT * FROM (
                SELECT DISTINCT ON (r.company_id) r.company_id, c.company_name, round(r.bit_score::numeric, 4) AS bit_score,
                    r.last_signal_at, r.bit_model_version
                FROM marketing.bit_results r
                JOIN marketing.company_batches b ON b.company_unique_id = r.company_id
                JOIN marketing.company_master c ON c.company_unique_id = r.company_id
                WHERE b.import_batch_id = %(batch)s ORDER BY r.company_id, r.calculated_at DESC, r.id DESC) latest
            ORDER BY bit_score DESC, company_id LIMIT %(limit)s
        """,
    ),
    Stage(
        name="ple_scores",
        phase="intelligence",
        table="marketing.ple_results",
        after=("verified_emails", "bit_scores"),
        entered_by=("email_verified", "email_failed", "outcome_received"),
        description="""Pipeline Learning Engine: lead score 0..1 with its reasons, by the champion model or the rubric
            (docs/explanation/scoring.md).""",
        work=ple.run,
        source=set_aside.OUTCOMES,
        preview="""
            SELECT * FROM (
                SELECT DISTINCT ON (r.company_id) r.company_id, c.company_name, round(r.ple_score::numeric, 4) AS ple_score,
                    r.method, r.ple_model_version
                FROM marketing.ple_results r
                JOIN marketing.company_batches b ON b.company_unique_id = r.company_id
                JOIN marketing.company_master c ON c.company_unique_id = r.company_id
                WHERE b.import_batch_id = %(batch)s ORDER BY r.company_id, r.calculated_at DESC, r.id DESC) latest
            ORDER BY ple_score DESC, company_id LIMIT %(limit)s
        """,
    ),
    Stage(
        name="sniper_targets",
        phase="intelligence",
        table="marketing.sniper_targets",
        after=("ple_scores", "bit_scores"),
        description="Companies worth contacting now: PLE or BIT above the cut, one row per company, best first.",
        work=targets.run,
        report=_count_costs,
        preview="""
            SELECT company_id, company_name, round(ple_score::numeric, 3) AS ple, round(bit_intent_score::numeric, 3) AS bit,
                contacts_ready, contacts_held, reasons
            FROM marketing.v_sniper_targets JOIN marketing.company_batches b ON b.company_unique_id = company_id
            WHERE b.import_batch_id = %(batch)s LIMIT %(limit)s
        """,
    ),
)
NAMES = tuple(stage.name for stage in STAGES)
BY_NAME = {stage.name: stage for stage in STAGES}

# Events that start no run.
INFORMATIONAL = ("message_sent", "message_delivered", "target_entered", "target_left")

stage_run = partial(StageRun, order=NAMES)


def stages_from(entry_stage: str) -> tuple[str, ...]:
    """The stage and all that follow it."""
    return NAMES[NAMES.index(entry_stage) :]


def event_routes() -> dict[str, str | None]:
    """Event type → the first stage that it makes stale; None for events that start no run.

    Beside these, continue_at_<stage> enters at each stage.
    """
    entered: dict[str, str | None] = {event: stage.name for stage in STAGES for event in stage.entered_by}
    return {**entered, **dict.fromkeys(INFORMATIONAL)}
