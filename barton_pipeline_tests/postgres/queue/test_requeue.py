"""Dead letters that are tried again: single ones, those of a batch, those that errors tell of, all."""

from typing import Any

import pytest

from barton_pipeline.error_log import ErrorFilter
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.queue import events, upkeep
from barton_pipeline.queue.upkeep import Requeued
from barton_pipeline_tests.builders import break_rows, insert_companies, repair, run_stages


def give_up(db: Any, batch: str, message: str = "boom") -> None:
    """Make dead letters of the batch's pending events."""
    for _ in range(events.settings().max_attempts):
        with transaction(db.url) as connection:
            claim = events.accept(connection, batch)
            assert claim
            events.fail(connection, claim.lease_token, message)
        db.execute("UPDATE marketing.pipeline_events SET available_at = now() WHERE status = 'pending'")


def dead(db: Any) -> list[int]:
    return [id for (id,) in db.query("SELECT id FROM marketing.pipeline_events WHERE status = 'failed' ORDER BY id")]


def open_errors(db: Any) -> list[str | None]:
    found = db.query("SELECT import_batch_id FROM marketing.pipeline_errors WHERE NOT resolved ORDER BY id")
    return [batch for (batch,) in found]


def requeue(db: Any, batch: str | None = None, ids: list[int] | None = None) -> Requeued:
    with transaction(db.url) as connection:
        return upkeep.requeue(connection, batch, ids)


@pytest.fixture
def letters(db: Any) -> dict[str, list[int]]:
    """Two dead letters of B1, which one error tells of, and one of B2, with another error."""
    insert_companies(db, "B1", 2)
    give_up(db, "B1")
    insert_companies(db, "B2", 1, first=9)
    give_up(db, "B2", "the vendor is down")
    assert open_errors(db) == ["B1", "B2"]
    first, second, third = dead(db)
    return {"B1": [first, second], "B2": [third]}


def test_one_batch(db: Any, letters: dict[str, list[int]]) -> None:
    assert requeue(db, "B1") == Requeued(2, ("B1",), 0, 1)
    assert dead(db) == letters["B2"] and open_errors(db) == ["B2"]
    assert requeue(db, "B1") == Requeued(0, (), 0, 0), "twice does nothing"


def test_all(db: Any, letters: dict[str, list[int]]) -> None:
    assert requeue(db) == Requeued(3, ("B1", "B2"), 0, 2)
    assert dead(db) == [] == open_errors(db)


def test_single_events_close_their_error_when_none_of_its_events_is_dead_any_more(
    db: Any, letters: dict[str, list[int]]
) -> None:
    first, second = letters["B1"]
    assert requeue(db, ids=[first]) == Requeued(1, ("B1",), 0, 0)
    assert dead(db) == [second, *letters["B2"]] and open_errors(db) == ["B1", "B2"]
    assert requeue(db, ids=[first, second]) == Requeued(1, ("B1",), 0, 1)
    assert open_errors(db) == ["B2"]


def test_an_error_of_many_events_lists_the_first_hundred_and_stands_for_all(db: Any) -> None:
    for first in (1, 61):
        insert_companies(db, "B1", 60, first=first)
    give_up(db, "B1")
    ids = dead(db)
    assert len(ids) == 120
    with transaction(db.url) as connection:
        assert upkeep.events_of_errors(connection, ErrorFilter(event_type="dead_letter")) == ids
    assert requeue(db, ids=ids[:100]).errors == 0, "twenty are dead still"
    assert requeue(db, ids=ids[100:]).errors == 1
    with transaction(db.url) as connection:
        assert upkeep.events_of_errors(connection, ErrorFilter(event_type="dead_letter")) == []


def test_what_cannot_run_is_passed_over(db: Any, letters: dict[str, list[int]]) -> None:
    db.query("SELECT marketing.notify_pipeline_event('signal_recorded', '{}')")
    with transaction(db.url) as connection:
        upkeep.settle_unroutable(connection)
    without_batch = max(dead(db))
    insert_companies(db, "B3", 1, first=20)
    pending = db.value("SELECT max(id) FROM marketing.pipeline_events")
    assert requeue(db, ids=[without_batch, pending, 10**12]) == Requeued(0, (), 0, 0)
    assert requeue(db, "B2", letters["B1"]) == Requeued(0, (), 0, 0), "events of that batch only"
    assert requeue(db, ids=[]) == Requeued(0, (), 0, 0)


def test_errors_lead_to_their_events(db: Any, letters: dict[str, list[int]]) -> None:
    cause = db.value("SELECT fingerprint FROM marketing.pipeline_errors WHERE import_batch_id = 'B2'")
    with transaction(db.url) as connection:
        for wanted, ids in (
            (ErrorFilter(), letters["B1"] + letters["B2"]),
            (ErrorFilter(fingerprint=cause), letters["B2"]),
            (ErrorFilter(import_batch_id="B1"), letters["B1"]),
            (ErrorFilter(text="VENDOR IS"), letters["B2"]),
            (ErrorFilter(severity="warning"), []),
            (ErrorFilter(ids=()), []),
        ):
            assert upkeep.events_of_errors(connection, wanted) == ids, wanted


def test_details_of_strangers_lead_nowhere(db: Any, letters: dict[str, list[int]]) -> None:
    for details in (
        '{"event_id": "x"}',
        '{"event_ids": "all"}',
        '{"event_ids": [{}, null], "events": "many"}',
        "[]",
        "7",
    ):
        db.execute("SELECT marketing.log_pipeline_error('t', NULL, 'm', %s, 'error', 'B1')", details)
    with transaction(db.url) as connection:
        assert upkeep.events_of_errors(connection, ErrorFilter(event_type="t")) == []
    assert requeue(db, "B1").errors == 1


def test_a_row_set_aside_is_taken_back_by_its_event_alone(db: Any) -> None:
    insert_companies(db, "B1", 30)
    break_rows(db, "marketing.company_master", "NEW.company_name IN ('Company 7 Inc', 'Company 9 Inc')")
    run_stages("B1")
    repair(db, "marketing.company_master")
    (seven, _), states = dead(db), "SELECT id FROM intake.company_raw_intake WHERE validated IS NULL"
    assert requeue(db, ids=[seven]) == Requeued(1, ("B1",), 1, 1)
    assert db.query(states) == [(7,)] and open_errors(db) == ["B1"]
    run_stages("B1")
    assert db.value("SELECT count(*) FROM marketing.company_master") == 29


def test_an_event_marked_failed_by_hand_closes_its_error(db: Any) -> None:
    insert_companies(db, "B1", 1)
    db.execute("SELECT marketing.mark_event_failed(id, 'by hand') FROM marketing.pipeline_events")
    assert requeue(db, ids=dead(db)) == Requeued(1, ("B1",), 0, 1)


def test_two_at_once_share_the_events(db: Any, letters: dict[str, list[int]]) -> None:
    with db.connect() as one:
        upkeep.requeue(one, "B1")
        with db.connect() as other, other.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '5s'")
            assert upkeep.requeue(other, "B2").events == 1
    assert requeue(db).events == 0


def test_the_application_may(db: Any, letters: dict[str, list[int]], monkeypatch: pytest.MonkeyPatch) -> None:
    with transaction(db.app_url) as connection:
        assert upkeep.requeue(connection, event_ids=upkeep.events_of_errors(connection, ErrorFilter())).events == 3
