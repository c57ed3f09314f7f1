"""Rows for tests, and running stages without Dagster."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from barton_pipeline.pipeline import BY_NAME, NAMES, stage_run
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.queue import events
from barton_pipeline.stages.lease import StageRun
from barton_pipeline.stages.runner import Stage, run_stage


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


def repair(db: Any, table: str) -> None:
    """Undo break_rows."""
    db.execute(f"DROP TRIGGER defect ON {table}; DROP FUNCTION defect()")


def claim_batch(db: Any, batch: str) -> events.Claim:
    """Everything due in a batch, accepted and committed. Fails when nothing is."""
    with transaction(db.url) as connection:
        claimed = events.accept(connection, batch)
    assert claimed is not None, f"batch {batch} has nothing due, or a run holds it"
    return claimed


def change_rules(monkeypatch: pytest.MonkeyPatch, module: ModuleType, **changes: Any) -> None:
    """Other values for some of a module's rules, the frozen dataclass that its function ``rules`` returns."""
    changed = replace(module.rules(), **changes)
    monkeypatch.setattr(module, "rules", lambda: changed)


def manual_run(batch: str, stages: tuple[str, ...] = NAMES, token: str | None = None) -> StageRun:
    """A run started by hand, or for claimed events when a token is given."""
    run_id = str(uuid.uuid4())
    return stage_run(
        batch, run_id, token or run_id, token is not None, frozenset(stages), "event" if token else "manual"
    )


def stage_with(name: str, work: Callable[..., dict[str, Any]]) -> Stage:
    """A stage of the pipeline that does something else, and buys nothing."""
    return replace(BY_NAME[name], work=work, buy=None)


def run_stages(batch: str, stages: tuple[str, ...] = NAMES, token: str | None = None) -> dict[str, dict[str, Any]]:
    """Run stages in order as one run; counts by stage."""
    run = manual_run(batch, stages, token)
    return {stage: run_stage(run, BY_NAME[stage]) for stage in stages}
