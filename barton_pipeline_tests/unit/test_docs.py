"""Links and mentions of pages lead somewhere, and every page is in the index."""

import re
from pathlib import Path

import pytest

from barton_pipeline_tests.conftest import PROJECT

PAGES = sorted([*(PROJECT / "docs").rglob("*.md"), *PROJECT.glob("*.md")])
# The comments of migrations are as old as the migrations, and schema.sql repeats them.
OLD = (PROJECT / "sql" / "migrations", PROJECT / "sql" / "schema.sql")
SOURCES = sorted(
    path
    for folder in ("barton_pipeline", "barton_pipeline_tests", "benchmarks", "docs", "sql", "tools")
    for path in (PROJECT / folder).rglob("*")
    if path.suffix in (".md", ".py", ".sql", ".yaml") and not any(path.is_relative_to(old) for old in OLD)
) + [PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "dagster.yaml", "pyproject.toml")]


def relative(path: Path) -> str:
    return str(path.relative_to(PROJECT))


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_relative_links_lead_to_a_file(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"[a-z]+:", link)]
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_mentioned_pages_exist() -> None:
    mentions = [
        (relative(path), mention)
        for path in SOURCES
        for mention in re.findall(r"(?<![\w/.-])docs/[\w/-]+(?:\.md|/)(?![\w-])", path.read_text(encoding="utf-8"))
    ]
    assert mentions, "the pattern finds nothing"
    assert [(where, mention) for where, mention in mentions if not (PROJECT / mention).exists()] == []


def test_every_page_can_be_reached_from_the_index() -> None:
    index = PROJECT / "docs" / "README.md"
    reached, to_read = set(), [index]
    while to_read:
        page = to_read.pop()
        if page in reached:
            continue
        reached.add(page)
        links = re.findall(r"\]\(([^)\s#]+\.md)", page.read_text(encoding="utf-8"))
        to_read += [(page.parent / link).resolve() for link in links if (page.parent / link).exists()]
    assert {relative(page) for page in (PROJECT / "docs").rglob("*.md")} - {relative(page) for page in reached} == set()


def test_files_that_pages_name_exist() -> None:
    named = [
        (relative(page), name)
        for page in PAGES
        for name in re.findall(
            r"`((?:barton_pipeline|barton_pipeline_tests|benchmarks|samples|sql|tools)/[\w./-]+)`",
            page.read_text(encoding="utf-8"),
        )
    ]
    assert named, "the pattern finds nothing"
    assert [(page, name) for page, name in named if not (PROJECT / name).exists()] == []
