"""Commands about paid vendors: what would be bought, what was, the switch, the sandbox."""

import contextlib
import signal
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import click

from barton_pipeline.batch_keys import check_batch_key
from barton_pipeline.cli.operator import operator
from barton_pipeline.cli.printing import (
    Column,
    Importance,
    Kind,
    Table,
    as_json,
    money,
    print_json,
    print_table,
    say,
)
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.reports import spending
from barton_pipeline.reports.batches import check_known_batch
from barton_pipeline.vendors.registry import VENDORS

PLAN = Table(
    "What a batch would buy",
    (
        Column("operation", "operation", Kind.KEY, Importance.HIGH),
        Column("vendor", "vendor", importance=Importance.HIGH),
        Column("to_buy", "to buy", Kind.NUMBER, Importance.HIGH),
        Column("known", "known", Kind.NUMBER),
        Column("requests", "requests", Kind.NUMBER, Importance.LOW),
        Column("usd", "cost", Kind.MONEY, Importance.HIGH),
        Column("certainty", "certainty", Kind.KEY),
    ),
)
BUDGETS = Table(
    "Budgets",
    (
        Column("vendor", "vendor", Kind.KEY, Importance.HIGH),
        Column("access", "access", Kind.KEY, Importance.HIGH),
        Column("budget", "per", Kind.KEY, Importance.HIGH),
        Column("used_usd", "used", Kind.MONEY, Importance.HIGH),
        Column("of_usd", "of", Kind.MONEY, Importance.HIGH),
        Column("used_pct", "used %", Kind.NUMBER, decimals=1),
    ),
)
BOUGHT = Table(
    "Bought",
    (
        Column("operation", "operation", Kind.KEY, Importance.HIGH),
        Column("environment", "environment", Kind.KEY, Importance.LOW),
        Column("settled", "settled", Kind.NUMBER),
        Column("open", "open", Kind.NUMBER),
        Column("unknown", "unknown", Kind.NUMBER),
        Column("refused", "refused", Kind.NUMBER),
        Column("inputs", "inputs", Kind.NUMBER, Importance.LOW),
        Column("actual_usd", "paid", Kind.MONEY, Importance.HIGH),
        Column("reserved_usd", "reserved", Kind.MONEY, Importance.HIGH),
    ),
)
YIELD = Table(
    "What the money brought",
    (
        Column("brought", "brought", Kind.KEY, Importance.HIGH),
        Column("number", "number", Kind.NUMBER, Importance.HIGH),
        Column("usd_each", "cost of each", Kind.MONEY, Importance.HIGH),
    ),
)
HOLDS = Table(
    "Waiting",
    (
        Column("batch", "batch", Kind.KEY, Importance.HIGH),
        Column("operation", "operation", Kind.KEY),
        Column("reason", "reason", Kind.KEY, Importance.HIGH),
        Column("inputs", "inputs", Kind.NUMBER, Importance.HIGH),
        Column("message", "message", importance=Importance.LOW),
        Column("retry_at", "again at", Kind.MOMENT),
    ),
)


@dataclass(frozen=True)
class Brought:
    """So many of something that money brought; ``usd_each`` is None when there are none."""

    brought: str
    number: int
    usd_each: Decimal | None


@click.command()
@click.argument("batch")
@as_json
def plan(batch: str, json_output: bool) -> None:
    """Show what BATCH would buy from vendors now.

    You see what that may cost; nothing is bought.
    """
    with transaction() as connection:
        check_known_batch(connection, check_batch_key(batch))
        lines = spending.plan(connection, batch)
    if json_output:
        print_json(lines)
        return
    print_table(PLAN, lines, title=f"What {batch} would buy")
    total = sum((line.usd for line in lines), Decimal(0))
    say(f"At most {money(total)} in all; answers that are known and fresh cost nothing.", aside=True)


@click.command()
@click.option("--batch", help="Only what this batch bought and waits for.")
@click.option("--off", "turn_off", type=click.Choice(list(VENDORS)), help="Send nothing more to a vendor.")
@click.option("--on", "turn_on", type=click.Choice(list(VENDORS)), help="Use a vendor again.")
@click.option("--reason", help="Why (with --off or --on).")
@as_json
def vendors(
    batch: str | None, turn_off: str | None, turn_on: str | None, reason: str | None, json_output: bool
) -> None:
    """Show budgets, spending and what waits to be bought.

    With --off and --on you stop asking a vendor, and ask it again.
    """
    from barton_pipeline.actions.vendors import switch_vendor

    if batch:
        with transaction() as connection:
            check_known_batch(connection, check_batch_key(batch))
    for vendor, enabled in ((turn_off, False), (turn_on, True)):
        if vendor:
            switch_vendor(None, operator(), vendor, enabled, reason=reason)
    with transaction() as connection:
        found: dict[str, Any] = {
            "budgets": spending.list_budgets(connection),
            "spent": spending.list_spending(connection, batch),
            "yield": spending.measure_yield(connection, batch),
            "waiting": spending.list_holds(connection, batch),
        }
    if json_output:
        print_json(found)
        return
    print_table(BUDGETS, found["budgets"])
    print_table(BOUGHT, found["spent"], aside=True)
    print_yield(found["yield"])
    if found["waiting"]:
        print_table(HOLDS, found["waiting"], aside=True)


def print_yield(costs: spending.Yield) -> None:
    """What the money brought, a line each."""
    rows = [
        Brought("filled slots", costs.filled_slots, costs.usd_per_filled_slot),
        Brought("verified addresses", costs.verified_addresses, costs.usd_per_verified_address),
        Brought("targets", costs.targets, costs.usd_per_target),
    ]
    print_table(YIELD, rows, aside=True, title=f"What {money(costs.spent_usd)} brought")


@click.command()
@click.option("--port", default=8099, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--seed", default=1, show_default=True, help="Another seed, other people.")
def sandbox(port: int, seed: int) -> None:
    """Stand in for the paid vendors on this machine.

    People are invented, and nothing is paid (docs/reference/sandbox.md). Ctrl-C ends it.
    """
    from barton_pipeline.vendors.sandbox import running_sandbox

    with running_sandbox(seed=seed, port=port) as server:
        say(f"Sandbox for Apify and MillionVerifier: {server.url} (everybody is invented; nothing is charged)")
        say(f"To use it: export BARTON_SANDBOX_URL={server.url}\nCtrl-C stops it.")
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
