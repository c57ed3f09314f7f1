"""``barton explain``: both scores of one company with their reasons, as of any moment, computed anew from what was known then."""

from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import connection as Connection

from barton_pipeline.barton_ids import Entity, entity_of
from barton_pipeline.errors import InputError
from barton_pipeline.postgres import sql
from barton_pipeline.scoring import bit, models, ple, selection
from barton_pipeline.scoring.config import moment, rules


@dataclass(frozen=True)
class BitReason:
    """What the signals of one type give to BIT: ``n`` of them, the newest at ``last_at``. Shares add up to the score."""

    signal_type: str
    n: int
    share: float
    last_at: datetime
    label: str


@dataclass(frozen=True)
class Bit:
    """Buyer intent, 0 to 1."""

    score: float
    reasons: tuple[BitReason, ...]


@dataclass(frozen=True)
class PleReason:
    """What one feature gives to PLE. ``base`` and the shares add up to the score."""

    feature: str
    label: str
    share: float


@dataclass(frozen=True)
class Ple:
    """Lead score, 0 to 1, by the champion model or (``method`` rubric) the rubric.

    ``base`` is the score of the average company, 0 for the rubric; ``p_convert`` a calibrated probability, None without a model.
    """

    score: float
    base: float
    p_convert: float | None
    method: str
    version: str
    reasons: tuple[PleReason, ...]


@dataclass(frozen=True)
class StoredScore:
    """A score as a stage has kept it."""

    score: float
    version: str
    calculated_at: datetime


@dataclass(frozen=True)
class StoredScores:
    """The newest scores kept by some moment; None where there was none yet."""

    bit: StoredScore | None
    ple: StoredScore | None


@dataclass(frozen=True)
class Explanation:
    """Both scores of a company as of a moment, by the rules of ``rules_version``, and those that were stored then."""

    company_id: str
    company_name: str
    domain: str | None
    as_of: datetime
    rules_version: str
    bit: Bit
    ple: Ple
    stored: StoredScores


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


def explain(connection: Connection, company_id: str, as_of: datetime | None = None) -> Explanation:
    """Scores and reasons by today's rules and model, from the facts known at ``as_of`` (None: now); writes nothing."""
    selection.choose_company(connection, company_id, moment(as_of, may_be_future=True))
    bit.score(connection)
    model = models.read_champion(connection)
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
    return Explanation(
        company_id=row["company_unique_id"],
        company_name=row["company_name"],
        domain=row["domain"],
        as_of=row["as_of"],
        rules_version=str(rules().version),
        bit=Bit(
            row["bit"],
            tuple(
                BitReason(
                    **{**reason, "last_at": datetime.fromisoformat(reason["last_at"])},
                    label=labels[reason["signal_type"]],
                )
                for reason in row["bit_reasons"]
            ),
        ),
        ple=Ple(
            score=row["ple"],
            base=float(row["base"]),
            p_convert=row["p_convert"],
            method=model.method if model else "rubric",
            version=model.version if model else f"rubric-{rules().version}",
            reasons=tuple(PleReason(**reason) for reason in row["ple_reasons"]),
        ),
        stored=StoredScores(
            _stored(connection, company_id, row["as_of"], "bit"), _stored(connection, company_id, row["as_of"], "ple")
        ),
    )


def _stored(connection: Connection, company_id: str, as_of: datetime, name: str) -> StoredScore | None:
    """The newest score (bit or ple) kept by that moment."""
    found = sql.rows(
        connection,
        f"""
        SELECT {name}_score AS score, {name}_model_version AS version, calculated_at FROM marketing.{name}_results
        WHERE company_id = %(company)s AND calculated_at <= %(as_of)s ORDER BY calculated_at DESC, id DESC LIMIT 1
        """,
        company=company_id,
        as_of=as_of,
    )
    return StoredScore(**found[0]) if found else None
