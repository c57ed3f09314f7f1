"""``python -m benchmarks.charges [--kills N]``: kill buyers at every step, then compare our ledger with the vendors' own count.

A buyer is a process that runs the stages of a batch against the sandbox; it is killed with SIGKILL at its n-th ledger write or
HTTP request, another one goes on, until the batch is done; then comes the next batch, in another mode. Faults of the vendors are
mixed in. The sandbox counts what it charges, per input too.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import wraps
from typing import Any
from unittest import mock

from barton_pipeline.postgres.connection import transaction
from barton_pipeline.vendors import settings
from barton_pipeline.vendors.sandbox import Sandbox, running_sandbox
from benchmarks.system import PROJECT, system

# Seconds are short, so that a killed buyer's requests are soon taken up.
FAST: dict[str, Any] = {
    "lease_seconds": 2,
    "heartbeat_seconds": 0.5,
    "grace_seconds": 3,
    "poll_seconds": 0.1,
    "retries": 3,
    "read_seconds": 5,
}
WRITES = ("reserve", "mark_sent", "set_reference", "settle", "refuse", "mark_unknown", "adopt_abandoned")
# (where, the fault): every one leaves it open whether money was spent
FAULTS = [
    ("/runs$", "drop_after_charging"),
    ("/runs$", "truncated_json"),
    ("/runs$", "server_error"),
    ("/api/v3/$", "drop_after_charging"),
    ("/upload", "drop_after_charging"),
    ("/download", "truncated_json"),
    ("/runs$", "rate_limit"),
]


@dataclass
class Trial:
    """Tallies of one trial."""

    kills: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    batches: int = 0


def work(batch: str, kill_at: int) -> None:
    """Be a buyer: run the stages of the batch; die at step ``kill_at`` (0: live)."""
    steps = 0

    def step(name: str) -> None:
        nonlocal steps
        steps += 1
        if steps == kill_at:
            print(name, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    def watched(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(original)
        def call(*arguments: Any, **options: Any) -> Any:
            step(f"before {name}")
            result = original(*arguments, **options)
            step(f"after {name}")
            return result

        return call

    from requests import Session

    from barton_pipeline.outbound import requests
    from barton_pipeline.outbound import settings as outbound_settings
    from barton_pipeline.vendors import million_verifier
    from barton_pipeline_tests.builders import run_stages

    fast = replace(outbound_settings.rules(), **FAST)
    single_below = 40 if batch.endswith("-SINGLE") else 1
    verifying = replace(million_verifier.rules(), single_below=single_below)
    patches = [mock.patch.object(requests, name, watched(name, getattr(requests, name))) for name in WRITES]
    patches.append(mock.patch.object(Session, "send", watched("HTTP", Session.send)))
    patches.append(mock.patch.object(outbound_settings, "rules", lambda: fast))
    patches.append(mock.patch.object(million_verifier, "rules", lambda: verifying))
    for patch in patches:
        patch.start()
    run_stages(batch)


def torment(url: str, sandbox: Sandbox, kills: int, seed: int, companies: int = 8) -> Trial:
    """Batches until so many buyers were killed; every batch is finished."""
    chance, trial = random.Random(seed), Trial()
    environment = {
        **os.environ,
        "BARTON_DATABASE_URL": url,
        "BARTON_SANDBOX_URL": sandbox.url,
        "PYTHONWARNINGS": "ignore",
    }
    while sum(trial.kills.values()) < kills:
        trial.batches += 1
        batch = f"CHARGES-{trial.batches}-{'SINGLE' if trial.batches % 2 else 'BULK'}"
        _insert(url, batch, trial.batches * 1000, companies)
        kill_at = 0
        while True:
            kill_at += chance.randint(1, 6)
            if chance.random() < 0.4:
                path, fault = chance.choice(FAULTS)
                sandbox.fault(fault, path)
                trial.faults[fault] += 1
            enough = sum(trial.kills.values()) >= kills
            ended = subprocess.run(
                [sys.executable, "-m", "benchmarks.charges", "--work", batch, "--kill-at", str(0 if enough else kill_at)],
                cwd=PROJECT, env=environment, capture_output=True, text=True, check=False,
            )  # fmt: skip
            if ended.returncode == 0:
                break
            if ended.returncode != -signal.SIGKILL:
                raise RuntimeError(f"a buyer of {batch} failed: {ended.stderr[-2000:]}")
            trial.kills[ended.stdout.strip().splitlines()[-1]] += 1
    _finish(environment, trial)
    return trial


def _insert(url: str, batch: str, first: int, companies: int) -> None:
    with transaction(url) as connection, connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO intake.company_raw_intake (company, website, company_linkedin_url, import_batch_id)
            SELECT 'Firm ' || n, 'https://firm' || n || '.com', 'https://www.linkedin.com/company/firm-' || n, %s
            FROM generate_series(%s, %s) AS n
            """,
            (batch, first, first + companies - 1),
        )


def _finish(environment: dict[str, str], trial: Trial) -> None:
    """Run every batch once more in peace: what was left open is taken up."""
    time.sleep(FAST["lease_seconds"])
    for number in range(1, trial.batches + 1):
        batch = f"CHARGES-{number}-{'SINGLE' if number % 2 else 'BULK'}"
        command = [sys.executable, "-m", "benchmarks.charges", "--work", batch, "--kill-at", "0"]
        subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, check=True)


def compare(url: str, sandbox: Sandbox) -> tuple[dict[str, tuple[Decimal, Decimal]], dict[str, int], list[Any]]:
    """(vendor → what the ledger says, what the vendor says; inputs charged more than once; requests left open)."""
    with transaction(url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT vendor, coalesce(sum(actual_usd), 0) FROM marketing.vendor_requests WHERE state <> 'refused' GROUP BY 1"
        )
        ours = dict(cursor.fetchall())
        cursor.execute(
            """
            SELECT id, operation, state, error FROM marketing.vendor_requests
            WHERE state NOT IN ('settled', 'refused') AND actual_usd IS NULL
            """
        )
        still_open = cursor.fetchall()
    charges = sandbox.charges()
    price = settings.rules().operations["verify_email"].usd_per_item
    theirs = {
        "apify": Decimal(str(charges["apify"]["usd"])),
        "million_verifier": price * charges["million_verifier"]["verifications"],
    }
    both = {vendor: (ours.get(vendor, Decimal(0)), theirs[vendor]) for vendor in theirs}
    twice = {key: times for key, times in charges["inputs"].items() if times > 1}
    return both, twice, still_open


def main() -> None:
    """Torment, then compare."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.charges", description=__doc__)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    parser.add_argument("--kill-at", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work, options.kill_at)
        return
    with system() as running, running_sandbox(seed=options.seed) as sandbox:
        trial = torment(running.url, sandbox, options.kills, options.seed)
        both, twice, still_open = compare(running.url, sandbox)
    print(f"{sum(trial.kills.values())} buyers killed in {trial.batches} batches; faults {dict(trial.faults)}")
    for name, times in trial.kills.most_common():
        print(f"  {times:3} {name}")
    print(f"{'vendor':18} {'our ledger':>12} {'the vendor':>12}")
    for vendor, (ours, theirs) in both.items():
        print(f"{vendor:18} {ours:12.4f} {theirs:12.4f}")
    print(f"inputs charged twice: {twice or 'none'}; requests left open: {still_open or 'none'}")
    sys.exit(bool(twice or still_open or any(ours != theirs for ours, theirs in both.values())))


if __name__ == "__main__":
    main()
