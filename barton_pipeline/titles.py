"""Job title to executive slot (CEO, CFO, HR), with a confidence and the rule that decided. Rules are ``titles.yaml``.

Pure text; which person then gets the slot is decided in ``sql/stages/enriched_contacts.sql``.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

MAXIMUM_LENGTH = 300
_SPECIAL = str.maketrans({"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "&": " and "})


@dataclass(frozen=True)
class TitleMatch:
    """``slot`` is CEO, CFO, HR or None; ``confidence`` 0..1 (0 without a slot); ``rule`` says what decided."""

    slot: str | None
    confidence: float
    rule: str


@dataclass(frozen=True)
class _Rules:
    minimum_confidence: float
    vetoes: list[tuple[str, re.Pattern[str]]]
    dampers: list[tuple[str, re.Pattern[str], float]]
    slots: list[tuple[str, float, re.Pattern[str]]]


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{text})\b")


@cache
def _rules() -> _Rules:
    loaded: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("titles.yaml").read_text(encoding="utf-8"))
    return _Rules(
        loaded["minimum_confidence"],
        [(name, _pattern(pattern)) for name, pattern in loaded["vetoes"].items()],
        [(name, _pattern(rule["pattern"]), rule["factor"]) for name, rule in loaded["dampers"].items()],
        [
            (slot, rule["confidence"], _pattern(rule["pattern"]))
            for slot, rules in loaded["slots"].items()
            for rule in rules
        ],
    )


def minimum_confidence() -> float:
    """Below this a candidate is kept but fills no slot."""
    return _rules().minimum_confidence


def normalise(title: str) -> str:
    """Lower case, no accents, words separated by single spaces; dots inside abbreviations are removed (C.E.O.)."""
    folded = unicodedata.normalize("NFKD", title[:MAXIMUM_LENGTH].lower().translate(_SPECIAL))
    plain = "".join(character for character in folded if not unicodedata.combining(character))
    plain = re.sub(r"(?<=\b\w)\.(?=\w\b)|['’`]", "", plain)
    return " ".join(re.sub(r"[^\w]+|_", " ", plain).split())


def classify(title: str | None) -> TitleMatch:
    """The single best slot of a title. A veto (former, assistant to, …) gives no slot. Deterministic; never raises."""
    # a vice president is not a president
    text = re.sub(
        r"\b(?:(?:senior|executive|assistant|associate|first) )*vice presidente?\b", "vp", normalise(title or "")
    )
    if not text:
        return TitleMatch(None, 0.0, "no title")
    rules = _rules()
    for name, pattern in rules.vetoes:
        if pattern.search(text):
            return TitleMatch(None, 0.0, f"veto: {name}")
    best = _best(text, rules)
    if best is None:
        return TitleMatch(None, 0.0, "no rule")
    slot, confidence = best
    reasons = [slot]
    for name, pattern, factor in rules.dampers:
        if pattern.search(text) and not (name == "deputy" and _is_officer_rank(text, slot)):
            confidence *= factor
            reasons.append(name)
    return TitleMatch(slot, round(confidence, 3), " ".join(reasons))


def _is_officer_rank(text: str, slot: str) -> bool:
    """A vice president of finance or HR is that function's head; only a vice CEO or president is a deputy."""
    return slot != "CEO" and re.search(r"\bvp\b", text) is not None


def _best(text: str, rules: _Rules) -> tuple[str, float] | None:
    """The strongest slot; of equals the one named first."""
    found = [
        (confidence, -match.start(), slot)
        for slot, confidence, pattern in rules.slots
        if (match := pattern.search(text))
    ]
    if not found:
        return None
    confidence, _, slot = max(found)
    return slot, confidence
