"""Actions on batches: load a file, try again what failed, start over, run again under new rules, undo."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection

from barton_pipeline.actions.audit import Actor, carry_out, carry_out_in_steps
from barton_pipeline.batch_keys import check_batch_key
from barton_pipeline.companies.matching import LoadedCompanies, judge_loaded
from barton_pipeline.error_log import ErrorFilter
from barton_pipeline.errors import InputError
from barton_pipeline.intake.loading import LoadReport, Progress, read_file
from barton_pipeline.intake.readers import ReadOptions
from barton_pipeline.operations.undo import undo_batch
from barton_pipeline.queue import events, upkeep
from barton_pipeline.reports.batches import check_known_batch, list_batch_keys

# Runs the batches, tells how many are done after each run, and returns the runs that had a problem.
RunBatches = Callable[[Sequence[str], Callable[[int], None]], list[dict[str, Any]]]


@dataclass(frozen=True)
class Loaded:
    """What became of a file, and what its companies are: None unless asked for, and for other kinds of rows."""

    report: LoadReport
    companies: LoadedCompanies | None


def load(
    connection: Connection | None,
    actor: Actor,
    file: Path,
    *,
    kind: str | None = None,
    import_batch_id: str | None = None,
    columns: Mapping[str, str] | None = None,
    options: ReadOptions | None = None,
    judge: bool = False,
    progress: Progress | None = None,
    reason: str | None = None,
    shown_count: int | None = None,
    apply: bool = True,
) -> Loaded:
    """Load a file (``intake.loading.read_file``); its rows start the pipeline by themselves.

    One transaction that is as long as the file. With ``judge`` company rows are judged as the stages would judge them now, which
    takes about as long again. Done are rows.
    """
    parameters = {
        "file": str(file),
        "kind": kind,
        "import_batch_id": import_batch_id,
        "columns": dict(columns) if columns else None,
    }
    with carry_out(connection, actor, "load", parameters, reason=reason, shown_count=shown_count, apply=apply) as work:
        report = read_file(
            work.connection, file, kind=kind, batch=import_batch_id, columns=columns, options=options, progress=progress
        )
        work.parameters |= {
            "kind": report.kind,
            "import_batch_id": report.batch,
            "already_loaded": report.already_loaded,
        }
        work.done = 0 if report.already_loaded else report.loaded
        judged = judge and (report.kind == "companies" or report.companies > 0) and not report.already_loaded
        return Loaded(report, judge_loaded(work.connection, report.batch) if judged else None)


@dataclass(frozen=True)
class Retried:
    """What was given a fresh start: events, their batches, rows set aside; ``errors`` were closed.

    ``started_over``: the batch had no failed events and is queued to run again from the start.
    """

    events: int
    batches: tuple[str, ...]
    rows: int
    errors: int
    started_over: bool


def retry(
    connection: Connection | None,
    actor: Actor,
    *,
    import_batch_id: str | None = None,
    event_ids: Sequence[int] | None = None,
    errors: ErrorFilter | None = None,
    every: bool = False,
    or_start_over: bool = False,
    reason: str | None = None,
    shown_count: int | None = None,
    apply: bool = True,
) -> Retried:
    """Requeue dead letters: those of a batch, of a list of events, of the open errors that a filter means, or ``every`` one.

    ``or_start_over`` queues a batch without dead letters to run again from the start. One transaction; done are events.
    Raises InputError for an unknown batch, unless exactly one set is given, and when the errors tell of no dead letter.
    """
    given = [import_batch_id is not None, event_ids is not None, errors is not None, every]
    if sum(given) != 1:
        raise InputError("Name one batch, a list of events, the errors, or say that every dead letter is meant.")
    parameters = {
        "import_batch_id": import_batch_id,
        "event_ids": None if event_ids is None else list(event_ids),
        "errors": None if errors is None else errors.to_dict(),
        "every": every,
    }
    with carry_out(connection, actor, "retry", parameters, reason=reason, shown_count=shown_count, apply=apply) as work:
        if import_batch_id is not None:
            check_known_batch(work.connection, check_batch_key(import_batch_id))
        if errors is not None:
            event_ids = upkeep.events_of_errors(work.connection, errors)
            if not event_ids:
                raise InputError(
                    "No open error that is meant tells of an event that can be tried again; see barton errors. "
                    "Fix the cause, then close it: barton errors --resolve ID"
                )
        requeued = upkeep.requeue(work.connection, import_batch_id, event_ids)
        started_over = or_start_over and import_batch_id is not None and not requeued.events
        if started_over:
            assert import_batch_id is not None
            events.continue_at(work.connection, "raw_intake", import_batch_id)
        work.done = requeued.events
        work.parameters["started_over"] = started_over
        return Retried(requeued.events, requeued.batches, requeued.rows, requeued.errors, started_over)


@dataclass(frozen=True)
class StartedOver:
    """A batch that is queued to run again from its first stage."""

    import_batch_id: str


def start_over(
    connection: Connection | None,
    actor: Actor,
    import_batch_id: str,
    *,
    reason: str | None = None,
    shown_count: int | None = None,
    apply: bool = True,
) -> StartedOver:
    """Queue a batch to run again from the start. One transaction. Raises InputError for an unknown batch."""
    parameters = {"import_batch_id": import_batch_id}
    with carry_out(
        connection, actor, "start_over", parameters, reason=reason, shown_count=shown_count, apply=apply
    ) as work:
        check_known_batch(work.connection, check_batch_key(import_batch_id))
        events.continue_at(work.connection, "raw_intake", import_batch_id)
        work.done = 1
        return StartedOver(import_batch_id)


@dataclass(frozen=True)
class Backfilled:
    """The batches that were run again, and the runs that had a problem: from, to, run_id, problem."""

    batches: tuple[str, ...]
    problems: tuple[dict[str, Any], ...]


def backfill(
    connection: Connection | None,
    actor: Actor,
    run: RunBatches,
    *,
    import_batch_ids: Sequence[str] = (),
    match: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    reason: str | None = None,
    shown_count: int | None = None,
    apply: bool = True,
) -> Backfilled:
    """Run batches through all stages again: those named, or all whose key matches the pattern.

    ``run`` starts Dagster runs, of many transactions each: no preview can run them, it tells the batches only. ``progress`` gets
    (batches done, batches in all). Done are batches. Raises InputError when a batch is unknown or none matches.
    """
    parameters: dict[str, Any] = {"import_batch_ids": list(import_batch_ids), "match": match}
    with carry_out_in_steps(
        connection, actor, "backfill", parameters, reason=reason, shown_count=shown_count, apply=apply
    ) as work:
        with work.connection:
            for batch in import_batch_ids:
                check_known_batch(work.connection, check_batch_key(batch))
            found = [] if match is None else list_batch_keys(work.connection)
        wanted = tuple(import_batch_ids) or tuple(key for key in found if fnmatchcase(key, match or ""))
        if not wanted:
            raise InputError(f"No batch matches {match or ''!r}; see the batches with: barton status")
        done = 0

        def tell(batches: int) -> None:
            nonlocal done
            done += batches
            progress(done, len(wanted))

        problems = run(wanted, tell) if apply else []
        work.done = len(wanted)
        work.parameters |= {"batches": len(wanted), "problems": len(problems)}
        return Backfilled(wanted, tuple(problems))


@dataclass(frozen=True)
class Place:
    """How many rows of one place are concerned."""

    place: str
    n: int


@dataclass(frozen=True)
class Undone:
    """What only the batch had brought and is gone, place by place; 'companies that stay' are told as well."""

    import_batch_id: str
    places: tuple[Place, ...]


def undo(
    connection: Connection | None,
    actor: Actor,
    import_batch_id: str,
    *,
    reason: str | None = None,
    shown_count: int | None = None,
    apply: bool = True,
) -> Undone:
    """Remove what only this batch brought; IDs stay retired, paid answers stay. One transaction; done are rows removed.

    Raises InputError when there is nothing to undo or a run is at work on it.
    """
    parameters = {"import_batch_id": import_batch_id}
    with carry_out(connection, actor, "undo", parameters, reason=reason, shown_count=shown_count, apply=apply) as work:
        removed = undo_batch(work.connection, check_batch_key(import_batch_id), reason or "on request")
        places = tuple(Place(**row) for row in removed)
        work.done = sum(place.n for place in places if place.place != "companies that stay")
        work.parameters["places"] = {place.place: place.n for place in places if place.n}
        return Undone(import_batch_id, places)
