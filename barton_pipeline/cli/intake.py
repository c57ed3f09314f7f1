"""Commands that bring data in: files, signals by HTTP, and the undoing of a match."""

from pathlib import Path
from typing import Any

import click

from barton_pipeline.cli.operator import operator
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
from barton_pipeline.companies.matching import LoadedCompanies
from barton_pipeline.errors import InputError
from barton_pipeline.intake.mapping import KINDS
from barton_pipeline.postgres import migrations

REASONS = Table(
    "Reasons",
    (Column("reason", "reason", Kind.KEY, Importance.HIGH), Column("rows", "rows", Kind.NUMBER, Importance.HIGH)),
)
MAPPING = Table(
    "How the columns were read",
    (Column("field", "field", Kind.KEY, Importance.HIGH), Column("column", "column", importance=Importance.HIGH)),
)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--batch", help="Import batch key [default: made from today's date and the file's name].")
@click.option("--kind", type=click.Choice(KINDS), help="What the rows are [default: from the header].")
@click.option(
    "--map",
    "columns",
    multiple=True,
    metavar="FIELD=COLUMN",
    help="The column of a field, where the header misleads (FIELD= for none); may be repeated.",
)
@click.option("--encoding", help="Encoding of a text file [default: found out].")
@click.option("--delimiter", help="What separates the values of a text file, one character [default: found out].")
@click.option("--sheet", help="Worksheet of a workbook [default: the first one that is visible].")
@click.option("--header-row", type=click.IntRange(min=1), help="Line of the header [default: found out].")
@click.option("--dry-run", is_flag=True, help="Load nothing; say what would be loaded, rejected, and is known already.")
@as_json
def load(
    file: Path,
    batch: str | None,
    kind: str | None,
    columns: tuple[str, ...],
    encoding: str | None,
    delimiter: str | None,
    sheet: str | None,
    header_row: int | None,
    dry_run: bool,
    json_output: bool,
) -> None:
    """Load a CSV or XLSX export into the pipeline.

    Its rows start the pipeline by themselves.
    """
    from barton_pipeline.actions import batches
    from barton_pipeline.intake.readers import ReadOptions

    migrations.ensure_migrated()
    with bar(json_output) as progress:
        done = batches.load(
            None,
            operator(),
            file,
            kind=kind,
            import_batch_id=batch,
            columns=_given_columns(columns),
            options=ReadOptions(encoding, {"\\t": "\t"}.get(delimiter or "", delimiter), sheet, header_row),
            judge=dry_run,
            progress=progress,
            apply=not dry_run,
        )
    report = done.report.to_dict()
    if json_output:
        print_json({**report, "dry_run": dry_run, "companies": done.companies})
    else:
        _print_load_report(report, dry_run)
        if done.companies:
            _print_companies(done.companies)
        if dry_run:
            say("Nothing was loaded (--dry-run).")
    if done.report.rejected and not done.report.loaded:
        raise click.exceptions.Exit(1)


def _given_columns(given: tuple[str, ...]) -> dict[str, str]:
    """FIELD=COLUMN pairs. Raises InputError for one without an equals sign, and for a field that is given twice."""
    columns: dict[str, str] = {}
    for pair in given:
        field, equals, column = pair.partition("=")
        if not equals:
            raise InputError(f"--map {pair!r} is not FIELD=COLUMN, for example --map company='Account Name'.")
        if field in columns:
            raise InputError(f"--map gives {field} twice: {columns[field]!r} and {column!r}.")
        columns[field] = column
    return columns


def _print_companies(found: LoadedCompanies) -> None:
    say(
        f"Judged now: {found.valid:,} rows valid, {found.invalid:,} invalid; {found.companies:,} companies, of which "
        f"{found.known:,} are known already."
    )
    reasons = [{"reason": reason, "rows": rows} for reason, rows in found.reasons.items()]
    if reasons:
        print_table(REASONS, reasons, aside=True)


def _print_load_report(report: dict[str, Any], dry_run: bool) -> None:
    if report["already_loaded"]:
        say(f"This file is already loaded as batch {report['batch']}; nothing was done.")
        return
    loaded = "would be loaded" if dry_run else "loaded"
    say(
        f"Batch {report['batch']}: {report['loaded']:,} {report['kind']} {loaded}, {report['rejected']:,} "
        f"rejected, {report['blank']:,} blank, of {report['rows_read']:,} rows ({report['source']} export)."
    )
    if report["companies"]:
        say(f"With them: {report['companies']:,} companies {loaded}.")
    mapping = report["mapping"]
    print_table(
        MAPPING, [{"field": name, "column": ", ".join(columns)} for name, columns in mapping["columns"].items()]
    )
    if mapping.get("unused"):
        say(f"Kept in raw only: {', '.join(map(str, mapping['unused']))}", style="dim")
    for note in report["notes"]:
        say(note, style="yellow")
    for reason, rows in report["rejected_by_reason"].items():
        say(f"{rows:,} rejected: {reason}")
    for rejected in report["rejected_sample"]:
        say(f"Line {rejected['line_number']}: {rejected['reason']}: {rejected['details']}")
    if dry_run:
        return
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

    POST /signals with the bearer token BARTON_SIGNALS_TOKEN (docs/how-to/signals.md).
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
    from barton_pipeline.actions import companies

    done = companies.unmatch(None, operator(), row, reason=notes)
    if json_output:
        print_json(done)
    else:
        say(f"{done.rows} row(s) are to be judged again and become a company of their own; their batches are queued.")
