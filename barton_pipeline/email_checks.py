"""Checks of an e-mail address that cost nothing: syntax, disposable, role account, free mail, MX.

They can only end in ``invalid`` or ``unknown``: that a mailbox exists is for a vendor to say. No SMTP probing.
Libraries do the work (email-validator, dnspython, disposable-email-domains) and are imported when first used.
"""

import threading
import unicodedata
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

# What a verdict depended on; a change makes local verdicts be made again.
RULES_VERSION = "1 " + " ".join(
    f"{name}={metadata.version(name)}" for name in ("email-validator", "disposable-email-domains")
)

REASONS = {
    "syntax": "The address breaks the rules of RFC 5321/5322 for outreach; correct it.",
    "disposable": "The domain gives out throw-away mailboxes; find another address.",
    "no_domain": "The domain does not exist (NXDOMAIN); correct it.",
    "null_mx": "The domain says it takes no mail (RFC 7505); find another address.",
    "weak_mx": "The domain has no MX record, only an address record; delivery is doubtful.",
    "no_mx": "The domain has neither MX nor address records; correct it.",
    "dns_unavailable": "DNS did not answer; the address is checked again when it does.",
    "not_verified_by_vendor": "Nothing speaks against the address; whether the mailbox exists is not known.",
}

CACHE_DOMAINS = 100_000
PROBE_SECONDS = 1.0


@dataclass(frozen=True)
class AddressCheck:
    """Verdict on one address. ``status`` is invalid or unknown; ``reason`` a key of REASONS; ``mx`` as MxLookup says."""

    normalised: str | None
    status: str
    reason: str
    is_role: bool = False
    is_disposable: bool = False
    is_free_mail: bool = False
    mx: str | None = None


@cache
def _lists() -> dict[str, frozenset[str]]:
    loaded: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("email_checks.yaml").read_text(encoding="utf-8"))
    return {name: frozenset(values) for name, values in loaded.items()}


def free_mail_domains() -> frozenset[str]:
    """Domains of providers of private mailboxes."""
    return _lists()["free_mail_domains"]


def check_address(address: str) -> AddressCheck:
    """Syntax and lists only, no DNS. Never raises."""
    from disposable_email_domains import blocklist
    from email_validator import EmailNotValidError, validate_email

    text = unicodedata.normalize("NFC", address).strip()
    try:
        valid = validate_email(text, strict=True, check_deliverability=False, allow_quoted_local=False,
                               allow_domain_literal=False, test_environment=False)  # fmt: skip
    except EmailNotValidError:
        return AddressCheck(None, "invalid", "syntax")
    domain = valid.ascii_domain.lower()
    normalised = f"{valid.local_part}@{domain}"
    disposable = any(".".join(domain.split(".")[start:]) in blocklist for start in range(domain.count(".")))
    return AddressCheck(
        normalised,
        "invalid" if disposable else "unknown",
        "disposable" if disposable else "not_verified_by_vendor",
        is_role=valid.local_part.lower().split("+")[0] in _lists()["role_accounts"],
        is_disposable=disposable,
        is_free_mail=domain in free_mail_domains(),
    )


class MxLookup:
    """MX questions with a bounded cache. Thread-safe.

    ``nameservers`` are (host, port) pairs instead of the system's; ``probes`` are domains that certainly take mail.
    """

    def __init__(
        self,
        timeout_seconds: float,
        nameservers: list[tuple[str, int]] | None = None,
        probes: tuple[str, ...] = ("gmail.com", "outlook.com"),
    ) -> None:
        self._probes = probes
        self._timeout = timeout_seconds
        self._nameservers = nameservers
        self._known: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()
        self._available: bool | None = None

    def available(self) -> bool:
        """Whether DNS finds what certainly exists; asked once. A closed network's resolver denies every name at once."""
        with self._lock:
            if self._available is None:
                self._available = any(self._ask(domain, "MX", PROBE_SECONDS) == "ok" for domain in self._probes)
            return self._available

    def lookup(self, domain: str) -> str:
        """ok, weak (address record only), null_mx, no_domain, no_mx or unavailable. Never raises."""
        with self._lock:
            if domain in self._known:
                return self._known[domain]
        if not self.available():
            return "unavailable"
        answer = self._ask(domain, "MX", self._timeout)
        if answer == "empty":
            hosts = {self._ask(domain, kind, self._timeout) for kind in ("A", "AAAA")}
            answer = "weak" if "ok" in hosts else "unavailable" if "unavailable" in hosts else "no_mx"
        if answer != "unavailable":
            with self._lock:
                self._known[domain] = answer
                if len(self._known) > CACHE_DOMAINS:
                    self._known.popitem(last=False)
        return answer

    def _ask(self, name: str, kind: str, seconds: float) -> str:
        import dns.exception
        import dns.resolver

        try:
            resolver = self._resolver()
            resolver.lifetime = seconds
            resolver.timeout = seconds / 2
            answers = resolver.resolve(name, kind, raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN:
            return "no_domain"
        except (dns.exception.DNSException, OSError, UnicodeError):
            return "unavailable"
        if not answers.rrset:
            return "empty"
        if kind == "MX" and all(str(record.exchange) == "." for record in answers):
            return "null_mx"
        return "ok"

    def _resolver(self) -> Any:
        import dns.nameserver
        import dns.resolver

        if self._nameservers is None:
            return dns.resolver.Resolver()
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers = [dns.nameserver.Do53Nameserver(host, port) for host, port in self._nameservers]
        return resolver


_MX_VERDICTS = {
    "ok": ("unknown", "not_verified_by_vendor"),
    "weak": ("unknown", "weak_mx"),
    "null_mx": ("invalid", "null_mx"),
    "no_domain": ("invalid", "no_domain"),
    "no_mx": ("invalid", "no_mx"),
    "unavailable": ("unknown", "dns_unavailable"),
}


def check_many(addresses: Iterable[str], mx: MxLookup, workers: int) -> dict[str, AddressCheck]:
    """Check addresses, asking for each domain's MX once, ``workers`` at a time. Keys are the addresses as given."""
    checks = {address: check_address(address) for address in addresses}
    open_checks = {
        address: check for address, check in checks.items() if check.status == "unknown" and check.normalised
    }
    domains = sorted({_domain(check) for check in open_checks.values()})
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        answers = dict(zip(domains, pool.map(mx.lookup, domains), strict=True))
    for address, check in open_checks.items():
        answer = answers[_domain(check)]
        status, reason = _MX_VERDICTS[answer]
        checks[address] = replace(check, status=status, reason=reason, mx=answer)
    return checks


def _domain(check: AddressCheck) -> str:
    assert check.normalised is not None
    return check.normalised.rpartition("@")[2]
