"""Who works where, and which addresses exist, in the sandbox's invented world: pure functions of the seed.

Belongs here: people, their jobs, addresses and what a verification says of one. Not here: any vendor's wire format.
"""

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from barton_pipeline.config import load_yaml

MOST_PEOPLE = 8
LEAVES = 0.25  # how likely a seat changes hands from one generation to the next
YEAR = 2026  # the year of generation 1; not the clock's, or the answers would change with it
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
PATTERNS = (("first.last", 0.50), ("flast", 0.70), ("first", 0.85), ("firstlast", 0.95), ("last", 1.0))


@dataclass(frozen=True)
class Job:
    """One row of a person's experience. ``slug`` is the employer's LinkedIn name; ``end`` is None for a current job."""

    title: str
    company: str
    slug: str
    ours: bool
    start: tuple[str, int]
    end: tuple[str, int] | None = None


@dataclass(frozen=True)
class Person:
    """Somebody a company search finds. ``jobs``: newest first. ``email``: None without a domain, or when it is not known.

    ``title`` is the one held, or once held, at the company asked about.
    """

    public_identifier: str
    first_name: str
    last_name: str
    credentials: str
    title: str
    headline: str
    location: dict[str, str]
    jobs: tuple[Job, ...]
    email: str | None

    @property
    def works_here(self) -> bool:
        """Whether a current job is at the company asked about."""
        return any(job.ours and job.end is None for job in self.jobs)


@dataclass(frozen=True)
class Truth:
    """What a verification says. ``result``: ok, catch_all, unknown, disposable or invalid; ``code`` the vendor's number."""

    result: str
    code: int
    quality: str
    subresult: str
    free: bool
    role: bool

    @property
    def charged(self) -> bool:
        """The vendor charges for good and bad, not for risky and unknown."""
        return self.result in ("ok", "invalid", "disposable")


def people_of(key: str, seed: int = 1, generation: int = 1, slug: str | None = None) -> list[Person]:
    """The people a search for a company finds.

    ``key`` is the company's domain, or its LinkedIn slug when no domain is known (its people then have no addresses).
    From one generation to the next some leave (they stay in the list, with an ended job) and others take their place.
    """
    key = key.lower()
    slug = slug or slug_of(key)
    people = []
    for seat in range(int(_share(seed, key, "size") * (MOST_PEOPLE + 1))):
        changes = [year for year in range(2, generation + 1) if _share(seed, key, seat, "leaves", year) < LEAVES]
        for occupant in range(len(changes) + 1):
            left = YEAR + changes[occupant] - 2 if occupant < len(changes) else None
            arrived = YEAR + changes[occupant - 1] - 2 if occupant else None
            people.append(_person(key, slug, seed, seat, occupant, arrived, left))
    return people


def slug_of(key: str) -> str:
    """The LinkedIn name of a company known by its domain; a slug stays as it is."""
    return key.split(".")[0]


def address_truth(address: str, seed: int = 1, question: int = 1) -> Truth:
    """What is true of an address, whoever asks. ``question`` counts how often it was asked: unknown may clear up.

    Domains have one address pattern each; 8 % accept everything, 3 % do not answer. An address exists when its local
    part fits the pattern for one of the invented names, and then in 92 of 100 cases.
    """
    address = address.strip().lower()
    local, _, domain = address.rpartition("@")
    share = _share(seed, domain, "kind")
    if not local or not re.fullmatch(r"[^@\s]+\.[^@\s.]+", domain):
        return _truth("invalid", "invalid_syntax", local, domain)
    if "disposable" in domain:
        return _truth("disposable", "", local, domain)
    if share < 0.08:
        return _truth("catch_all", "", local, domain)
    if share < 0.11 and (question == 1 or _share(seed, address, "stays unknown") < 0.5):
        said = _pick(("greylisted", "ip_blocked", "timeout_error"), seed, address, "why")
        return _truth("unknown", said, local, domain)
    if _fits(local, domain_pattern(domain, seed)) and _share(seed, address, "exists") < 0.92:
        return _truth("ok", "", local, domain)
    return _truth("invalid", _pick(("no_mailbox", "mailbox_full"), seed, address, "why"), local, domain)


def domain_pattern(domain: str, seed: int = 1) -> str:
    """How a domain forms its addresses: first.last, flast, first, firstlast or last."""
    share = _share(seed, domain.lower(), "pattern")
    return next(name for name, up_to in PATTERNS if share < up_to)


def email_of(first_name: str, last_name: str, domain: str, seed: int = 1) -> str:
    """A person's address by the pattern of the domain."""
    first, last = _plain(first_name), _plain(last_name)
    local = {
        "first.last": f"{first}.{last}",
        "flast": first[0] + last,
        "first": first,
        "firstlast": first + last,
        "last": last,
    }
    return f"{local[domain_pattern(domain, seed)]}@{domain.lower()}"


def passes(title: str, asked: Sequence[str]) -> bool:
    """Whether a title contains one of the asked words or phrases; an empty list passes all."""
    return not asked or any(word.lower() in title.lower() for word in asked)


def passes_filters(title: str, names: Sequence[str]) -> bool:
    """Whether a title belongs to one of the vendor's seniorities or functions; an empty list passes all."""
    words = [word for name in names for word in _world()["filters"].get(str(name).lower(), [])]
    return not names or any(re.search(rf"\b{word}", title.lower()) for word in words)


def _person(key: str, slug: str, seed: int, seat: int, occupant: int, arrived: int | None, left: int | None) -> Person:
    world, who = _world(), (seed, key, seat, occupant)
    first, last = _pick(world["first_names"], *who, "first"), _pick(world["last_names"], *who, "last")
    title = _pick(world["titles"][min(seat, 3)], *who, "title")
    company = re.sub(r"[-_]+", " ", slug).title()
    kind = _share(*who, "kind")
    if 0.12 <= kind < 0.16:
        title = f"Interim {title}"
    start = (_pick(MONTHS, *who, "month"), arrived or YEAR - 1 - int(_share(*who, "since") * 15))
    here = Job(title, company, slug, True, start)
    headline = f"{title} at {company}"
    jobs: tuple[Job, ...]
    if left or kind < 0.07:  # left, and the headline still says otherwise
        jobs = (_elsewhere(who, ("Jan", left or YEAR - 1), None), _ended(here, left or YEAR - 1))
    elif kind < 0.12:
        jobs = (_ended(here, YEAR - 1),)
        headline = f"Former {title} of {company}"
    elif 0.16 <= kind < 0.21:  # two jobs at once, ours second
        jobs = (_elsewhere(who, start, None), here)
    elif 0.21 <= kind < 0.25:
        before = Job(_pick(world["earlier_titles"], *who, "before"), company, slug, True, ("Jan", start[1] - 3), start)
        jobs = (here, before)
    else:
        jobs = (here, _elsewhere(who, ("Jan", start[1] - 4), start))
    email = email_of(first, last, key, seed) if "." in key and _share(*who, "email") < 0.6 else None
    return Person(
        public_identifier=f"{_plain(first)}-{_plain(last)}-{_digest(*who, 'id')[:8]}",
        first_name=first,
        last_name=last,
        credentials=_pick(world["credentials"], *who, "credentials") if _share(*who, "has credentials") < 0.1 else "",
        title=title,
        headline=headline,
        location=_pick(world["locations"], key, "location"),
        jobs=jobs,
        email=email,
    )


def _elsewhere(who: tuple[Any, ...], start: tuple[str, int], end: tuple[str, int] | None) -> Job:
    world = _world()
    company = _pick(world["other_companies"], *who, "other company")
    title = _pick(world["other_titles" if end is None else "earlier_titles"], *who, "other title")
    return Job(title, company, company.lower().replace(" ", "-"), False, start, end)


def _ended(job: Job, year: int) -> Job:
    return Job(job.title, job.company, job.slug, job.ours, (job.start[0], min(job.start[1], year)), ("Dec", year))


def _truth(result: str, subresult: str, local: str, domain: str) -> Truth:
    code = {"ok": 1, "catch_all": 2, "unknown": 3, "disposable": 5, "invalid": 6}[result]
    quality = {"ok": "good", "catch_all": "risky", "unknown": "unknown"}.get(result, "bad")
    world = _world()
    return Truth(result, code, quality, subresult, domain in world["free_mail"], local in world["role_names"])


def _fits(local: str, pattern: str) -> bool:
    first_names, last_names = _plain_names()
    first, dot, last = local.partition(".")
    match pattern:
        case "first.last":
            return bool(dot) and first in first_names and last in last_names
        case "flast":
            return local[0] in {name[0] for name in first_names} and local[1:] in last_names
        case "firstlast":
            return any(local[:cut] in first_names and local[cut:] in last_names for cut in range(1, len(local)))
        case "first":
            return local in first_names
        case _:
            return local in last_names


@lru_cache
def _world() -> dict[str, Any]:
    return load_yaml(Path(__file__).with_name("people.yaml"))


@lru_cache
def _plain_names() -> tuple[frozenset[str], frozenset[str]]:
    return frozenset(map(_plain, _world()["first_names"])), frozenset(map(_plain, _world()["last_names"]))


def _plain(name: str) -> str:
    return re.sub("[^a-z]", "", unicodedata.normalize("NFKD", name.lower()))


def _digest(*parts: Any) -> str:
    return hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=16).hexdigest()


def _share(*parts: Any) -> float:
    return int(_digest(*parts)[:13], 16) / 16**13


def _pick(options: Sequence[Any], *parts: Any) -> Any:
    return options[int(_share(*parts) * len(options))]
