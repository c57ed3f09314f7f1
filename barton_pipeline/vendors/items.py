"""What the items of the Apify actors say about people: which company an item is about, who it is, and the job held there now.

Pure functions over the vendors' JSON (VENDORS.md). Unknown fields stay in the stored answer. Not here: matching and slots (SQL).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_SLUG = re.compile(r"linkedin\.com/(?:company|school|showcase)/([^/?#\s]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Person:
    """One person at the company that was asked about. ``ended``: the source says the position there is over."""

    first_name: str | None
    last_name: str | None
    full_name: str | None
    title: str | None
    email: str | None
    linkedin_url: str | None
    city: str | None
    seniority: str | None
    ended: bool
    item: dict[str, Any]


def linkedin_slug(url: str | None) -> str | None:
    """``acme-corp`` of any spelling of ``https://www.linkedin.com/company/acme-corp/``; None for anything else."""
    found = _SLUG.search(url or "")
    return found.group(1).lower() if found else None


def by_input(operation: str, inputs: Sequence[str], items: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The items by the input they answer; an item about two of our companies stands under both."""
    found: dict[str, list[dict[str, Any]]] = {key: [] for key in inputs}
    for item in items:
        for key in set(_companies_of(operation, item)) & found.keys():
            found[key].append(item)
    return found


def _companies_of(operation: str, item: dict[str, Any]) -> Iterator[str]:
    if operation == "leads_finder":
        yield str(item.get("company_domain") or "").lower().removeprefix("www.")
        return
    for position in _positions(item):
        if slug := linkedin_slug(position.get("companyLinkedinUrl")):
            yield slug
        if position.get("companyUniversalName"):
            yield str(position["companyUniversalName"]).lower()


def _positions(item: dict[str, Any]) -> list[dict[str, Any]]:
    """Every position of a profile; ``currentPosition`` repeats some without dates."""
    positions = [*(item.get("experience") or []), *(item.get("currentPosition") or [])]
    return [position for position in positions if isinstance(position, dict)]


def read(operation: str, key: str, items: Sequence[dict[str, Any]]) -> list[Person]:
    """The people of an answer about the company ``key``; items without a name are left out."""
    reader = _lead if operation == "leads_finder" else _profile
    people = (reader(key, item) for item in items)
    return [person for person in people if person.full_name]


def _lead(key: str, item: dict[str, Any]) -> Person:
    first, last = _text(item.get("first_name")), _text(item.get("last_name"))
    return Person(
        first,
        last,
        _text(item.get("full_name")) or _joined(first, last),
        _text(item.get("job_title")),
        _text(item.get("email")),
        _text(item.get("linkedin")),
        _text(item.get("city")),
        _text(item.get("seniority_level")),
        False,
        item,
    )


def _profile(key: str, item: dict[str, Any]) -> Person:
    first, last = _text(item.get("firstName")), _text(item.get("lastName"))
    here = [position for position in _positions(item) if key in _companies_of("", {"experience": [position]})]
    held = [position for position in here if _is_current(position)]
    location = item.get("location")
    return Person(
        first,
        last,
        _joined(first, last),
        next((title for position in held if (title := _text(position.get("position") or position.get("title")))), None),
        _text(item.get("email")),
        _text(item.get("linkedinUrl")),
        _text(location.get("linkedinText") if isinstance(location, dict) else location),
        None,
        not held,
        item,
    )


def _is_current(position: dict[str, Any]) -> bool:
    """Without an end, or with the end "Present"."""
    end = position.get("endDate")
    if not end:
        return True
    text = end.get("text") if isinstance(end, dict) else end
    return isinstance(text, str) and text.strip().lower() in ("present", "now", "today", "")


def _text(value: Any) -> str | None:
    """Trimmed text; None for nothing and for values that are no text."""
    text = " ".join(value.replace("\x00", "").split()) if isinstance(value, str) else ""
    return text or None


def _joined(*parts: str | None) -> str | None:
    return " ".join(part for part in parts if part) or None
