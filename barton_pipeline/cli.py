"""The ``barton`` command line. Options and printing only; each command calls the module that does the work.

Exit codes: 0 done, 1 failed, 2 wrong usage or input, 130 interrupted. Errors go to standard error.
"""

import contextlib
import getpass
import json
import signal
import sys
import time
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import click
import psycopg2
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from barton_pipeline.batch_keys import check_batch_key
from barton_pipeline.errors import BartonError, InputError
from barton_pipeline.postgres import embedded, migrations, sql
from barton_pipeline.postgres.connection import connect, database_url, redact, transaction
from barton_pipeline.queue import events, listening
from barton_pipeline.reports.batches import check_known_batch, count_reasons, list_batch_keys, list_batches, list_stages
from barton_pipeline.reports.errors import list_errors, resolve_error
from barton_pipeline.reports.queue import list_pending, measure_queue
from barton_pipeline.reports.targets import list_targets, write_csv

console = Console()
SCHEMA_MISSING = (
    psycopg2.errors.InvalidSchemaName,
    psycopg2.errors.UndefinedTable,
    psycopg2.errors.UndefinedColumn,
    psycopg2.errors.UndefinedFunction,
)
as_json = click.option("--json", "json_output", is_flag=True, help="Print JSON for a script to read.")


def main() -> None:
    """Entry point: turn every expected failure into one clear line and an exit code."""
    # what libraries warn each other about is nothing an operator can act on
    warnings.filterwarnings("ignore", module=r"dagster|platformdirs|great_expectations")
    try:
        # the code of a command that says Exit is handed back here, not raised
        sys.exit(barton.main(standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except BartonError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)
    except SCHEMA_MISSING as error:
        click.echo(
            f"Error: The schema is missing or older than this version ({_first_line(error)}). Run: barton migrate",
            err=True,
        )
        sys.exit(1)
    except psycopg2.Error as error:
        click.echo(
            f"Error: The database refused: {_first_line(error)}. Nothing was changed by this command (barton doctor).",
            err=True,
        )
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)


def _first_line(error: psycopg2.Error) -> str:
    return str(error).partition("\n")[0]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="barton-pipeline")
def barton() -> None:
    """Barton Pipeline: raw companies in, sniper targets out.

    The database is BARTON_DATABASE_URL, or an embedded Postgres under .barton when that is not set.
    """


@barton.command()
@click.option("--exit", "exit_when_done", is_flag=True, help="Stop when the targets are printed.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the Dagster UI [default: 3000 or the next free].")
@click.option("--timeout", default=300, show_default=True, help="Seconds to wait for the targets.")
def demo(exit_when_done: bool, port: int | None, timeout: int) -> None:
    """Run the main job on the sample batch: load, events, stages, sniper targets, Dagster UI."""
    from barton_pipeline import demo as demo_module

    demo_module.run(console, exit_when_done, port, timeout)


@barton.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--batch", help="Import batch key [default: made from today's date and the file's name].")
@click.option(
    "--kind",
    type=click.Choice(["companies", "people", "signals", "outcomes"]),
    help="What the rows are [default: from the header].",
)
@as_json
def load(file: Path, batch: str | None, kind: str | None, json_output: bool) -> None:
    """Load a CSV or XLSX export; its rows start the pipeline by themselves."""
    from barton_pipeline.intake.loading import load_file

    migrations.ensure_migrated()
    with contextlib.closing(connect()) as connection, _bar(json_output) as progress:
        report = load_file(connection, file, kind=kind, batch=batch, progress=progress)
    if json_output:
        _print_json(report.to_dict())
        return
    _print_load_report(report.to_dict())


@contextlib.contextmanager
def _bar(hidden: bool) -> Any:
    with Progress(
        "loading", BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), transient=True, disable=hidden,
    ) as progress:  # fmt: skip
        task = progress.add_task("loading", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _print_load_report(report: dict[str, Any]) -> None:
    if report["already_loaded"]:
        console.print(f"This file is already loaded as batch [bold]{report['batch']}[/]; nothing was done.")
        return
    console.print(
        f"Batch [bold]{report['batch']}[/]: {report['loaded']:,} {report['kind']} loaded, {report['rejected']:,} "
        f"rejected, {report['blank']:,} blank, of {report['rows_read']:,} rows ({report['source']} export)."
    )
    mapping = report["mapping"]
    table = Table("field", "column", title="How the columns were read", title_justify="left")
    for field, column in mapping["columns"].items():
        table.add_row(field, _cell(", ".join(column)))
    console.print(table)
    if mapping.get("unused"):
        console.print(f"Kept in raw only: {', '.join(map(str, mapping['unused']))}", style="dim", markup=False)
    for note in report["notes"]:
        console.print(note, style="yellow", markup=False)
    for rejected in report["rejected_sample"]:
        console.print(f"Line {rejected['line_number']}: {rejected['reason']}: {rejected['details']}", markup=False)
    if report["rejected"] > len(report["rejected_sample"]):
        console.print("All rejected lines: SELECT * FROM intake.rejected_rows;")
    console.print(f"Follow it with: barton status {report['batch']}", style="dim")


@barton.command()
@click.argument("batch")
@as_json
def run(batch: str, json_output: bool) -> None:
    """Run all stages and checks of BATCH here and now, without the daemon."""
    from barton_pipeline import batch_run

    migrations.ensure_migrated()
    check_batch_key(batch)
    with transaction() as connection:
        check_known_batch(connection, batch)
    outcome = batch_run.run_batch(batch, console if not json_output else Console(stderr=True))
    if json_output:
        _print_json(outcome)
    else:
        print_batch(batch)
    if not outcome["success"]:
        raise BartonError(f"Batch {batch} did not finish: {outcome['problem']} Details: barton errors --batch {batch}")


@barton.command()
@click.argument("batch", required=False)
@as_json
def status(batch: str | None, json_output: bool) -> None:
    """Show the batches and the event queue, or one BATCH stage by stage."""
    if batch:
        check_batch_key(batch)
        with transaction() as connection:
            check_known_batch(connection, batch)
            if json_output:
                _print_json(
                    {
                        "stages": list_stages(connection, batch),
                        "reasons": count_reasons(connection, batch),
                    }
                )
                return
        print_batch(batch)
        return
    with transaction() as connection:
        found = {"batches": list_batches(connection), "queue": list_pending(connection)}
        health = measure_queue(connection)
        open_errors = len(list_errors(connection, limit=1000))
    if json_output:
        _print_json({**found, "queue_health": health, "open_errors": open_errors})
        return
    print_rows(
        "Batches",
        found["batches"],
        ["batch", "state", "rows", "rejected", "companies", "slots", "targets", "last_stage"],
    )
    print_rows("Pending events", found["queue"], ["event_type", "pending_count", "oldest_age_minutes"])
    console.print(
        f"Queue: {health['pending']:,} pending (oldest {health['oldest_pending_minutes']:.1f} min), {health['processing']:,} being "
        f"worked on, {health['retrying']:,} to be retried, {health['dead_letters']:,} dead letters; last hour "
        f"{health['created_last_hour']:,} created, {health['of_these_processed']:,} of them processed in "
        f"{health['mean_seconds_to_process']:.1f} s (mean)"
    )
    console.print(f"Open errors: {open_errors}{' (barton errors)' if open_errors else ''}")


def print_batch(batch: str) -> None:
    """The report of one batch: stages with counts, reasons of rejected rows."""
    with transaction() as connection:
        stages = list_stages(connection, batch)
        reasons = count_reasons(connection, batch)
    print_rows(f"Batch {batch}", stages, ["stage", "rows_in", "rows_out", "rows_rejected", "seconds"])
    if reasons:
        print_rows("Reasons given to intake rows", reasons, ["reason", "rows", "in_rejected_rows", "sample"])


def print_rows(title: str, rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    """A table of the rows; nothing is interpreted as markup."""
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*(_cell(row[column]) for column in columns))
    console.print(table)


def _cell(value: Any) -> str:
    from rich.markup import escape

    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.3f}"
    if hasattr(value, "strftime"):
        return str(value.strftime("%Y-%m-%d %H:%M:%S"))
    return escape(f"{value:,}" if isinstance(value, int) else str(value))


@barton.command()
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
        _print_json(found)
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
            _cell(row["company_name"]),
            _cell(", ".join(filter(None, (row["city"], row["state"]))) or None),
            f"{row['ple_score']:.2f}",
            f"{row['bit_intent_score']:.2f}",
            _cell(", ".join(contacts) or None),
            _cell("; ".join(str(reason) for reason in row["reasons"][:3])),
        )
    console.print(table)
    if len(found) > at_most:
        console.print(f"… and {len(found) - at_most} more: barton targets --csv targets.csv", style="dim")


@barton.command()
@click.option("--batch", help="Only errors of this batch.")
@click.option("--resolve", "resolve_id", type=int, help="Close the error with this id.")
@click.option("--notes", help="What was done about it (with --resolve).")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1))
@as_json
def errors(batch: str | None, resolve_id: int | None, notes: str | None, limit: int, json_output: bool) -> None:
    """Show open errors, worst first, or close one."""
    with transaction() as connection:
        if resolve_id is not None:
            resolve_error(connection, resolve_id, getpass.getuser(), notes)
            console.print(f"Error {resolve_id} is closed.")
            return
        found = list_errors(connection, limit, batch)
    if json_output:
        _print_json(found)
        return
    print_rows(
        "Open errors",
        found,
        ["id", "severity", "event_type", "import_batch_id", "error_message", "created_at"],
    )


@barton.command()
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
        _print_json(found)
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


@barton.command()
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
        _print_json(found)
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


@barton.command("receive-signals")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; put TLS in front of any other."
)
@click.option("--port", default=8098, show_default=True, type=click.IntRange(1, 65535))
def receive_signals(host: str, port: int) -> None:
    """Take buyer-intent signals by HTTP: POST /signals with the bearer token BARTON_SIGNALS_TOKEN (docs/signals.md)."""
    import uvicorn

    from barton_pipeline.intake.signal_endpoint import application

    migrations.ensure_migrated()
    uvicorn.run(application(), host=host, port=port, log_level="warning")


@barton.command()
@click.argument("batches", nargs=-1)
@click.option("--match", help="All batches whose key matches this pattern, for example '2025*'.")
@click.option("--all", "every", is_flag=True, help="All batches.")
@as_json
def backfill(batches: tuple[str, ...], match: str | None, every: bool, json_output: bool) -> None:
    """Run BATCHES through all stages again, many to a run: for new rules, not for new rows."""
    if sum(map(bool, (batches, match, every))) != 1:
        raise InputError("Name batches, or say --match PATTERN, or --all; see the batches with: barton status")
    with transaction() as connection:
        for batch in batches:
            check_known_batch(connection, check_batch_key(batch))
        wanted = list(batches) or [key for key in list_batch_keys(connection) if fnmatchcase(key, match or "*")]
    if not wanted:
        raise InputError(f"No batch matches {match or '*'!r}; see the batches with: barton status")
    from barton_pipeline import batch_run

    with Progress(*Progress.get_default_columns(), console=Console(stderr=True), disable=json_output) as bar:
        task = bar.add_task(f"{len(wanted):,} batches", total=len(wanted))
        problems = batch_run.backfill(wanted, lambda done: bar.update(task, advance=done))
    if json_output:
        _print_json({"batches": len(wanted), "problems": problems})
    else:
        for problem in problems:
            console.print(f"{problem['from']} to {problem['to']} (run {problem['run_id']}): {problem['problem']}")
        console.print(f"{len(wanted):,} batches run; {len(problems)} run(s) had a problem.")
    if problems:
        raise click.exceptions.Exit(1)


@barton.command()
@click.argument("row", type=click.IntRange(min=1))
@click.option("--notes", help="Why; kept with the decision.")
def unmatch(row: int, notes: str | None) -> None:
    """Undo the match of intake ROW: it and the rows written like it become a company of their own."""
    from barton_pipeline import promotion

    with transaction() as connection:
        rows = promotion.unmatch(connection, row, getpass.getuser(), notes)
    console.print(f"{rows} row(s) are to be judged again and become a company of their own; their batches are queued.")


@barton.command()
@click.argument("batch", required=False)
@click.option("--all", "every", is_flag=True, help="Requeue the dead letters of every batch.")
def retry(batch: str | None, every: bool) -> None:
    """Requeue the dead letters of BATCH, or run it again from the start when it has none."""
    if bool(batch) == every:
        raise InputError("Name one batch, or say --all; see the batches with: barton status")
    with transaction() as connection:
        if batch:
            check_known_batch(connection, check_batch_key(batch))
        requeued = events.requeue(connection, batch)
        if batch and not requeued:
            events.start_over(connection, batch)
    if batch and not requeued:
        console.print(f"Batch {batch} had no failed events; it is queued to run again from the start.")
    else:
        console.print(f"{requeued} failed event(s) are pending again.")


@barton.command()
@click.option("--type", "event_type", help="Only events of this type.")
@click.option("--batch", help="Only events of this batch.")
@click.option("--for", "seconds", type=float, help="Stop after this many seconds [default: until Ctrl-C].")
@as_json
def listen(event_type: str | None, batch: str | None, seconds: float | None, json_output: bool) -> None:
    """Print events as they are raised; reconnects by itself."""
    deadline = time.monotonic() + seconds if seconds is not None else float("inf")
    for event in listening.follow(deadline):
        if (event_type and event["event_type"] != event_type) or (batch and event["import_batch_id"] != batch):
            continue
        if json_output:
            click.echo(json.dumps(event, default=str))
        else:
            click.echo(
                f"{event['created_at']:%H:%M:%S.%f}  {event['id']:>8}  {event['event_type']:<24} "
                f"{event['import_batch_id'] or '–':<28} rows {event['n_rows']}"
            )


@barton.command()
@click.argument("batch")
@as_json
def plan(batch: str, json_output: bool) -> None:
    """Show what BATCH would buy from vendors now, and what that may cost. Buys nothing."""
    from barton_pipeline.reports import spending

    with transaction() as connection:
        check_known_batch(connection, check_batch_key(batch))
        lines = spending.plan(connection, batch)
    if json_output:
        _print_json(lines)
        return
    columns = ["operation", "vendor", "to_buy", "known", "requests", "usd", "certainty"]
    print_rows(f"What {batch} would buy", lines, columns)
    total = sum(line["usd"] for line in lines)
    console.print(f"At most ${total:.4f} in all; answers that are known and fresh cost nothing.")


@barton.command()
@click.option("--batch", help="Only what this batch bought and waits for.")
@click.option(
    "--off", "turn_off", type=click.Choice(["apify", "million_verifier"]), help="Send nothing more to a vendor."
)
@click.option("--on", "turn_on", type=click.Choice(["apify", "million_verifier"]), help="Use a vendor again.")
@click.option("--reason", help="Why (with --off or --on).")
@as_json
def vendors(
    batch: str | None, turn_off: str | None, turn_on: str | None, reason: str | None, json_output: bool
) -> None:
    """Show budgets, spending and what waits to be bought; switch a vendor off and on."""
    from barton_pipeline.reports import spending
    from barton_pipeline.vendors import ledger

    with transaction() as connection:
        if batch:
            check_known_batch(connection, check_batch_key(batch))
        for vendor, enabled in ((turn_off, False), (turn_on, True)):
            if vendor:
                ledger.switch(connection, vendor, enabled, reason)
        found: dict[str, Any] = {
            "budgets": spending.budgets(connection),
            "spent": spending.spent(connection, batch),
            "yield": spending.yields(connection, batch),
            "waiting": spending.holds(connection, batch),
        }
    if json_output:
        _print_json(found)
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


@barton.command()
@click.option("--apply", is_flag=True, help="Keep the rebuilt tables (they are the same; needs the owner's role).")
@as_json
def replay(apply: bool, json_output: bool) -> None:
    """Rebuild everything from intake and stored answers, asking no vendor, and compare with what is there."""
    from barton_pipeline import replay as replay_module

    counts, differences = replay_module.replay(apply)
    if json_output:
        _print_json({"rows": counts, "differences": [difference.__dict__ for difference in differences]})
    else:
        print_rows("Rebuilt", [{"table": table, "rows": rows} for table, rows in counts.items()], ["table", "rows"])
        for difference in differences[:20]:
            console.print(f"{difference.side} in {difference.table}: {difference.row}", markup=False)
        console.print(
            f"{len(differences)} rows differ." if differences else "Every row came out the same; no vendor was asked."
        )
    if differences:
        raise click.exceptions.Exit(1)


@barton.command()
@click.argument("person")
@click.option(
    "--reason", default="on request", show_default=True, help="Kept with the hashes; must not name the person."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def forget(person: str, reason: str, yes: bool, json_output: bool) -> None:
    """Delete everything known of PERSON (ID, address or LinkedIn profile) for good; hashes stop a return by import."""
    if not yes:
        click.confirm("Delete what is known of this person everywhere? It cannot be undone.", abort=True)
    with transaction() as connection:
        changed = sql.rows(
            connection, "SELECT * FROM marketing.forget_person(%(person)s, %(reason)s)", person=person, reason=reason
        )
    if json_output:
        _print_json(changed)
    else:
        print_rows("Forgotten", changed, ["place", "n"])


@barton.command()
@click.argument("action", type=click.Choice(["silence", "trigger", "pause", "manual"]), required=False)
@click.argument("trigger", required=False, default="")
@click.option("--undo", is_flag=True, help="Take it back, and catch up with what changed meanwhile.")
@as_json
def rollback(action: str | None, trigger: str, undo: bool, json_output: bool) -> None:
    """Switch a part of the event path off, or show what is off.

    \b
    silence          no notifications; the sensor looks for itself
    trigger TRIGGER  drop one trigger
    pause            no table raises events; rows still come in
    manual           sensors start no runs; use barton run BATCH
    """
    from barton_pipeline import operations

    queued = None
    if action:
        if undo:
            queued = operations.reverse(action, trigger)
        else:
            operations.roll_back(action, trigger)
    with transaction() as connection:
        found = operations.in_force(connection)
    if json_output:
        _print_json({"in_force": found, "batches_queued": queued})
        return
    if queued is not None:
        console.print(f"{queued} batch(es) queued to catch up.")
    print_rows("Rollbacks in force", found, ["action", "target", "started_at", "started_by"])


@barton.command()
@click.argument("batch")
@click.option("--reason", default="on request", show_default=True, help="Kept with the record of it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def undo(batch: str, reason: str, yes: bool, json_output: bool) -> None:
    """Remove what only BATCH brought: rows, companies, slots, contacts, scores. IDs stay retired, paid answers stay."""
    from barton_pipeline import operations

    check_batch_key(batch)
    if not yes:
        click.confirm(f"Remove batch {batch} and the companies only it brought? It cannot be taken back.", abort=True)
    with transaction() as connection:
        done = operations.undo_batch(connection, batch, reason)
    if json_output:
        _print_json(done)
    else:
        print_rows(f"Batch {batch} is undone", done, ["place", "n"])


@barton.command()
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Write all data to FILE, a pg_dump archive, and read it back."""
    from barton_pipeline import operations

    console.print(f"{operations.backup(file)} tables in {file}, {file.stat().st_size:,} bytes.", markup=False)


@barton.command()
@click.argument("file", type=click.Path(path_type=Path))
def restore(file: Path) -> None:
    """Bring all data back from FILE into a database that has none."""
    from barton_pipeline import operations

    operations.restore(file)
    done = migrations.migrate()
    console.print(f"Restored; {len(done)} migration(s) applied since.")


@barton.command()
@click.option("--export", "file", type=click.Path(path_type=Path), required=True, help="Where the data goes first.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(file: Path, yes: bool) -> None:
    """Remove the pipeline from the database, all data included, after writing it to a file (barton restore)."""
    from barton_pipeline import operations

    if not yes:
        click.confirm(f"Remove everything from {redact(database_url())}?", abort=True)
    console.print(f"{operations.remove_everything(file)} tables are in {file}; the schemas are gone.", markup=False)


@barton.command()
@click.option("--to", type=int, help="Apply up to this migration.")
@click.option("--down-to", type=int, help="Undo every migration above this one; 0 removes everything.")
@click.option("--yes", is_flag=True, help="Do not ask before undoing (undoing deletes data).")
def migrate(to: int | None, down_to: int | None, yes: bool) -> None:
    """Bring the schema up to date, or undo migrations."""
    if down_to is not None:
        if to is not None:
            raise InputError("Say --to or --down-to, not both")
        if not yes:
            click.confirm(
                f"Undo every migration above {down_to} in {redact(database_url())}? Data is lost.",
                abort=True,
            )
        done = migrations.migrate_down(down_to)
    else:
        done = migrations.migrate(to=to)
    verb = "undone" if down_to is not None else "applied"
    for migration in done:
        console.print(f"{verb}: {migration.version:04d} {migration.name}")
    if not done:
        console.print("Nothing to do: the schema is already there.")


@barton.command()
@click.option("--test", "test", is_flag=True, help="Send a test message to every channel and say which took it.")
@click.option("--summary", "summary", is_flag=True, help="Print the summary of the last hour.")
@as_json
def alerts(test: bool, summary: bool, json_output: bool) -> None:
    """Show what fires now, since when, and which channels have been told (docs/alerts.md)."""
    from barton_pipeline import alert_channels
    from barton_pipeline import alerts as alerts_module

    if test and summary:
        raise InputError("Say --test or --summary, not both")
    if test:
        _test_channels(alert_channels.channels(), json_output)
        return
    with transaction() as connection:
        if summary:
            counts = alerts_module.summary(connection)
        else:
            found = alerts_module.firing(connection)
    if json_output:
        _print_json(counts if summary else found)
    elif summary:
        for line in [
            f"{counts['since']:%Y-%m-%d %H:%M} to {counts['until']:%H:%M %Z}",
            *alerts_module.summary_lines(counts),
        ]:
            console.print(line, markup=False, highlight=False)
    else:
        print_rows(f"Alerts: {len(found)}", [{**row, "told": ", ".join(row["delivered_to"]) or None} for row in found],
                   ["severity", "rule", "subject", "since", "detail", "told"])  # fmt: skip


def _test_channels(channels: Sequence[Any], json_output: bool) -> None:
    from barton_pipeline import alert_channels

    if not channels:
        raise InputError(f"No channel is configured: set {alert_channels.VARIABLE} (docs/alerts.md)")
    problems = {
        channel.name: alert_channels.send(channel, "Barton: test", "A test message. Nothing is wrong.")
        for channel in channels
    }
    if json_output:
        _print_json(
            [{"channel": name, "ok": not problem, "problem": problem or None} for name, problem in problems.items()]
        )
    else:
        for name, problem in problems.items():
            console.print(f"{name}: {problem or 'taken'}", markup=False)
    if any(problems.values()):
        raise click.exceptions.Exit(1)


@barton.command()
@click.option("--dry-run", is_flag=True, help="Only count what would be deleted.")
@as_json
def purge(dry_run: bool, json_output: bool) -> None:
    """Delete history that has grown old; by itself this happens every night (retention.yaml)."""
    from barton_pipeline import retention

    with contextlib.closing(connect()) as connection:
        counts = retention.count_old(connection) if dry_run else retention.purge(connection)
    if json_output:
        _print_json(counts)
        return
    for kind, rows in counts.items():
        console.print(f"{rows:,} {kind.replace('_', ' ')} {'would be deleted' if dry_run else 'deleted'}")


@barton.command()
@as_json
def doctor(json_output: bool) -> None:
    """Check the installation and say what to do about what is wrong."""
    from barton_pipeline import doctor as doctor_module

    findings = doctor_module.examine()
    if json_output:
        _print_json([finding.__dict__ for finding in findings])
    else:
        table = Table("", "check", "finding", "what to do")
        for finding in findings:
            table.add_row(
                {"ok": "✓", "warning": "!", "error": "✗"}[finding.state],
                finding.name,
                _cell(finding.found),
                _cell(finding.remedy or None),
            )
        console.print(table)
    if any(finding.state == "error" for finding in findings):
        raise click.exceptions.Exit(1)


@barton.command()
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


@barton.command()
def stop() -> None:
    """Stop the embedded Postgres (data stays)."""
    embedded.stop()
    console.print("The embedded Postgres is stopped.")


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, default=str, indent=2))


if __name__ == "__main__":
    main()
