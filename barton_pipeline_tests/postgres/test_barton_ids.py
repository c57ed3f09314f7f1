"""Python's grammar and the database's agree."""

import psycopg2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barton_pipeline.barton_ids import LARGEST_NUMBER, PATTERNS, SEQUENCES, Entity, entity_of, nth, parse
from barton_pipeline.errors import InputError


@given(st.sampled_from(Entity), st.integers(1, LARGEST_NUMBER))
def test_nth_parse_and_number_are_inverse(entity: Entity, number: int) -> None:
    barton_id = nth(entity, number)
    assert parse(str(barton_id)) == barton_id
    assert barton_id.number == number


@given(st.text(max_size=40) | st.from_regex(r"[0-9]{2}(\.[0-9]{1,5}){3,6}", fullmatch=True))
def test_parse_accepts_exactly_what_it_formats(text: str) -> None:
    try:
        assert str(parse(text)) == text
    except InputError:
        assert not any(text == str(nth(entity, 1)) for entity in Entity)


def test_five_segments_and_foreign_digits_are_refused() -> None:
    for text in ("04.04.01.84.00123", "04.04.01.84.0123.001", "04.04.01.84.٠٠١٢٣.001", "04.04.03.84.00123.001\n"):
        with pytest.raises(InputError):
            parse(text)


@pytest.mark.parametrize("number", [1, 2, SEQUENCES, SEQUENCES + 1, 2 * SEQUENCES + 1, LARGEST_NUMBER])
def test_the_database_counts_alike(db, number: int) -> None:
    for entity in Entity:
        assert db.value("SELECT marketing.barton_id(%s, %s)", entity.value, number) == str(nth(entity, number))


@pytest.mark.parametrize(
    ("table", "column", "entity"),
    [
        ("company_master", "company_unique_id", Entity.COMPANY),
        ("people_master", "person_unique_id", Entity.PERSON),
        ("company_slots", "company_slot_unique_id", Entity.SLOT),
    ],
)
def test_the_database_checks_the_same_pattern(db, table: str, column: str, entity: Entity) -> None:
    definition = db.value(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", f"{table}_barton_id"
    )
    assert definition == f"CHECK (({column} ~ '{PATTERNS[entity]}'::text))"


def test_an_id_says_what_it_names() -> None:
    assert [entity_of(str(nth(entity, 1))) for entity in Entity] == list(Entity)
    assert entity_of("04.04.03.84.00001.001") is None and entity_of("04.04.01.84.00001.001\n") is None


def test_exhaustion_is_an_error_never_a_truncation(db) -> None:
    with pytest.raises(psycopg2.errors.NumericValueOutOfRange, match="exhausted"):
        db.query("SELECT marketing.barton_id('01', %s)", LARGEST_NUMBER + 1)
    with pytest.raises(InputError):
        nth(Entity.COMPANY, LARGEST_NUMBER + 1)


def test_slot_ids_follow_the_company() -> None:
    company = parse("04.04.01.84.00123.001")
    assert [str(company.slot(kind)) for kind in ("CEO", "CFO", "HR")] == [
        f"04.04.05.84.00123.00{version}" for version in (1, 2, 3)
    ]
