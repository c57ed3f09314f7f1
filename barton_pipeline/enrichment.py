"""Stage enriched_contacts: people from imports become people at our companies, the best candidate fills each slot.

Belongs here: the order of the steps and the classification of titles. Matching and assignment are set-based SQL
(``sql/stages/enriched_contacts_people.sql`` and ``enriched_contacts.sql``); the rules are in docs/contacts.md.
Paid sources come after imports and existing people in the same waterfall: they add rows to intake.people_raw_intake.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection
from psycopg2.extras import execute_values

from barton_pipeline import titles
from barton_pipeline.configuration import load_yaml
from barton_pipeline.email_checks import free_mail_domains
from barton_pipeline.stages import run_sql

CHUNK = 5_000


@cache
def rules() -> dict[str, Any]:
    """The lists of ``enrichment.yaml``."""
    return load_yaml(Path(__file__).with_name("enrichment.yaml"))


def run(
    connection: Connection, import_batch_id: str, classify: Callable[[str | None], titles.TitleMatch] = titles.classify
) -> dict[str, Any]:
    """Match the batch's people and fill the slots of its companies; returns the stage's counts."""
    people = run_sql(
        connection,
        "enriched_contacts_people",
        batch=import_batch_id,
        free_mail=sorted(free_mail_domains()),
        credentials=f"(?: (?:{'|'.join(rules()['credentials'])}))+$",
    )
    _classify_titles(connection, import_batch_id, classify)
    slots = run_sql(
        connection, "enriched_contacts", batch=import_batch_id, least_confidence=titles.minimum_confidence()
    )
    return {**people, **slots}


def _classify_titles(
    connection: Connection, import_batch_id: str, classify: Callable[[str | None], titles.TitleMatch]
) -> None:
    """Fill pg_temp.title_slots with the distinct titles at the batch's companies, a chunk at a time."""
    with connection.cursor() as cursor, connection.cursor("titles") as distinct_titles:
        cursor.execute(
            """
            DROP TABLE IF EXISTS pg_temp.title_slots;
            CREATE TEMP TABLE title_slots (title text PRIMARY KEY, slot_type text, confidence real, rule text) ON COMMIT DROP
            """
        )
        distinct_titles.execute(
            """
            SELECT DISTINCT p.title FROM marketing.people_master p JOIN marketing.company_batches b USING (company_unique_id)
            WHERE b.import_batch_id = %s AND p.title IS NOT NULL
            """,
            (import_batch_id,),
        )
        while chunk := distinct_titles.fetchmany(CHUNK):
            matches = ((title, classify(title)) for (title,) in chunk)
            execute_values(
                cursor,
                "INSERT INTO pg_temp.title_slots (title, slot_type, confidence, rule) VALUES %s",
                [(title, match.slot, match.confidence, match.rule) for title, match in matches],
                page_size=CHUNK,
            )
        cursor.execute("ANALYZE pg_temp.title_slots")
