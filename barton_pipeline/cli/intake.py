"""Commands that bring data in: files, signals by HTTP, and the undoing of a match."""

import contextlib
import getpass
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from barton_pipeline.cli.printing import as_json, bar, cell, console, print_json
from barton_pipeline.postgres import migrations
from barton_pipeline.postgres.connection import connect, transaction


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
    """Load a CSV or XLSX export; its rows start the pipeline by themselves."""
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
        console.print(f"This file is already loaded as batch [bold]{report['batch']}[/]; nothing was done.")
        return
    console.print(
        f"Batch [bold]{report['batch']}[/]: {report['loaded']:,} {report['kind']} loaded, {report['rejected']:,} "
        f"rejected, {report['blank']:,} blank, of {report['rows_read']:,} rows ({report['source']} export)."
    )
    mapping = report["mapping"]
    table = Table("field", "column", title="How the columns were read", title_justify="left")
    for field, column in mapping["columns"].items():
        table.add_row(field, cell(", ".join(column)))
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


@click.command("receive-signals")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; put TLS in front of any other."
)
@click.option("--port", default=8098, show_default=True, type=click.IntRange(1, 65535))
def receive_signals(host: str, port: int) -> None:
    """Take buyer-intent signals by HTTP: POST /signals with the bearer token BARTON_SIGNALS_TOKEN (docs/signals.md)."""
    import uvicorn

    from barton_pipeline.web.signals import application

    migrations.ensure_migrated()
    uvicorn.run(application(), host=host, port=port, log_level="warning")


@click.command()
@click.argument("row", type=click.IntRange(min=1))
@click.option("--notes", help="Why; kept with the decision.")
def unmatch(row: int, notes: str | None) -> None:
    """Undo the match of intake ROW: it and the rows written like it become a company of their own."""
    from barton_pipeline.companies import matching

    with transaction() as connection:
        rows = matching.unmatch(connection, row, getpass.getuser(), notes)
    console.print(f"{rows} row(s) are to be judged again and become a company of their own; their batches are queued.")
