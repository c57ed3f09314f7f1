"""One spelling of a telephone number to one number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barton_pipeline.companies import phones


def read(text: str, country: str | None = None, default_region: str = "US") -> str | None:
    """The number, with the extension behind an x."""
    phone = phones.read(text, country, default_region)
    return phone and phone.number + (f"x{phone.extension}" if phone.extension else "")


@pytest.mark.parametrize(
    "written",
    ["330-555-0101", "(330) 555-0101", "330.555.0101", "3305550101", "3305550101.0", "1-330-555-0101", "330 555 0101 (main)", "Tel.: 330-555-0101",
     "330-555-0101 / 330-555-0102", "330-555-0101; 330-555-0102", "330-555-0101 or 330-555-0102", '="3305550101"', "330\u2011555\u20110101",
     "3.305550101E9", "1.3305550101E+10", "'330-555-0101", "330-555-0101, 330-555-0102", "330-555-0101 Fax 330-555-0102"],
)  # fmt: skip
def test_american_numbers(written: str) -> None:
    assert read(written) == "3305550101"
    assert read(written, "United States") == "+13305550101"


@pytest.mark.parametrize(
    "written",
    ["330-555-0101 x12", "(330) 555-0101 ext. 12", "330 555 0101 Extension 12", "330-555-0101, ext 12", "330-555-0101 #12", "3305550101x12"],
)  # fmt: skip
def test_the_extension_stands_apart(written: str) -> None:
    assert read(written) == "3305550101x12"


@pytest.mark.parametrize(
    ("written", "country", "number"),
    [
        ("020 7946 0958", "United Kingdom", "+442079460958"), ("+44 (0)20 7946 0958", None, "+442079460958"), ("442079460958", None, "+442079460958"),
        ("0044 20 7946 0958", None, "+442079460958"), ("011 44 20 7946 0958", None, "+442079460958"), ("030/1234567", "Deutschland", "+49301234567"),
        ("01 23 45 67 89", "France", "+33123456789"), ("06 12 34 56 78", "FR", "+33612345678"), ("001 330 555 0101", "Germany", "+13305550101"),
        ("+1 330 555 0101", "UK", "+13305550101"), ("03-1234-5678", "JPN", "+81312345678"), ("330-555-0101", "nowhere", "3305550101"),
        ("tel:+1-330-555-0101;ext=5", None, "+13305550101x5"), ("5550101", None, "5550101"),
    ],
)  # fmt: skip
def test_numbers_of_the_world(written: str, country: str | None, number: str) -> None:
    assert read(written, country) == number


@pytest.mark.parametrize(
    "written",
    ["5.13975E+09", "4.41234E+11", "1E+10", "12", "call us", "0000000000", "1234567890", "1234567890123456", "51397509", "2024-01-05", "#REF!", "",
     "020 7946 0958", "+", "x12", "info@acme.com"],
)  # fmt: skip
def test_what_cannot_be_dialled(written: str) -> None:
    assert read(written) is None


def test_the_default_region_is_the_one_of_rows_without_a_country() -> None:
    assert read("030 1234567", None, "DE") == "301234567"
    assert read("01 5123456", "Austria", "DE") == "+4315123456"


@given(st.text(max_size=30), st.sampled_from([None, "", "US", "Germany", "?"]))
def test_any_text_is_read_as_digits_or_not_at_all(written: str, country: str | None) -> None:
    phone = phones.read(written, country, "US")
    assert phone is None or (phone.number.lstrip("+").isascii() and phone.number.lstrip("+").isdigit())


@given(
    st.integers(2_000_000_000, 9_999_999_999).filter(lambda number: str(number)[3] > "1"),
    st.sampled_from(["{0}-{1}-{2}", "({0}) {1}-{2}", "{0} {1} {2}", "{0}.{1}.{2}", "{0}{1}{2}", "+1 {0} {1} {2}"]),
)
def test_spellings_of_one_number_are_one(number: int, form: str) -> None:
    digits = str(number)
    phone = phones.read(form.format(digits[:3], digits[3:6], digits[6:]), "US", "US")
    expected = None if len(set(digits)) == 1 else f"+1{digits}"
    assert (phone and phone.number) == expected


@pytest.mark.parametrize(
    ("name", "region"),
    [("USA", "US"), ("U.S.A.", "US"), ("Allemagne", "DE"), ("Deutschland", "DE"), ("España", "ES"), ("uk", "GB"), ("England", "GB"), ("AUT", "AT"),
     ("", None), ("nowhere", None)],
)  # fmt: skip
def test_countries(name: str, region: str | None) -> None:
    assert phones.region_of(name) == region
