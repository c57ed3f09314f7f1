"""Which company an intake row is: undoing a match. Promotion itself is ``sql/stages/company_master.sql``."""

import psycopg2
from psycopg2.extensions import connection as Connection

from barton_pipeline.errors import InputError


def unmatch(connection: Connection, row_id: int, by: str, notes: str | None) -> int:
    """Make the rows written like intake row ``row_id`` a company of their own; returns how many rows that are.

    Their batches are queued, and promotion gives the new company its ID. People who were placed at the old company
    stay there. Raises InputError when the row has no match, or nothing but the match tells the two companies apart.
    """
    with connection.cursor() as cursor:
        try:
            cursor.execute("SELECT marketing.unmatch_company(%s, %s, %s)", (row_id, by, notes))
        except (psycopg2.errors.NoDataFound, psycopg2.errors.CheckViolation) as error:
            raise InputError(f"{error.diag.message_primary}. {error.diag.message_hint}") from None
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])
