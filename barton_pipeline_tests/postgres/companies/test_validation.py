"""The validation rules against a second reading of docs/explanation/validation.md, written in Python for this test alone."""

import datetime
import itertools
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import tldextract
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barton_pipeline.companies import validation
from barton_pipeline.postgres.connection import transaction

ORACLE = tldextract.TLDExtract(suffix_list_urls=(), include_psl_private_domains=True, cache_dir=None)
BATCHES = itertools.count(1)
EMPTY = [None, "", "  ", "N/A", "na", "-", "None", "null", "Unknown", "\t"]

# (what the file says, what it means); None means "cannot be read"
EMPLOYEES = [("500", 500), ("500.0", 500), ("2,100,000", 2_100_000), ("2.000", 2_000), ("51-200", 51), ("51 – 200 Employees", 51),
             ("10,001+", 10_001), ("1-10 employees", 1), (" 42 ", 42), ("1 001 to 5 000", 1001), ("12.5", 12), ("0", None),
             ("many", None), ("10000001", None), ("1,00", None), ("123456789012", None), ("-5", None), ("10-Jan", None)]  # fmt: skip
FOUNDED = [("1778", 1778), ("2001.0", 2001), ("1000", 1000), ("999", None), ("0999", None), ("12", None), ("soon", None),
           ("20011", None), ("2999", None), (str(datetime.date.today().year), datetime.date.today().year)]  # fmt: skip
PHONES = [("+1 304-555-0100", "+13045550100"), ("'+1 304-555-0100", "+13045550100"), ("3045550100", "3045550100"),
          ("(304) 555-0100 ext. 12", "3045550100"), ("304.555.0100 x9", "3045550100"), ("304 555 0100 Extension 7", "3045550100"),
          ("+44 (0)20 7946 0958", "+442079460958"), ("5550100", "5550100"), ("12", None), ("call us", None),
          ("1234567890123456", None)]  # fmt: skip
LINKEDIN = [("http://www.linkedin.com/company/Acme-Inc", "company/acme-inc"), ("linkedin.com/company/acme/about?x=1", "company/acme"),
            ("https://linkedin.com/school/wvu#a", "school/wvu"), ("https://de.linkedin.com/showcase/x/", "showcase/x"),
            ("https://www.linkedin.com/sales/company/123", "company/123"), ("https://www.linkedin.com/organization/9", "company/9"),
            ("https://linkedin.com/in/somebody", None), ("https://linkedin.com/company/", None), ("acme", None),
            ("https://notlinkedin.com/company/x", None), ("https://x.com/?u=linkedin.com/company/x", None)]  # fmt: skip
NAMES = [("Acme Works", None), ("Café Øl & Co.", None), ("日本 株式会社", None), ("3M", None), (" Etsy, Inc.\n", None), ("X", "name_too_short"),
         ("Test Company, LLC", "name_placeholder"), ("My Company", "name_placeholder"), ("NULL", "name_placeholder"),
         ("null inc", "name_placeholder"), ("???", "name_placeholder"), ("n/a", "name_placeholder"), ("- -", "name_placeholder"),
         ("--", "name_placeholder"), ("\t \n", "name_missing"), ("", "name_missing"), (None, "name_missing")]  # fmt: skip
WEBSITES = ["http://www.Acme.com/x", "acme.co.uk", "//acme.com", "https://user:pw@acme.de:8080/a?b#c", "https://a.b.acme.github.io/",
            "www.ck", "https://x.city.kawasaki.jp", "ftp://acme.com", "mailto:info@acme.com", "http://", "two words.com", "http://10.0.0.1",
            "http://[::1]/", "localhost", "acme.nosuchtld", "com", "https://example.com/", "https://www.facebook.com/acme",
            "instagram.com/acme", "https://sites.google.com/view/acme", "https://google.com/maps?q=acme", "https://www.etsy.com/shop/acme",
            "https://-acme.com", "acme..com", "https://acme.com.", " https://acme.org\t"]  # fmt: skip
SHARED = {"facebook.com": "social", "instagram.com": "social", "etsy.com": "marketplace"}
GOOGLE = {"sites.": "site_builder", None: "directory"}


class Judged(NamedTuple):
    """What the stage writes beside a row."""

    validated: bool
    reasons: list[str]
    domain: str | None
    employee_count: int | None
    founded: int | None
    phone: str | None
    linkedin_url: str | None


COLUMNS = ("company", "website", "num_employees", "founded_year", "company_phone", "company_linkedin_url")


def registrable(website: str) -> str:
    """Registrable domain, or nothing, of an http(s) address; the scheme may be missing."""
    match = re.fullmatch(
        r"(?:https?://|//)?(?:[^/?#@\s]*@)?([^/?#:\s\[\]]+)(?::\d*)?(?:[/?#].*)?", website.strip(), re.I
    )
    scheme = re.match(r"[a-z]+:(?!\d)", website.strip(), re.I)
    if not match or (scheme and scheme[0].lower() not in ("http:", "https:")):
        return ""
    host = match[1].lower().rstrip(".")
    if any(not label or label.startswith("-") or label.endswith("-") for label in host.split(".")):
        return ""
    return ORACLE(host).top_domain_under_public_suffix


def verdict(name: str | None, name_reason: str | None, website: str | None) -> tuple[list[str], str | None]:
    """Reasons of name and website, and the domain that counts."""
    reasons = [name_reason] if name_reason else []
    if website in EMPTY:
        return [*reasons, "website_missing"], None
    domain = registrable(website or "")
    own = (name or "").strip().startswith("Etsy") and domain == "etsy.com"
    google = re.match(r"https://(sites\.)?google\.com/", website or "")
    kind = GOOGLE[google[1]] if google else SHARED.get(domain)
    if kind and not own:
        return [*reasons, "website_missing", f"website_is_{kind}"], None
    if not domain or domain == "example.com":
        return [*reasons, "website_invalid"], None
    return reasons, domain


def empty_or(cases: Sequence[tuple[str, object]]) -> st.SearchStrategy[tuple[str | None, object]]:
    return st.sampled_from([*((value, "empty") for value in EMPTY), *cases])


ROW = st.tuples(
    st.sampled_from(NAMES), st.sampled_from([*EMPTY, *WEBSITES]), empty_or(EMPLOYEES), empty_or(FOUNDED), empty_or(PHONES), empty_or(LINKEDIN)
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROW, min_size=1, max_size=40))
def test_every_row_is_judged_as_the_document_says(db, rows) -> None:
    batch = f"B{next(BATCHES)}"
    expected = []
    with transaction(db.url) as connection, connection.cursor() as cursor:
        for (name, name_reason), website, *others in rows:
            cursor.execute(
                f"INSERT INTO intake.company_raw_intake ({', '.join(COLUMNS)}, import_batch_id) VALUES (%s, %s, %s, %s, %s, %s, %s)",
                (name, website, *(value for value, _ in others), batch),
            )
            reasons, domain = verdict(name, name_reason, website)
            valid = not reasons
            warnings = ("employees_invalid", "founded_invalid", "phone_invalid", "linkedin_invalid")
            reasons += [code for code, (_, meaning) in zip(warnings, others, strict=True) if meaning is None]
            employees, founded, phone, linkedin = [None if meaning == "empty" else meaning for _, meaning in others]
            linkedin = linkedin and f"https://www.linkedin.com/{linkedin}"
            expected.append(Judged(valid, reasons, domain, employees, founded, phone, linkedin))
        counts = validation.run(connection, batch)
        cursor.execute(
            "SELECT validated, validation_reasons, domain, employee_count, founded, phone, linkedin_url "
            "FROM intake.company_raw_intake WHERE import_batch_id = %s ORDER BY id",
            (batch,),
        )
        for row, found, wanted in zip(rows, cursor.fetchall(), expected, strict=True):
            assert Judged(*found) == wanted, row
        cursor.execute(
            "SELECT count(*) FROM intake.company_raw_intake WHERE import_batch_id = %s "
            "AND (validation_notes IS NULL) <> (validation_reasons = '{}')",
            (batch,),
        )
        assert cursor.fetchone() == (0,)
    valid_rows = sum(wanted.validated for wanted in expected)
    assert (counts["rows_in"], counts["rows_out"], counts["rows_rejected"]) == (
        len(rows),
        valid_rows,
        len(rows) - valid_rows,
    )
    assert counts["valid_with_warnings"] == sum(wanted.validated and bool(wanted.reasons) for wanted in expected)
    histogram = {code: sum(code in wanted.reasons for wanted in expected) for code in validation.REASONS}
    assert counts["reasons"] == {code: n for code, n in histogram.items() if n}


def test_a_second_reading_writes_nothing_and_another_version_judges_again(db, monkeypatch) -> None:
    db.execute(
        "INSERT INTO intake.company_raw_intake (company, website, import_batch_id) VALUES ('Acme', 'acme.com', 'B')"
    )

    def judge() -> tuple[str, str]:
        with transaction(db.url) as connection:
            validation.run(connection, "B")
        return db.query("SELECT xmin::text, validated_by FROM intake.company_raw_intake")[0]

    first = judge()
    assert judge() == first
    newer = replace(validation.rules(), version="next")
    monkeypatch.setattr(validation, "rules", lambda: newer)
    assert judge()[1] == "rules next"


def test_another_batch_is_left_alone(db) -> None:
    db.execute("INSERT INTO intake.company_raw_intake (company, import_batch_id) VALUES ('Acme', 'B'), ('Bolt', 'C')")
    with transaction(db.url) as connection:
        validation.run(connection, "B")
    assert db.query("SELECT import_batch_id, validated FROM intake.company_raw_intake ORDER BY 1") == [
        ("B", False),
        ("C", None),
    ]


def test_the_word_lists_can_match(db) -> None:
    placeholders = validation.rules().placeholder_names
    assert db.query("SELECT p FROM unnest(%s::text[]) AS p WHERE intake.company_name_key(p) <> p", placeholders) == []
    domains = validation.rules().reserved_domains
    assert all(ORACLE(domain).top_domain_under_public_suffix == domain for domain in domains)
