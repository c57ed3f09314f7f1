"""Legal forms of companies: which words are no part of a company's name. Read by the tool that writes them into the database.

The reviewed part is ``legal_forms.yaml``; the rest comes from the library cleanco. How they are cut is SQL
(``sql/objects/functions/company_names.sql``), because names are normalised a million at a time.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from barton_pipeline.config import load

# Shorter terms of the library are words of some language, or letters of a name.
_LEAST_LETTERS = 4
_VANISHING = str.maketrans("", "", ".'’‘`´״")


@dataclass(frozen=True)
class Rules:
    """The lists of ``legal_forms.yaml``, which explains them."""

    certain: list[str]
    ambiguous: list[str]
    words: list[str]
    leading: list[str]
    leading_ambiguous: list[str]
    joined: list[str]
    not_legal_forms: list[str]


@cache
def rules() -> Rules:
    """The lists in force, read once per process."""
    return load(Path(__file__).with_name("legal_forms.yaml"), Rules)


def key(form: str) -> str:
    """The form as intake.words leaves it, spelt-out letters as one word: ``S.à r.l.`` is ``sa rl``, ``A/S`` is ``as``."""
    letters = "".join(c for c in unicodedata.normalize("NFKD", form) if not unicodedata.combining(c))
    letters = letters.translate(str.maketrans("łŁıøØ", "lLioO")).lower().translate(_VANISHING).replace("&", " and ")
    words = re.sub(r"[\W_]+", " ", letters.replace("ß", "ss")).strip()
    return words.replace(" ", "") if re.fullmatch(r"\w( \w)+", words) else words


def trailing() -> dict[str, str]:
    """Every form at the end of names by its key: certain, ambiguous or word. Those of several words also as one."""
    from cleanco.termdata import terms_by_country, terms_by_type

    terms = {key(term) for lists in (terms_by_country, terms_by_type) for found in lists.values() for term in found}
    known = {term for term in terms if len(term.replace(" ", "")) >= _LEAST_LETTERS and term.isascii()}
    certain = (known - {key(form) for form in rules().not_legal_forms}) | {key(form) for form in rules().certain}
    return {
        **dict.fromkeys((form.replace(" ", "") for form in certain), "certain"),
        **dict.fromkeys(certain, "certain"),
        **{key(form): "ambiguous" for form in rules().ambiguous},
        **{key(form): "word" for form in rules().words},
    }


def leading() -> dict[str, str]:
    """Every form at the beginning of names by its key: certain or ambiguous."""
    return {
        **{key(form): "ambiguous" for form in rules().leading_ambiguous},
        **{key(form): "certain" for form in rules().leading},
    }
