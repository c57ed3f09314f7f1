"""What the terminal and the pipe get to see of hostile data, at every width."""

import importlib
import io
import json
import pkgutil
import unicodedata
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

import barton_pipeline.cli
from barton_pipeline.cli import printing
from barton_pipeline.cli.printing import Column, Importance, Kind, Table, fold, money, tab_separated, visible
from barton_pipeline.reports.batches import Batch

NOW = datetime(2026, 11, 25, 17, 18, 19, 123456, tzinfo=UTC)
HOSTILE = "a\x1b[31mred\x1b]0;title\x07\x9b2J\r\n\tb\x00\u202egnp.exe\u2066\ufeff\u2028"
JOINED = "\u200d"
USUAL_KEYS = ["20261125-BREWERIES-B1", "20261125-BREWERIES-B2", "04.04.01.84.00001.001", "[bold]k[/bold]", None]
LONG_KEYS = [f"20261125-{'K' * 88}-B{n}" for n in (1, 2)] + ["日本語" * 15, "my file (1).csv", HOSTILE]
TEXTS = [
    "Consolidated Amalgamated International Brewing, Distilling and Bottling Company of the Greater Ohio Valley, Incorporated",
    "株式会社" * 30,
    "👨\u200d👩\u200d👧\u200d👦" * 25 + " 🍺🏴",
    "שלום עולם " * 12,
    "[bold]not bold[/bold] [link=http://x]y[/link] :beer: [/]",
    HOSTILE,
    "unbroken" * 30,
    "\udc80 of a file's name",
    "Fix the cause, then run barton retry 20261125-BREWERIES-B1 or see barton errors --batch 20261125-BREWERIES-B1",
    "",
    None,
]
COMMON: dict[Kind, list[Any]] = {Kind.KEY: USUAL_KEYS, Kind.MOMENT: [NOW, None], Kind.TEXT: TEXTS}
DATA: dict[str, dict[Kind, list[Any]]] = {
    "usual": {
        **COMMON,
        Kind.NUMBER: [648, -5, 0, None, Decimal("-1.5"), 0.123456],
        Kind.MONEY: [Decimal("0.0073"), -1, None],
    },
    "huge": {
        **COMMON,
        Kind.KEY: LONG_KEYS,
        Kind.NUMBER: [10**15, -(10**15), Decimal("-1234.5"), None],
        Kind.MONEY: [Decimal("-1234567.8912"), None, Decimal(10**9), 0],
    },
}


class Terminal(io.StringIO):
    """A file that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def all_tables() -> dict[str, Table]:
    """Every table of the command line, by module and name."""
    found = {}
    for module in pkgutil.iter_modules(barton_pipeline.cli.__path__, "barton_pipeline.cli."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, Table):
                found[f"{module.name.rpartition('.')[2]}.{name}"] = value
    return found


TABLES = all_tables()


def rows_for(table: Table, values: dict[Kind, list[Any]]) -> list[SimpleNamespace]:
    return [
        SimpleNamespace(
            **{
                column.field: values[column.kind][(row + shift) % len(values[column.kind])]
                for shift, column in enumerate(table.columns)
            }
        )
        for row in range(len(TEXTS))
    ]


def shown(table: Table, rows: list[Any], width: int) -> str:
    terminal = Terminal()
    Console(file=terminal, width=width, color_system=None).print(printing.render(table, rows, width), soft_wrap=True)
    return terminal.getvalue()


def acting(text: str) -> set[str]:
    """The characters of a text that would act on a terminal."""
    return {character for character in text if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}} - {
        "\n",
        JOINED,
    }


def test_the_tables_are_found() -> None:
    assert {"batches.BATCHES", "targets.TARGETS", "operations.ERRORS", "vendors.BUDGETS", "system.FINDINGS"} <= set(
        TABLES
    )


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("data", DATA)
def test_every_table_at_every_width(name: str, width: int, data: str) -> None:
    table = TABLES[name]
    rows = rows_for(table, DATA[data])
    output = shown(table, rows, width)
    lines = output.splitlines()
    assert acting(output) == set()
    whole = {visible(key) for key in DATA[data][Kind.KEY] if key}
    assert [line for line in lines if cell_len(line) > width and line.strip() not in whole] == []
    left_out = lines[-1].partition("No room at this width: ")[2].split(", ")
    for column in table.columns:
        if column.heading in left_out:
            assert column.importance is not Importance.HIGH, f"{column.heading} is never left out"
        elif column.kind is not Kind.TEXT:
            missing = {
                text for row in rows if (text := printing.cell(column, row)) and not any(text in line for line in lines)
            }
            assert missing == set(), f"{column.heading} is cut"
        else:
            assert "[bold]not" in output and "bold[/bold]" in output, "markup is text"


@pytest.mark.parametrize("name", TABLES)
def test_what_one_copies_is_a_key(name: str) -> None:
    """Batches and IDs are never folded, nor written with thousands separators."""
    for column in TABLES[name].columns:
        if column.field in {"id", "batch"} or column.field.endswith("_id") or column.heading in {"batch", "id"}:
            assert column.kind is Kind.KEY


def test_two_batches_of_a_day_stay_apart_at_80_columns() -> None:
    done = Batch("20261125-BREWERIES-B1", "done", 648, 0, 1234, 3702, 40, "sniper_targets", NOW, 0, 0, 0)
    lines = shown(TABLES["batches.BATCHES"], [done, replace(done, batch="20261125-BREWERIES-B2")], 80).splitlines()
    assert lines[0] == "Batches" and lines[1].split() == [
        "batch",
        "state",
        "rows",
        "rejected",
        "companies",
        "slots",
        "targets",
    ]
    assert [line.split()[0] for line in lines[3:5]] == ["20261125-BREWERIES-B1", "20261125-BREWERIES-B2"]
    assert lines[5] == "No room at this width: last stage, completed at"


def test_numbers_stand_below_each_other() -> None:
    table = Table("T", (Column("n", "number", Kind.NUMBER), Column("usd", "cost", Kind.MONEY), Column("x", "x")))
    rows = [
        SimpleNamespace(n=1234567, usd=Decimal("0.0073"), x="a"),
        SimpleNamespace(n=-5, usd=Decimal("-12"), x="b"),
        SimpleNamespace(n=None, usd=None, x="c"),
    ]
    assert [line.rstrip() for line in shown(table, rows, 80).splitlines()[3:]] == [
        "1,234,567    $0.0073  a",
        "       -5  -$12.0000  b",
        "        –          –  c",
    ]


def test_a_table_without_rows_says_so() -> None:
    assert shown(TABLES["operations.ERRORS"], [], 80) == "Open errors: none\n"


def test_a_terminal_of_a_few_columns_ends_no_command() -> None:
    for width in (1, 2, 10):
        for name in ("batches.BATCHES", "operations.ERRORS"):
            assert shown(TABLES[name], rows_for(TABLES[name], DATA["huge"]), width)


@pytest.mark.parametrize("name", TABLES)
def test_tab_separated_lines_have_the_same_fields_and_can_be_read_back(name: str) -> None:
    table = TABLES[name]
    rows = rows_for(table, DATA["huge"])
    header, *lines = tab_separated(table, rows).split("\n")
    assert header.split("\t") == [column.field for column in table.columns]
    assert len(lines) == len(rows)
    assert acting("".join(lines)) <= {"\t"}
    for line, row in zip(lines, rows, strict=True):
        fields = line.split("\t")
        assert len(fields) == len(table.columns)
        for column, field in zip(table.columns, fields, strict=True):
            value = getattr(row, column.field)
            if value is None:
                assert field == ""
            elif column.kind in (Kind.NUMBER, Kind.MONEY):
                assert Decimal(field) == Decimal(str(value))
            elif column.kind is Kind.MOMENT:
                assert datetime.fromisoformat(field) == value
            else:
                assert field.encode("latin-1", "backslashreplace").decode("unicode_escape") == value


@settings(deadline=None)
@given(st.text(), st.integers(2, 60), st.booleans())
def test_folding_loses_nothing(text: str, width: int, break_words: bool) -> None:
    text = visible(text)
    lines = fold(text, width, break_words)
    assert "".join("".join(lines).split()) == "".join(text.split())
    for line in lines:
        assert cell_len(line) <= width or (not break_words and len(line.split()) == 1)


@pytest.mark.parametrize(
    "command",
    [
        "barton retry 20261125-BREWERIES-B1",
        "barton errors --batch 20261125-BREWERIES-B1",
        "barton load FILE --batch B1",
        "barton doctor",
        "dagster dev",
        "psql -f /srv/barton/sql/objects/views/v_alerts.sql",
    ],
)
def test_a_command_is_not_folded(command: str) -> None:
    for before in range(1, 60):
        lines = fold(f"{'x' * before} {command} and then some more words that take it past the width", 60)
        assert any(command in line for line in lines), lines


def test_text_keeps_words_of_usual_length_whole() -> None:
    table = Table("T", (Column("k", "key", Kind.KEY, Importance.HIGH), Column("x", "text", importance=Importance.HIGH)))
    output = shown(
        table, [SimpleNamespace(k="K" * 30, x="of 20261125-OHIO-BREWERIES-SPRING-LIST-B12 the end " * 3)], 80
    )
    assert output.count("20261125-OHIO-BREWERIES-SPRING-LIST-B12") == 3


def test_sentences_are_folded_on_a_terminal_and_whole_in_a_pipe(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    text = f"Batch [bold]B1[/bold] {HOSTILE} " + "is a long story " * 10
    terminal = Terminal()
    monkeypatch.setattr(printing, "console", Console(file=terminal, width=80, color_system=None))
    printing.say(text)
    lines = terminal.getvalue().splitlines()
    assert len(lines) > 2 and all(cell_len(line) <= 80 for line in lines)
    assert "Batch [bold]B1[/bold]" in lines[0] and acting(terminal.getvalue()) == set()
    monkeypatch.setattr(printing, "console", Console(file=io.StringIO(), width=80))
    printing.say(text.replace("\n", " "))
    assert capsys.readouterr().out == visible(text.replace("\n", " ")) + "\n"


def test_what_stands_beside_the_table_leaves_the_pipe_alone(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    table = Table("T", (Column("a", "a"),))
    monkeypatch.setattr(printing, "console", Console(file=io.StringIO()))
    printing.print_table(table, [SimpleNamespace(a=1)])
    printing.print_table(table, [SimpleNamespace(a=2)], aside=True)
    printing.say("Two tables.", aside=True)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("a\n1\n", "a\n2\nTwo tables.\n")


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_no_color(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], coloured: bool) -> None:
    terminal = Terminal()
    environment = {"TERM": "xterm-256color", "COLUMNS": "100", **variables}
    monkeypatch.setattr(printing, "console", Console(file=terminal, _environ=environment))
    printing.say("Look here.", style="yellow")
    assert ("\x1b[33m" in terminal.getvalue()) is coloured
    assert printing.console.width == (80 if "TERM" in variables else 100), "a dumb terminal does not know"


def test_items_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(printing, "console", Console(file=terminal, width=40, color_system=None))
    printing.print_items(
        [("✓ disk", "12.3 GB free"), ("! x", "see " + "y" * 38 + " or run barton migrate today, please")]
    )
    assert terminal.getvalue().splitlines() == [
        "✓ disk  12.3 GB free",
        "! x     see",
        "  " + "y" * 38,
        "        or run barton migrate today,",
        "        please",
    ]


@pytest.mark.parametrize(
    ("dollars", "text"),
    [
        (Decimal("0.0073"), "$0.0073"),
        (0, "$0.0000"),
        (Decimal("-1234567.8"), "-$1,234,567.8000"),
        (Decimal("1e9"), "$1,000,000,000.0000"),
    ],
)
def test_money(dollars: Decimal, text: str) -> None:
    assert money(dollars) == text


@dataclass(frozen=True)
class Inner:
    """In another one."""

    usd: Decimal
    when: datetime | None


@dataclass(frozen=True)
class Outer:
    """Everything JSON has no form for."""

    inner: tuple[Inner, ...]
    day: date
    file: Path
    names: frozenset[str]


def test_json(capsys) -> None:
    value = Outer(
        (Inner(Decimal("1E-7"), NOW), Inner(Decimal("2.50"), None)), date(2026, 1, 2), Path("a b"), frozenset("ba")
    )
    printing.print_json(value)
    printed = capsys.readouterr().out
    assert json.loads(printed) == {
        "inner": [
            {"usd": "0.0000001", "when": "2026-11-25T17:18:19.123456+00:00"},
            {"usd": "2.50", "when": None},
        ],
        "day": "2026-01-02",
        "file": "a b",
        "names": ["a", "b"],
    }
    printing.print_json_line({"text": HOSTILE})
    line = capsys.readouterr().out
    assert acting(line) == set() and json.loads(line) == {"text": HOSTILE}
    with pytest.raises(TypeError, match="object has no form in JSON"):
        printing.print_json(object())
