"""How Postgres would run the statements of the package: a connection that explains each one before it runs it."""

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cache
from typing import Any

import psycopg2.extensions

Node = Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """One statement and its plan, as EXPLAIN (FORMAT JSON) tells it."""

    statement: str
    root: Node

    def indexes(self) -> set[str]:
        """The names of all indexes in use."""
        return {node["Index Name"] for node, _, _ in _walk(self.root) if "Index Name" in node}

    def nodes_with_parents(self) -> Iterator[tuple[Node, Node]]:
        """Every node beside the one above it, from the top down."""
        return ((node, parent) for node, parent, _ in _walk(self.root))

    def __str__(self) -> str:
        lines = (_line(depth, node) for node, _, depth in _walk(self.root))
        return "\n".join([" ".join(self.statement.split()), *lines])


def _walk(node: Node, parent: Node | None = None, depth: int = 0) -> Iterator[tuple[Node, Node, int]]:
    yield node, parent or {}, depth
    for child in node.get("Plans", ()):
        yield from _walk(child, node, depth + 1)


def _line(depth: int, node: Node) -> str:
    where = [f"on {node['Relation Name']}"] if "Relation Name" in node else []
    where += [f"using {node['Index Name']}"] if "Index Name" in node else []
    conditions = [f"{name}: {node[name]}" for name in ("Index Cond", "Filter") if name in node]
    return f"{'  ' * depth}{node['Node Type']} {' '.join(where)} ({node['Plan Rows']} rows) {'; '.join(conditions)}"


class ExplainingConnection(psycopg2.extensions.connection):
    """Keeps the plan of every statement in ``plans``."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.plans: list[Plan] = []

    def cursor(self, *args: Any, **options: Any) -> Any:
        kind = options.pop("cursor_factory", None) or psycopg2.extensions.cursor
        return super().cursor(*args, cursor_factory=_explaining(kind), **options)


_PLANNED = re.compile(r"(SELECT|WITH|INSERT|UPDATE|DELETE|CREATE TEMP TABLE \w+ ON COMMIT DROP AS)\b", re.IGNORECASE)


def _statements(text: str) -> Iterator[str]:
    """The statements of a file, which end their lines; each without the comments before it."""
    for statement in re.split(r";[ ]*(?:\n|$)", text):
        if bare := re.sub(r"\A(\s*--[^\n]*\n|\s+)*", "", statement):
            yield bare


@cache
def _explaining(kind: type[psycopg2.extensions.cursor]) -> type[psycopg2.extensions.cursor]:
    class ExplainingCursor(kind):  # type: ignore[misc, valid-type]  # the caller chooses the base at run time
        def execute(self, query: Any, parameters: Any = None) -> Any:
            if self.name:  # a cursor on the server
                return super().execute(query, parameters)
            for statement in _statements(self.mogrify(query, parameters).decode()):
                if _PLANNED.match(statement):
                    with psycopg2.extensions.cursor(self.connection) as cursor:
                        cursor.execute(b"EXPLAIN (FORMAT JSON) " + statement.encode())
                        ((found,),) = cursor.fetchall()
                    self.connection.plans.append(Plan(statement, found[0]["Plan"]))
                super().execute(statement)

    return ExplainingCursor


def faults(plan: Plan, large: Set[str], leading: Mapping[str, str], swept: Set[str]) -> list[str]:
    """What makes the plan's cost grow with what is in the ``large`` tables.

    That is reading such a table from end to end, or one of its indexes: one is read in part when there is a condition on its
    first column (``leading``, by index), or when only the first rows are taken. Those in ``swept`` may be read as a whole.
    """
    found = []
    for node, parent in plan.nodes_with_parents():
        table, index = node.get("Relation Name"), node.get("Index Name")
        if node["Node Type"] == "Seq Scan" and table in large:
            found.append(f"reads all of {table}")
        if index is None or index not in leading or index in swept or parent.get("Node Type") == "Limit":
            continue
        if leading[index] not in node.get("Index Cond", ""):
            found.append(f"reads all of {index}")
    return found
