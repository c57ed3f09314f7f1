"""The sniper targets with their contacts, and as CSV."""

import csv
from collections.abc import Iterable
from typing import Any, TextIO

from psycopg2.extensions import connection as Connection

from barton_pipeline.postgres import sql

# A spreadsheet runs a cell that begins with one of these (OWASP, "CSV Injection").
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def list_targets(
    connection: Connection, import_batch_id: str | None = None, limit: int | None = None
) -> list[dict[str, Any]]:
    """The sniper targets, best first, with their slot holders; of one batch or of all."""
    return sql.rows(
        connection,
        """
        SELECT t.company_id, t.company_name, t.website_url, t.city, t.state, t.ple_score, t.bit_intent_score, t.p_convert,
               t.ple_change, t.bit_change, t.days_since_signal, t.contact_readiness,
               t.contacts_ready, t.contacts_held, contacts.ceo, contacts.ceo_email, contacts.cfo, contacts.cfo_email,
               contacts.hr, contacts.hr_email, t.reasons, t.last_signal_at, t.entered_at, t.import_batch_id
        FROM (SELECT *, row_number() OVER () AS place FROM marketing.v_sniper_target_details) t
        LEFT JOIN LATERAL (
            SELECT max(p.full_name) FILTER (WHERE s.slot_type = 'CEO') AS ceo,
                   max(p.email) FILTER (WHERE s.slot_type = 'CEO') AS ceo_email,
                   max(p.full_name) FILTER (WHERE s.slot_type = 'CFO') AS cfo,
                   max(p.email) FILTER (WHERE s.slot_type = 'CFO') AS cfo_email,
                   max(p.full_name) FILTER (WHERE s.slot_type = 'HR') AS hr,
                   max(p.email) FILTER (WHERE s.slot_type = 'HR') AS hr_email
            FROM marketing.company_slots s JOIN marketing.people_master p USING (person_unique_id)
            WHERE s.company_unique_id = t.company_id
        ) contacts ON true
        WHERE %(batch)s::text IS NULL OR EXISTS (
            SELECT FROM marketing.company_batches b
            WHERE b.company_unique_id = t.company_id AND b.import_batch_id = %(batch)s)
        ORDER BY t.place LIMIT %(limit)s
        """,
        batch=import_batch_id,
        limit=limit,
    )


def write_csv(rows: Iterable[dict[str, Any]], stream: TextIO) -> None:
    """Rows as CSV that is safe to open in a spreadsheet: text that looks like a formula gets a leading apostrophe."""
    rows = list(rows)
    if not rows:
        return
    writer = csv.writer(stream)
    writer.writerow(rows[0])
    for row in rows:
        writer.writerow([_safe_cell(value) for value in row.values()])


def _safe_cell(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        value = "; ".join(str(item) for item in value)
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return "'" + value
    return value
