"""Rows that make their stage fail: found by halving, set aside, taken back (docs/explanation/event-protocol.md, Poison).

A row set aside has the verdict ``processing_failed``, a dead letter and an error of its own; stages read the views
``intake.…_to_process``, which leave it out. No dagster here, and no moving of a run's events: that is ``events``.
"""

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import psycopg2
from psycopg2.extensions import connection as Connection

from barton_pipeline import error_log
from barton_pipeline.errors import BartonError
from barton_pipeline.queue.events import continue_at

REASON = "processing_failed"
# What a row can be the cause of, by class of SQLSTATE: its data, a constraint, a limit of Postgres, a function that raises
# an exception, an internal error. Not: connections, locks, disk, cancellation, missing tables.
ROW_ERRORS = ("22", "23", "54", "P0", "XX")


@dataclass(frozen=True)
class Source:
    """An intake table whose rows a stage judges: the stage that does, and how a verdict is written and unmade (SET lists)."""

    table: str
    judged_by: str
    verdict: str
    no_verdict: str


def _judged(table: str, stage: str) -> Source:
    return Source(
        table,
        stage,
        f"outcome = 'invalid', judged_at = now(), outcome_reasons = '{{{REASON}}}'",
        "outcome = NULL, judged_at = NULL, outcome_reasons = '{}'",
    )


COMPANIES = Source(
    "intake.company_raw_intake",
    "validated_companies",
    f"validated = false, validated_at = now(), validation_reasons = '{{{REASON}}}', validation_notes = %(message)s",
    "validated = NULL, validated_at = NULL, validation_reasons = '{}', validation_notes = NULL",
)
PEOPLE = _judged("intake.people_raw_intake", "enriched_contacts")
SIGNALS = _judged("intake.signals_raw_intake", "bit_scores")
OUTCOMES = _judged("intake.outcomes_raw_intake", "ple_scores")
SOURCES = {source.table: source for source in (COMPANIES, PEOPLE, SIGNALS, OUTCOMES)}


def may_be_a_row(error: Exception) -> bool:
    """Whether looking for a row that causes the error makes sense."""
    if isinstance(error, BartonError):
        return False
    return not isinstance(error, psycopg2.Error) or (error.pgcode or "")[:2] in ROW_ERRORS


class _NotSingleRows(Exception):
    pass


def failing_rows(
    failure: Callable[[int, int], Exception | None], first: int, last: int, at_most: int
) -> dict[int, Exception]:
    """The rows of first to last that fail by themselves, with their errors.

    ``failure`` does the stage's work on a range of rows and nothing else, and returns its error. Empty when the work
    fails without any row or passes after all, when rows fail only together, and when more than ``at_most`` fail:
    then it is the stage that is at fault. Each row is worked on about twice.
    """
    found: dict[int, Exception] = {}

    def halve(first: int, last: int) -> None:
        middle = (first + last) // 2
        halves = [(half, failure(*half)) for half in ((first, middle), (middle + 1, last))]
        if not any(error for _, error in halves):
            raise _NotSingleRows
        for (start, end), error in halves:
            if error and start < end:
                halve(start, end)
            elif error:
                found[start] = error
                if len(found) > at_most:
                    raise _NotSingleRows

    if failure(last + 1, last):
        return {}
    try:
        halve(first, last)
    except _NotSingleRows:
        return {}
    return found


def row_bounds(connection: Connection, source: Source) -> tuple[int, int]:
    """The first and last id of the table; earlier rows of other batches may have waited for this one."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT coalesce(min(id), 0), coalesce(max(id), 0) FROM {source.table}")
        first, last = cursor.fetchone() or (0, 0)
    return first, last


def show_only(connection: Connection, first: int, last: int) -> None:
    """Until the transaction ends, the views show rows first to last."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('barton.first_row', %s, true), set_config('barton.last_row', %s, true)",
            (str(first), str(last)),
        )


def set_aside(connection: Connection, stage: str, source: Source, failures: Mapping[int, Exception]) -> None:
    """Give each row its verdict, a dead letter of its own, and an error that says what to do."""
    with connection.cursor() as cursor:
        for row, error in failures.items():
            cause = " ".join(str(error).split())[:1000] or type(error).__name__
            note = f"{stage} fails on this row: {cause}"
            cursor.execute(
                f"UPDATE {source.table} SET {source.verdict} WHERE id = %(row)s RETURNING import_batch_id",
                {"row": row, "message": note},
            )
            if (updated := cursor.fetchone()) is None:
                continue  # deleted meanwhile
            (batch,) = updated
            message = (
                f"Row {row} of {source.table} was set aside, the rest of batch {batch} goes on: {note}. "
                f"Correct the row or fix the cause, then run: barton retry {batch}"
            )
            event = continue_at(connection, source.judged_by, batch, record_id=str(row), set_aside=source.table)
            cursor.execute(
                "UPDATE marketing.pipeline_events SET status = 'failed', processed_at = now(), error_message = %s WHERE id = %s",
                (message[:2000], event),
            )
            details = {
                "table": source.table,
                "stage": stage,
                "event_id": event,
                "error_type": type(error).__name__,
                "traceback": "".join(traceback.format_exception(error))[-4000:],
            }
            error_log.log_error(connection, "row_set_aside", message, batch=batch, record_id=str(row), details=details)


def take_back(connection: Connection, table: str, rows: list[int]) -> None:
    """Unmake the verdicts, so that the stages see the rows again."""
    source = SOURCES[table]
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {source.no_verdict} WHERE id = ANY (%s::bigint[])", (rows,))
