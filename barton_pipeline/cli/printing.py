"""What the commands print: tables that fit the terminal, sentences, JSON, progress.

A terminal gets tables of its width: keys stay whole, long text is folded, and what matters least gives way. Anything else (a pipe,
a file) gets tab-separated lines with every column and every value as it is. Data never acts on the terminal: control characters are
written out, and nothing is taken for markup. Belongs here: how things look. Not here: what is printed.
"""

import contextlib
import dataclasses
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import IntEnum, StrEnum
from pathlib import PurePath
from typing import Any

import click
from rich import box
from rich.cells import cell_len, chop_cells
from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table as RichTable
from rich.text import Text

console = Console(highlight=False)
error_console = Console(stderr=True, highlight=False)

as_json = click.option("--json", "json_output", is_flag=True, help="Print JSON for a script to read.")


class Kind(StrEnum):
    """What a column holds, and so how it is written and whether it may be folded."""

    KEY = "key"  # batch keys, IDs, names of stages, files: whole, whatever the width
    NUMBER = "number"
    MONEY = "money"  # US dollars
    MOMENT = "moment"
    TEXT = "text"  # folded to the width there is


class Importance(IntEnum):
    """Which columns give way when the terminal is narrow: first LOW, then MEDIUM; HIGH ones never."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3


@dataclass(frozen=True)
class Column:
    """One column: ``field`` is the attribute of a row. ``decimals`` is for numbers, ``least_width`` (in cells) for text."""

    field: str
    heading: str
    kind: Kind = Kind.TEXT
    importance: Importance = Importance.MEDIUM
    decimals: int = 0
    least_width: int = 16


@dataclass(frozen=True)
class Table:
    """A title and columns; the rows are dataclasses, or mappings."""

    title: str
    columns: tuple[Column, ...]


NOTHING = "–"
_GAP = 2  # cells between two columns
_USUAL_WORD = 40  # cells; a batch key that was made of a file's name is hardly longer
_RIGID = frozenset(Kind) - {Kind.TEXT}
_RIGHT = frozenset({Kind.NUMBER, Kind.MONEY})
# The joiners are part of emoji and of some scripts; all other format characters hide or turn round what stands beside them.
_JOINERS = "\u200c\u200d"
_ACTS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# A command to type stays in one line: its words are glued before the text is folded.
_COMMAND = re.compile(
    r"\b(?:barton|dagster|psql)(?: [a-z][a-z-]*)?(?: (?:--?[a-z][a-z-]*|[A-Z0-9/]\S*))+|\b(?:barton|dagster) [a-z-]+"
)
_GLUE = "\ue000"  # a private character one cell wide


def print_table(table: Table, rows: Sequence[Any], *, aside: bool = False, title: str | None = None) -> None:
    """The rows as a table on a terminal, else as tab-separated lines with a header.

    ``aside`` marks what stands beside a command's main table: it goes to standard error when standard output is no terminal, so
    that the lines a script reads all have the same fields. ``title`` takes the place of the table's.
    """
    out = _console(aside)
    if out.file.isatty():
        out.print(render(table, rows, out.width, title), soft_wrap=True)
    else:
        click.echo(tab_separated(table, rows), err=out.stderr)


def say(text: str, *, aside: bool = False, style: str = "") -> None:
    """A sentence or several lines, folded to the terminal's width; ``aside`` as in ``print_table``."""
    _print_lines(_console(aside), text, style)


def print_items(items: Sequence[tuple[str, str]]) -> None:
    """Heads, each with its text folded beside it; for a terminal."""
    indent = max(cell_len(head) for head, _ in items) + _GAP
    lines = [
        line
        for head, text in items
        for line in _hang(visible(head), fold(visible(text), max(1, console.width - indent)), indent, console.width)
    ]
    console.print(Text("\n".join(lines)), soft_wrap=True)


def complain(text: str) -> None:
    """What went wrong, on standard error."""
    _print_lines(error_console, text)


def _console(aside: bool) -> Console:
    return error_console if aside and not is_terminal() else console


def _print_lines(out: Console, text: str, style: str = "") -> None:
    if out.file.isatty():
        out.print(_lines(text, out.width, style), soft_wrap=True)
    else:
        click.echo("\n".join(visible(line) for line in text.split("\n")), err=out.stderr)


def is_terminal() -> bool:
    """Whether a person is likely to read standard output."""
    return console.file.isatty()


def render(table: Table, rows: Sequence[Any], width: int, title: str | None = None) -> RenderableType:
    """The table for a terminal of ``width`` cells; no line is wider, unless a key is.

    Columns of little importance are left out, which is said below the table. When even the important ones have no room side by
    side, each row becomes a block of lines, a field each.
    """
    heading = visible(title or table.title)
    if not rows:
        return _lines(f"{heading}: none", width)
    columns = list(table.columns)
    while (widths := _widths(columns, rows, width)) is None:
        droppable = [column for column in columns if column.importance is not Importance.HIGH]
        if not droppable:
            return Group(_lines(heading, width, "bold"), _blocks(table.columns, rows, width))
        # the rightmost of the least important
        columns.remove(min(reversed(droppable), key=lambda column: column.importance))
    grid = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0))
    for column, cells in zip(columns, widths, strict=True):
        justify: JustifyMethod = "right" if column.kind in _RIGHT else "left"
        grid.add_column(Text(column.heading), justify=justify, width=cells, overflow="fold")
    for row in rows:
        folded = [fold(cell(column, row), cells, True) for column, cells in zip(columns, widths, strict=True)]
        # an empty line below a row of several lines
        grid.add_row(*(Text("\n".join(lines)) for lines in folded), end_section=any(len(lines) > 1 for lines in folded))
    parts: list[RenderableType] = [_lines(heading, width, "bold"), grid]
    if hidden := [column.heading for column in table.columns if column not in columns]:
        parts.append(_lines(f"No room at this width: {', '.join(hidden)}", width, "dim"))
    return Group(*parts)


def _widths(columns: Sequence[Column], rows: Sequence[Any], width: int) -> list[int] | None:
    """The cells of each column: what it needs, less for text when there is not enough; None when there is no room for all."""
    needed = [max(cell_len(column.heading), *(cell_len(cell(column, row)) for row in rows)) for column in columns]
    least = [
        cells if column.kind in _RIGID else min(cells, max(cell_len(column.heading), _least_text(column, rows)))
        for column, cells in zip(columns, needed, strict=True)
    ]
    room = width - sum(least) - _GAP * (len(columns) - 1)
    if room < 0:
        return None
    wish = [most - cells for most, cells in zip(needed, least, strict=True)]
    total = sum(wish)
    # what room there is goes to the columns by what they lack
    return [cells + min(more, room * more // total if total else 0) for cells, more in zip(least, wish, strict=True)]


def _least_text(column: Column, rows: Sequence[Any]) -> int:
    """Cells of a text column in which no word of usual length is broken: messages name batches, files and addresses."""
    words = (cell_len(word) for row in rows for word in cell(column, row).split() if word.isascii())
    return max([column.least_width, *(cells for cells in words if cells <= _USUAL_WORD)])


def _blocks(columns: Sequence[Column], rows: Sequence[Any], width: int) -> Text:
    """Each row as lines of heading and value, with a blank line between two rows."""
    indent = max(cell_len(column.heading) for column in columns) + _GAP
    blocks = []
    for row in rows:
        lines = []
        for column in columns:
            text = cell(column, row)
            folded = [text] if column.kind in _RIGID else fold(text, max(1, width - indent), True)
            lines += _hang(column.heading, folded, indent, width)
        blocks.append("\n".join(lines))
    return Text("\n\n".join(blocks))


def _hang(head: str, lines: list[str], indent: int, width: int) -> list[str]:
    """``lines`` to the right of ``head``, at ``indent``; a line that has no room there stands further left, below the head."""
    first = head + " " * (indent - cell_len(head)) + lines[0]
    hung = [first] if cell_len(first) <= width else [head.rstrip()]
    below = lines[1:] if cell_len(first) <= width else lines
    return [*hung, *(" " * min(indent, max(0, width - cell_len(line))) + line for line in below)]


def tab_separated(table: Table, rows: Sequence[Any]) -> str:
    """A header of the columns' fields, then a line per row: numbers and moments as they are, nothing for None.

    Tabs, line ends, backslashes and control characters inside a value are escaped (``\\t``, ``\\n``, ``\\\\``, ``\\x1b``).
    """
    header = "\t".join(column.field for column in table.columns)
    return "\n".join([header, *(tab_line(table, row) for row in rows)])


def tab_line(table: Table, row: Any) -> str:
    """One row of ``tab_separated``."""
    return "\t".join(_plain(value_of(row, column.field)) for column in table.columns)


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, (list, tuple)):
        return "; ".join(map(_plain, value))
    return visible((value.isoformat() if isinstance(value, date) else str(value)).replace("\\", "\\\\"))


def value_of(row: Any, field: str) -> Any:
    """The field of a row, which is a dataclass or a mapping."""
    return row[field] if isinstance(row, Mapping) else getattr(row, field)


def cell(column: Column, row: Any) -> str:
    """The value of a row as a person reads it."""
    value = value_of(row, column.field)
    if value is None or value in ("", (), []):
        return NOTHING
    if column.kind is Kind.MONEY:
        return money(value)
    if column.kind is Kind.NUMBER and not isinstance(value, str):
        return f"{value:,.{column.decimals}f}"
    if column.kind is Kind.MOMENT:
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return visible("; ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value))


def money(dollars: Decimal | float) -> str:
    """US dollars to the hundredth of a cent: $0.0073."""
    return f"{'-' if dollars < 0 else ''}${abs(dollars):,.4f}"


def visible(text: str) -> str:
    """The text with everything that would act on a terminal written out: control characters, line ends, changes of direction."""
    if text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in _ACTS and character not in _JOINERS
        else character
        for character in text
    )


def fold(text: str, width: int, break_words: bool = False) -> list[str]:
    """The text in lines of at most ``width`` cells, broken at spaces but not inside a command (``barton retry BATCH``).

    A word that is wider than a line is broken too if ``break_words``; else it has a line of its own.
    """
    if cell_len(text) <= width:
        return [text]
    lines: list[str] = []
    line = ""
    for word in _COMMAND.sub(lambda command: _glued(command[0], width), text).split():
        longer = f"{line} {word}" if line else word
        if cell_len(longer) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        *whole, line = chop_cells(word, width) if break_words else [word]
        lines += whole
    return [line.replace(_GLUE, " ") for line in [*lines, line]]


def _glued(command: str, width: int) -> str:
    return command.replace(" ", _GLUE) if cell_len(command) <= width else command


def _lines(text: str, width: int, style: str = "") -> Text:
    """Folded lines; one that begins with spaces keeps them, and its continuation stands below."""
    folded = []
    for line in text.split("\n"):
        words = line.lstrip(" ")
        indent = " " * (len(line) - len(words))
        folded += [indent + part for part in fold(visible(words), max(1, width - len(indent)))]
    return Text("\n".join(folded), style=style)


def print_json(value: Any) -> None:
    """The result of a command as JSON, for a script."""
    click.echo(json.dumps(value, default=_json_value, indent=2))


def print_json_line(value: Any) -> None:
    """One of many results as JSON in a line of its own."""
    click.echo(json.dumps(value, default=_json_value))


def _json_value(value: Any) -> Any:
    """What JSON has no form for: dataclasses are objects, moments ISO 8601, amounts of money text (exact to the last digit)."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


@contextlib.contextmanager
def bar(hidden: bool) -> Iterator[Callable[[int, int], None]]:
    """A progress bar over the bytes of a file, on standard error."""
    with Progress(
        "loading", BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), transient=True, disable=hidden,
    ) as progress:  # fmt: skip
        task = progress.add_task("loading", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
