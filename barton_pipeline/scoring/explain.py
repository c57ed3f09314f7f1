"""``barton explain``: both scores of one company with their reasons, as of any moment, computed anew from what was known then."""

from datetime import datetime
from typing import Any

from psycopg2.extensions import connection as Connection

from barton_pipeline.barton_ids import Entity, entity_of
from barton_pipeline.errors import InputError
from barton_pipeline.postgres import sql
from barton_pipeline.scoring import bit, models, ple, selection
from barton_pipeline.scoring.config import moment, rules


def find_company(connection: Connection, wanted: str) -> str:
    """The Barton ID of a company given by ID, domain or name. Raises InputError when none or several fit."""
    wanted = wanted.strip()
    entity = entity_of(wanted)
    if entity not in (None, Entity.COMPANY):
        raise InputError(f"{wanted} is the ID of a {entity.name.lower()}; name a company by its ID, domain or name.")
    found = sql.rows(
        connection,
        """
        SELECT company_unique_id AS id, company_name AS name, domain FROM marketing.company_master
        WHERE company_unique_id = %(wanted)s OR domain = lower(%(wanted)s) OR lower(company_name) = lower(%(wanted)s)
        ORDER BY company_unique_id LIMIT 6
        """,
        wanted=wanted,
    )
    if not found:
        raise InputError(f"No company has the ID, domain or name {wanted!r} (barton targets lists those on the list).")
    if len(found) > 1:
        several = "; ".join(f"{row['id']} {row['name']} ({row['domain']})" for row in found[:5])
        raise InputError(f"Several companies fit {wanted!r}; name one by its ID: {several}")
    return str(found[0]["id"])


def explain(connection: Connection, company_id: str, as_of: datetime | None = None) -> dict[str, Any]:
    """Scores and reasons by today's rules and model, from the facts known at ``as_of`` (None: now); writes nothing.

    ``bit``: score and reasons {signal_type, label, n, share, last_at}. ``ple``: score, base, p_convert, method, version and reasons
    {feature, label, share}. The shares (and base) add up to the score. ``stored``: the scores kept then, if any.
    """
    selection.choose_company(connection, company_id, moment(as_of, may_be_future=True))
    bit.score(connection)
    model = models.champion(connection)
    ple.score(connection, model.scorecard if model else None)
    row = sql.rows(
        connection,
        """
        SELECT c.company_unique_id, c.company_name, c.domain, b.as_of, b.score AS bit, b.reasons AS bit_reasons,
               p.score AS ple, p.base, p.p_convert, p.reasons AS ple_reasons
        FROM marketing.company_master c, pg_temp.bit_now b, pg_temp.ple_now p WHERE c.company_unique_id = b.company_id
        """,
    )[0]
    labels = rules().bit.labels()
    return {
        "company_id": row["company_unique_id"],
        "company_name": row["company_name"],
        "domain": row["domain"],
        "as_of": row["as_of"],
        "rules_version": rules().version,
        "bit": {
            "score": row["bit"],
            "reasons": [{**reason, "label": labels[reason["signal_type"]]} for reason in row["bit_reasons"]],
        },
        "ple": {
            "score": row["ple"],
            "base": float(row["base"]),
            "p_convert": row["p_convert"],
            "method": model.method if model else "rubric",
            "version": model.version if model else f"rubric-{rules().version}",
            "reasons": row["ple_reasons"],
        },
        "stored": _stored(connection, company_id, row["as_of"]),
    }


def _stored(connection: Connection, company_id: str, as_of: datetime) -> dict[str, Any]:
    """The newest scores kept by that moment."""
    found: dict[str, Any] = {}
    for name in ("bit", "ple"):
        rows = sql.rows(
            connection,
            f"""
            SELECT {name}_score AS score, {name}_model_version AS version, calculated_at FROM marketing.{name}_results
            WHERE company_id = %(company)s AND calculated_at <= %(as_of)s ORDER BY calculated_at DESC, id DESC LIMIT 1
            """,
            company=company_id,
            as_of=as_of,
        )
        found[name] = rows[0] if rows else None
    return found
