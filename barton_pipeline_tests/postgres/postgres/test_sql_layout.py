"""Every file of a stage and of scoring can be read, and parsed, alone: whole statements, each with what it is for.

Layout itself is ``sqlfluff lint sql`` (the task ``sql``).
"""

import re

import psycopg2
import pytest

from barton_pipeline.postgres.sql import sql_path
from barton_pipeline_tests.conftest import Postgres

TEXTS = {
    f"{folder}/{path.name}": path.read_text(encoding="utf-8")
    for folder in ("stages", "scoring")
    for path in sorted(sql_path(folder).glob("*.sql"))
}
# These stand directly above or below the statement that they serve, and need no comment of their own.
SERVING = re.compile(r"DROP TABLE IF EXISTS pg_temp\.|CREATE TEMP TABLE \w+ \(|ANALYZE pg_temp\.")

GOOD = """\
-- What the file does.

-- What the table is for.
DROP TABLE IF EXISTS pg_temp.example;
CREATE TEMP TABLE example ON COMMIT DROP AS
WITH first AS (
    SELECT 1 AS n
),

second AS (
    SELECT 2 AS n
)

SELECT first.n
FROM first
JOIN second USING (n);
ANALYZE pg_temp.example;
"""


def flaws(text: str) -> list[str]:
    """What a reader of the file would miss; empty for a good one."""
    found = [] if text.endswith(";\n") else ["it ends in the middle of a statement"]
    for block in re.split(r"(?<=;)\n{2,}", text.rstrip("\n")):
        code = re.sub(r"\A(--.*\n+)+", "", block)
        if code == block or block.removesuffix(code).endswith("\n\n"):
            found.append(f"no comment stands above: {code.splitlines()[0]}")
        statements = [statement for statement in re.split(r"(?<=;)\n", code) if not SERVING.match(statement)]
        found += [f"no blank line and comment stand above: {more.splitlines()[0]}" for more in statements[1:]]
    return found


def parse(db: Postgres, text: str) -> None:
    """Let Postgres parse the statements, and run none of them. Raises psycopg2's SyntaxError."""
    statements = re.sub(r"%\(\w+\)s", "NULL", text).replace("%%", "%")
    db.execute(f"DO $body$ BEGIN IF false THEN\n{statements}\nEND IF; END $body$")


@pytest.mark.parametrize("name", TEXTS)
def test_every_statement_is_whole_and_says_what_it_is_for(name: str) -> None:
    assert flaws(TEXTS[name]) == []


def test_every_file_parses_alone(db: Postgres) -> None:
    refused = {}
    for name, text in TEXTS.items():
        try:
            parse(db, text)
        except psycopg2.errors.SyntaxError as error:
            refused[name] = str(error)
    assert refused == {}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("-- What the table is for.\n", "", ["no comment stands above: DROP TABLE IF EXISTS pg_temp.example;"]),
        ("-- What the file does.\n\n-- What the table is for.\n", "", ["no comment stands above: DROP TABLE"]),
        ("JOIN second USING (n);\n", "JOIN second USING (n);\n\n", ["no comment stands above: ANALYZE"]),
        ("ANALYZE pg_temp.example;\n", "SELECT 1;\n", ["no blank line and comment stand above: SELECT 1;"]),
        ("ANALYZE pg_temp.example;\n", "ANALYZE pg_temp.example\n", ["it ends in the middle of a statement"]),
    ],
)
def test_a_flaw_is_found(before: str, after: str, told: list[str]) -> None:
    assert flaws(GOOD) == []
    found = flaws(GOOD.replace(before, after))
    assert len(found) == len(told) and all(map(str.startswith, found, told)), found


def test_a_fragment_does_not_parse(db: Postgres) -> None:
    parse(db, GOOD)
    with pytest.raises(psycopg2.errors.SyntaxError):
        parse(db, ", second AS (SELECT 2 AS n) SELECT n FROM second;\n")
    with pytest.raises(psycopg2.errors.SyntaxError):
        parse(db, GOOD.replace(";\nANALYZE", "\nANALYZE"))
