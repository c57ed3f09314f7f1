"""Commands that bring data in: files, signals by HTTP, and the undoing of a match."""

import contextlib
import getpass
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from barton_pipeline.cli.printing import (
    Column,
    Importance,
    Kind,
    Table,
    as_json,
    bar,
    print_json,
    print_table,
    say,
)
from barton_pipeline.postgres import migrations
from barton_pipeline.postgres.connection import connect, transaction

MAPPING = Table(
    "How the columns were read",
    (Column("field", "field", Kind.KEY, Importance.HIGH), Column("column", "column", importance=Importance.HIGH)),
)


@dataclass(frozen=True)
class Unmatched:
    """What ``barton unmatch`` did: so many rows, written like intake row ``row``, are to be judged again."""

    row: int
    rows: int


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--batch", help="Import batch key [default: made from today's date and the file's name].")
@click.option(
    "--kind",
    type=click.Choice(["companies", "people", "signals", "outcomes"]),
    help="What the rows are [default: from the header].",
)
@as_json
def load(file: Path, batch: str | None, kind: str | None, json_output: bool) -> None:
    """Load a CSV or XLSX export into the pipeline.

    Its rows start the pipeline by themselves.
    """
    from barton_pipeline.intake.loading import load_file

    migrations.ensure_migrated()
    with contextlib.closing(connect()) as connection, bar(json_output) as progress:
        report = load_file(connection, file, kind=kind, batch=batch, progress=progress)
    if json_output:
        print_json(report.to_dict())
        return
    _print_load_report(report.to_dict())


def _print_load_report(report: dict[str, Any]) -> None:
    if report["already_loaded"]:
        say(f"This file is already loaded as batch {report['batch']}; nothing was done.")
        return
    say(
        f"Batch {report['batch']}: {report['loaded']:,} {report['kind']} loaded, {report['rejected']:,} "
        f"rejected, {report['blank']:,} blank, of {report['rows_read']:,} rows ({report['source']} export)."
    )
    mapping = report["mapping"]
    print_table(
        MAPPING, [{"field": name, "column": ", ".join(columns)} for name, columns in mapping["columns"].items()]
    )
    if mapping.get("unused"):
        say(f"Kept in raw only: {', '.join(map(str, mapping['unused']))}", style="dim")
    for note in report["notes"]:
        say(note, style="yellow")
    for rejected in report["rejected_sample"]:
        say(f"Line {rejected['line_number']}: {rejected['reason']}: {rejected['details']}")
    if report["rejected"] > len(report["rejected_sample"]):
        say("All rejected lines: SELECT * FROM intake.rejected_rows;")
    say(f"Follow it with: barton status {report['batch']}", style="dim")


@click.command("receive-signals")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; put TLS in front of any other."
)
@click.option("--port", default=8098, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
def receive_signals(host: str, port: int) -> None:
    """Take buyer-intent signals by HTTP.

    POST /signals with the bearer token BARTON_SIGNALS_TOKEN (docs/signals.md).
    """
    import uvicorn

    from barton_pipeline.web.signals import application

    migrations.ensure_migrated()
    uvicorn.run(application(), host=host, port=port, log_level="warning")


@click.command()
@click.argument("row", type=click.IntRange(min=1))
@click.option("--notes", help="Why; kept with the decision.")
@as_json
def unmatch(row: int, notes: str | None, json_output: bool) -> None:
    """Undo the match of intake ROW.

    The row and those written like it become a company of their own.
    """
    from barton_pipeline.companies import matching

    with transaction() as connection:
        rows = matching.unmatch(connection, row, getpass.getuser(), notes)
    if json_output:
        print_json(Unmatched(row, rows))
    else:
        say(f"{rows} row(s) are to be judged again and become a company of their own; their batches are queued.")
