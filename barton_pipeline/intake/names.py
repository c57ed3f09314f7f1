"""People's names as files hold them: read by the library ``nameparser``, with what is ours in ``names.yaml``.

Belongs here: one spelling to given name, family name and the plain name by which a person is recognised. Not here: which person
of which company it is (the stage enriched_contacts), how mail systems write a name (``addresses.patterns``).
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from barton_pipeline.config import load
from barton_pipeline.intake import values


@dataclass(frozen=True)
class Rules:
    """The lists of ``names.yaml``, which explains them."""

    nobody: list[str]
    generations: dict[str, str]
    pronouns: list[str]
    surnames_too: list[str]
    titles: list[str]


@dataclass(frozen=True)
class Name:
    """A person's name: given name first, without titles, degrees, nicknames and pronouns.

    ``plain`` is all of it that tells one person from another, middle names included, but for ``generation``: jr, sr, ii, iii, iv
    or empty. All parts are empty for what is nobody's name.
    """

    first: str = ""
    last: str = ""
    plain: str = ""
    generation: str = ""


@cache
def rules() -> Rules:
    """The lists in force, read once per process."""
    return load(Path(__file__).with_name("names.yaml"), Rules)


# "Jane Doe | CEO", "Jane Doe - Acme": what follows is no name
_ASIDE = re.compile(r"\s+[|•·–—-]\s+.*|\s*\|.*", re.S)
_ONE_WORD = re.compile(r"[^\W\d_][^\W_]*(?:['’-][^\W_]+)*")
_INITIAL = re.compile(r"[^\W\d_]\.")


def read(text: str) -> Name:
    """The name that a cell holds: ``Doe, Dr. Jane A., CPA (she/her)`` is Jane Doe, plainly Jane A. Doe."""
    text = values.clean(text)
    if "@" in text or is_nobody(text):
        return Name()
    text = _ASIDE.sub("", _pronouns().sub(" ", text)) or text
    words = text.split()
    if _is_plain(words):
        return Name(_called(words[:-1]), words[-1], " ".join(words))
    return _parse(text, words)


@cache
def _pronouns() -> re.Pattern[str]:
    """``she/her``, ``(They, Them)``; a slash between other words is none: Smith/Jones."""
    word = f"(?:{'|'.join(rules().pronouns)})"
    return re.compile(rf"[(\[]\s*{word}(?:\s*[/,]\s*{word})*\s*[)\]]|\b{word}(?:\s?/\s?{word})+\b", re.IGNORECASE)


def is_nobody(text: str) -> bool:
    """Whether a name is no one's: empty, a placeholder such as N/A or Test Test, without a letter."""
    words = re.sub(r"[\W_]+", " ", text.lower()).strip()
    if not any(character.isalpha() for character in words) or values.is_no_value(text):
        return True
    return words in _nobody() or all(word in _nobody() for word in words.split())


@cache
def _nobody() -> frozenset[str]:
    return frozenset((*rules().nobody, *(re.sub(r"[\W_]+", " ", word).strip() for word in values.empty_words())))


def _is_plain(words: list[str]) -> bool:
    """Two or three words that are nothing but names: most names, without the library."""
    *given, last = words or [""]
    return (
        len(words) in (2, 3)
        and all(_ONE_WORD.fullmatch(word) or _INITIAL.fullmatch(word) for word in given)
        and _ONE_WORD.fullmatch(last) is not None
        and _simple(given[0]) not in (_titles() if len(words) == 2 else _special())
        and all(_simple(word) not in _special() for word in given[1:])
        and (_simple(last) not in _special() or (len(words) == 2 and _simple(last) in rules().surnames_too))
    )


def _simple(word: str) -> str:
    return word.lower().replace(".", "").strip(",-")


@cache
def _titles() -> frozenset[str]:
    return frozenset(word for title in (*values.rules().salutations, *rules().titles) for word in title.split())


@cache
def _special() -> frozenset[str]:
    """Words that the library reads as something else than a given or a family name."""
    from nameparser.config import CONSTANTS as known

    sets = (known.titles, known.suffix_acronyms, known.suffix_not_acronyms, known.prefixes, known.conjunctions)
    return frozenset().union(*(set(words) for words in sets), rules().generations, _titles())


def _parse(text: str, words: list[str]) -> Name:
    surname = words[-1] if _ends_with_surname(text, words) else ""
    found = _library()(" ".join(words[:-1]) if surname else text)
    first, middle, last = found.first, found.middle, found.last
    if surname:
        first, middle, last = first or last, " ".join(filter(None, (middle, last if first else ""))), surname
    # a title and one name: Judge Reinhold; only a form of address leaves the rest alone
    if found.title and not (first and last) and not {_simple(word) for word in found.title.split()} <= _titles():
        first, last = found.title, first or last
    plain = " ".join(filter(None, (first, middle, last)))
    if is_nobody(plain):
        return Name()
    generation = next(
        (rules().generations[word] for word in map(_simple, found.suffix_list) if word in rules().generations), ""
    )
    return Name(_called([first, *middle.split()]) or last, last if first else "", plain, generation)


def _called(given: list[str]) -> str:
    """What somebody is called by: the first name that is no initial (J. Robert), else the first."""
    return next((name for name in given if len(_simple(name)) > 1), given[0])


@cache
def _library():  # type: ignore[no-untyped-def]
    """nameparser's class with our titles and generations; half the time of the import of the library is its vocabulary."""
    from nameparser import HumanName
    from nameparser.config import CONSTANTS

    CONSTANTS.titles.add(*_titles())
    CONSTANTS.suffix_not_acronyms.add(*rules().generations)
    return HumanName


def _ends_with_surname(text: str, words: list[str]) -> bool:
    """Whether the last word, which may be a degree, is written as a surname is: Mary Jo Ma."""
    if "," in text or len(words) < 3 or _simple(words[-1]) not in rules().surnames_too:
        return False
    is_name = words[-1][0].isupper() and not words[-1].isupper() and "." not in words[-1]
    return is_name or text.islower()
