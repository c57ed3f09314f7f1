"""What a cell says: without invisible characters, nothing when it only says that there is nothing, an address without its wrapping.

Belongs here: what holds for a value wherever it stands, applied to every file on the way in (``loading``); the cell as it was
stays in ``raw``. Not here: whether a value is right (the stages).
"""

import html
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote

from barton_pipeline.config import Text, load

NAME_FIELDS = ("first_name", "last_name", "full_name")
# Zero-width (non-)joiners shape the letters of Arabic and Indic scripts, and are nothing anywhere else.
_JOINED = "[\u0600-\u0dff]"
_JOINERS = re.compile(f"(?<!{_JOINED})[\u200c\u200d]|[\u200c\u200d](?!{_JOINED})")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});", re.I)
_KEPT = "\t\n\r\u200c\u200d"
_NOTHING_WRITTEN = re.compile(r"[-–—_.?*]+|#{2,}|err:[0-9]{3}")

_HOST = r"[^\W_](?:[\w.-]*[^\W_])?\.[^\W_][\w-]*[^\W_]"
_ADDRESS = re.compile(rf"[\w.!#$%&*+/=?^`{{|}}~-][\w.!#$%&'*+/=?^`{{|}}~-]*@{_HOST}")
# Inside other text: what parts several addresses is no part of one.
_ADDRESS_WITHIN = re.compile(rf"[\w!#$%&*+=?^`{{}}~-](?:[\w.!#$%&'*+=?^`{{}}~-]*[\w!#$%&*+=?^`{{}}~-])?@{_HOST}")


@dataclass(frozen=True)
class Rules:
    """The lists of ``values.yaml``, which explains them."""

    no_value_words: list[Text]
    no_value_words_that_are_names: list[Text]
    error_words: list[Text]
    salutations: list[Text]


@cache
def rules() -> Rules:
    """The rules in force, read once per process."""
    return load(Path(__file__).with_name("values.yaml"), Rules)


@cache
def empty_words() -> frozenset[str]:
    """What means "no value" in any column, in lower case."""
    return frozenset(word.lower() for word in (*rules().no_value_words, *rules().error_words))


def clean(text: str) -> str:
    """The text without the characters that nobody sees, HTML entities and blanks at its ends; unusual blanks become spaces.

    Invisible are control and format characters: zero width, byte-order mark, soft hyphen, bidirectional marks. Tabs and line
    breaks stay.
    """
    if "&" in text:
        text = _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
    if text.isprintable():
        return text.strip()
    text = _JOINERS.sub("", text)
    return "".join(_visible(character) for character in text).strip()


def _visible(character: str) -> str:
    if character.isprintable() or character in _KEPT:
        return character
    if character.isspace():
        return " "
    return "" if unicodedata.category(character) in ("Cc", "Cf") else character


def is_no_value(text: str) -> bool:
    """Whether a cell says that there is nothing: empty, a no-value word, an error of a spreadsheet, only dashes."""
    lower = text.lower()
    return not lower or lower in empty_words() or _NOTHING_WRITTEN.fullmatch(lower) is not None


def reader(kind: str, field: str) -> Callable[[str], str]:
    """What reads the cells of a field of a kind of file: the value, "" for none.

    A company list's name keeps the words that mean nothing, because the verdict on the row says so (name_placeholder).
    """
    if (kind, field) == ("companies", "company"):
        return clean
    if kind == "people" and field in NAME_FIELDS:
        return _read_name
    return _READERS.get((kind, field), read)


def read(text: str) -> str:
    """The value of any cell, "" for none."""
    text = clean(text)
    # most cells begin with a letter or digit and are longer than any such word
    return "" if len(text) <= _longest_word() and is_no_value(text) else text


@cache
def _longest_word() -> int:
    return max(map(len, empty_words()))


def _read_name(text: str) -> str:
    text = clean(text)
    return text if text.lower() in rules().no_value_words_that_are_names else read(text)


def _read_title(text: str) -> str:
    text = read(text)
    return "" if " ".join(text.lower().replace(".", " ").split()) in _salutations() else text


@cache
def _salutations() -> frozenset[str]:
    return frozenset(rules().salutations)


def read_address(text: str) -> str:
    """The first usable e-mail address in a cell; the cell as it is when there is none, "" for none.

    Taken off are mailto:, a display name and its brackets, a leading apostrophe (Excel's mark for text), quotes, and
    punctuation behind.
    """
    text = read(text)
    if not text or _ADDRESS.fullmatch(text):
        return text
    if "mailto:" in text.lower():
        text = unquote(text)
    found = _ADDRESS_WITHIN.search(text)
    return found[0] if found else text


_READERS: dict[tuple[str, str], Callable[[str], str]] = {
    ("people", "email"): read_address,
    ("people", "title"): _read_title,
}
