"""Local address checks against real data and a real DNS server on loopback."""

import contextlib
import re
import socket
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barton_pipeline.email_checks import REASONS, MxLookup, check_address, check_many


@contextlib.contextmanager
def dns_server() -> Iterator[tuple[str, int]]:
    """Answers by the name asked for: mx…, null…, gone…, weak…, servfail…, silent…"""
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
    mx = MxLookup(5.0, nameservers=[("127.0.0.1", 9)])
    started = time.monotonic()
    checks = check_many([f"a@company{n}.com" for n in range(200)], mx, workers=4)
    assert {(check.status, check.mx) for check in checks.values()} == {("unknown", "unavailable")}
    assert time.monotonic() - started < 60, "every domain waited for a time-out of its own"


def test_a_resolver_that_denies_every_name_is_no_dns() -> None:
    with dns_server() as server:
        mx = MxLookup(1.0, nameservers=[server], probes=("gone-one.com", "gone-two.com"))
        assert not mx.available()
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


@pytest.mark.parametrize("address", ["", "ann", "ann@", "@acme.com", "a b@acme.com", "ann@acme", "ann@@acme.com", "ann@[127.0.0.1]",
                                     '"ann"@acme.com', "ann(x)@acme.com", "a" * 65 + "@acme.com", "ann@-acme.com", "ann..x@acme.com"])  # fmt: skip
def test_bad_syntax(address: str) -> None:
    assert (check_address(address).status, check_address(address).reason) == ("invalid", "syntax")


def test_flags() -> None:
    assert check_address("info@acme.com").is_role and check_address("sales+x@acme.com").is_role
    assert not check_address("ann@acme.com").is_role
    assert check_address("ann@gmail.com").is_free_mail
    disposable = check_address("ann@mail.mailinator.com")
    assert disposable.is_disposable and disposable.status == "invalid"


@settings(deadline=None)
@given(st.text(max_size=80) | st.emails())
def test_never_raises_and_never_says_valid(address: str) -> None:
    check = check_address(address)
    assert check.status in ("invalid", "unknown") and check.reason in REASONS
    assert (check.normalised is None) == (check.reason == "syntax")


def test_isemail_errors_are_refused(data_dir: Path) -> None:
    wrong = []
    for test in ElementTree.parse(data_dir / "isemail" / "tests.xml").getroot().iter("test"):
        address = re.sub("[\u2400-\u241f]", lambda m: chr(ord(m[0]) - 0x2400), test.findtext("address") or "")
        # surrounding blanks are trimmed before the check, so what is wrong about them is not
        if (
            test.findtext("category") == "ISEMAIL_ERR"
            and address == address.strip()
            and check_address(address).status != "invalid"
        ):
            wrong.append(address)
    assert wrong == []
