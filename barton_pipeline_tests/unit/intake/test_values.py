"""What a cell says: invisible characters, words without a value, wrapped addresses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barton_pipeline.intake import values

INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f\u202a\u202e\u2066\u2069\x00\x08"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Acme\u00a0Works", "Acme Works"),
        ("\ufeff Ac\u00adme\u200b ", "Acme"),
        ("\u202ajo@acme.com\u202c", "jo@acme.com"),
        ("1\u202f000", "1 000"),
        ("two\nlines", "two\nlines"),
        ("می\u200cخواهم", "می\u200cخواهم"),
    ],
)
def test_invisible_characters(written: str, read: str) -> None:
    assert values.read(written) == read


@given(st.lists(st.sampled_from(list("abc") + list(INVISIBLE)), max_size=20).map("".join))
def test_whatever_is_invisible_goes_wherever_it_stands(written: str) -> None:
    assert values.clean(written) == "".join(character for character in written if character in "abc")


@pytest.mark.parametrize(
    "word",
    ["N/A", "null", " None ", "-", "—", "...", "#N/A", "#REF!", "#BEZUG!", "#VALEUR!", "#¿NOMBRE?", "#Н/Д", "#ERROR!", "Err:502", "######",
     "Unknown", "#DIV/0!", "#\u200bREF!"],
)  # fmt: skip
def test_words_without_a_value(word: str) -> None:
    assert values.read(word) == ""


@pytest.mark.parametrize("word", ["0", "#1 Plumbing", "Nullify", "#winning", "C#", "A", "Navy", "None Such Farm", "x"])
def test_words_with_a_value(word: str) -> None:
    assert values.read(word) == word


def test_names_of_people_that_are_such_words() -> None:
    assert values.reader("people", "last_name")("Null") == "Null"
    assert values.reader("people", "first_name")("Na") == "Na"
    assert values.reader("people", "last_name")("#NAME?") == ""
    assert values.reader("people", "city")("Null") == ""


@pytest.mark.parametrize(
    ("title", "read"),
    [
        ("Mr.", ""),
        ("Ms", ""),
        ("PROF. DR.", ""),
        ("Frau", ""),
        ("CEO", "CEO"),
        ("Doctor of Physics", "Doctor of Physics"),
    ],
)
def test_a_form_of_address_is_no_title(title: str, read: str) -> None:
    assert values.reader("people", "title")(title) == read


@pytest.mark.parametrize(
    "written",
    [
        "{}", "'{}", "mailto:{}", "MAILTO:{}?subject=Hello%20you", "Kim Roe <{}>", '"Roe, Kim" <{}>', "<{}>", "{}.", "{},", "({})", '"{}"', "'{}'",
        "{}; other@x.com", "{}, other@x.com", "{} / other@x.com", "{}|other@x.com", "{}\nother@x.com", "E-Mail: {}", "[{}](mailto:{})", "{}\u200b",
        "none; {}", "{} (work)", "\u2018{}\u2019",
    ],
)  # fmt: skip
@pytest.mark.parametrize("address", ["kim@acme.com", "o'brien.k+b2b@mail.acme.co.uk", "jörg@bücher.de", "a_b-c@x-y.io"])
def test_addresses_are_unwrapped(written: str, address: str) -> None:
    assert values.read_address(written.replace("{}", address)) == address


@pytest.mark.parametrize("written", ["call me", "kim@", "@acme.com", "kim at acme.com", "kim@localhost"])
def test_what_is_no_address_stays_to_be_judged(written: str) -> None:
    assert values.read_address(written) == written
