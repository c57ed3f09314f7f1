"""Stage enriched_contacts: people from imports and paid answers become people at our companies; the best fills each slot.

Belongs here: the order of the steps, what is bought for open slots, and the classification of titles. Matching and assignment
are set-based SQL (``sql/stages/enriched_contacts_people.sql`` and ``enriched_contacts.sql``); the rules are in
docs/explanation/contacts.md.
"""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from psycopg2.extensions import connection as Connection
from psycopg2.extras import execute_values

from barton_pipeline.addresses.checks import no_address_pattern
from barton_pipeline.companies import phones, validation
from barton_pipeline.companies.shared_domains import MAILBOXES
from barton_pipeline.contacts import titles
from barton_pipeline.intake import names
from barton_pipeline.outbound.ledger import Input
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.stages.lease import StageRun, check_lease
from barton_pipeline.stages.runner import Counts, choose_companies, judge_values, run_sql, work_ahead
from barton_pipeline.vendors import items, registry, settings
from barton_pipeline.vendors.buying import Purchase

CHUNK = 5_000

# Companies with an open slot, or whose paid answer has grown old, by the key under which the operation asks for them.
_TO_ASK = """
    SELECT {key} AS key, array_agg(c.company_unique_id ORDER BY c.company_unique_id)
    FROM marketing.company_master c JOIN marketing.company_batches b USING (company_unique_id)
    WHERE b.import_batch_id = %(batch)s AND {key} > %(after)s
      AND NOT EXISTS (SELECT FROM intake.shared_domains d WHERE d.name = {key} AND d.category = ANY (%(mailboxes)s)) AND EXISTS (
        SELECT FROM marketing.company_slots s WHERE s.company_unique_id = c.company_unique_id
          AND (NOT s.is_filled OR s.searched_at < now() - make_interval(days => %(fresh_days)s)))
    GROUP BY 1 ORDER BY 1 LIMIT %(limit)s
"""
_KEYS = {"leads_finder": "c.domain", "linkedin_employees": "marketing.linkedin_slug(c.linkedin_url)"}

_UNREAD_ANSWERS = """
    SELECT a.call_id, a.operation, a.environment, a.input_key, a.response, a.answered_at,
           array_agg(c.company_name ORDER BY c.company_unique_id), min(c.website_url)
    FROM marketing.company_answers a JOIN pg_temp.companies b USING (company_unique_id)
    JOIN marketing.company_master c USING (company_unique_id)
    WHERE NOT EXISTS (SELECT FROM intake.people_raw_intake p WHERE p.vendor_call_id = a.call_id)
    GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY a.call_id
"""

_ANSWERS_AGE = """
    WITH newest AS (
        SELECT DISTINCT ON (a.input_key) a.input_key, v.fresh_until
        FROM marketing.company_answers a JOIN marketing.company_batches b USING (company_unique_id)
        JOIN marketing.vendor_calls v ON v.id = a.call_id
        WHERE b.import_batch_id = %s AND a.operation = %s ORDER BY a.input_key, a.answered_at DESC
    )
    SELECT count(*), extract(epoch FROM min(fresh_until) - now())::float FROM newest
"""

_SCRUB = """
    SELECT marketing.scrub_answers(ARRAY(
        SELECT DISTINCT c.domain FROM marketing.company_master c JOIN pg_temp.companies b USING (company_unique_id)
        WHERE EXISTS (SELECT FROM marketing.suppressed_people)))
"""

_INSERT_PEOPLE = """
    INSERT INTO intake.people_raw_intake (first_name, last_name, full_name, title, email, linkedin_url, city, seniority,
        company, website, position_ended, raw, source_system, source_record_id, vendor_call_id, observed_at, import_batch_id)
    VALUES %s ON CONFLICT DO NOTHING
"""

_PHONES = """
    SELECT DISTINCT written, coalesce(country, '')
    FROM pg_temp.people_read CROSS JOIN unnest(ARRAY[phone, mobile_phone]) AS p (written)
    WHERE written IS NOT NULL
"""


def run(
    connection: Connection,
    import_batch_id: str,
    offices: Callable[[str | None], list[titles.TitleMatch]] = titles.offices,
) -> Counts:
    """Match the batch's people and fill the slots of its companies; returns the stage's counts.

    ``offices`` tells the slots of a title, which may be None; the first is the main one.
    """
    choose_companies(connection, import_batch_id)
    _read_answers(connection, import_batch_id)
    run_sql(connection, "enriched_contacts_rows", batch=import_batch_id, no_address=no_address_pattern())
    _read_names(connection)
    phones.read_spellings(connection, _PHONES, validation.rules().default_region)
    people = run_sql(
        connection,
        "enriched_contacts_people",
        batch=import_batch_id,
        mailboxes=list(MAILBOXES),
        generations=sorted(set(names.rules().generations.values())),
        confidence=json.dumps(_confidence_of_sources()),
    )
    choose_companies(connection, import_batch_id)  # again: the batch's people may be at companies of other batches
    _classify_titles(connection, offices)
    slots = run_sql(
        connection,
        "enriched_contacts",
        batch=import_batch_id,
        least_confidence=titles.minimum_confidence(),
        two_offices_employees_most=titles.two_offices_employees_most(),
    )
    return {**people, **slots}


def buy(run_: StageRun) -> Counts:
    """Ask the paid sources of the waterfall, one after the other, for the people of companies with open slots."""
    purchase = Purchase(run_.import_batch_id, run_.run_id, partial(check_lease, run_))
    for name in settings.rules().waterfall:
        if registry.access(settings.rules().operations[name].vendor) is None:
            purchase.notes[name] = "skipped: no key is configured"
            continue
        work_ahead(run_, run)
        for page in _pages(run_.import_batch_id, name):
            purchase.buy(name, page)
            if purchase.is_waiting(name):
                break
        _refresh_later(purchase, name)
    return {"vendors": purchase.notes} if purchase.notes else {}


def _refresh_later(purchase: Purchase, operation: str) -> None:
    """Have the batch run again when the oldest answer about the batch's companies has aged: executives change."""
    with transaction() as connection, connection.cursor() as cursor:
        cursor.execute(_ANSWERS_AGE, (purchase.import_batch_id, operation))
        row = cursor.fetchone()
    if row and row[0]:
        message = "answers grow old; who has left and who has come is asked again"
        purchase.schedule_retry(operation, "refresh", row[0], message, timedelta(seconds=max(row[1], 0)))


def _pages(import_batch_id: str, operation: str) -> Iterator[list[Input]]:
    """The companies to ask about, a page at a time: a million of them is more than any budget, and more than memory."""
    after = ""
    while True:
        with transaction() as connection, connection.cursor() as cursor:
            cursor.execute(to_ask(operation), to_ask_parameters(import_batch_id, operation, after=after, limit=CHUNK))
            page = [Input(key, {"companies": companies}) for key, companies in cursor.fetchall()]
        yield page
        if not page:
            return
        after = page[-1].key


def to_ask(operation: str) -> str:
    """SELECT of (input key, company IDs) about which the operation would be asked now, fresh answers included."""
    return _TO_ASK.format(key=_KEYS[operation])


def to_ask_parameters(
    import_batch_id: str, operation: str, after: str = "", limit: int | None = None
) -> dict[str, Any]:
    """What ``to_ask`` needs: only keys behind ``after``, at most ``limit`` of them (None: all)."""
    days = settings.rules().operations[operation].fresh_days
    return {"batch": import_batch_id, "fresh_days": days, "after": after, "limit": limit, "mailboxes": list(MAILBOXES)}


def _confidence_of_sources() -> dict[str, float]:
    return {
        settings.source_name(name, environment): operation.confidence
        for name, operation in settings.rules().operations.items()
        for environment in ("real", "sandbox")
    }


def _read_answers(connection: Connection, import_batch_id: str) -> None:
    """Write the people of paid answers that were not read yet to intake.people_raw_intake, where imports go too."""
    with connection.cursor("answers") as answers, connection.cursor() as cursor:
        cursor.execute(_SCRUB)
        answers.execute(_UNREAD_ANSWERS)
        while chunk := answers.fetchmany(CHUNK):
            rows = [row for answer in chunk for row in _intake_rows(*answer)]
            execute_values(cursor, _INSERT_PEOPLE, [(*row, import_batch_id) for row in rows], page_size=CHUNK)


def _intake_rows(
    call_id: int,
    operation: str,
    environment: str,
    key: str,
    response: Any,
    answered_at: Any,
    names: list[str],
    website: str,
) -> Iterator[tuple[Any, ...]]:
    for place, person in enumerate(items.read(operation, key, response["items"])):
        yield (
            person.first_name,
            person.last_name,
            person.full_name,
            person.title,
            person.email,
            person.linkedin_url,
            person.city,
            person.seniority,
            # a domain or profile that several companies share says nothing of which one: the item has to
            names[0] if len(names) == 1 else person.item.get("company_name"),
            website,
            person.ended,
            json.dumps(person.item),
            settings.source_name(operation, environment),
            str(place),
            call_id,
            answered_at,
        )


def _read_names(connection: Connection) -> None:
    """Fill pg_temp.person_names with the distinct names of the rows to judge; plain is empty for nobody's name."""

    def judge(text: str) -> Iterator[tuple[str, str, str, str, str]]:
        name = names.read(text)
        yield text, name.first, name.last, name.plain, name.generation

    judge_values(
        connection,
        "person_names",
        "full_name text, first text, last text, plain text, generation text",
        "SELECT DISTINCT full_name FROM pg_temp.people_read WHERE full_name IS NOT NULL",
        judge,
    )


def _classify_titles(connection: Connection, offices: Callable[[str | None], list[titles.TitleMatch]]) -> None:
    """Fill pg_temp.title_slots with the distinct titles at the batch's companies; office 1 is the main one of a title."""

    def judge(title: str) -> Iterator[tuple[str, int, str | None, float, str | None]]:
        for office, match in enumerate(offices(title), 1):
            yield title, office, match.slot, match.confidence, match.rule

    judge_values(
        connection,
        "title_slots",
        "title text, office smallint, slot_type text, confidence real, rule text",
        """
        SELECT DISTINCT p.title FROM marketing.people_master p JOIN pg_temp.companies b USING (company_unique_id)
        WHERE p.title IS NOT NULL
        """,
        judge,
    )
