"""Commands about paid vendors: what would be bought, what was, the switch, the sandbox."""

import contextlib
import signal
from dataclasses import asdict
from typing import Any

import click

from barton_pipeline.batch_keys import check_batch_key
from barton_pipeline.cli.printing import as_json, console, print_json, print_rows
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.reports.batches import check_known_batch
from barton_pipeline.vendors.registry import VENDORS


@click.command()
@click.argument("batch")
@as_json
def plan(batch: str, json_output: bool) -> None:
    """Show what BATCH would buy from vendors now, and what that may cost. Buys nothing."""
    from barton_pipeline.reports import spending

    with transaction() as connection:
        check_known_batch(connection, check_batch_key(batch))
        lines = [asdict(line) for line in spending.plan(connection, batch)]
    if json_output:
        print_json(lines)
        return
    columns = ["operation", "vendor", "to_buy", "known", "requests", "usd", "certainty"]
    print_rows(f"What {batch} would buy", lines, columns)
    total = sum(line["usd"] for line in lines)
    console.print(f"At most ${total:.4f} in all; answers that are known and fresh cost nothing.")


@click.command()
@click.option("--batch", help="Only what this batch bought and waits for.")
@click.option("--off", "turn_off", type=click.Choice(list(VENDORS)), help="Send nothing more to a vendor.")
@click.option("--on", "turn_on", type=click.Choice(list(VENDORS)), help="Use a vendor again.")
@click.option("--reason", help="Why (with --off or --on).")
@as_json
def vendors(
    batch: str | None, turn_off: str | None, turn_on: str | None, reason: str | None, json_output: bool
) -> None:
    """Show budgets, spending and what waits to be bought; switch a vendor off and on."""
    from barton_pipeline.outbound import holds
    from barton_pipeline.reports import spending

    with transaction() as connection:
        if batch:
            check_known_batch(connection, check_batch_key(batch))
        for vendor, enabled in ((turn_off, False), (turn_on, True)):
            if vendor:
                holds.switch(connection, vendor, enabled, reason)
        found: dict[str, Any] = {
            "budgets": [asdict(use) for use in spending.list_budgets(connection)],
            "spent": [asdict(spent) for spent in spending.list_spending(connection, batch)],
            "yield": asdict(spending.measure_yield(connection, batch)),
            "waiting": [asdict(hold) for hold in spending.list_holds(connection, batch)],
        }
    if json_output:
        print_json(found)
        return
    print_rows("Budgets", found["budgets"], ["vendor", "access", "budget", "used_usd", "of_usd", "used_pct"])
    columns = [
        "operation",
        "environment",
        "settled",
        "open",
        "unknown",
        "refused",
        "inputs",
        "actual_usd",
        "reserved_usd",
    ]
    print_rows("Bought", found["spent"], columns)
    print_yield(found["yield"])
    if found["waiting"]:
        print_rows("Waiting", found["waiting"], ["batch", "operation", "reason", "inputs", "message", "retry_at"])


def print_yield(found: dict[str, Any]) -> None:
    """What the money brought, a line each."""
    rows = [{"": name.replace("_", " "), " ": value} for name, value in found.items()]
    print_rows("What the money brought", rows, ["", " "])


@click.command()
@click.option("--port", default=8099, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--seed", default=1, show_default=True, help="Another seed, other people.")
def sandbox(port: int, seed: int) -> None:
    """Stand in for the paid vendors on this machine: invented people, no money, until Ctrl-C (docs/sandbox.md)."""
    from barton_pipeline.vendors.sandbox import running_sandbox

    with running_sandbox(seed=seed, port=port) as server:
        click.echo(f"Sandbox for Apify and MillionVerifier: {server.url} (everybody is invented; nothing is charged)")
        click.echo(f"To use it: export BARTON_SANDBOX_URL={server.url}\nCtrl-C stops it.")
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
