"""Asset checks: what must hold after a stage. Each failure names rows and says what to do.

The checks that block are SQL and take milliseconds. The Great Expectations suites (``expectations``) run in a job of
their own after the batch, because importing Great Expectations takes seconds.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
from psycopg2.extensions import connection as Connection
from psycopg2.extras import RealDictCursor

from barton_pipeline import error_log
from barton_pipeline.barton_ids import PATTERNS, Entity
from barton_pipeline.orchestration.assets.stages import stage_runs
from barton_pipeline.orchestration.partitions import import_batches
from barton_pipeline.orchestration.resources import Database
from barton_pipeline.queue import events
from barton_pipeline.stages.lease import StageRun
from barton_pipeline.stages.runner import finish_and_queue_rest

SAMPLE_ROWS = 10
# How dagster.yaml and the checks know the runs that the expectations sensor requests.
KIND_TAG, EXPECTATIONS_KIND = "barton/kind", "expectations"


@dataclass(frozen=True)
class Rule:
    """A query that returns the rows which break a rule (``%(batch)s`` is the batch), and what to do about them."""

    name: str
    asset: str
    description: str
    offenders: str
    remedy: str
    blocking: bool = True


RULES = [
    Rule(
        "every_row_judged",
        "validated_companies",
        "Every intake row of the batch is valid, or invalid with at least one reason code, or has an event that waits.",
        """
        SELECT id::text AS record_id, company, website, validated, validation_reasons
        FROM intake.company_raw_intake
        WHERE import_batch_id = %(batch)s
          -- rows come and are edited while the run is at work: their event starts the next run
          AND (NOT validated AND cardinality(validation_reasons) = 0
               OR validated IS NULL AND NOT EXISTS (
                   SELECT FROM marketing.pipeline_events e JOIN marketing.event_routes USING (event_type)
                   WHERE e.import_batch_id = %(batch)s AND e.status = 'pending'
                     AND entry_stage IN ('raw_intake', 'validated_companies')))
        ORDER BY id
        """,
        "Materialize validated_companies for this batch again; if a row stays unjudged, report its id as a defect.",
    ),
    Rule(
        "company_barton_ids",
        "company_master",
        "Every company ID of the batch has the six segments 04.04.01.SS.NNNNN.VVV and was given by the pipeline.",
        f"""
        SELECT c.company_unique_id AS record_id, c.company_name, c.domain
        FROM marketing.company_master c JOIN marketing.company_batches b USING (company_unique_id)
        WHERE b.import_batch_id = %(batch)s
          AND (c.company_unique_id !~ '{PATTERNS[Entity.COMPANY]}'
               OR NOT EXISTS (SELECT FROM marketing.barton_id_history h
                              WHERE h.barton_id = c.company_unique_id AND h.change = 'given'))
        ORDER BY 1
        """,
        "Somebody changed these IDs behind the pipeline. Restore each from marketing.barton_id_history (or a backup); "
        "an ID once given is permanent.",
    ),
    Rule(
        "promoted_once",
        "company_master",
        "Every valid intake row is matched to exactly one company, and no company exists twice.",
        """
        SELECT r.id::text AS record_id, r.company, r.domain, 'valid row without a company' AS problem
        FROM intake.company_raw_intake r LEFT JOIN marketing.company_matches m ON m.intake_id = r.id
        WHERE r.import_batch_id = %(batch)s AND r.validated AND m.intake_id IS NULL
        UNION ALL
        SELECT min(c.company_unique_id), min(c.company_name), c.domain, 'company exists more than once'
        FROM marketing.company_master c
        JOIN intake.company_raw_intake r ON r.import_batch_id = %(batch)s AND r.domain = c.domain
             AND r.company_name_key = c.company_name_key
        GROUP BY c.domain, c.company_name_key HAVING count(DISTINCT c.company_unique_id) > 1
        ORDER BY 1
        """,
        "Materialize company_master for this batch again. A company that exists twice means its identity constraint "
        "was dropped: restore company_master_identity and delete the newer row.",
    ),
    Rule(
        "three_slots_per_company",
        "company_slots",
        "Every company of the batch has exactly one CEO, one CFO and one HR slot.",
        """
        SELECT b.company_unique_id AS record_id, c.company_name, count(s.*) AS slots,
               coalesce(string_agg(s.slot_type, ', ' ORDER BY s.slot_type), 'none') AS present
        FROM marketing.company_batches b
        JOIN marketing.company_master c USING (company_unique_id)
        LEFT JOIN marketing.company_slots s USING (company_unique_id)
        WHERE b.import_batch_id = %(batch)s
        GROUP BY b.company_unique_id, c.company_name
        HAVING count(s.*) <> 3 OR count(DISTINCT s.slot_type) <> 3
        ORDER BY 1
        """,
        "Materialize company_slots for this batch: it restores missing slots under their own IDs.",
    ),
    Rule(
        "slot_barton_ids",
        "company_slots",
        "Every slot ID has the grammar 04.04.05.SS.NNNNN.VVV and follows its company's ID.",
        f"""
        SELECT s.company_slot_unique_id AS record_id, s.company_unique_id, s.slot_type
        FROM marketing.company_slots s JOIN marketing.company_batches b USING (company_unique_id)
        WHERE b.import_batch_id = %(batch)s
          AND (s.company_slot_unique_id !~ '{PATTERNS[Entity.SLOT]}'
               OR substr(s.company_slot_unique_id, 9, 9) <> substr(s.company_unique_id, 9, 9))
        ORDER BY 1
        """,
        "Somebody changed these IDs behind the pipeline. A slot's ID is its company's with department 05 and version "
        "001 (CEO), 002 (CFO) or 003 (HR): set it back.",
    ),
    Rule(
        "person_barton_ids",
        "enriched_contacts",
        "Every person ID has the grammar 04.04.02.SS.NNNNN.VVV and was given by the pipeline.",
        f"""
        SELECT p.person_unique_id AS record_id, p.company_unique_id
        FROM marketing.people_master p JOIN marketing.company_batches b USING (company_unique_id)
        WHERE b.import_batch_id = %(batch)s
          AND (p.person_unique_id !~ '{PATTERNS[Entity.PERSON]}'
               OR NOT EXISTS (SELECT FROM marketing.barton_id_history h
                              WHERE h.barton_id = p.person_unique_id AND h.change = 'given'))
        ORDER BY 1
        """,
        "Somebody changed these IDs behind the pipeline. Restore each from marketing.barton_id_history (or a backup).",
    ),
    Rule(
        "every_company_scored",
        "sniper_targets",
        "Every company of the batch has a PLE and a BIT score.",
        """
        SELECT c.company_unique_id AS record_id, c.company_name
        FROM marketing.company_master c JOIN marketing.company_batches b USING (company_unique_id)
        WHERE b.import_batch_id = %(batch)s
          AND (NOT EXISTS (SELECT FROM marketing.ple_results r WHERE r.company_id = c.company_unique_id)
               OR NOT EXISTS (SELECT FROM marketing.bit_results r WHERE r.company_id = c.company_unique_id))
        ORDER BY 1
        """,
        "Materialize bit_scores and ple_scores for this batch again.",
        blocking=False,
    ),
]


def check_rule(connection: Connection, rule: Rule, batch: str) -> dg.AssetCheckResult:
    """Run one rule on one batch in a transaction; a failure shows sample rows and lands in the error log."""
    with connection, connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(
            f"SELECT *, count(*) OVER () AS offending_rows FROM ({rule.offenders}) AS offenders LIMIT {SAMPLE_ROWS}",
            {"batch": batch},
        )
        rows = [dict(row) for row in cursor.fetchall()]
        if not rows:
            return dg.AssetCheckResult(passed=True, description=rule.description)
        return _failure(connection, rule, batch, rows)


def _failure(connection: Connection, rule: Rule, batch: str, rows: list[dict[str, Any]]) -> dg.AssetCheckResult:
    offending = int(rows[0]["offending_rows"])
    samples = [{name: value for name, value in row.items() if name != "offending_rows"} for row in rows]
    named = ", ".join(str(row["record_id"]) for row in samples)
    message = f"{offending} row(s) of batch {batch} break {rule.name}: {named}{' …' if offending > len(rows) else ''}"
    error_log.log_error(
        connection,
        f"check_{rule.name}",
        f"{message}. {rule.remedy}",
        batch=batch,
        record_id=str(samples[0]["record_id"]),
        details={"sample": samples, "rows": offending},
        severity="critical" if rule.blocking else "error",
    )
    return dg.AssetCheckResult(
        passed=False,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{message}. {rule.remedy}",
        metadata={
            "offending_rows": offending,
            "sample": dg.MetadataValue.json([{k: str(v) for k, v in row.items()} for row in samples]),
            "remedy": rule.remedy,
        },
    )


def _asset_check(rule: Rule) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        name=rule.name,
        asset=rule.asset,
        description=rule.description,
        blocking=rule.blocking,
        partitions_def=import_batches,
    )
    def run_rule(context: dg.AssetCheckExecutionContext, database: Database) -> dg.AssetCheckResult:
        runs = stage_runs(context)
        with database.connection() as connection:
            results = {run.import_batch_id: check_rule(connection, rule, run.import_batch_id) for run in runs}
        red = [result for result in results.values() if not result.passed]
        if red and rule.blocking:
            _end_runs(runs, results, rule, database)
        return red[0] if red else next(iter(results.values()))

    return run_rule


def _end_runs(
    runs: Sequence[StageRun], results: Mapping[str, dg.AssetCheckResult], rule: Rule, database: Database
) -> None:
    """A red check ends the Dagster run: failed batches go back to the queue, the others of a backfill go on from here."""
    for run in runs:
        result = results[run.import_batch_id]
        if not result.passed:
            with database.transaction() as connection:
                events.fail(connection, run.lease_token, f"check {rule.name}: {result.description}")
        elif len(runs) > 1:
            finish_and_queue_rest(run, rule.asset)


def _expectation_check(suite: str, asset: str, description: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        name=f"gx_{suite}",
        asset=asset,
        description=description,
        blocking=False,
        partitions_def=import_batches,
    )
    def run_suite(context: dg.AssetCheckExecutionContext, database: Database) -> dg.AssetCheckResult:
        # imported here because it takes seconds that every run of the pipeline would pay
        if context.run.tags.get(KIND_TAG) == EXPECTATIONS_KIND:
            # a process of its own that nobody waits for: runs that somebody waits for go first
            os.setpriority(os.PRIO_PROCESS, 0, 10)
        from barton_pipeline.orchestration import expectations

        outcome = expectations.validate(suite, context.partition_key)
        if not outcome.passed:
            with database.transaction() as connection:
                error_log.log_error(
                    connection,
                    f"check_gx_{suite}",
                    outcome.summary,
                    batch=context.partition_key,
                    details=outcome.details,
                )
        return dg.AssetCheckResult(
            passed=outcome.passed,
            severity=dg.AssetCheckSeverity.WARN,
            description=outcome.summary,
            metadata={"expectations": dg.MetadataValue.json(outcome.details)},
        )

    return run_suite


ALL_CHECKS = [_asset_check(rule) for rule in RULES]
EXPECTATION_CHECKS = [
    _expectation_check("intake", "validated_companies", "Great Expectations suite of the intake table."),
    _expectation_check("master", "company_master", "Great Expectations suite of the company master."),
]
