"""The sniper targets with their contacts, and as CSV."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, TextIO

from psycopg2.extensions import connection as Connection

from barton_pipeline.postgres import sql
from barton_pipeline.scoring.config import rules

# A spreadsheet runs a cell that begins with one of these (OWASP, "CSV Injection").
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Target:
    """A company worth contacting now, and whom to contact there.

    Scores are 0 to 1, changes are now less before and None until a score has changed; ``p_convert`` is a calibrated probability,
    None until a model has earned one (docs/explanation/scoring.md). ``contact_readiness`` is ready (a holder has a
    verified address), unverified (one that nothing speaks against) or none. ``reasons`` are in words: those
    of BIT, then those of PLE, each weightiest first.
    """

    company_id: str
    company_name: str
    website_url: str | None
    city: str | None
    state: str | None
    ple_score: float
    bit_intent_score: float
    p_convert: float | None
    ple_change: float | None
    bit_change: float | None
    days_since_signal: Decimal | None
    contact_readiness: str
    contacts_ready: int
    contacts_held: int
    ceo: str | None
    ceo_email: str | None
    cfo: str | None
    cfo_email: str | None
    hr: str | None
    hr_email: str | None
    reasons: tuple[str, ...]
    last_signal_at: datetime | None
    entered_at: datetime
    import_batch_id: str

    @property
    def place(self) -> str | None:
        """City and state, as far as they are known."""
        return ", ".join(filter(None, (self.city, self.state))) or None

    @property
    def contacts(self) -> tuple[str, ...]:
        """The names of those who hold the three slots; who holds two is named once."""
        return tuple(dict.fromkeys(name for name in (self.ceo, self.cfo, self.hr) if name))

    @property
    def main_reasons(self) -> tuple[str, ...]:
        """The three weightiest reasons."""
        return self.reasons[:3]


def list_targets(connection: Connection, import_batch_id: str | None = None, limit: int | None = None) -> list[Target]:
    """The sniper targets, best first, with their slot holders; of one batch or of all."""
    rows = sql.rows(
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
    return [Target(**{**row, "reasons": tuple(row["reasons"])}) for row in rows]


@dataclass(frozen=True)
class NextBest:
    """A company below the cut, and what is between it and the list.

    ``short_by`` is the score it lacks. ``lacking`` names what would bring most points, for a company that the rubric scored.
    """

    company_id: str
    company_name: str
    city: str | None
    state: str | None
    ple_score: float
    bit_intent_score: float
    short_by: float
    lacking: tuple[str, ...]

    @property
    def place(self) -> str | None:
        """City and state, as far as they are known."""
        return ", ".join(filter(None, (self.city, self.state))) or None


# Newest scores only; each is looked up by itself, so that the best are found without reading the rest.
_OF_ALL = " UNION ".join(
    f"""
    (SELECT r.company_id FROM marketing.{name}_results r
     WHERE r.{name}_score > 0 AND r.{name}_score <= %({name}_cut)s
       AND NOT EXISTS (SELECT FROM marketing.sniper_targets t WHERE t.company_id = r.company_id OFFSET 0)
       AND NOT EXISTS (SELECT FROM marketing.{name}_results n WHERE n.company_id = r.company_id
                       AND (n.calculated_at, n.id) > (r.calculated_at, r.id) OFFSET 0)
     ORDER BY r.{name}_score DESC LIMIT %(limit)s)
    """
    for name in ("ple", "bit")
)
_OF_BATCH = """
    SELECT b.company_unique_id AS company_id FROM marketing.company_batches b
    WHERE b.import_batch_id = %(batch)s
      AND NOT EXISTS (SELECT FROM marketing.sniper_targets t WHERE t.company_id = b.company_unique_id)
"""


def list_next_best(connection: Connection, import_batch_id: str | None = None) -> list[NextBest]:
    """The best companies below the cuts (``targets.next_best`` of them), of one batch or of all; those excluded are none."""
    cuts = rules().targets
    rows = sql.rows(
        connection,
        f"""
        SELECT c.company_unique_id AS company_id, c.company_name, c.city, c.state, coalesce(ple.ple_score, 0) AS ple_score,
               coalesce(bit.bit_score, 0) AS bit_intent_score, ple.method, ple.metadata -> 'reasons' AS reasons
        FROM ({_OF_BATCH if import_batch_id else _OF_ALL}) AS near
        JOIN marketing.company_master c ON c.company_unique_id = near.company_id
        LEFT JOIN LATERAL (SELECT * FROM marketing.ple_results r WHERE r.company_id = near.company_id
                           ORDER BY r.calculated_at DESC, r.id DESC LIMIT 1) AS ple ON true
        LEFT JOIN LATERAL (SELECT * FROM marketing.bit_results r WHERE r.company_id = near.company_id
                           ORDER BY r.calculated_at DESC, r.id DESC LIMIT 1) AS bit ON true
        WHERE num_nonnulls(ple.id, bit.id) > 0 AND ple.metadata -> 'reasons' @> '[{{"feature": "excluded"}}]' IS NOT TRUE
        ORDER BY greatest(ple.ple_score, bit.bit_score) DESC, least(ple.ple_score, bit.bit_score) DESC, 1 LIMIT %(limit)s
        """,
        batch=import_batch_id,
        limit=cuts.next_best,
        ple_cut=cuts.ple_cut,
        bit_cut=cuts.bit_cut,
    )
    return [_next_best(**row) for row in rows]


def _next_best(method: str | None, reasons: list[dict[str, Any]] | None, **row: Any) -> NextBest:
    cuts = rules().targets
    short_by = min(cuts.ple_cut - row["ple_score"], cuts.bit_cut - row["bit_intent_score"])
    had = {reason["feature"]: 100 * reason["share"] for reason in reasons or ()}
    missing = {
        rule.label.replace("{value}", "").strip(" :"): rule.points - had.get(name, 0)
        for name, rule in vars(rules().ple.points).items()
        if name != "engagement"
    }
    lacking = sorted((name for name, points in missing.items() if points >= 1), key=lambda name: -missing[name])
    return NextBest(**row, short_by=short_by, lacking=tuple(lacking[:3]) if method == "rubric" else ())


def write_csv(targets: Sequence[Target], stream: TextIO) -> None:
    """CSV that is safe to open in a spreadsheet: text that looks like a formula gets a leading apostrophe."""
    names = [field.name for field in fields(Target)]
    writer = csv.writer(stream)
    writer.writerow(names)
    for target in targets:
        writer.writerow([_safe_cell(getattr(target, name)) for name in names])


def _safe_cell(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        value = "; ".join(str(item) for item in value)
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return "'" + value
    return value
