"""Stage verified_emails: addresses get a verdict with its age and reason; people without one that works get a guessed one.

Belongs here: which addresses are checked, bought and guessed, and where verdicts are kept. The free checks are ``checks``
and can only end in invalid or unknown; patterns are ``patterns``. A vendor's verdict is never overwritten by a free one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection
from psycopg2.extras import execute_values

from barton_pipeline.addresses.checks import AddressCheck, MxLookup, check_many, rules_version
from barton_pipeline.companies.shared_domains import free_mail_domains
from barton_pipeline.config import Count, Positive, load
from barton_pipeline.intake import names
from barton_pipeline.outbound.ledger import Input
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.stages.lease import StageRun, check_lease
from barton_pipeline.stages.runner import Counts, choose_companies, run_sql, work_ahead
from barton_pipeline.vendors import registry, settings
from barton_pipeline.vendors.buying import Purchase

CHUNK = 5_000
OPERATION = "verify_email"

NEEDS_CHECK = """
    SELECT DISTINCT p.email
    FROM marketing.people_master p
    JOIN pg_temp.companies b USING (company_unique_id)
    LEFT JOIN marketing.email_verification v ON v.email = p.email
    WHERE p.email IS NOT NULL
      AND (v.email IS NULL OR v.source = 'local' AND (
           v.rules_version IS DISTINCT FROM %(version)s
           OR v.verified_at < now() - make_interval(days => %(fresh_days)s)
           OR v.mx = 'unavailable' AND %(dns)s))
    ORDER BY p.email
"""

UPSERT = """
    INSERT INTO marketing.email_verification AS known
        (email, status, reason, is_role, is_disposable, is_free_mail, mx, source, rules_version, import_batch_id)
    VALUES %s
    ON CONFLICT (email) DO UPDATE SET status = excluded.status, reason = excluded.reason, is_role = excluded.is_role,
        is_disposable = excluded.is_disposable, is_free_mail = excluded.is_free_mail, mx = excluded.mx,
        rules_version = excluded.rules_version, import_batch_id = excluded.import_batch_id, verified_at = now()
    WHERE known.source = 'local'
"""

# Only who holds a slot is worth a paid verification; role accounts never speak for a named person.
_HOLDERS = """
    SELECT DISTINCT p.person_unique_id, p.first_name, p.last_name, p.full_name, p.email, c.domain, v.status, v.is_role
    FROM marketing.company_slots s JOIN marketing.company_batches b USING (company_unique_id)
    JOIN marketing.company_master c USING (company_unique_id)
    JOIN marketing.people_master p ON p.person_unique_id = s.person_unique_id
    LEFT JOIN marketing.email_verification v ON v.email = p.email
    WHERE b.import_batch_id = %(batch)s AND p.left_at IS NULL
      AND p.person_unique_id > %(after)s AND p.person_unique_id <= %(last)s
    ORDER BY p.person_unique_id
"""

# Guesses that are the address of somebody who asked to be forgotten.
_FORGOTTEN = "SELECT a FROM unnest(%s::text[]) AS a WHERE marketing.is_suppressed(a, NULL, NULL, NULL)"

_PAGE_END = """
    SELECT max(person_unique_id) FROM (
        SELECT s.person_unique_id FROM marketing.company_slots s JOIN marketing.company_batches b USING (company_unique_id)
        WHERE b.import_batch_id = %(batch)s AND s.person_unique_id > %(after)s ORDER BY 1 LIMIT %(limit)s) AS page
"""

# Addresses worth a paid verification, with the person each is of: the holders' own against which no free check speaks. The
# purchase asks for them a page of people at a time; the plan counts them all.
TO_VERIFY = """
    SELECT p.email AS key, max(p.person_unique_id) AS person
    FROM marketing.company_slots s
    JOIN marketing.company_batches b USING (company_unique_id)
    JOIN marketing.people_master p ON p.person_unique_id = s.person_unique_id
    LEFT JOIN marketing.email_verification v ON v.email = p.email
    WHERE b.import_batch_id = %(batch)s AND p.left_at IS NULL
      AND p.email <> '' AND v.status IS DISTINCT FROM 'invalid' AND NOT coalesce(v.is_role, false)
      AND p.person_unique_id > %(after)s AND (%(last)s::text IS NULL OR p.person_unique_id <= %(last)s::text)
    GROUP BY p.email ORDER BY min(p.person_unique_id)
"""

_EVIDENCE = """
    SELECT lower(split_part(p.email, '@', 2)), p.first_name, p.last_name, p.full_name, p.email, v.status
    FROM marketing.people_master p JOIN marketing.email_verification v ON v.email = p.email
    WHERE split_part(lower(p.email), '@', 2) = ANY (%(domains)s)
    UNION ALL
    SELECT split_part(v.input_key, '@', 2), p.first_name, p.last_name, p.full_name, v.input_key,
           CASE v.response ->> 'result' WHEN 'ok' THEN 'valid' WHEN 'invalid' THEN 'invalid' ELSE 'unknown' END
    FROM marketing.vendor_calls v JOIN marketing.people_master p ON p.person_unique_id = v.input ->> 'guessed_for'
    WHERE v.operation = 'verify_email' AND v.state = 'settled' AND split_part(v.input_key, '@', 2) = ANY (%(domains)s)
      AND p.email IS DISTINCT FROM v.input_key
"""

_WAITING_FOR_RECHECK = """
    SELECT count(*), extract(epoch FROM min(v.fresh_until) - now())::float
    FROM marketing.vendor_calls v JOIN marketing.people_master p ON p.email = v.input_key
    JOIN marketing.company_batches b USING (company_unique_id)
    WHERE b.import_batch_id = %s AND v.operation = 'verify_email' AND v.state = 'settled' AND v.freshness_window = 0
      AND v.response ->> 'result' = 'unknown' AND v.fresh_until > now()
"""


@dataclass(frozen=True)
class Rules:
    """The numbers of ``verification.yaml``, which explains them."""

    fresh_days: Count
    dns_timeout_seconds: Positive
    dns_workers: Count


@cache
def rules() -> Rules:
    """The rules in force, read once per process."""
    return load(Path(__file__).with_name("verification.yaml"), Rules)


def run(connection: Connection, import_batch_id: str, mx: MxLookup | None = None) -> Counts:
    """Give every address of the batch a verdict, and people the guesses that work; returns the stage's counts.

    ``mx`` answers MX questions; None makes a lookup for this call.
    """
    mx = mx or mx_lookup()
    choose_companies(connection, import_batch_id)
    checked = _check_for_free(connection, import_batch_id, mx)
    # verdicts first: whether an address may be replaced depends on them; then those of the replacements
    verdicts = run_sql(connection, "verified_emails_answers", batch=import_batch_id)["paid_verdicts"]
    guesses = run_sql(connection, "verified_emails_guesses", batch=import_batch_id)
    verdicts += run_sql(connection, "verified_emails_answers", batch=import_batch_id)["paid_verdicts"]
    counts = run_sql(connection, "verified_emails", batch=import_batch_id)
    return {**counts, **guesses, "paid_verdicts": verdicts, "addresses_checked": checked}


def _check_for_free(connection: Connection, import_batch_id: str, mx: MxLookup) -> int:
    """Check the addresses without a fresh verdict; how many there were."""
    checked = 0
    with connection.cursor("addresses", withhold=False) as addresses, connection.cursor() as cursor:
        addresses.execute(
            NEEDS_CHECK,
            {
                "batch": import_batch_id,
                "version": rules_version(),
                "fresh_days": rules().fresh_days,
                "dns": mx.is_available(),
            },
        )
        while chunk := addresses.fetchmany(CHUNK):
            verdicts = check_many([email for (email,) in chunk], mx, workers=rules().dns_workers)
            rows = [_make_row(email, verdict, import_batch_id) for email, verdict in sorted(verdicts.items())]
            execute_values(cursor, UPSERT, rows, page_size=CHUNK)
            checked += len(rows)
    return checked


def buy(run_: StageRun) -> Counts:
    """Have the slot holders' addresses verified; guess addresses for holders without a working one, best guess first."""
    if registry.access(settings.rules().operations[OPERATION].vendor) is None:
        return {"vendors": {OPERATION: "skipped: no key is configured"}}
    purchase = Purchase(run_.import_batch_id, run_.run_id, partial(check_lease, run_))
    mx = mx_lookup()
    derive = partial(run, mx=mx)
    work_ahead(run_, derive)
    for page in _pages(run_.import_batch_id):
        _buy_page(purchase, page, mx, lambda: work_ahead(run_, derive))
        if purchase.is_waiting(OPERATION):
            break
    with transaction() as connection, connection.cursor() as cursor:
        cursor.execute(_WAITING_FOR_RECHECK, (run_.import_batch_id,))
        row = cursor.fetchone()
    if row and row[0]:
        message = "the vendor does not know yet; asked once more, then they stay unknown"
        purchase.schedule_retry(OPERATION, "recheck", row[0], message, timedelta(seconds=row[1]))
    return {"vendors": purchase.notes} if purchase.notes else {}


def _pages(import_batch_id: str) -> Iterator[dict[str, Any]]:
    """Parameters of ``_HOLDERS``, a page of people at a time: three million are more than any budget, and than memory."""
    after = ""
    while True:
        with transaction() as connection, connection.cursor() as cursor:
            cursor.execute(_PAGE_END, {"batch": import_batch_id, "after": after, "limit": CHUNK})
            row = cursor.fetchone()
        if row is None or row[0] is None:
            return
        yield {"batch": import_batch_id, "after": after, "last": row[0]}
        after = row[0]


def _buy_page(purchase: Purchase, page: dict[str, Any], mx: MxLookup, derive: Callable[[], None]) -> None:
    """Verify the given addresses, and guess where none works: the next guess as soon as the one before has failed."""
    with transaction() as connection:
        wanted = given_addresses(connection, page)
    asked = {address.key for address in wanted}

    def guess() -> list[Input]:
        derive()
        with transaction() as connection:
            new = [guess for guess in next_guesses(connection, page, mx) if guess.key not in asked]
        asked.update(guess.key for guess in new)
        return new

    wanted = wanted or guess()
    while wanted and purchase.buy(OPERATION, wanted, more=guess):
        wanted = guess()


def given_addresses(connection: Connection, page: dict[str, Any]) -> list[Input]:
    """The slot holders' own addresses against which no free check speaks."""
    with connection.cursor() as cursor:
        cursor.execute(TO_VERIFY, page)
        return [Input(email, {"person": person}) for email, person in cursor.fetchall()]


def to_verify_parameters(import_batch_id: str) -> dict[str, Any]:
    """What ``TO_VERIFY`` needs for the whole batch."""
    return {"batch": import_batch_id, "after": "", "last": None}


def next_guesses(connection: Connection, page: dict[str, Any], mx: MxLookup) -> list[Input]:
    """For each slot holder of the page without a usable address, the best guess that was not answered yet.

    At a domain where addresses are under way, these instead: their answers make the next guess there a better one.
    """
    from barton_pipeline.addresses import patterns

    with connection.cursor() as cursor:
        cursor.execute(_HOLDERS, page)
        without = [
            row
            for row in cursor.fetchall()
            if (row[4] is None or row[6] == "invalid" or row[7]) and row[5] not in free_mail_domains()
        ]
        domains = sorted({row[5] for row in without})
        cursor.execute(_EVIDENCE, {"domains": domains})
        evidence: dict[str, list[Any]] = {}
        for domain, first, last, full, email, status in cursor.fetchall():
            first, last = _split_names(first, last, full)
            evidence.setdefault(domain, []).append(patterns.Example(first, last, email, status))
        cursor.execute(
            """
            SELECT v.input ->> 'guessed_for', array_agg(v.input_key) FROM marketing.vendor_calls v
            WHERE v.operation = 'verify_email' AND v.state IN ('settled', 'unknown')
              AND split_part(v.input_key, '@', 2) = ANY (%s) AND v.input ? 'guessed_for' GROUP BY 1
            """,
            (domains,),
        )
        asked = dict(cursor.fetchall())
        cursor.execute(
            """
            SELECT split_part(c.input_key, '@', 2), array_agg(c.input_key)
            FROM marketing.vendor_requests r JOIN marketing.vendor_calls c ON c.request_id = r.id
            WHERE r.operation = 'verify_email' AND r.state IN ('reserved', 'sent') AND split_part(c.input_key, '@', 2) = ANY (%s)
            GROUP BY 1
            """,
            (domains,),
        )
        under_way = dict(cursor.fetchall())
    learned = {domain: patterns.learn(evidence.get(domain, [])) for domain in domains}
    limits = settings.rules().guessing
    candidates = [Input(key) for keys in under_way.values() for key in keys]
    for person, first, last, full, email, domain, _, _ in without:
        tried = asked.get(person, [])
        if len(tried) >= limits.at_most or domain in under_way:
            continue
        first, last = _split_names(first, last, full)
        exclude = {*tried, *([email] if email else []), *_list_known_invalid(evidence.get(domain, []))}
        for guess in patterns.guess_addresses(first, last, domain, learned[domain], limit=1, exclude=exclude):
            if guess.probability >= limits.least_probability:
                details = {"guessed_for": person, "pattern": guess.pattern, "probability": round(guess.probability, 4)}
                candidates.append(Input(guess.email, details))
    with connection.cursor() as cursor:
        cursor.execute(_FORGOTTEN, ([guess.key for guess in candidates],))
        forgotten = {address for (address,) in cursor.fetchall()}
    candidates = [guess for guess in candidates if guess.key not in forgotten]
    free = check_many([guess.key for guess in candidates], mx, workers=rules().dns_workers)
    return [guess for guess in candidates if free[guess.key].status != "invalid" and not free[guess.key].is_role]


def _list_known_invalid(evidence: list[Any]) -> set[str]:
    return {example.email for example in evidence if example.status == "invalid"}


def _split_names(first: str | None, last: str | None, full: str | None) -> tuple[str, str]:
    """First and last name; out of the full name where a source gives only that; empty where nothing is known."""
    name = names.read(full or "")
    return first or name.first, last or name.last


def mx_lookup() -> MxLookup:
    """A lookup for one run: what was silent is asked again by the next."""
    return MxLookup(timeout_seconds=rules().dns_timeout_seconds)


def _make_row(email: str, check: AddressCheck, import_batch_id: str) -> tuple[Any, ...]:
    return (
        email,
        check.status,
        check.reason or "not_verified_by_vendor",
        check.is_role,
        check.is_disposable,
        check.is_free_mail,
        check.mx,
        "local",
        rules_version(),
        import_batch_id,
    )
