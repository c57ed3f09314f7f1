"""Buying answers: adopt what others left, reserve, send, until every input is answered or has a reason to wait.

Belongs here: the loop that all paid stages share. Not here: what to buy (``enrichment``, ``verification``), the ledger's SQL
(``outbound``), the vendors' protocols.
"""

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from psycopg2.extensions import connection as Connection

from barton_pipeline import error_log
from barton_pipeline.outbound import budgets, holds, ledger, requests
from barton_pipeline.outbound import settings as outbound_settings
from barton_pipeline.outbound.budgets import Buyer
from barton_pipeline.outbound.ledger import Input, Missing
from barton_pipeline.outbound.requests import Request, Reservation
from barton_pipeline.outbound.wire import OutboundError
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.vendors import registry, settings
from barton_pipeline.vendors.registry import Round, Vendor
from barton_pipeline.vendors.settings import Access, PaidOperation

# A vendor that takes requests and answers none of their inputs is asked no more often than this in a row.
_ROUNDS_IN_VAIN = 1

More = Callable[[], Sequence[Input]]


@dataclass
class Purchase:
    """One stage's buying for one batch. ``still_mine`` raises when the run has lost its batch: then nothing more is sent."""

    import_batch_id: str
    run_id: str
    still_mine: Callable[[], None]
    notes: dict[str, Any] = field(default_factory=dict)
    token: str = field(default_factory=lambda: str(uuid.uuid4()))
    _waiting: dict[str, bool] = field(default_factory=dict)

    def buy(self, operation_name: str, inputs: Sequence[Input], more: More | None = None) -> bool:
        """Buy answers for the inputs as far as budgets and the vendor allow; whether there are new answers.

        ``more`` is asked for further inputs, those that follow from the answers so far, while the last ones are under way.
        What waits is written to vendor_holds with the reason; what was done to ``notes``. Only a programming error, or a
        batch that is no longer ours, raises: a vendor in trouble must not fail the stage.
        """
        operation = settings.rules().operations[operation_name]
        access = registry.access(operation.vendor)
        if access is None:
            if inputs:
                self.notes[operation_name] = f"skipped: {operation.vendor} has no key ({len(inputs)} inputs)"
            return False
        if operation_name not in self._waiting:
            with transaction() as connection:
                holds.release_holds(connection, self.import_batch_id, operation)
        errand = _Errand(self, operation, access, list(inputs), more)
        with _heartbeat(self.token):
            errand.run()
        self._write_holds(operation, errand.missing, errand.trouble)
        self._waiting[operation_name] = bool(errand.trouble or errand.missing.held)
        with transaction() as connection:
            budget = settings.rules().budgets[operation.vendor]
            budgets.warn_about_budgets(connection, operation.vendor, access.environment, budget, self.import_batch_id)
        return errand.progress

    def is_waiting(self, operation_name: str) -> bool:
        """Whether the last purchase had to stop: asking for more would not help now."""
        return self._waiting.get(operation_name, False)

    def schedule_retry(self, operation_name: str, reason: str, inputs: int, message: str, wait: timedelta) -> None:
        """Have the batch queued again after ``wait``, to ask once more about so many inputs."""
        with transaction() as connection:
            operation = settings.rules().operations[operation_name]
            holds.hold(connection, self.import_batch_id, operation, reason, inputs, message, retry_in=wait)

    def _write_holds(self, operation: PaidOperation, missing: Missing, trouble: str) -> None:
        with transaction() as connection:
            if trouble:
                self._hold(connection, operation, "vendor_trouble", max(missing.held, 1), trouble)
                error_log.log_error(
                    connection,
                    "vendor_trouble",
                    f"{operation.name} for batch {self.import_batch_id}: {trouble} Nothing is lost or paid twice; it is tried "
                    "again by itself.",
                    batch=self.import_batch_id,
                    record_id=operation.name,
                    severity="error",
                )
                self.notes[operation.name] = f"waiting: {trouble}"
            elif missing.held:
                self._hold(connection, operation, missing.reason, missing.held, missing.message)
                self.notes[operation.name] = f"{missing.held} inputs wait: {missing.message}"
            if missing.in_flight:
                message = "was asked already, by this or another batch; the answer is not there yet"
                self._hold(connection, operation, "in_flight", missing.in_flight, message)

    def _hold(self, connection: Connection, operation: PaidOperation, reason: str, inputs: int, message: str) -> None:
        holds.hold(connection, self.import_batch_id, operation, reason, inputs, message)


class _Errand:
    """One call of ``Purchase.buy``. After ``run``: whether there are new answers, what the trouble was, what is missing."""

    def __init__(
        self,
        purchase: Purchase,
        operation: PaidOperation,
        access: Access,
        inputs: list[Input],
        more: More | None,
    ) -> None:
        self.purchase = purchase
        self.operation = operation
        self.access = access
        self.inputs = inputs
        self.more = more
        self.client = registry.find(operation.vendor)(access, purchase.token)
        self.progress = False
        self.trouble = ""
        self.missing = Missing()

    def run(self) -> None:
        """Rounds until every input is answered, there is no room for more, or the vendor is in trouble."""
        in_vain = 0
        try:
            while not self.trouble:
                self.progress = self._adopt_abandoned() or self.progress
                self.missing = self.count_missing(self.inputs)
                if not self.missing.held:
                    break
                offer = _Offer(self, self.client.new_round(self.operation))
                reservation = offer.reserve()
                self.missing = reservation.missing
                if not reservation.requests:
                    break
                self.trouble = _perform(self.client, reservation.requests, offer.reserve_further)
                self.progress = True
                unanswered = self.count_missing(offer.reserved).held
                in_vain = in_vain + 1 if unanswered == len(offer.reserved) else 0
                if in_vain > _ROUNDS_IN_VAIN and not self.trouble:
                    self.trouble = f"{self.operation.vendor} leaves {unanswered} inputs without an answer"
        except OutboundError as error:
            self.trouble = str(error)
        if self.trouble:
            self.missing = self.count_missing(self.inputs)

    def count_missing(self, inputs: Sequence[Input]) -> Missing:
        """How many of the inputs have no answer now."""
        with transaction() as connection:
            return ledger.count_missing(connection, self.operation, self.access.environment, inputs)

    def _adopt_abandoned(self) -> bool:
        """Finish what an ended process, or a lost connection of ours, has left; whether there was anything."""
        with transaction() as connection:
            abandoned = requests.adopt_abandoned(
                connection, self.operation, self.access.environment, self.purchase.token
            )
        if abandoned:
            self.client.resume(abandoned)
        return bool(abandoned)


@dataclass
class _Offer:
    """One round: every input is reserved at most once in it, as soon as there is room."""

    errand: _Errand
    round: Round
    reserved: list[Input] = field(default_factory=list)

    def reserve_further(self) -> Sequence[Request]:
        """Further requests, while the last ones are under way: inputs for which there was no room, then ``more``."""
        if self.errand.more is not None:
            self.errand.inputs += self.errand.more()
        return self.reserve().requests if self._open_inputs() else ()

    def reserve(self) -> Reservation:
        """Reserve what is still wanted of the inputs that were not reserved in this round."""
        errand = self.errand
        open_inputs = self._open_inputs()
        errand.purchase.still_mine()
        shape = self.round.shape(lambda: errand.count_missing(open_inputs).held, len(self.reserved))
        if shape is None:
            return Reservation()
        buyer = Buyer(errand.purchase.import_batch_id, errand.purchase.run_id, errand.purchase.token)
        budget = settings.rules().budgets[errand.operation.vendor]
        with transaction() as connection:
            reservation = requests.reserve(
                connection, errand.operation, errand.access.environment, budget, open_inputs, buyer, shape
            )
        keys = {key for request in reservation.requests for key in request.inputs}
        self.reserved += [item for item in open_inputs if item.key in keys]
        return reservation

    def _open_inputs(self) -> list[Input]:
        known = {item.key for item in self.reserved}
        return [item for item in self.errand.inputs if item.key not in known]


def _perform(client: Vendor, first: Sequence[Request], reserve_further: Callable[[], Sequence[Request]]) -> str:
    """Send them all, some at once, and what ``reserve_further`` gives when few are left; the first trouble in words.

    One that fails does not stop the others: each is fenced. But nothing follows a failed one.
    """
    threads = outbound_settings.rules().threads
    troubles: list[str] = []
    with ThreadPoolExecutor(max_workers=threads) as pool:
        try:
            pending: set[Future[None]] = {pool.submit(client.perform, request) for request in first}
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                troubles += [str(error) for future in done if (error := _outbound_error(future))]
                # asking takes a moment, in which those that are left keep the vendor busy
                if not troubles and len(pending) <= 2 * threads:
                    pending |= {pool.submit(client.perform, request) for request in reserve_further()}
        except OutboundError as error:
            troubles.append(str(error))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return troubles[0] if troubles else ""


def _outbound_error(future: Future[None]) -> OutboundError | None:
    """What the vendor did wrong; raises whatever else went wrong."""
    try:
        future.result()
    except OutboundError as error:
        return error
    return None


@contextmanager
def _heartbeat(token: str) -> Iterator[None]:
    """Keep the leases of all open requests of the token."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(outbound_settings.rules().heartbeat_seconds):
            # a missed beat is not an error: the fence before sending decides
            with suppress(Exception), transaction() as connection:
                requests.extend_leases(connection, token)

    thread = threading.Thread(target=beat, name="leases of paid requests", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
