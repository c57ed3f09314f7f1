"""How things stand: all batches and the queue, or one batch."""

from dataclasses import dataclass

from psycopg2.extensions import connection as Connection

from barton_pipeline.reports.batches import (
    Batch,
    BatchStage,
    Reason,
    WaitingPeople,
    count_reasons,
    count_waiting_people,
    list_batches,
    list_stages,
)
from barton_pipeline.reports.errors import list_errors
from barton_pipeline.reports.queue import PendingEvents, QueueHealth, list_pending, measure_queue

# More open errors than this are not counted.
ERRORS_COUNTED = 1000


@dataclass(frozen=True)
class Overview:
    """The newest batches, the pending events by type, the queue in numbers, and how many errors are open (1000: or more)."""

    batches: tuple[Batch, ...]
    queue: tuple[PendingEvents, ...]
    queue_health: QueueHealth
    open_errors: int


@dataclass(frozen=True)
class BatchReport:
    """One batch: what each stage made of it, why its rows were rejected or corrected, and who waits for a company."""

    stages: tuple[BatchStage, ...]
    reasons: tuple[Reason, ...]
    waiting_people: WaitingPeople


def overview(connection: Connection) -> Overview:
    """How things stand now."""
    return Overview(
        tuple(list_batches(connection)),
        tuple(list_pending(connection)),
        measure_queue(connection),
        len(list_errors(connection, limit=ERRORS_COUNTED)),
    )


def report_batch(connection: Connection, import_batch_id: str) -> BatchReport:
    """How one batch stands; empty of numbers and reasons when there is no such batch."""
    return BatchReport(
        tuple(list_stages(connection, import_batch_id)),
        tuple(count_reasons(connection, import_batch_id)),
        count_waiting_people(connection, import_batch_id),
    )
