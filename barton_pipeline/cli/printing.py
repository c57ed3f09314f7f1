"""What the terminal shows: tables, JSON, progress."""

import contextlib
import json
from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

console = Console()


as_json = click.option("--json", "json_output", is_flag=True, help="Print JSON for a script to read.")


@contextlib.contextmanager
def bar(hidden: bool) -> Any:
    with Progress(
        "loading", BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), transient=True, disable=hidden,
    ) as progress:  # fmt: skip
        task = progress.add_task("loading", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def print_rows(title: str, rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    """A table of the rows; nothing is interpreted as markup."""
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*(cell(row[column]) for column in columns))
    console.print(table)


def cell(value: Any) -> str:
    from rich.markup import escape

    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.3f}"
    if hasattr(value, "strftime"):
        return str(value.strftime("%Y-%m-%d %H:%M:%S"))
    return escape(f"{value:,}" if isinstance(value, int) else str(value))


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, default=str, indent=2))
