"""Which companies are scored, and as of when: fills pg_temp.scored (id, company_id, as_of) for the formulas of ``sql/scoring``.

Belongs here: the choices. Not here: what is computed for them.
"""

from datetime import datetime

from psycopg2.extensions import connection as Connection

from barton_pipeline.postgres import sql

_TABLE = "DROP TABLE IF EXISTS pg_temp.scored; CREATE TEMP TABLE scored ON COMMIT DROP AS "

# A run that was started for new signals and nothing else has to do with the companies that got them.
_BATCH = """
    SELECT row_number() OVER () AS id, b.company_unique_id AS company_id, coalesce(%(as_of)s::timestamptz, now()) AS as_of
    FROM marketing.company_batches b
    WHERE b.import_batch_id = %(batch)s
      AND (current_setting('barton.triggered_by', true) IS DISTINCT FROM 'event'
           OR EXISTS (SELECT FROM marketing.pipeline_events e
                      WHERE e.lease_token = nullif(current_setting('barton.lease_token', true), '')::uuid
                        AND e.status = 'processing' AND e.event_type NOT IN ('signal_received', 'signal_recorded'))
           OR EXISTS (SELECT FROM marketing.companies_to_score t
                      WHERE t.import_batch_id = b.import_batch_id AND t.taken AND t.company_id = b.company_unique_id))
"""


def choose_batch(connection: Connection, import_batch_id: str, as_of: datetime | None = None) -> None:
    """All companies of a batch; for a run that new signals started, those of them whose signals are new.

    ``as_of`` None means now.
    """
    sql.execute(connection, _TABLE + _BATCH, batch=import_batch_id, as_of=as_of)


def take_new_signals(connection: Connection, import_batch_id: str) -> None:
    """Companies with signals recorded so far will be in this run's scores; later ones are for the next run."""
    sql.execute(
        connection,
        "UPDATE marketing.companies_to_score SET taken = true WHERE import_batch_id = %(batch)s AND NOT taken",
        batch=import_batch_id,
    )


def drop_taken_signals(connection: Connection, import_batch_id: str) -> None:
    """The companies that were taken have their scores and their place on the list."""
    sql.execute(
        connection,
        "DELETE FROM marketing.companies_to_score WHERE import_batch_id = %(batch)s AND taken",
        batch=import_batch_id,
    )


def choose_company(connection: Connection, company_id: str, as_of: datetime | None = None) -> None:
    """One company; ``as_of`` None means now."""
    statement = "SELECT 1::bigint AS id, %(company)s AS company_id, coalesce(%(as_of)s::timestamptz, now()) AS as_of"
    sql.execute(connection, _TABLE + statement, company=company_id, as_of=as_of)


def choose_page(connection: Connection, after: str, size: int) -> str | None:
    """The next ``size`` companies by ID, now; returns the last one's ID, None when there are no more."""
    sql.execute(
        connection,
        _TABLE
        + """
        SELECT row_number() OVER () AS id, company_unique_id AS company_id, now() AS as_of
        FROM marketing.company_master WHERE company_unique_id > %(after)s ORDER BY company_unique_id LIMIT %(size)s
        """,
        after=after,
        size=size,
    )
    last: str | None = sql.value(connection, "SELECT max(company_id) FROM pg_temp.scored")
    return last


def choose_sample(connection: Connection, size: int) -> int:
    """About ``size`` companies at random, now; returns how many."""
    return sql.execute(
        connection,
        _TABLE
        + """
        SELECT row_number() OVER () AS id, company_unique_id AS company_id, now() AS as_of
        FROM marketing.company_master
        WHERE random() < %(size)s::float8 / greatest((SELECT count(*) FROM marketing.company_master), 1)
        """,
        size=size,
    )
