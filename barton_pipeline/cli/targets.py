"""Commands about scores and targets."""

from datetime import UTC, datetime
from typing import Any

import click
from rich.table import Table

from barton_pipeline.batch_keys import check_batch_key
from barton_pipeline.cli.printing import as_json, cell, console, print_json, print_rows
from barton_pipeline.errors import InputError
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.reports.batches import check_known_batch
from barton_pipeline.reports.targets import list_targets, write_csv


@click.command()
@click.option("--batch", help="Only targets this batch mentions.")
@click.option("--limit", type=click.IntRange(min=1), help="At most this many.")
@click.option(
    "--csv",
    "csv_file",
    type=click.File("w", encoding="utf-8"),
    help="Write CSV to a file, or - for standard output.",
)
@as_json
def targets(batch: str | None, limit: int | None, csv_file: Any, json_output: bool) -> None:
    """Print the sniper targets, best first."""
    with transaction() as connection:
        if batch:
            check_known_batch(connection, check_batch_key(batch))
        found = list_targets(connection, batch, limit)
    if csv_file:
        write_csv(found, csv_file)
    elif json_output:
        print_json(found)
    else:
        print_targets(found)


def print_targets(found: list[dict[str, Any]], at_most: int = 40) -> None:
    """The targets as a table, with the reasons in words."""
    table = Table(
        "company",
        "place",
        "PLE",
        "BIT",
        "contacts",
        "why",
        title=f"Sniper targets: {len(found)}",
        title_justify="left",
    )
    for row in found[:at_most]:
        contacts = [name for name in (row["ceo"], row["cfo"], row["hr"]) if name]
        table.add_row(
            cell(row["company_name"]),
            cell(", ".join(filter(None, (row["city"], row["state"]))) or None),
            f"{row['ple_score']:.2f}",
            f"{row['bit_intent_score']:.2f}",
            cell(", ".join(contacts) or None),
            cell("; ".join(str(reason) for reason in row["reasons"][:3])),
        )
    console.print(table)
    if len(found) > at_most:
        console.print(f"… and {len(found) - at_most} more: barton targets --csv targets.csv", style="dim")


@click.command()
@click.argument("company")
@click.option("--as-of", "as_of", help="Moment, ISO 8601 with a time zone or a date (UTC) [default: now].")
@as_json
def explain(company: str, as_of: str | None, json_output: bool) -> None:
    """Show both scores of COMPANY (ID, domain or name) and what they are made of, as of any moment."""
    from barton_pipeline.scoring import explain as explanation

    moment = _moment(as_of)
    with transaction() as connection:
        found = explanation.explain(connection, explanation.find_company(connection, company), moment)
    if json_output:
        print_json(found)
        return
    console.print(
        f"{found['company_name']} ({found['domain']}, {found['company_id']}) as of {found['as_of']:%Y-%m-%d %H:%M %Z}",
        markup=False,
    )
    ple, bit = found["ple"], found["bit"]
    chance = f", chance to convert {ple['p_convert']:.1%}" if ple["p_convert"] is not None else ""
    reasons = [{"label": "the average company", "share": ple["base"]}] if ple["base"] else []
    print_rows(f"PLE {ple['score']:.4f} by {ple['version']}{chance}", [*reasons, *ple["reasons"]], ["share", "label"])
    print_rows(
        f"BIT {bit['score']:.4f} by {found['rules_version']}", bit["reasons"], ["share", "label", "n", "last_at"]
    )
    for name, stored in found["stored"].items():
        if stored:
            console.print(
                f"{name.upper()} kept {stored['calculated_at']:%Y-%m-%d %H:%M}: {stored['score']:.4f} ({stored['version']})",
                style="dim",
            )


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            f"--as-of {text!r} is not a moment; write it like 2026-11-01 or 2026-11-01T09:30+00:00."
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@click.command()
@click.option("--retire", is_flag=True, help="Take the published model back; the rubric scores again.")
@click.option("--rescore", is_flag=True, help="Score every company again now instead of tonight.")
@as_json
def learn(retire: bool, rescore: bool, json_output: bool) -> None:
    """Learn PLE from recorded outcomes; publish the model if it beats the present one (docs/learning.md)."""
    from barton_pipeline.scoring import models, rescoring, training

    found: dict[str, Any] = {}
    with transaction() as connection:
        if retire:
            found["retired"] = models.retire(connection)
        else:
            found["training_set"] = training.build(connection)
            version, outcome, card = training.learn(connection)
            found |= {"version": version, "published": outcome.publish, "report": outcome.report}
    if rescore:
        found["rescored"] = rescoring.rescore("manual")
    if json_output:
        print_json(found)
        return
    if retire:
        console.print(f"{found['retired'] or 'No model'} is retired; the rubric scores.")
    else:
        from rich.markdown import Markdown

        console.print(Markdown(card))
    if rescore:
        console.print(
            f"{found['rescored']['companies']:,} companies scored again in {found['rescored']['seconds']:.1f} s."
        )
