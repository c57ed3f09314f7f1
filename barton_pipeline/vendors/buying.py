"""Buying answers: take up what others left, reserve, send, until every input is answered or has a reason to wait.

Belongs here: the loop that both paid stages share. Not here: what to buy (``enrichment``, ``verification``), the ledger's SQL,
the vendors' protocols.
"""

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from barton_pipeline import event_queue
from barton_pipeline.database import transaction
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

    def buy(self, operation_name: str, inputs: Sequence[Input]) -> bool:
        """Buy answers for the inputs as far as budgets and the vendor allow; whether there are new answers.

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
            progress, trouble, last = self._until_done(operation, reached, buyer, inputs)
        self._write_holds(operation, last, trouble)
        self._waiting[operation_name] = bool(trouble or last.held)
        with transaction() as connection:
            ledger.warn_about_budgets(connection, operation.vendor, reached.environment, buyer)
        return progress

    def is_waiting(self, operation_name: str) -> bool:
        """Whether the last purchase had to stop: asking for more would not help now."""
        return self._waiting.get(operation_name, False)

    def _until_done(
        self, operation: Operation, reached: Access, buyer: Buyer, inputs: Sequence[Input]
    ) -> tuple[bool, str, Reservation]:
        """(new answers, what the vendor's trouble was, how the inputs stand at the end)."""
        client: Client = (Apify if operation.vendor == "apify" else MillionVerifier)(reached, self.token)
        progress, trouble, in_vain = False, "", 0
        last, unanswered = Reservation(), None
        try:
            while not trouble:
                progress = self._take_up(client, operation, reached) or progress
                last = self._standing(operation, reached, inputs)
                in_vain = in_vain + 1 if unanswered is not None and last.held >= unanswered else 0
                unanswered = last.held
                if in_vain > _ROUNDS_IN_VAIN:
                    trouble = f"{operation.vendor} leaves {unanswered} inputs without an answer"
                if not unanswered or trouble:
                    break
                self.still_mine()
                last = self._reserve(client, operation, reached, buyer, inputs, unanswered)
                if not last.requests:
                    break
                trouble = _perform(client, last.requests)
                progress = True
        except VendorError as error:
            trouble = str(error)
        if trouble:
            last = self._standing(operation, reached, inputs)
        return progress, trouble, last

    def _take_up(self, client: Client, operation: Operation, reached: Access) -> bool:
        """Finish what an ended process, or a lost connection of ours, has left; whether there was anything."""
        with transaction() as connection:
            left_behind = ledger.take_up(connection, operation, reached.environment, self.token)
        if left_behind:
            client.resume(left_behind)
        return bool(left_behind)

    def _standing(self, operation: Operation, reached: Access, inputs: Sequence[Input]) -> Reservation:
        with transaction() as connection:
            return ledger.standing(connection, operation, reached.environment, inputs)

    def _reserve(
        self,
        client: Client,
        operation: Operation,
        reached: Access,
        buyer: Buyer,
        inputs: Sequence[Input],
        unanswered: int,
    ) -> Reservation:
        options: dict[str, Any] = {"body": lambda keys: actor_input(operation, keys)}
        if isinstance(client, MillionVerifier):
            options = self._verification_options(client, unanswered)
        with transaction() as connection:
            return ledger.reserve(connection, operation, reached.environment, inputs, buyer, **options)

    def _verification_options(self, client: MillionVerifier, wanted: int) -> dict[str, Any]:
        """Few addresses go one by one, many as a file; never more than there are credits, which are kept for reconciliation."""
        credits = client.credits()
        if credits == 0:
            raise Refused("MillionVerifier has no credits left: buy some; the batch goes on by itself")
        settings = rules()["million_verifier"]
        if wanted >= settings["single_below"]:
            limit = min(credits, operations()["verify_email"].inputs_per_request)
            at_once = {"at_once": 1} if credits < wanted else {}
            return {"body": lambda keys: {"mode": "bulk", "credits": credits}, "inputs_per_request": limit, **at_once}
        return {
            "body": lambda keys: {"mode": "single", "credits": credits},
            "inputs_per_request": 1,
            "at_once": min(credits, settings["single_reserved"]),
        }

    def _write_holds(self, operation: Operation, last: Reservation, trouble: str) -> None:
        with transaction() as connection:
            if trouble:
                ledger.hold(connection, self.import_batch_id, operation, "vendor_trouble", max(last.held, 1), trouble)
                event_queue.log_error(
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


def _perform(client: Client, requests: Sequence[Request]) -> str:
    """Send them all, some at once; the first trouble in words. One that fails does not stop the others: each is fenced."""
    workers = min(len(requests), rules()["million_verifier"]["single_at_once"])
    with ThreadPoolExecutor(max_workers=workers) as pool:
        futures = [pool.submit(client.perform, request) for request in requests]
    troubles = []
    for future in futures:
        try:
            future.result()
        except VendorError as error:
            troubles.append(str(error))
    return troubles[0] if troubles else ""


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
