"""Errors by their cause: the fingerprint, the lists and the groups."""

import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# A message is words and things that vary; two with the same words and kinds of things have the same cause.
WORD = st.sampled_from(
    [
        "could",
        "not",
        "reach",
        "the",
        "vendor",
        "row",
        "stage",
        "failed",
        "was",
        "refused",
        "column",
        "missing",
        "doesn't",
        "writing",
        "company_master",
        "marketing.company_slots",
        "nobody",
        "answered",
        "event(s)",
        "retry:",
        "denied",
    ]
)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\"'`“”«»\0", exclude_categories=["Cs"]), max_size=20)
ADDRESS = st.from_regex(r"[a-z]{1,8}(\.[a-z]{1,8})?@[a-z]{1,8}\.(com|org)", fullmatch=True)
KEY = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,30}", fullmatch=True)
PATH = st.from_regex(r"(~|\.|)(/[a-zA-Z_.-]{1,8}){1,4}", fullmatch=True)
VARIES: dict[str, st.SearchStrategy[str]] = {
    "number": st.one_of(
        st.integers(-(10**12), 10**12).map(str),
        st.integers(0, 10**9).map("{:,}".format),
        st.floats(0, 1e6, allow_nan=False).map("{:.3f}".format),
        st.datetimes().map(str),
        st.datetimes().map(lambda moment: f"{moment.isoformat()}+00:00"),
    ),
    "barton id": st.from_regex(r"04\.04\.0[125]\.[0-9]{2}\.[0-9]{5}\.[0-9]{3}", fullmatch=True),
    "uuid": st.uuids().map(str),
    "batch": KEY.map("batch {}".format),
    "command": KEY.map("(barton retry {})".format),
    "double quotes": TEXT.map('"{}"'.format),
    "single quotes": TEXT.map("'{}'".format),
    "value": TEXT.filter(lambda text: not set("()") & set(text)).map("Key (domain)=({})".format),
    "address": ADDRESS,
    "path": PATH,
    "numbers": st.lists(st.integers(0, 10**6), min_size=1, max_size=5).map(lambda found: ", ".join(map(str, found))),
}


@st.composite
def two_of_one_cause(draw: st.DrawFn) -> tuple[str, str]:
    """Two messages of one cause: word, thing, word, thing …"""
    one, other = [], []
    for kind in draw(st.lists(st.sampled_from(sorted(VARIES)), min_size=1, max_size=5)):
        word = draw(WORD)
        one += [word, draw(VARIES[kind])]
        other += [word, draw(VARIES[kind])]
    return " ".join(one), " ".join(other)


def fingerprint(connection: Any, message: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT marketing.error_fingerprint(%s)", (message,))
        return str(cursor.fetchone()[0])


@pytest.fixture
def connection(db: Any) -> Iterator[Any]:
    with closing(db.connect()) as connection:
        yield connection


ONE_DATABASE = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@ONE_DATABASE
@given(messages=two_of_one_cause())
def test_what_varies_is_not_the_cause(connection: Any, messages: tuple[str, str]) -> None:
    one, other = messages
    assert fingerprint(connection, one) == fingerprint(connection, other)


@ONE_DATABASE
@given(words=st.lists(WORD, min_size=2, max_size=6), number=st.integers(0, 999), data=st.data())
def test_other_words_are_another_cause(connection: Any, words: list[str], number: int, data: st.DataObject) -> None:
    others = data.draw(st.lists(WORD, min_size=2, max_size=6).filter(lambda others: others != words))
    one, other = (" ".join(["row", str(number), *found]) for found in (words, others))
    assert fingerprint(connection, one) != fingerprint(connection, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "Row 7 of intake.company_raw_intake was set aside, the rest of batch B1 goes on: company_master fails on this row: "
            "division by zero. Correct the row or fix the cause, then run: barton retry B1",
            "Row 150 of intake.company_raw_intake was set aside, the rest of batch spring goes on: company_master fails on this row: "
            "division by zero. Correct the row or fix the cause, then run: barton retry spring",
        ),
        (
            "Batch CHAOS: 3 event(s) given up after repeated failures. Last failure: boom",
            "Batch 20251024-WV-B1: 1,204 event(s) given up after repeated failures. Last failure: boom",
        ),
        (
            'duplicate key value violates unique constraint "x" DETAIL: Key (domain)=(acme.com) already exists.',
            'duplicate key value violates unique constraint "x" DETAIL: Key (domain)=(beta (uk).org) already exists.',
        ),
        ("at 2026-11-25 10:00:00+00 gone", "at 2026-11-25T10:00:00.123456+00:00 gone"),
        ("it's row 5 that doesn't fit", "it's row 6 that doesn't fit"),
    ],
)
def test_real_messages_of_one_cause(connection: Any, one: str, other: str) -> None:
    assert fingerprint(connection, one) == fingerprint(connection, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("it's row 5 that doesn't fit", "it's row 5 that won't fit"),
        ("Row 5 of intake.company_raw_intake was set aside", "Row 5 of intake.people_raw_intake was set aside"),
        ("Batch B1: last failure: boom", "Batch B1: last failure: division by zero"),
        ("3 rows", "3 companies"),
    ],
)
def test_real_messages_of_two_causes(connection: Any, one: str, other: str) -> None:
    assert fingerprint(connection, one) != fingerprint(connection, other)


def test_a_fingerprint_is_short_stable_and_kept_with_the_error(connection: Any) -> None:
    assert fingerprint(connection, "") == "e3b0c44298fc", "the SHA-256 of nothing, shortened"
    assert fingerprint(connection, f"run {uuid.uuid4()} vanished") == fingerprint(connection, "run 5 vanished")
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT marketing.log_pipeline_error('t', NULL, 'row 5 is gone')")
        cursor.execute("SELECT fingerprint FROM marketing.pipeline_errors")
        assert cursor.fetchone() == (fingerprint(connection, "row 6 is gone"),)
