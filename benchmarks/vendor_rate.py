"""``python -m benchmarks.vendor_rate [RATE]``: 262 companies, 786 slots and their addresses at the rate the vendor allows.

The sandbox really refuses more than RATE calls a second; every address is verified by a call of its own. The minimum is what
the rate alone takes: calls / RATE.
"""

import os
import resource
import sys
import time
from dataclasses import replace
from typing import Any
from unittest import mock

from barton_pipeline.postgres.connection import transaction
from barton_pipeline.vendors import million_verifier, settings
from barton_pipeline.vendors.sandbox import running_sandbox
from benchmarks.system import system

COMPANIES = 262


def main() -> None:
    """Measure and print."""
    rate = float(sys.argv[1]) if len(sys.argv) > 1 else 50.0
    with system() as running, running_sandbox(seed=1, rate_per_second=rate) as sandbox:
        os.environ[settings.SANDBOX] = sandbox.url
        from barton_pipeline_tests.builders import insert_companies, run_stages

        # a little below the vendor's limit: its window and ours do not begin at the same moment
        rules = replace(million_verifier.rules(), single_below=10**9, requests_per_second=0.99 * rate)
        insert_companies(_Database(running.url), "RATE-1", COMPANIES)
        started = time.monotonic()
        with mock.patch.object(million_verifier, "rules", lambda: rules):
            counts = run_stages("RATE-1")
        seconds = time.monotonic() - started
        with transaction(running.url) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM marketing.vendor_requests WHERE operation = 'verify_email'")
            row = cursor.fetchone()
    calls = row[0] if row else 0
    minimum = calls / rate
    print(f"{COMPANIES} companies, {counts['company_slots']['rows_out']} slots, {calls} verifications at {rate:.0f}/s")
    buying = counts["enriched_contacts"]["seconds"] + counts["verified_emails"]["seconds"]
    print(f"the two stages that buy: {buying:.1f} s, {buying / minimum:.2f} x")
    print(f"minimum by the rate {minimum:.1f} s, whole path {seconds:.1f} s: {seconds / minimum:.2f} x")
    print(f"largest memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB (the sandbox included)")


class _Database:
    def __init__(self, url: str) -> None:
        self.url = url

    def execute(self, statement: str, *parameters: Any) -> None:
        with transaction(self.url) as connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters)


if __name__ == "__main__":
    main()
