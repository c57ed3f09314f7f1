"""Errors by their cause: the fingerprint, the lists and the groups."""

import hashlib
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barton_pipeline import error_log
from barton_pipeline.error_log import ErrorFilter
from barton_pipeline.reports.errors import group_errors, list_errors

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
    assert fingerprint(connection, "") == hashlib.sha256(b"").hexdigest()[:12]
    assert fingerprint(connection, f"run {uuid.uuid4()} vanished") == fingerprint(connection, "run 5 vanished")
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT marketing.log_pipeline_error('t', NULL, 'row 5 is gone')")
        cursor.execute("SELECT fingerprint FROM marketing.pipeline_errors")
        assert cursor.fetchone() == (fingerprint(connection, "row 6 is gone"),)


def log(connection: Any, message: str, batch: str | None = None, severity: str = "error", kind: str = "stage") -> int:
    return error_log.log_error(connection, kind, message, batch=batch, severity=severity)


@pytest.fixture
def errors(connection: Any) -> list[int]:
    """Five open errors of three causes in three batches, and a closed one."""
    found = [
        log(connection, "row 1 is gone", "B1"),
        log(connection, "row 2 is gone", "B2"),
        log(connection, "the vendor is down", "B1", "warning", "vendor"),
        log(connection, "row 3 is gone", "B1", "critical"),
        log(connection, "nobody answers"),
    ]
    closed = log(connection, "row 4 is gone", "B3")
    error_log.resolve(connection, ErrorFilter(ids=(closed,)), "fixed")
    with connection.cursor() as cursor:
        for number, error in enumerate([*found, closed]):
            cursor.execute(
                "UPDATE marketing.pipeline_errors SET created_at = '2026-01-01Z'::timestamptz + make_interval(hours => %s) WHERE id = %s",
                (number, error),
            )
    return [*found, closed]


def test_errors_come_worst_first_and_by_what_is_asked(connection: Any, errors: list[int]) -> None:
    one, two, vendor, worst, nobody, closed = errors

    def ids(wanted: ErrorFilter = ErrorFilter(), **options: Any) -> list[int]:  # noqa: B008
        return [error.id for error in list_errors(connection, wanted, **options)]

    assert ids() == [worst, nobody, two, one, vendor]
    assert ids(limit=2) == [worst, nobody] and ids(limit=2, offset=4) == [vendor]
    assert ids(ErrorFilter(import_batch_id="B1")) == [worst, one, vendor]
    assert ids(ErrorFilter(severity="warning")) == ids(ErrorFilter(event_type="vendor")) == [vendor]
    assert ids(ErrorFilter(since=datetime(2026, 1, 1, 2, tzinfo=UTC))) == [worst, nobody, vendor]
    assert ids(ErrorFilter(fingerprint=fingerprint(connection, "row 9 is gone"))) == [worst, two, one]
    assert ids(ErrorFilter(text="IS GONE", ids=(one, two, closed))) == [two, one]
    (shown,) = list_errors(connection, resolved=True)
    assert (shown.id, shown.resolution_notes, shown.import_batch_id) == (closed, "fixed", "B3")


def test_errors_are_grouped_by_their_cause(connection: Any, errors: list[int]) -> None:
    gone, nobody, vendor = group_errors(connection)
    assert (gone.count, gone.severity, gone.batches) == (3, "critical", 2)
    assert (gone.first_at.hour, gone.last_at.hour) == (0, 3)
    assert (gone.sample_id, gone.sample_message) == (errors[3], "row 3 is gone")
    assert gone.fingerprint == fingerprint(connection, "row 5 is gone")
    assert [(group.count, group.severity, group.batches) for group in (nobody, vendor)] == [
        (1, "error", 0),
        (1, "warning", 1),
    ]
    assert [group.sample_id for group in group_errors(connection, limit=1, offset=1)] == [nobody.sample_id]
    (group,) = group_errors(connection, ErrorFilter(import_batch_id="B2"))
    assert (group.count, group.sample_message) == (1, "row 2 is gone")
    assert group_errors(connection, ErrorFilter(text="no such words")) == []


def test_closing_and_opening_are_in_the_name_of_the_actor(connection: Any, errors: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('barton.actor', 'ann', true)")
    assert error_log.resolve(connection, ErrorFilter(import_batch_id="B1", severity="error"), "n") == errors[:1]
    (first, *_) = list_errors(connection, ErrorFilter(ids=(errors[0],)), resolved=True)
    assert (first.resolved_by, first.resolution_notes) == ("ann", "n")
    assert error_log.reopen(connection, (errors[0], errors[1])) == errors[:1], "the other one is open"
    (first,) = list_errors(connection, ErrorFilter(ids=(errors[0],)))
    assert (first.resolved_by, first.resolved_at) == (None, None)


def test_many_errors_are_grouped_from_the_index(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = on")  # or VACUUM would not yet know the rows for committed
        cursor.execute(
            "INSERT INTO marketing.pipeline_errors (event_type, error_message, import_batch_id, error_details) "
            "SELECT 't', 'row ' || n || ' is gone ' || repeat('x', n % 7), 'B' || n % 50, jsonb_build_object('traceback', repeat('line ', 300)) "
            "FROM generate_series(1, 20000) AS n"
        )
    connection.commit()
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE marketing.pipeline_errors")
        cursor.execute(
            "EXPLAIN SELECT fingerprint, import_batch_id, count(*), min(created_at), min(array_position(ARRAY['critical', 'error', "
            "'warning'], severity)) FROM marketing.pipeline_errors WHERE NOT resolved GROUP BY 1, 2"
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Index Only Scan using pipeline_errors_open_cause" in plan
    groups = group_errors(connection)
    assert [group.count for group in groups] == sorted((20000 // 7 + (n < 20000 % 7) for n in range(7)), reverse=True)
    assert {group.batches for group in groups} == {50}
