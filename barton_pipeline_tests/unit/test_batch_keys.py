"""The grammar of batch keys, and that new keys obey it."""

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barton_pipeline.batch_keys import BATCH_KEY, check_batch_key, new_batch_key
from barton_pipeline.errors import InputError
from barton_pipeline_tests.conftest import PROJECT

DAY = date(2025, 10, 24)
MIGRATION = PROJECT / "sql" / "migrations" / "0002_intake.sql"


@pytest.mark.parametrize("key", ["20251024-WV-B1", "TEST-001", "a", "0", "x" * 100, "a.b_c-d"])
def test_good_keys(key: str) -> None:
    assert check_batch_key(key) == key


@pytest.mark.parametrize("key", ["", " ", "-a", ".a", "a b", "a/b", "é", "x" * 101, "a\n", "a\0"])
def test_bad_keys_are_refused_with_the_grammar(key: str) -> None:
    with pytest.raises(InputError, match="1 to 100 letters, digits"):
        check_batch_key(key)


@pytest.mark.parametrize(
    ("stem", "key"),
    [
        ("wv_companies", "20251024-WV-COMPANIES-B1"),
        ("Café  Zürich (2)", "20251024-CAFE-ZURICH-2-B1"),
        ("???", "20251024-FILE-B1"),
        ("a" * 39 + "-bcd", f"20251024-{'A' * 39}-B1"),
    ],
)
def test_new_keys_come_from_the_file_name(stem: str, key: str) -> None:
    assert new_batch_key(stem, DAY, set()) == key


def test_new_keys_take_the_first_free_number() -> None:
    taken = {"20251024-X-B1", "20251024-X-B2", "20251024-X-B4"}
    assert new_batch_key("x", DAY, taken) == "20251024-X-B3"


@given(st.text())
def test_new_keys_always_obey_the_grammar(stem: str) -> None:
    check_batch_key(new_batch_key(stem, DAY, set()))


def test_the_database_holds_the_same_grammar() -> None:
    patterns = re.findall(r"import_batch_id ~ '\^(.*)\$'", MIGRATION.read_text(encoding="utf-8"))
    assert set(patterns) == {BATCH_KEY.pattern}
