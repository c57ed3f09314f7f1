"""Which company an intake row is: undoing a match, and telling which companies of a file are known.

Promotion itself is ``sql/stages/company_master.sql``.
"""

from dataclasses import dataclass

import psycopg2
from psycopg2.extensions import connection as Connection

from barton_pipeline.companies import validation
from barton_pipeline.errors import InputError
from barton_pipeline.postgres import sql


@dataclass(frozen=True)
class LoadedCompanies:
    """What rows just loaded are, as the stages would judge them now.

    ``reasons`` counts the valid and invalid rows by reason code (docs/explanation/validation.md). ``companies`` is how
    many companies the valid rows mean by registrable domain and normalised name; ``known`` of them are in company_master.
    """

    valid: int
    invalid: int
    reasons: dict[str, int]
    companies: int
    known: int


def judge_loaded(connection: Connection, import_batch_id: str) -> LoadedCompanies:
    """Judge the company rows that the caller's transaction has loaded into the batch, by the stage's own statement.

    Nothing of it stays: the verdicts are the pipeline's to write.
    """
    with sql.savepoint(connection, keep=False):
        validation.run(connection, import_batch_id)
        found = sql.one(
            connection,
            """
            WITH loaded AS (
                SELECT validated, validation_reasons, domain, company_name_key, company FROM intake.company_raw_intake
                WHERE import_batch_id = %(batch)s AND created_at = now()  -- when this transaction began
            ), meant AS (
                SELECT domain, min(company_name_key) AS name_key, intake.alias_key(domain, company) AS alias FROM loaded
                WHERE validated AND domain IS NOT NULL AND company_name_key IS NOT NULL GROUP BY domain, alias
            )
            SELECT (SELECT count(*) FROM loaded WHERE validated) AS valid,
                   (SELECT count(*) FROM loaded WHERE NOT validated) AS invalid,
                   (SELECT coalesce(jsonb_object_agg(code, n), '{}')
                    FROM (SELECT code, count(*) AS n FROM loaded, unnest(validation_reasons) AS code GROUP BY code) AS c)
                       AS reasons,
                   (SELECT count(*) FROM meant) AS companies,
                   (SELECT count(marketing.company_named(domain, name_key, alias)) FROM meant) AS known
            """,
            batch=import_batch_id,
        )
    return LoadedCompanies(**found)


def unmatch(connection: Connection, row_id: int, notes: str | None) -> int:
    """Make the rows written like intake row ``row_id`` a company of their own; returns how many rows that are.

    ``notes`` says why, for those who look at it later; None for nothing to say. The act is kept in the name of
    marketing.actor(). The rows' batches are queued, and promotion gives the new company its ID. People who
    were placed at the old company stay there. Raises InputError when the row has no match, or nothing but the match tells the
    two companies apart.
    """
    statement = "SELECT marketing.unmatch_company(%(row_id)s, marketing.actor(), %(notes)s)"
    try:
        return int(sql.value(connection, statement, row_id=row_id, notes=notes))
    except (psycopg2.errors.NoDataFound, psycopg2.errors.CheckViolation) as error:
        raise InputError(f"{error.diag.message_primary}. {error.diag.message_hint}") from None
