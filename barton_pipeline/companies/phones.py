"""Telephone numbers as spreadsheets hold them: read by the ``phonenumbers`` library with the country of their row.

Belongs here: one spelling to one number, and the distinct spellings of a batch for the SQL of its stages. The rule is explained
in docs/explanation/validation.md.
"""

import gettext
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import phonenumbers
from psycopg2.extensions import connection as Connection

from barton_pipeline.stages.runner import judge_values

# Languages in which exports name countries, besides English.
LANGUAGES = ("de", "fr", "es", "it", "nl", "pt", "pl", "sv", "da", "nb", "fi", "cs", "hu", "tr", "ru", "uk")

# What a spreadsheet makes of a long number. 5.13975E+09 has six of its ten digits left.
_SCIENTIFIC = re.compile(r"\+?([0-9])(?:[.,]([0-9]+))?e\+?([0-9]{1,2})", re.I)
_FLOAT = re.compile(r"(\+?[0-9]{7,15})[.,]0+")
_MARKS = "='\"\u2018\u2019` "
_SEVERAL = re.compile(r"[;|\n]|,\s+(?!\s*(?:ext|x|#|durchwahl))|\s/\s*|\s+(?:or|and|oder|und|ou|o)\s+", re.I)
# Written as numbers usually are, in a region of the North American plan: nearly every row of an American list, without the library.
_AMERICAN = re.compile(r"(\+?1[-. ]?)?\(?([2-9][0-9]{2})\)?[-. ]?([2-9][0-9]{2})[-. ]?([0-9]{4})")


class Phone(NamedTuple):
    """A number, and its extension or None.

    ``number`` is E.164 (+13305550101) when the country is said, by the number or its row, else national digits.
    """

    number: str
    extension: str | None


def read(text: str, country: str | None, default_region: str) -> Phone | None:
    """The first number that a cell holds; None when there is none that can be dialled.

    ``country`` is what the row says, in words or as a code; a row without a known one is of ``default_region`` (ISO 3166).
    """
    digits = _repaired(text.strip().strip(_MARKS))
    if digits is None:
        return None
    said = region_of(country) if country else None
    region = said or default_region
    for piece in (digits, *_SEVERAL.split(digits)):
        found = _american(piece, region) or _parsed(piece, region)
        if found is not None:
            return _written(found, digits, said is not None)
    for match in phonenumbers.PhoneNumberMatcher(digits, region, leniency=phonenumbers.Leniency.POSSIBLE):
        if _is_number(match.number):
            return _written(match.number, match.raw_string, said is not None)
    return _parsed_abroad(digits)


def _repaired(text: str) -> str | None:
    """The text with what a spreadsheet did to a number undone; None when it lost digits."""
    scientific = _SCIENTIFIC.fullmatch(text)
    if scientific:
        first, rest, exponent = scientific[1], scientific[2] or "", int(scientific[3])
        return first + rest[:exponent] if len(rest) >= exponent and not rest[exponent:].strip("0") else None
    whole = _FLOAT.fullmatch(text)
    return whole[1] if whole else text


def _american(text: str, region: str) -> phonenumbers.PhoneNumber | None:
    found = _AMERICAN.fullmatch(text) if region in ("US", "CA") else None
    if found is None or not _is_plausible(found[2] + found[3] + found[4]):
        return None
    source = (
        phonenumbers.CountryCodeSource.FROM_NUMBER_WITH_PLUS_SIGN
        if text.startswith("+")
        else phonenumbers.CountryCodeSource.FROM_DEFAULT_COUNTRY
    )
    return phonenumbers.PhoneNumber(
        country_code=1, national_number=int(found[2] + found[3] + found[4]), country_code_source=source
    )


def _parsed(text: str, region: str) -> phonenumbers.PhoneNumber | None:
    if not any(character.isdigit() for character in text):
        return None
    try:
        number = phonenumbers.parse(text, region, keep_raw_input=True)
    except phonenumbers.NumberParseException:
        return None
    return number if _is_number(number) else None


def _parsed_abroad(text: str) -> Phone | None:
    """A number with its country code but without the plus: 442079460958, 0044 20 7946 0958."""
    number = _parsed("+" + text.lstrip("+0"), "ZZ")
    return _written(number, "+", True) if number is not None and phonenumbers.is_valid_number(number) else None


def _is_number(number: phonenumbers.PhoneNumber) -> bool:
    possible = phonenumbers.is_possible_number(number)
    return possible and _is_plausible(phonenumbers.national_significant_number(number))


def _is_plausible(digits: str) -> bool:
    """Whether digits are no filler such as 0000000 or 1234567890."""
    return len(digits) >= 6 and len(set(digits)) > 1 and digits != "1234567890"


def _written(number: phonenumbers.PhoneNumber, text: str, country_is_said: bool) -> Phone:
    national = phonenumbers.national_significant_number(number)
    from_default = number.country_code_source in (
        phonenumbers.CountryCodeSource.FROM_DEFAULT_COUNTRY,
        phonenumbers.CountryCodeSource.FROM_NUMBER_WITHOUT_PLUS_SIGN,
        phonenumbers.CountryCodeSource.UNSPECIFIED,
    )
    said = country_is_said or not from_default or text.lstrip("( ").startswith("+")
    local = phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE_LOCAL_ONLY
    return Phone(f"+{number.country_code}{national}" if said and not local else national, number.extension or None)


def region_of(country: str) -> str | None:
    """The ISO 3166 code of a country in words (English or one of LANGUAGES) or as a code; None for no known one."""
    return _regions().get(_key(country))


def _key(country: str) -> str:
    return "".join(character for character in country.casefold() if character.isalnum())


@cache
def _regions() -> dict[str, str]:
    import pycountry  # reads its package's metadata, which importing the definitions need not wait for

    names: dict[str, str] = {}
    translations = [
        gettext.translation("iso3166-1", pycountry.LOCALES_DIR, languages=[language]) for language in LANGUAGES
    ]
    for place in pycountry.countries:
        for attribute in ("alpha_2", "alpha_3", "name", "common_name", "official_name"):
            name = getattr(place, attribute, None)
            if name:
                names.setdefault(_key(name), place.alpha_2)
                for translation in translations:
                    names.setdefault(_key(translation.gettext(name)), place.alpha_2)
    # what people write although no standard does
    usual = {
        "GB": ("uk", "england", "scotland", "wales", "northern ireland", "great britain", "britain"),
        "US": (
            "usa",
            "america",
            "us of a",
            "united states of america",
            "etats unis",
            "estados unidos",
            "vereinigte staaten",
        ),
        "NL": ("holland", "the netherlands"),
        "CZ": ("czech republic",),
        "RU": ("russia",),
        "KR": ("korea", "south korea"),
        "AE": ("uae",),
        "TR": ("turkey",),
    }
    return names | {_key(name): region for region, written in usual.items() for name in written}


def read_spellings(connection: Connection, spellings: str, default_region: str, **parameters: Any) -> None:
    """Fill pg_temp.phones with what distinct spellings mean; NULL number: none.

    ``spellings`` is a SELECT DISTINCT of a number as written and its row's country, or an empty text, with ``parameters``.
    """

    def judge(text: str, country: str) -> Iterator[tuple[str, str, str | None, str | None]]:
        phone = read(text, country, default_region)
        yield text, country, phone and phone.number, phone and phone.extension

    judge_values(
        connection,
        "phones",
        "phone text, country text, number text, extension text",
        spellings,
        judge,
        **parameters,
    )
