"""``barton replay``: rebuild every derived table from intake and stored answers, and compare with what was there.

One transaction: the derived rows are deleted, all stages run again batch by batch without asking anybody (vendors, DNS), and the
result is compared row by row. Histories (scores over time, who held a slot, signals, messages) are facts of their own and stay.
Rolled back unless it is to be applied. Not here: what the stages do.
"""

import contextlib
import uuid
from dataclasses import dataclass
from typing import Any

from psycopg2.extensions import connection as Connection

from barton_pipeline.addresses.checks import MxLookup, MxStatus
from barton_pipeline.errors import BartonError
from barton_pipeline.pipeline import STAGES
from barton_pipeline.postgres import sql
from barton_pipeline.postgres.connection import connect
from barton_pipeline.stages.runner import tell_planner

# Derived tables and the columns that must come out the same; the others are moments of writing and identities of rows.
COMPARED = {
    "intake.company_raw_intake": "id, validated, validation_reasons, domain, company_name_key",
    "marketing.company_master": "company_unique_id, company_name, company_name_for_emails, website_url, domain, company_name_key, "
    "industry, employee_count, founded_year, phone, address, city, state, postal_code, country, linkedin_url, facebook_url, "
    "twitter_url, sic_codes, source_system, source_record_id, import_batch_id, data_quality_score",
    "marketing.company_batches": "import_batch_id, company_unique_id, mentioned_by",
    "marketing.company_matches": "intake_id, company_unique_id, rule",
    "marketing.company_slots": "company_slot_unique_id, company_unique_id, slot_type, is_filled, person_unique_id, "
    "fill_confidence, search_state, searched_at",
    "marketing.people_master": "person_unique_id, company_unique_id, person_key, full_name, first_name, last_name, title, "
    "slot_type, slot_confidence, email, email_verified, phone, linkedin_url, source, provenance, left_at, observed_at",
    "marketing.email_verification": "email, status, reason, is_role, is_disposable, is_free_mail, mx, source",
}
# Rows that hang on companies and people but are facts of their own: set aside, and put back under the same IDs.
KEPT = (
    "marketing.contact_enrichment",
    "marketing.bit_signals",
    "marketing.bit_results",
    "marketing.ple_results",
    "marketing.sniper_targets",
    "marketing.outcomes",
    "marketing.ple_training_examples",
)
SHOWN = 5


@dataclass(frozen=True)
class Difference:
    """A row that only one side has; ``side`` is *lost* (was there) or *new* (came out now)."""

    table: str
    side: str
    row: tuple[Any, ...]


@dataclass(frozen=True)
class Replay:
    """What a replay came to: the rows compared by table, and those that did not come out the same."""

    rows: dict[str, int]
    differences: tuple[Difference, ...]


class _RememberedMx(MxLookup):
    """MX answers as the verdicts before the replay have them; asks no server."""

    def __init__(self, known: dict[str, MxStatus]) -> None:
        super().__init__(timeout_seconds=1)
        self._remembered = known

    def is_available(self) -> bool:
        return True

    def lookup(self, domain: str) -> MxStatus:
        return self._remembered.get(domain, "unavailable")


def replay(apply: bool) -> Replay:
    """Rebuild and compare. Nothing changes unless ``apply``, and then only when nothing differs.

    Raises BartonError while runs are at work, and when ``apply`` finds differences.
    """
    with contextlib.closing(connect()) as connection:
        try:
            counts, differences = _rebuild(connection)
            if apply and differences:
                raise BartonError(
                    f"The rebuilt tables differ in {len(differences)} rows, for example {differences[0]}; nothing was "
                    "changed. See them with barton replay; the usual cause are rules that have changed since (barton backfill)."
                )
            if apply:
                connection.commit()
        finally:
            connection.rollback()
    return Replay(counts, tuple(differences))


def _rebuild(connection: Connection) -> tuple[dict[str, int], list[Difference]]:
    token = str(uuid.uuid4())
    with connection.cursor() as cursor:
        _alone(connection)
        cursor.execute(
            """
            SELECT set_config('barton.replay', 'on', true), set_config('barton.lease_token', %s, true);
            SET CONSTRAINTS ALL DEFERRED
            """,
            (token,),
        )
        tell_planner(connection)
        batches = _batches(connection)
        mx = _remembered_mx(connection)
        for table in (*COMPARED, *KEPT):
            cursor.execute(f"CREATE TEMP TABLE before_{_plain(table)} ON COMMIT DROP AS TABLE {table}")
        cursor.execute(
            """
            INSERT INTO marketing.known_ids
            SELECT 'company', domain, company_name_key, company_unique_id FROM marketing.company_master
            UNION ALL SELECT 'person', company_unique_id, person_key, person_unique_id FROM marketing.people_master;
            INSERT INTO marketing.known_ids
            SELECT 'company', domain, name_key, company_unique_id FROM marketing.company_aliases ON CONFLICT DO NOTHING
            """
        )
        _forget_derived(connection)
        for batch in batches:
            _run_stages(connection, batch, mx)
        cursor.execute("DELETE FROM marketing.known_ids")
        _put_back(connection)
        cursor.execute("DELETE FROM marketing.pipeline_events WHERE raised_by = %s", (token,))
        return _compare(connection)


def _alone(connection: Connection) -> None:
    """Keep everybody else from writing; refuse while a run is at work."""
    with connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {', '.join(COMPARED)}, {', '.join(KEPT)} IN EXCLUSIVE MODE")
        cursor.execute(
            "SELECT DISTINCT import_batch_id FROM marketing.pipeline_events WHERE status = 'processing' LIMIT %s",
            (SHOWN,),
        )
        if busy := [batch for (batch,) in cursor.fetchall()]:
            raise BartonError(f"Runs are at work on {', '.join(busy)}; wait until they are done (barton status).")


def _batches(connection: Connection) -> list[str]:
    """In the order in which they arrived."""
    found = sql.rows(connection, "SELECT import_batch_id FROM intake.batches ORDER BY arrived_at, import_batch_id")
    return [row["import_batch_id"] for row in found]


def _remembered_mx(connection: Connection) -> _RememberedMx:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT split_part(email, '@', 2), mx FROM marketing.email_verification WHERE mx IS NOT NULL"
        )
        return _RememberedMx(dict(cursor.fetchall()))


def _forget_derived(connection: Connection) -> None:
    """Companies take slots, people, batches and matches with them. Rows set aside keep their verdict: no stage reads them."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE intake.companies_to_process SET validated = NULL, validated_at = NULL, domain = NULL, company_name_key = NULL;
            DELETE FROM intake.people_raw_intake WHERE vendor_call_id IS NOT NULL;
            UPDATE intake.signals_to_process SET outcome = NULL, outcome_reasons = '{}', judged_at = NULL, domain = NULL,
                company_name_key = NULL;
            UPDATE intake.people_to_process SET outcome = NULL, judged_at = NULL, domain = NULL, company_name_key = NULL;
            UPDATE marketing.company_slots SET person_unique_id = NULL, is_filled = false WHERE is_filled;
            DELETE FROM marketing.people_master;
            DELETE FROM marketing.company_master;
            DELETE FROM marketing.email_verification
            """
        )


def _run_stages(connection: Connection, batch: str, mx: MxLookup) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('barton.import_batch_id', %s, true)", (batch,))
    for stage in STAGES:
        stage.work(connection, batch, **({"mx": mx} if stage.name == "verified_emails" else {}))


def _put_back(connection: Connection) -> None:
    """Histories under the IDs they had, and the moments at which slots were filled and addresses checked."""
    with connection.cursor() as cursor:
        for table in KEPT:
            cursor.execute(f"DELETE FROM {table}")
            identity = "" if table.endswith(("sniper_targets", "examples")) else "OVERRIDING SYSTEM VALUE"
            cursor.execute(f"INSERT INTO {table} {identity} SELECT * FROM pg_temp.before_{_plain(table)}")
        cursor.execute(
            """
            UPDATE marketing.company_slots s SET filled_at = b.filled_at FROM pg_temp.before_company_slots b
            WHERE b.company_slot_unique_id = s.company_slot_unique_id AND b.person_unique_id = s.person_unique_id;
            UPDATE marketing.email_verification v SET verified_at = b.verified_at FROM pg_temp.before_email_verification b
            WHERE b.email = v.email AND b.status = v.status
            """
        )


def _compare(connection: Connection) -> tuple[dict[str, int], list[Difference]]:
    counts: dict[str, int] = {}
    differences = []
    with connection.cursor() as cursor:
        for table, columns in COMPARED.items():
            sides = {
                "lost": (f"pg_temp.before_{_plain(table)}", table),
                "new": (table, f"pg_temp.before_{_plain(table)}"),
            }
            for side, (one, other) in sides.items():
                cursor.execute(f"SELECT {columns} FROM {one} EXCEPT ALL SELECT {columns} FROM {other}")
                differences += [Difference(table, side, row) for row in cursor.fetchall()]
            cursor.execute(f"SELECT count(*) FROM {table}")
            row = cursor.fetchone()
            counts[table] = row[0] if row else 0
    return counts, differences


def _plain(table: str) -> str:
    return table.partition(".")[2]
