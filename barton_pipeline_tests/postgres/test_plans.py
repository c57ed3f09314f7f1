"""What the hottest statements cost does not grow with history: their plans beside 200,000 events that are over and done with.

Three times: with fresh statistics, with those of a moment at which nothing was going on, and without any, as after a restore.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Set
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psycopg2
import pytest

from barton_pipeline.outbound import budgets, ledger, requests
from barton_pipeline.outbound.budgets import Buyer
from barton_pipeline.outbound.ledger import Input
from barton_pipeline.pipeline import NAMES
from barton_pipeline.postgres.connection import dsn_parameters
from barton_pipeline.queue import events, listening, upkeep
from barton_pipeline.reports import batches, errors, queue, targets
from barton_pipeline.vendors import settings
from barton_pipeline_tests.builders import insert_companies, run_stages
from barton_pipeline_tests.conftest import Postgres, new_database
from barton_pipeline_tests.plans import ExplainingConnection, Plan, faults
from benchmarks import history

TOKEN, RUN = str(uuid.UUID(int=1)), "run-1"
LARGE = {
    "intake.company_raw_intake", "marketing.batch_stages", "marketing.company_batches", "marketing.company_master",
    "marketing.company_slots", "marketing.people_master", "marketing.pipeline_errors", "marketing.pipeline_events",
    "marketing.vendor_calls", "marketing.vendor_requests", "marketing.workflow_stats",
}  # fmt: skip
# What companies of other batches have brought.
OF_OTHERS = {
    "intake.company_raw_intake", "intake.people_raw_intake", "intake.signals_raw_intake", "marketing.bit_results",
    "marketing.bit_signals", "marketing.company_batches", "marketing.company_master", "marketing.company_matches",
    "marketing.company_slots", "marketing.contact_enrichment", "marketing.email_verification", "marketing.people_master",
    "marketing.ple_results", "marketing.pipeline_events", "marketing.vendor_calls",
}  # fmt: skip

# What is over and done with.
HISTORY = """
    INSERT INTO marketing.people_master (person_unique_id, company_unique_id, company_slot_unique_id, person_key, full_name, source,
        import_batch_id)
    SELECT '04.04.02' || substr(company_unique_id, 9), company_unique_id, company_slot_unique_id, 'ann ames', 'Ann Ames', 'x', 'OLD'
    FROM marketing.company_slots WHERE slot_type = 'CEO';
    UPDATE marketing.company_slots s SET is_filled = true, person_unique_id = p.person_unique_id, search_state = 'filled'
    FROM marketing.people_master p WHERE p.company_slot_unique_id = s.company_slot_unique_id;
    INSERT INTO marketing.pipeline_events (event_type, import_batch_id, status, created_at, processed_at)
    SELECT 'company_created', 'OLD-' || n % 2000, 'processed', moment, moment + interval '3 seconds'
    FROM (SELECT n, now() - n * interval '25 seconds' AS moment FROM generate_series(1, 200000) AS n) AS e;
    INSERT INTO marketing.pipeline_errors (event_type, import_batch_id, error_message, resolved, resolved_at, created_at)
    SELECT 'raw_intake', 'OLD-' || n % 2000, 'something', true, now(), now() - n * interval '2 minutes'
    FROM generate_series(1, 40000) AS n;
    INSERT INTO marketing.workflow_stats (workflow_name, status, duration_seconds, triggered_by, batch_id, created_at)
    SELECT s.stage, 'ok', 1, 'event', 'OLD-' || n % 2000, now() - n * interval '15 minutes'
    FROM generate_series(1, 5000) AS n CROSS JOIN marketing.pipeline_stages s;
    INSERT INTO marketing.batch_stages (import_batch_id, stage, run_id, rows_in, rows_out, rows_rejected, completed_at)
    SELECT 'OLD-' || n, s.stage, 'run-0', 1, 1, 0, now() - n * interval '1 hour'
    FROM generate_series(1, 2000) AS n CROSS JOIN marketing.pipeline_stages s;
    INSERT INTO marketing.vendor_requests (vendor, operation, environment, state, inputs, estimated_usd, actual_usd,
        import_batch_id, run_id, holder, lease_until, reserved_at, sent_at, ended_at)
    SELECT 'million_verifier', 'verify_email', 'real', 'settled', 1, 0.001, 0.001, 'OLD-' || n % 2000, 'run-0', gen_random_uuid(),
        moment, moment, moment, moment
    FROM (SELECT n, now() - interval '40 days' - n * interval '1 minute' AS moment FROM generate_series(1, 40000) AS n) AS e;
    INSERT INTO marketing.vendor_calls (request_id, vendor, operation, environment, input_key, state, response, estimated_usd,
        actual_usd, answered_at, fresh_until)
    SELECT id, vendor, operation, environment, 'a' || id || '@company' || id % 10000 || '.com', 'settled', '{}', 0.001,
        0.001, ended_at, now() + interval '300 days'
    FROM marketing.vendor_requests;
    INSERT INTO marketing.vendor_requests (vendor, operation, environment, state, inputs, estimated_usd, actual_usd,
        import_batch_id, run_id, holder, lease_until, reserved_at, sent_at, ended_at)
    SELECT 'apify', 'leads_finder', 'real', 'settled', 100, 0.2, 0.2, 'OLD', 'run-0', gen_random_uuid(), now(), now(), now(), now()
    FROM generate_series(1, 200) AS n;
    INSERT INTO marketing.vendor_calls (request_id, vendor, operation, environment, input_key, state, response, estimated_usd,
        actual_usd, answered_at, fresh_until)
    SELECT r.id, r.vendor, r.operation, 'real', 'company' || n || '.com', 'settled', '{"items": []}', 0.002, 0.002, now(),
        now() + interval '300 days'
    FROM generate_series(1, 10000) AS n
    JOIN (SELECT *, row_number() OVER () - 1 AS place FROM marketing.vendor_requests WHERE vendor = 'apify') r ON r.place = n % 200
"""

# What is going on now: statistics know nothing of it.
PRESENT = """
    INSERT INTO marketing.pipeline_events (event_type, import_batch_id)
    SELECT 'company_created', 'NEW-' || n %% 200 FROM generate_series(1, 20000) AS n;
    INSERT INTO marketing.pipeline_events (event_type, import_batch_id, status, processed_at, attempts)
    SELECT 'company_created', 'BAD-' || n, 'failed', now(), 5 FROM generate_series(1, 2000) AS n;
    INSERT INTO marketing.pipeline_events (event_type, import_batch_id, status, attempts, lease_token, lease_until, claimed_by)
    SELECT 'company_created', 'BUSY', 'processing', 1, %s, now() + interval '30 seconds', %s FROM generate_series(1, 20);
    INSERT INTO marketing.pipeline_errors (event_type, import_batch_id, error_message, severity)
    SELECT 'dead_letter', 'BAD-' || n, 'something', 'critical' FROM generate_series(1, 2000) AS n;
    INSERT INTO marketing.vendor_requests (vendor, operation, environment, state, inputs, estimated_usd, import_batch_id, run_id,
        holder, lease_until, sent_at)
    SELECT 'million_verifier', 'verify_email', 'real', 'sent', 1, 0.001, 'NEW', 'gone', gen_random_uuid(), now(), now()
    FROM generate_series(1, 20);
    INSERT INTO marketing.vendor_calls (request_id, vendor, operation, environment, input_key, state, estimated_usd)
    SELECT id, vendor, operation, environment, 'lost' || id || '@company1.com', 'sent', 0.001
    FROM marketing.vendor_requests WHERE state = 'sent';
    INSERT INTO marketing.sniper_targets (company_id, ple_score, bit_intent_score, rules_version)
    SELECT company_unique_id, 0.8, 0.1, 'x' FROM marketing.company_batches WHERE import_batch_id = 'NEW' LIMIT 50
"""


@dataclass(frozen=True)
class Hot:
    """A call of the package, the indexes of which it must use one, and what it reads as a whole because that is the question.

    ``sweeps`` names indexes that hold only what is open, and tables.
    """

    call: Callable[[Any], object]
    uses: set[str]
    sweeps: set[str] = field(default_factory=set)


def follow(connection: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listening, "connect", lambda: connection)
        list(listening.follow(time.monotonic() + 0.1))


VERIFY_EMAIL = settings.rules().operations["verify_email"]
VERIFY_BUDGET = settings.rules().budgets["million_verifier"]
BUYER = Buyer("NEW", RUN, TOKEN)
ADDRESSES = [Input(f"a{n}@company{n}.com") for n in range(50)]

PENDING, PENDING_TYPE = "pipeline_events_pending", "pipeline_events_pending_type"
BUSY, PROCESSING, FAILED = "pipeline_events_busy", "pipeline_events_processing", "pipeline_events_failed"
OPEN_REQUESTS = "vendor_requests_open"
# Of what is at work there is little, so its indexes are as good as each other, read in part or as a whole.
AT_WORK = {BUSY, PROCESSING, OPEN_REQUESTS}
OPEN_ERRORS = {"pipeline_errors_worst_first", "pipeline_errors_open"}
UNJUDGED = {f"{table}_raw_intake_unjudged" for table in ("company", "people", "signals", "outcomes")}

HOT = {
    "ready batches": Hot(partial(events.ready_batches, limit=8), {PENDING}),
    "accept": Hot(partial(events.accept, import_batch_id="NEW-1"), {PENDING}),
    "absorb": Hot(lambda c: events.absorb(c, TOKEN, "NEW-1", NAMES[0], RUN), {PENDING}),
    "extend": Hot(lambda c: events.extend(c, TOKEN, RUN), AT_WORK),
    "finish": Hot(lambda c: events.finish(c, TOKEN, "BUSY", NAMES[-1], True), {PENDING}),
    "fail": Hot(lambda c: events.fail(c, TOKEN, "something"), AT_WORK),
    "give back": Hot(lambda c: events.give_back(c, TOKEN), AT_WORK),
    "lease of a batch": Hot(lambda c: events.lease_of(c, "BUSY"), AT_WORK),
    "open leases": Hot(events.open_leases, AT_WORK),
    "settle unroutable events": Hot(upkeep.settle_unroutable, {PENDING_TYPE}),
    "reconcile": Hot(upkeep.reconcile, UNJUDGED, UNJUDGED),
    "requeue a batch": Hot(lambda c: upkeep.requeue(c, "BAD-1"), {FAILED}, {FAILED, "pipeline_errors_open"}),
    "follow": Hot(follow, {"pipeline_events_pkey"}),
    "inputs asked before": Hot(
        lambda c: ledger.count_missing(c, VERIFY_EMAIL, "real", ADDRESSES), {"vendor_calls_once"}
    ),
    "spending": Hot(lambda c: budgets.spending_of(c, "million_verifier", "real", BUYER), {"vendor_requests_spending"}),
    "requests in flight": Hot(
        lambda c: budgets.requests_left(c, VERIFY_EMAIL, "real", VERIFY_BUDGET, BUYER, 2), {OPEN_REQUESTS}
    ),
    "adopt abandoned requests": Hot(
        lambda c: requests.adopt_abandoned(c, VERIFY_EMAIL, "real", TOKEN), {OPEN_REQUESTS}
    ),
    "all batches": Hot(batches.list_batches, {PENDING}, {PENDING, PENDING_TYPE, FAILED, "batch_stages"}),
    "stages of a batch": Hot(lambda c: batches.list_stages(c, "OLD-1"), {"batch_stages_pkey"}),
    "whether a batch is known": Hot(lambda c: batches.check_known_batch(c, "NEW"), {"company_raw_intake_batch"}),
    "reasons of a batch": Hot(lambda c: batches.count_reasons(c, "NEW"), {"company_raw_intake_batch"}),
    "targets": Hot(targets.list_targets, {"company_slots_one_of_each"}),
    "targets of a batch": Hot(lambda c: targets.list_targets(c, "NEW"), {"company_slots_one_of_each"}),
    "pending events (v_event_queue_status)": Hot(queue.list_pending, {PENDING, PENDING_TYPE}, {PENDING, PENDING_TYPE}),
    "health of the queue": Hot(queue.measure_queue, {"pipeline_events_created"}, {PENDING, PENDING_TYPE, FAILED}),
    "open errors": Hot(errors.list_errors, OPEN_ERRORS, OPEN_ERRORS),
}
FRESH, STALE, NONE = "statistics of now", "statistics from before", "no statistics"
ALWAYS = (FRESH, STALE, NONE)


@dataclass(frozen=True)
class Finding:
    """Why a call's cost grows today, and with which statistics. It must go on failing until it is corrected.

    One that is not ``certain`` depends on what the server did in between, such as marking dead index entries.
    """

    reason: str
    statistics: tuple[str, ...] = ALWAYS
    certain: bool = True


TARGETS_LOOKED_MANY = "Without statistics 390 targets are supposed, for which 10,000 companies are read as a whole."
FINDINGS = {
    "reconcile": Finding(
        "Nothing is vacuumed here: the index of unjudged rows still has all that were judged since.",
        (NONE,),
        certain=False,
    ),
    "targets": Finding(TARGETS_LOOKED_MANY, (NONE,)),
    "targets of a batch": Finding(TARGETS_LOOKED_MANY, (NONE,)),
}


@pytest.fixture(scope="module")
def events_of_others(postgres_server: str, template: str) -> Iterator[Postgres]:
    with new_database(postgres_server, template) as database, pytest.MonkeyPatch.context() as patch:
        patch.setenv("BARTON_DATABASE_URL", database.url)
        insert_companies(database, "OLD", 10_000)
        run_stages("OLD", NAMES[:4])
        for table in LARGE:
            database.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
        database.execute(HISTORY)
        database.execute("ANALYZE marketing.company_master, marketing.company_slots, marketing.company_batches")
        yield database


@pytest.fixture(params=[FRESH, STALE, NONE])
def beside_history(
    request: pytest.FixtureRequest, events_of_others: Postgres, postgres_server: str
) -> Iterator[Postgres]:
    with new_database(postgres_server, events_of_others.name) as database, pytest.MonkeyPatch.context() as patch:
        patch.setenv("BARTON_DATABASE_URL", database.url)
        if request.param == STALE:
            database.execute("ANALYZE")
        insert_companies(database, "NEW", 262, first=10_001)
        run_stages("NEW", NAMES[:4])
        database.execute(PRESENT, TOKEN, RUN)
        if request.param == FRESH:
            database.execute("ANALYZE")
        yield database


@pytest.mark.slow
def test_no_plan_reads_what_is_over(beside_history: Postgres, request: pytest.FixtureRequest, subtests: Any) -> None:
    statistics = request.node.callspec.params["beside_history"]
    leading = first_columns(beside_history)
    for name, hot in HOT.items():
        with subtests.test(name):
            found = "\n\n".join(problems(hot, explained(beside_history, hot.call), leading))
            finding = FINDINGS.get(name)
            if finding and statistics in finding.statistics and (found or finding.certain):
                assert found, f"in order now, so it is no finding any more: {finding.reason}"
                pytest.xfail(finding.reason)
            assert not found, found


@pytest.fixture(scope="module")
def companies_of_others(postgres_server: str, template: str) -> Iterator[Postgres]:
    with new_database(postgres_server, template) as database:
        with closing(database.connect()) as connection:
            history.fill_history(connection, 50_000)
        yield database


@pytest.mark.slow
@pytest.mark.parametrize("statistics", [STALE, NONE])
def test_no_stage_reads_what_other_batches_brought(
    companies_of_others: Postgres, postgres_server: str, statistics: str, monkeypatch: pytest.MonkeyPatch, subtests: Any
) -> None:
    with new_database(postgres_server, companies_of_others.name) as database:
        monkeypatch.setenv("BARTON_DATABASE_URL", database.url)
        if statistics == STALE:
            database.execute("ANALYZE")
        leading = first_columns(database)
        with closing(explaining(database)) as connection:
            for stage, _ in history.run_batch(connection, "NEW"):
                with subtests.test(stage):
                    found = [(plan, faults(plan, names(OF_OTHERS), leading, AT_WORK)) for plan in connection.plans]
                    assert not any(what for _, what in found), "\n\n".join(
                        f"{what}:\n{plan}" for plan, what in found if what
                    )
                connection.plans.clear()


def problems(hot: Hot, plans: list[Plan], leading: dict[str, str]) -> list[str]:
    """What is wrong with the plans of a call, each with the plan that shows it."""
    large = names(LARGE) - hot.sweeps
    found = [(plan, faults(plan, large, leading, hot.sweeps | AT_WORK)) for plan in plans]
    wrong = [f"{'; '.join(what)}:\n{plan}" for plan, what in found if what]
    if not any(plan.indexes() & hot.uses for plan in plans):
        wrong.append("\n".join([f"{' or '.join(sorted(hot.uses))} is not used:", *map(str, plans)]))
    return wrong


def names(tables: Set[str]) -> Set[str]:
    """The tables without their schemas, as plans name them."""
    return {table.split(".")[1] for table in tables}


def first_columns(database: Postgres) -> dict[str, str]:
    """The first column, or expression, of every index of the large tables."""
    return dict(
        database.query(
            """
            SELECT c.relname, pg_get_indexdef(i.indexrelid, 1, true) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
            WHERE i.indrelid = ANY (%s::regclass[])
            """,
            sorted(LARGE | OF_OTHERS),
        )
    )


def explained(database: Postgres, call: Callable[[Any], object]) -> list[Plan]:
    """The plans of the statements that the call runs; what it writes is rolled back."""
    with closing(explaining(database)) as connection:
        call(connection)
        return connection.plans


def explaining(database: Postgres) -> ExplainingConnection:
    options: dict[str, Any] = dsn_parameters(database.url)
    connection: ExplainingConnection = psycopg2.connect(connection_factory=ExplainingConnection, **options)
    return connection
