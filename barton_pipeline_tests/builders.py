"""Rows for tests, and running stages without Dagster."""

import uuid
from typing import Any

from barton_pipeline import enrichment, validation, verification
from barton_pipeline.scoring import bit, ple, targets
from barton_pipeline.stages import STAGES, StageRun, run_stage, sql_stage

WORK = {
    "raw_intake": sql_stage("raw_intake"),
    "validated_companies": validation.run,
    "company_master": sql_stage("company_master"),
    "company_slots": sql_stage("company_slots"),
    "enriched_contacts": enrichment.run,
    "verified_emails": verification.run,
    "bit_scores": bit.run,
    "ple_scores": ple.run,
    "sniper_targets": targets.run,
}
BUY = {"enriched_contacts": enrichment.buy, "verified_emails": verification.buy}


def insert_companies(db: Any, batch: str, count: int, first: int = 1) -> None:
    """Valid companies, each on a domain of its own."""
    db.execute(
        """
        INSERT INTO intake.company_raw_intake (company, website, import_batch_id)
        SELECT 'Company ' || n || ' Inc', 'https://www.company' || n || '.com', %s FROM generate_series(%s, %s) AS n
        """,
        batch,
        first,
        first + count - 1,
    )


def break_rows(db: Any, table: str, condition: str = "true") -> None:
    """A defect that some rows of ``table`` bring to light: writing one of which the condition on NEW is true fails."""
    db.execute(
        f"""
        CREATE FUNCTION defect() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM 1 / CASE WHEN {condition} THEN 0 ELSE 1 END; RETURN NEW; END $$;
        CREATE TRIGGER defect BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION defect()
        """
    )


def mend(db: Any, table: str) -> None:
    """Undo break_rows."""
    db.execute(f"DROP TRIGGER defect ON {table}; DROP FUNCTION defect()")


def stage_run(batch: str, stages: tuple[str, ...] = STAGES, token: str | None = None) -> StageRun:
    """A run started by hand, or for claimed events when a token is given."""
    run_id = str(uuid.uuid4())
    return StageRun(
        batch, run_id, token or run_id, token is not None, frozenset(stages), "event" if token else "manual"
    )


def run_stages(batch: str, stages: tuple[str, ...] = STAGES, token: str | None = None) -> dict[str, dict[str, Any]]:
    """Run stages in order as one run; counts by stage."""
    run = stage_run(batch, stages, token)
    return {stage: run_stage(run, stage, WORK[stage], BUY.get(stage)) for stage in stages}
