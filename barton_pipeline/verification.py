"""Stage verified_emails: the addresses at a batch's companies get a verdict with its age and reason.

Belongs here: which addresses need a check and where verdicts are kept. The checks themselves are ``email_checks``; they
are free and can only end in invalid or unknown. A vendor's verdict (another ``source``) is never overwritten here.
"""

from functools import cache
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection
from psycopg2.extras import execute_values

from barton_pipeline.configuration import load_yaml
from barton_pipeline.email_checks import RULES_VERSION, AddressCheck, MxLookup, check_many
from barton_pipeline.stages import run_sql

CHUNK = 5_000

NEEDS_CHECK = """
    SELECT DISTINCT p.email
    FROM marketing.people_master p
    JOIN marketing.company_batches b USING (company_unique_id)
    LEFT JOIN marketing.email_verification v ON v.email = p.email
    WHERE b.import_batch_id = %(batch)s AND p.email IS NOT NULL
      AND (v.email IS NULL OR v.source = 'local' AND (
           v.rules_version IS DISTINCT FROM %(version)s
           OR v.verified_at < now() - make_interval(days => %(fresh_days)s)
           OR v.mx = 'unavailable' AND %(dns)s))
    ORDER BY p.email
"""

UPSERT = """
    INSERT INTO marketing.email_verification AS known
        (email, status, reason, is_role, is_disposable, is_free_mail, mx, source, rules_version, import_batch_id)
    VALUES %s
    ON CONFLICT (email) DO UPDATE SET status = excluded.status, reason = excluded.reason, is_role = excluded.is_role,
        is_disposable = excluded.is_disposable, is_free_mail = excluded.is_free_mail, mx = excluded.mx,
        rules_version = excluded.rules_version, import_batch_id = excluded.import_batch_id, verified_at = now()
    WHERE known.source = 'local'
"""


@cache
def rules() -> dict[str, Any]:
    """The numbers of ``verification.yaml``."""
    return load_yaml(Path(__file__).with_name("verification.yaml"))


def run(connection: Connection, import_batch_id: str, mx: MxLookup | None = None) -> dict[str, Any]:
    """Check every address of the batch that has no fresh verdict; returns the stage's counts."""
    mx = mx or MxLookup(timeout_seconds=rules()["dns_timeout_seconds"])
    checked = 0
    with connection.cursor("addresses", withhold=False) as addresses, connection.cursor() as cursor:
        addresses.execute(
            NEEDS_CHECK,
            {
                "batch": import_batch_id,
                "version": RULES_VERSION,
                "fresh_days": rules()["fresh_days"],
                "dns": mx.available(),
            },
        )
        while chunk := addresses.fetchmany(CHUNK):
            verdicts = check_many([email for (email,) in chunk], mx, workers=rules()["dns_workers"])
            rows = [_row(email, verdict, import_batch_id) for email, verdict in sorted(verdicts.items())]
            execute_values(cursor, UPSERT, rows, page_size=CHUNK)
            checked += len(rows)
    return {**run_sql(connection, "verified_emails", batch=import_batch_id), "addresses_checked": checked}


def _row(email: str, check: AddressCheck, import_batch_id: str) -> tuple[Any, ...]:
    return (
        email,
        check.status,
        check.reason or "not_verified_by_vendor",
        check.is_role,
        check.is_disposable,
        check.is_free_mail,
        check.mx,
        "local",
        RULES_VERSION,
        import_batch_id,
    )
