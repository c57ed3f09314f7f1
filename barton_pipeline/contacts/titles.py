"""Job title to executive slot (CEO, CFO, HR), with a confidence and the rule that decided. All rules are ``titles.yaml``.

Belongs here: reading one title, pure text. Not here: which person then gets the slot (``sql/stages/enriched_contacts.sql``).
"""

import html
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, get_args

from barton_pipeline.config import Check, Count, Share, Text, load
from barton_pipeline.errors import InputError

Slot = Literal["CEO", "CFO", "HR"]
Scope = Literal["title", "clause", "onward", "part"]
Place = Literal["anywhere", "part", "post"]
FILE = Path(__file__).with_name("titles.yaml")

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


@dataclass(frozen=True)
class TitleMatch:
    """``slot`` or None; ``confidence`` 0..1 (0 without a slot); ``rule`` says what decided, also when nothing fits."""

    slot: Slot | None
    confidence: float
    rule: str


Patterns = Annotated[list[Text], Check("a list of patterns", bool)]


@dataclass(frozen=True)
class VetoEntry:
    """What says that a post is not held; ``scope`` is how much of the title goes with it."""

    name: Text
    scope: Scope
    patterns: Patterns


@dataclass(frozen=True)
class NotThePostEntry:
    """Words that look like a post and are another one."""

    name: Text
    patterns: Patterns


@dataclass(frozen=True)
class SlotEntry:
    """A post that qualifies for a slot, with ``confidence``."""

    name: Text
    confidence: Share
    patterns: Patterns


@dataclass(frozen=True)
class Factors:
    """By what a candidate for each slot is multiplied."""

    CEO: Share
    CFO: Share
    HR: Share


@dataclass(frozen=True)
class DamperEntry:
    """What lowers a candidate, when found at this place."""

    name: Text
    where: Place
    factors: Factors
    patterns: Patterns


@dataclass(frozen=True)
class SlotEntries:
    """The posts of each slot; of equally good candidates the slot listed first wins."""

    CEO: list[SlotEntry]
    CFO: list[SlotEntry]
    HR: list[SlotEntry]


@dataclass(frozen=True)
class TitleRules:
    """``titles.yaml``, which explains its parts. All patterns are regular expressions."""

    minimum_confidence: Share
    two_offices_employees_most: Count
    spellings: dict[str, str]
    words: dict[Text, Patterns]
    articles: Patterns
    employer_after: Patterns
    terms: dict[Text, Patterns]
    vetoes: list[VetoEntry]
    not_the_post: list[NotThePostEntry]
    slots: SlotEntries
    dampers: list[DamperEntry]


@dataclass(frozen=True)
class _Veto:
    name: str
    scope: Scope
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
    where: Place
    factors: Factors
    pattern: re.Pattern[str]


@dataclass(frozen=True)
class _Rules:
    """``TitleRules`` with its patterns compiled."""

    minimum_confidence: float
    two_offices_employees_most: int
    spellings: dict[str, str]
    words: list[str]
    word: re.Pattern[str]
    articles: re.Pattern[str]
    employer: re.Pattern[str]
    vetoes: list[_Veto]
    not_the_post: list[tuple[str, re.Pattern[str]]]
    slots: list[_SlotRule]
    dampers: list[_Damper]


@cache
def _rules() -> _Rules:
    return read_rules(FILE)


def read_rules(path: Path) -> _Rules:
    """Read and compile a rules file. Raises InputError that names the file and the key, or the pattern that is wrong."""
    loaded = load(path, TitleRules)
    terms = {
        "start": r"(?:^|(?<=[,|] )|(?<=\band ))",
        "end": r"(?=$| [,|]| and\b)",
        **{name: f"(?:{'|'.join(patterns)})" for name, patterns in loaded.terms.items()},
    }

    def compile_pattern(pattern: str, key: str) -> re.Pattern[str]:
        """Raises InputError that names the key for a wrong regular expression."""
        try:
            return re.compile(pattern)
        except re.error as error:
            raise InputError(
                f"{path.name}: {key} holds a wrong regular expression ({error}): {pattern[:200]}"
            ) from error

    def compile_words(patterns: list[str], key: str) -> re.Pattern[str]:
        """Any of the patterns as whole words, with the terms they use filled in. Raises InputError as compile_pattern does."""
        text = "|".join(patterns)
        for name, pattern in terms.items():
            text = text.replace(f"{{{name}}}", pattern)
        if left := re.search(r"\{[a-z_]+\}", text):
            raise InputError(f"{path.name}: {key} uses {left[0]}, which is not in terms.")
        return compile_pattern(rf"\b(?:{text})(?!\w)", key)

    words = "|".join("(" + "|".join(read_as) + ")" for read_as in loaded.words.values())
    return _Rules(
        minimum_confidence=loaded.minimum_confidence,
        two_offices_employees_most=loaded.two_offices_employees_most,
        spellings=loaded.spellings,
        words=list(loaded.words),
        word=compile_pattern(rf"\b(?:{words})\b", "words"),
        articles=compile_pattern(rf"\b(?:{'|'.join(loaded.articles)})\b ?", "articles"),
        employer=compile_pattern(rf" (?:{'|'.join(loaded.employer_after)}) [^,|]*", "employer_after"),
        vetoes=[
            _Veto(entry.name, entry.scope, compile_words(entry.patterns, f"vetoes ({entry.name})"))
            for entry in loaded.vetoes
        ],
        not_the_post=[
            (entry.name, compile_words(entry.patterns, f"not_the_post ({entry.name})")) for entry in loaded.not_the_post
        ],
        slots=[
            _SlotRule(slot, entry.name, entry.confidence, compile_words(entry.patterns, f"slots.{slot} ({entry.name})"))
            for slot in get_args(Slot)
            for entry in getattr(loaded.slots, slot)
        ],
        dampers=[
            _Damper(entry.name, entry.where, entry.factors, compile_words(entry.patterns, f"dampers ({entry.name})"))
            for entry in loaded.dampers
        ],
    )


def minimum_confidence() -> float:
    """Below this a candidate is kept but fills no slot."""
    return _rules().minimum_confidence


def two_offices_employees_most() -> int:
    """Up to so many employees one person may hold two slots of a company."""
    return _rules().two_offices_employees_most


def classify(title: str | None) -> TitleMatch:
    """The single best slot of a title; of None and of what is no title, no slot.

    Deterministic; never raises; case, accents and punctuation do not matter.
    """
    return offices(title)[0]


def offices(title: str | None) -> list[TitleMatch]:
    """The best slot of a title as ``classify`` says it, and the slots that other parts of the title name: President & CFO."""
    rules = _rules()
    text = _fold(title or "", rules)
    if not text:
        return [TitleMatch(None, 0.0, "no title")]
    text, taken_out = _remove_what_is_not_held(text, rules)
    found = _find_candidates(text, rules)
    if not found:
        return [TitleMatch(None, 0.0, f"not held: {', '.join(taken_out)}" if taken_out else "no rule fits")]
    held: dict[str, TitleMatch] = {}
    parts = set()
    for part, match in sorted(found, key=lambda candidate: -candidate[1].confidence):
        sure = match.confidence >= rules.minimum_confidence
        if match.slot and match.slot not in held and part not in parts and (sure or not held):
            held[match.slot] = match
            parts.add(part)
    return list(held.values())


def _fold(title: str, rules: _Rules) -> str:
    """The title as plain words in one language, parts separated by ``,`` and clauses by ``|``."""
    text = unicodedata.normalize("NFKC", html.unescape(title[:MAXIMUM_LENGTH])).casefold().translate(_LETTERS)
    text = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    text = _GENDERS.sub("", " ".join(text.split()))
    text = _POSSESSIVE.sub("", _DOTS.sub("", text)).replace("@", " at ")
    text = _AND.sub(" and ", _WEAK.sub(" , ", _STRONG.sub(" | ", text)))
    text = _SEPARATORS.sub(_unify_separator, _OTHER.sub(" ", text)).strip(" ,|")
    for written, read_as in rules.spellings.items():
        text = text.replace(written, read_as)
    text = rules.word.sub(lambda match: rules.words[(match.lastindex or 1) - 1], text)
    return rules.employer.sub("", rules.articles.sub("", " ".join(text.split())))


def _unify_separator(match: re.Match[str]) -> str:
    return " | " if "|" in match.group() else " , "


def _remove_what_is_not_held(text: str, rules: _Rules) -> tuple[str, list[str]]:
    """What the person holds today, and the names of the rules that took something out."""
    taken_out = []
    for veto in rules.vetoes:
        while match := veto.pattern.search(text):
            taken_out.append(veto.name)
            start, end = _find_extent(text, match, veto.scope)
            text = f"{text[:start]}{text[end:]}".strip(" ,|")
    for name, pattern in rules.not_the_post:
        text, count = pattern.subn("-", text)
        taken_out += [name] * bool(count)
    return text, list(dict.fromkeys(taken_out))


def _find_extent(text: str, match: re.Match[str], scope: Scope) -> tuple[int, int]:
    """Where the vetoed stretch of ``text`` begins and ends."""
    if scope == "title":
        return 0, len(text)
    clause = text.rfind("|", 0, match.start()) + 1
    clause_end = text.find("|", match.end())
    clause_end = len(text) if clause_end < 0 else clause_end
    if scope == "clause":
        return clause, clause_end
    part = max(clause, text.rfind(",", 0, match.start()) + 1, text.rfind(" and ", 0, match.start()) + 1)
    if scope == "onward":
        return part, clause_end
    ends = [end for separator in (",", " and ") if (end := text.find(separator, match.end(), clause_end)) >= 0]
    return part, min(ends, default=clause_end)


def _find_candidates(text: str, rules: _Rules) -> list[tuple[int, TitleMatch]]:
    """Every slot rule that fits, lowered where the title says so, with where its part begins; in the order of the rules."""
    found = []
    for rule in rules.slots:
        for match in rule.pattern.finditer(text):
            confidence, names = rule.confidence, [rule.name]
            for damper in rules.dampers:
                if _applies(damper, text, match):
                    confidence *= getattr(damper.factors, rule.slot)
                    names.append(damper.name)
            part = max(text.rfind(separator, 0, match.start()) for separator in (",", "|", " and "))
            found.append((part, TitleMatch(rule.slot, round(confidence, 3), ", ".join(names))))
    return found


def _applies(damper: _Damper, text: str, match: re.Match[str]) -> bool:
    if damper.where == "anywhere":
        return damper.pattern.search(text) is not None
    if damper.where == "part":
        return damper.pattern.search(_find_part(text, match)) is not None
    return any(found.start() < match.end() and match.start() < found.end() for found in damper.pattern.finditer(text))


def _find_part(text: str, match: re.Match[str]) -> str:
    """The part of ``text``, between separators, that contains the match."""
    before = max(text.rfind(separator, 0, match.start()) for separator in ",|") + 1
    ends = [end for separator in ",|" if (end := text.find(separator, match.end())) >= 0]
    return text[before : min(ends, default=len(text))]
