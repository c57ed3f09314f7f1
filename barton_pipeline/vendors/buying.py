"""Buying answers: take up what others left, reserve, send, until every input is answered or has a reason to wait.

Belongs here: the loop that both paid stages share. Not here: what to buy (``enrichment``, ``verification``), the ledger's SQL,
the vendors' protocols.
"""

import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from barton_pipeline import error_log
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.vendors import ledger
from barton_pipeline.vendors.apify import Apify, actor_input
from barton_pipeline.vendors.ledger import Buyer, Input, Request, Reservation
from barton_pipeline.vendors.million_verifier import MillionVerifier
from barton_pipeline.vendors.settings import Access, Operation, access, operations, rules
from barton_pipeline.vendors.wire import Refused, VendorError

Client = Apify | MillionVerifier

# A vendor that takes requests and answers none of their inputs is asked no more often than this in a row.
_ROUNDS_IN_VAIN = 1


@dataclass
class Shopping:
    """One stage's buying for one batch. ``still_mine`` raises when the run has lost its batch: then nothing more is sent."""

    import_batch_id: str
    run_id: str
    still_mine: Callable[[], None]
    notes: dict[str, Any] = field(default_factory=dict)
    token: str = field(default_factory=lambda: str(uuid.uuid4()))
    _waiting: dict[str, bool] = field(default_factory=dict)

    def buy(
        self, operation_name: str, inputs: Sequence[Input], more: Callable[[], Sequence[Input]] | None = None
    ) -> bool:
        """Buy answers for the inputs as far as budgets and the vendor allow; whether there are new answers.

        ``more`` is asked for further inputs, those that follow from the answers so far, while the last ones are under way.
        What waits is written to vendor_holds with the reason; what was done to ``notes``. Only a programming error, or a
        batch that is no longer ours, raises: a vendor in trouble must not fail the stage.
        """
        operation = operations()[operation_name]
        reached = access(operation.vendor)
        if reached is None:
            if inputs:
                self.notes[operation_name] = f"skipped: {operation.vendor} has no key ({len(inputs)} inputs)"
            return False
        buyer = Buyer(self.import_batch_id, self.run_id, self.token)
        if operation_name not in self._waiting:
            with transaction() as connection:
                ledger.release_holds(connection, self.import_batch_id, operation)
        with _heartbeat(self.token):
            progress, trouble, last = self._until_done(operation, reached, buyer, list(inputs), more)
        self._write_holds(operation, last, trouble)
        self._waiting[operation_name] = bool(trouble or last.held)
        with transaction() as connection:
            ledger.warn_about_budgets(connection, operation.vendor, reached.environment, buyer)
        return progress

    def is_waiting(self, operation_name: str) -> bool:
        """Whether the last purchase had to stop: asking for more would not help now."""
        return self._waiting.get(operation_name, False)

    def _until_done(
        self,
        operation: Operation,
        reached: Access,
        buyer: Buyer,
        inputs: list[Input],
        more: Callable[[], Sequence[Input]] | None,
    ) -> tuple[bool, str, Reservation]:
        """(new answers, what the vendor's trouble was, how the inputs stand at the end)."""
        client: Client = (Apify if operation.vendor == "apify" else MillionVerifier)(reached, self.token)
        progress, trouble, in_vain = False, "", 0
        last = Reservation()
        try:
            while not trouble:
                progress = self._take_up(client, operation, reached) or progress
                last = _standing(operation, reached, inputs)
                if not last.held:
                    break
                offer = _Offer(self, client, operation, reached, buyer, inputs, more)
                last = offer.reserve()
                if not last.requests:
                    break
                trouble = _perform(client, last.requests, offer.go_on)
                progress = True
                unanswered = _standing(operation, reached, offer.reserved).held
                in_vain = in_vain + 1 if unanswered == len(offer.reserved) else 0
                if in_vain > _ROUNDS_IN_VAIN and not trouble:
                    trouble = f"{operation.vendor} leaves {unanswered} inputs without an answer"
        except VendorError as error:
            trouble = str(error)
        if trouble:
            last = _standing(operation, reached, inputs)
        return progress, trouble, last

    def _take_up(self, client: Client, operation: Operation, reached: Access) -> bool:
        """Finish what an ended process, or a lost connection of ours, has left; whether there was anything."""
        with transaction() as connection:
            left_behind = ledger.take_up(connection, operation, reached.environment, self.token)
        if left_behind:
            client.resume(left_behind)
        return bool(left_behind)

    def _write_holds(self, operation: Operation, last: Reservation, trouble: str) -> None:
        with transaction() as connection:
            if trouble:
                ledger.hold(connection, self.import_batch_id, operation, "vendor_trouble", max(last.held, 1), trouble)
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
            elif last.held:
                ledger.hold(connection, self.import_batch_id, operation, last.reason, last.held, last.message)
                self.notes[operation.name] = f"{last.held} inputs wait: {last.message}"
            if last.in_flight:
                message = "was asked already, by this or another batch; the answer is not there yet"
                ledger.hold(connection, self.import_batch_id, operation, "in_flight", last.in_flight, message)

    def come_back(self, operation_name: str, reason: str, inputs: int, message: str, wait: timedelta) -> None:
        """Have the batch queued again after ``wait``, to ask once more about so many inputs."""
        with transaction() as connection:
            operation = operations()[operation_name]
            ledger.hold(connection, self.import_batch_id, operation, reason, inputs, message, retry_in=wait)


def _standing(operation: Operation, reached: Access, inputs: Sequence[Input]) -> Reservation:
    with transaction() as connection:
        return ledger.standing(connection, operation, reached.environment, inputs)


@dataclass
class _Offer:
    """One round: every input is reserved at most once in it, as soon as there is room."""

    shopping: Shopping
    client: Client
    operation: Operation
    reached: Access
    buyer: Buyer
    inputs: list[Input]
    more: Callable[[], Sequence[Input]] | None
    reserved: list[Input] = field(default_factory=list)
    _balance: tuple[int, datetime] | None = None

    def go_on(self) -> list[Request]:
        """Further requests, while the last ones are under way: inputs for which there was no room, then ``more``."""
        if self.more is not None:
            self.inputs += self.more()
        known = {item.key for item in self.reserved}
        if all(item.key in known for item in self.inputs):
            return []
        return self.reserve().requests

    def reserve(self) -> Reservation:
        """Reserve what is still wanted of the inputs that were not reserved in this round."""
        known = {item.key for item in self.reserved}
        open_ = [item for item in self.inputs if item.key not in known]
        self.shopping.still_mine()
        options: dict[str, Any] = {"body": lambda keys: actor_input(self.operation, keys)}
        if isinstance(self.client, MillionVerifier):
            wanted = _standing(self.operation, self.reached, open_).held
            balance, moment = self._balance_before(self.client)
            credits = balance - len(self.reserved)
            if not wanted or credits <= 0:
                return Reservation()
            body = {"credits": balance, "credits_at": moment.isoformat()}
            options = _verification_options(wanted, credits, body)
        with transaction() as connection:
            reservation = ledger.reserve(
                connection, self.operation, self.reached.environment, open_, self.buyer, **options
            )
        keys = {key for request in reservation.requests for key in request.inputs}
        self.reserved += [item for item in open_ if item.key in keys]
        return reservation

    def _balance_before(self, client: MillionVerifier) -> tuple[int, datetime]:
        """(credits, when): read when the round begins, because then nothing of ours is under way; reconciliation needs it."""
        if self._balance is None:
            credits = client.credits()
            if credits == 0:
                raise Refused("MillionVerifier has no credits left: buy some; the batch goes on by itself")
            with transaction() as connection:
                self._balance = credits, ledger.now(connection)
        return self._balance


def _verification_options(wanted: int, credits: int, body: Mapping[str, Any]) -> dict[str, Any]:
    """Few addresses go one by one, many as a file; never more than there are credits."""
    settings = rules()["million_verifier"]
    if wanted >= settings["single_below"]:
        limit = min(credits, operations()["verify_email"].inputs_per_request)
        at_once = {"at_once": 1} if credits < wanted else {}
        return {"body": lambda keys: {"mode": "bulk", **body}, "inputs_per_request": limit, **at_once}
    return {
        "body": lambda keys: {"mode": "single", **body},
        "inputs_per_request": 1,
        "at_once": min(credits, settings["single_reserved"]),
    }


def _perform(client: Client, requests: Sequence[Request], go_on: Callable[[], Sequence[Request]]) -> str:
    """Send them all, some at once, and what ``go_on`` gives when few are left; the first trouble in words.

    One that fails does not stop the others: each is fenced. But nothing follows a failed one.
    """
    at_once = rules()["million_verifier"]["single_at_once"]
    troubles: list[str] = []
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        try:
            pending: set[Future[None]] = {pool.submit(client.perform, request) for request in requests}
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                troubles += [str(error) for future in done if (error := _vendor_error(future))]
                # asking takes a moment, in which those that are left keep the vendor busy
                if not troubles and len(pending) <= 2 * at_once:
                    pending |= {pool.submit(client.perform, request) for request in go_on()}
        except VendorError as error:
            troubles.append(str(error))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return troubles[0] if troubles else ""


def _vendor_error(future: Future[None]) -> VendorError | None:
    """What the vendor did wrong; raises whatever else went wrong."""
    try:
        future.result()
    except VendorError as error:
        return error
    return None


@contextmanager
def _heartbeat(token: str) -> Iterator[None]:
    """Keep the leases of all open requests of the token."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(rules()["timing"]["heartbeat_seconds"]):
            # a missed beat is not an error: the fence before sending decides
            with suppress(Exception), transaction() as connection:
                ledger.extend(connection, token)

    thread = threading.Thread(target=beat, name="leases of paid requests", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
