"""The rules that judge intake rows: reason codes, word lists, limits. The SQL that applies them is the stage's.

One rule set, in one place, versioned (``validation.yaml``); explained for operators in docs/explanation/validation.md.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection

from barton_pipeline.companies import phones
from barton_pipeline.config import Count, Text, load
from barton_pipeline.intake.values import empty_words
from barton_pipeline.queue import set_aside
from barton_pipeline.stages.runner import run_sql


@dataclass(frozen=True)
class Reason:
    """``error`` makes a row invalid, ``warning`` does not; ``text`` and ``remedy`` are for the operator."""

    severity: str
    text: str
    remedy: str


REASONS = {
    "name_missing": Reason("error", "the company has no name", "fill in the name"),
    "name_too_short": Reason("error", "the name has fewer than two characters", "write the name out"),
    "name_placeholder": Reason("error", "the name is a placeholder", "fill in the real name"),
    "website_missing": Reason("error", "there is no website of its own", "add the company's own site"),
    "website_invalid": Reason(
        "error", "the website is not a public http(s) address", "correct it to something like https://company.com"
    ),
    **{
        f"website_is_{category}": Reason("warning", f"the website is {text}", "add the company's own site")
        for category, text in {
            "social": "a page on a social site",
            "free_mail": "a provider of free mail",
            "isp": "an internet provider's",
            "link_page": "a page of links or a wrapped link",
            "directory": "an entry in a directory or a map",
            "review_site": "a page on a site for reviews",
            "ordering_page": "a page on an ordering or reservation site",
            "site_builder": "a page on a site builder or a shared host",
            "code_host": "a page on a code host",
            "marketplace": "a page on a marketplace",
            "job_board": "a page on a job board",
            "event_site": "a page on a site for events",
            "calendar": "a booking calendar",
        }.items()
    },
    "employees_invalid": Reason(
        "warning", "the number of employees cannot be read", "give a number or a band like 51-200"
    ),
    "founded_invalid": Reason("warning", "the founding year is no plausible year", "give four digits"),
    "phone_invalid": Reason("warning", "the phone number cannot be read", "give it as +CC number"),
    "linkedin_invalid": Reason("warning", "the LinkedIn address is no company page", "use linkedin.com/company/…"),
    set_aside.REASON: Reason("error", "a stage fails on this row and on no other", "see barton errors"),
}

_PHONES = """
    SELECT DISTINCT company_phone, coalesce(company_country, '') FROM intake.companies_to_process
    WHERE import_batch_id = %(batch)s AND company_phone IS NOT NULL
"""

# What is trimmed from both ends of a value: exports and SQL inserts carry more than spaces.
BLANKS = " \t\r\n\f\v\u00a0\u200b\ufeff"


@dataclass(frozen=True)
class Rules:
    """The lists and limits of ``validation.yaml``, which explains them."""

    version: Text
    placeholder_names: list[str]
    reserved_domains: list[str]
    default_region: Text
    founded_year_earliest: int
    employees_most: Count


@cache
def rules() -> Rules:
    """The rules in force, read once per process."""
    return load(Path(__file__).with_name("validation.yaml"), Rules)


def run(connection: Connection, import_batch_id: str) -> dict[str, Any]:
    """Judge every row of the batch; only rows whose verdict differs are written."""
    in_force = rules()
    phones.read_spellings(connection, _PHONES, in_force.default_region, batch=import_batch_id)
    return run_sql(
        connection,
        "validated_companies",
        batch=import_batch_id,
        version=f"rules {in_force.version}",
        blanks=BLANKS,
        placeholders=in_force.placeholder_names,
        empty_values=["", *sorted(empty_words())],
        reserved_domains=in_force.reserved_domains,
        founded_earliest=in_force.founded_year_earliest,
        employees_most=in_force.employees_most,
        errors=[code for code, reason in REASONS.items() if reason.severity == "error"],
        notes=json.dumps({code: f"{reason.text} ({reason.remedy})" for code, reason in REASONS.items()}),
    )
