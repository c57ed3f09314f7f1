"""Job title to executive slot (CEO, CFO, HR), with a confidence and the rule that decided. All rules are ``titles.yaml``.

Belongs here: reading one title, pure text. Not here: which person then gets the slot (``sql/stages/enriched_contacts.sql``).
"""

import html
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

Slot = Literal["CEO", "CFO", "HR"]

# Longer texts are not titles; only their start is read.
MAXIMUM_LENGTH = 300
_LETTERS = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ı": "i"})
_GENDERS = re.compile(
    r"\(?\b[mwdfhx](?:\s?[/|]\s?[mwdfhx]){1,2}\b\)?"  # (m/w/d), H/F
    r"|(?<=\w\w\w)(?:[/*:_·•]-?|-?\()(?:in|innen|r|n|e|rin|trice|rice|ne|a|o)\b\)?"  # Leiter/in, Director(a)
)
_DOTS = re.compile(r"(?<=\b\w)\.(?=\w\b)|(?<=\b\w\w)\.(?=\w\w\b)")  # C.E.O., RR.HH.
_STRONG = re.compile(r"[|;•·‖]|//|\bnow\b|\bcurrently\b")
_WEAK = re.compile(r"[,/()\[\]:–—]|(?:^|\s)-+(?=\s|$)|(?<=\s)-")
_AND = re.compile(r"[&+]")
_POSSESSIVE = re.compile(r"(?<=\w)['’`´](?=s\b)")
_OTHER = re.compile(r"[^\w,|]+|_")
_SEPARATORS = re.compile(r"\s*([,|])[\s,|]*")
_FULL_NAMES = (("ae", "a"), ("oe", "o"), ("ue", "u"))


@dataclass(frozen=True)
class TitleMatch:
    """``slot`` or None; ``confidence`` 0..1 (0 without a slot); ``rule`` says what decided, also when nothing fits."""

    slot: Slot | None
    confidence: float
    rule: str


@dataclass(frozen=True)
class _Veto:
    name: str
    scope: str
    pattern: re.Pattern[str]


@dataclass(frozen=True)
class _SlotRule:
    slot: Slot
    name: str
    confidence: float
    pattern: re.Pattern[str]


@dataclass(frozen=True)
class _Damper:
    name: str
    anywhere: bool
    factors: dict[str, float]
    pattern: re.Pattern[str]


@dataclass(frozen=True)
class _Rules:
    minimum_confidence: float
    words: re.Pattern[str]
    articles: re.Pattern[str]
    employer: re.Pattern[str]
    vetoes: list[_Veto]
    not_the_post: list[tuple[str, re.Pattern[str]]]
    slots: list[_SlotRule]
    dampers: list[_Damper]
