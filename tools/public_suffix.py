"""Write sql/data/public_suffix.sql, the public suffix list, from tldextract's bundled snapshot.

Usage: python -m tools.public_suffix   (after upgrading tldextract; barton migrate brings the difference into a database)
"""

from importlib.resources import files

from barton_pipeline.postgres.sql import sql_path

TARGET = sql_path("data", "public_suffix.sql")
STATEMENT = """\
-- The public suffix list (publicsuffix.org, MPL 2.0; tldextract's snapshot), ICANN and private sections. Written by
-- python -m tools.public_suffix, never by hand: rows that are new here are inserted, rows that are gone are deleted.
WITH listed (suffix, kind) AS (
    VALUES
    {rows}
),

gone AS (
    DELETE FROM intake.public_suffix AS existing
    WHERE NOT EXISTS (SELECT FROM listed WHERE listed.suffix = existing.suffix)
)

INSERT INTO intake.public_suffix AS existing (suffix, kind)
SELECT
    suffix,
    kind
FROM listed
ON CONFLICT (suffix) DO UPDATE SET kind = excluded.kind
WHERE existing.kind <> excluded.kind;
"""


def suffixes() -> list[tuple[str, str]]:
    """(suffix, kind) pairs in order; kind is rule, wildcard or exception. Unicode rules appear in Punycode too."""
    found: dict[str, str] = {}
    text = (files("tldextract") / ".tld_set_snapshot").read_text(encoding="utf-8")
    for line in text.splitlines():
        rule = line.strip()
        if not rule or rule.startswith("//"):
            continue
        kind = "rule"
        if rule.startswith("*."):
            rule, kind = rule[2:], "wildcard"
        elif rule.startswith("!"):
            rule, kind = rule[1:], "exception"
        for name in {rule, rule.encode("idna").decode()}:
            # ck is both a rule and the base of *.ck: the wildcard implies the rule
            if found.get(name) != "wildcard":
                found[name] = kind
    return sorted(found.items())


def statement() -> str:
    """The whole file."""
    return STATEMENT.format(rows=",\n    ".join(f"('{suffix}', '{kind}')" for suffix, kind in suffixes()))


def main() -> None:
    """Write the file."""
    TARGET.write_text(statement(), encoding="utf-8")
    print(f"{TARGET.name}: {len(suffixes())} suffixes")


if __name__ == "__main__":
    main()
