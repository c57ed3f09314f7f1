"""Guessing somebody's address from patterns learned on known addresses of the same domain. Pure; configuration beside it.

Belongs here: names as mail systems write them, what a known address says about a domain, ranking guesses. Not here: which
guesses are bought (``verification``), whether an address works (``checks``, the vendor).
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated

from barton_pipeline.addresses.checks import check_address
from barton_pipeline.config import Check, Count, NotNegative, Positive, Share, load

# Stands in ``DomainPatterns.weights`` for addresses that follow none of the patterns we know.
OTHER = "other"

Pattern = Annotated[
    str,
    Check(
        "a pattern of {first}, {last}, {f} and {l}",
        lambda text: bool(re.fullmatch(r"(\{(first|last|f|l)\}|[._-])+", text)),
    ),
]
_WRITTEN = re.compile(r"[a-z]+(-[a-z]+)*")
_NAMES_KEPT = 20_000


@dataclass(frozen=True)
class Odds:
    """Odds of alternative spellings against the plain one (1); ``patterns.yaml`` explains each."""

    letter: NotNegative
    without_particle: NotNegative
    hyphen_kept: NotNegative
    part: NotNegative
    two_given: NotNegative
    nickname: NotNegative
    initial: NotNegative


@dataclass(frozen=True)
class Rules:
    """``patterns.yaml``, which explains its parts.

    ``patterns``: the weight of each, in the order in which equally likely ones are tried; with ``other`` they make 1.
    """

    patterns: dict[Pattern, Share]
    other: Share
    prior_strength: Positive
    has_address: Share
    odds: Odds
    most_spellings: Count
    letters: dict[str, list[str]]
    particles: frozenset[str]
    titles: frozenset[str]
    suffixes: frozenset[str]
    nicknames: dict[str, list[str]]

    def __post_init__(self) -> None:
        total = sum(self.patterns.values()) + self.other
        if abs(total - 1) > 1e-9:
            raise ValueError(f"patterns and other must add up to 1, not {total:g}")


@cache
def rules() -> Rules:
    """The rules in force, read once per process."""
    return load(Path(__file__).with_name("patterns.yaml"), Rules)


@dataclass(frozen=True)
class Example:
    """A known address of somebody; ``status`` as in email_verification. Only valid and invalid ones teach anything."""

    first: str
    last: str
    email: str
    status: str


@dataclass(frozen=True)
class DomainPatterns:
    """What is believed of a domain.

    ``weights``: the probability that somebody's address there follows each pattern, OTHER included; together 1.
    ``valid``, ``invalid``: how many known addresses each pattern explains, by verdict. ``known``: these addresses.
    """

    weights: dict[str, float]
    valid: dict[str, int]
    invalid: dict[str, int]
    known: frozenset[str]


@dataclass(frozen=True)
class Guess:
    """An address for somebody.

    ``probability``: that the person has an address at the domain and that it is this one, given the examples; summed over
    the patterns and spellings that lead to it. All guesses for a person make at most ``has_address``. What fails for this
    person is not redistributed over the rest, so after a failure it is rather too low. It rests on the priors of the YAML.
    ``pattern``: the one that adds most to it. ``evidence``: how many valid addresses of the domain that one explains.
    """

    email: str
    pattern: str
    probability: float
    evidence: int


def match_patterns(local: str, first: str, last: str) -> list[str]:
    """The patterns that make ``local`` of the name; several when the name is short or the same twice, none for other rules."""
    return list(_explain(local, first, last))


def learn(examples: Iterable[Example]) -> DomainPatterns:
    """What addresses of one domain say about its patterns; their order does not matter, nor do repetitions.

    The belief is a Dirichlet distribution whose pseudo-counts are the prior's weights times ``prior_strength``. A valid address
    adds one, shared among the patterns that explain it; one that none explains adds to OTHER, unless it is a role account.
    An invalid one moves the mean as Bayes' rule says, the person having had an address with ``has_address``: the more valid
    addresses a pattern has, the less one failure changes. Catch-all, risky and unknown ones prove nothing.
    """
    proven = sorted(
        {(e.status, e.email.lower(), e.first, e.last) for e in examples if e.status in ("valid", "invalid")}
    )
    prior = {**rules().patterns, OTHER: rules().other}
    counts = {pattern: weight * rules().prior_strength for pattern, weight in prior.items()}
    valid, invalid = Counter[str](), Counter[str]()
    failures = []
    for status, email, first, last in proven:
        explained = _explain(email.partition("@")[0], first, last)
        if status == "invalid":
            invalid.update(explained.keys())
            failures.append(explained)
        elif explained:
            valid.update(explained.keys())
            _learn_valid(counts, explained)
        elif _can_be_written(first, last) and not check_address(email).is_role:
            counts[OTHER] += 1
    strength = sum(counts.values())
    weights = {pattern: count / strength for pattern, count in counts.items()}
    for explained in failures:
        weights = _learn_failure(weights, explained, strength)
    return DomainPatterns(weights, dict(valid), dict(invalid), frozenset(email for _, email, _, _ in proven))


def _learn_valid(counts: dict[str, float], explained: dict[str, float]) -> None:
    """One address more, shared by the prior: sharing by what was learned so far would make the order of examples matter."""
    prior = rules().patterns
    total = sum(prior[pattern] * share for pattern, share in explained.items())
    for pattern, share in explained.items():
        counts[pattern] += prior[pattern] * share / total


def _learn_failure(weights: dict[str, float], explained: dict[str, float], strength: float) -> dict[str, float]:
    """The mean of the Dirichlet distribution after an address did not exist.

    E[w_i (1 - has_address * sum_q share_q w_q)] / E[the same without w_i], where E[w_i w_q] = m_i (strength m_q + [i = q]) /
    (strength + 1). The strength is left as it was.
    """
    expected = strength * sum(weights[pattern] * share for pattern, share in explained.items())
    moved = {
        pattern: weight * (1 - rules().has_address * (expected + explained.get(pattern, 0)) / (strength + 1))
        for pattern, weight in weights.items()
    }
    total = sum(moved.values())
    return {pattern: weight / total for pattern, weight in moved.items()}


def guess_addresses(
    first: str, last: str, domain: str, learned: DomainPatterns, limit: int, exclude: Iterable[str] = ()
) -> list[Guess]:
    """At most ``limit`` addresses, best first; without examples that is the prior's ranking, and the caller decides on spending.

    Left out: ``exclude``, addresses known to fail or to be somebody's already (``learned.known``), role accounts, what breaks the
    rules for addresses. Names that cannot be written in Latin letters give none. Deterministic: ties go by pattern, then address.
    """
    if not _can_be_written(first, last):
        return []
    unwanted = learned.known | {email.lower() for email in exclude}
    known_patterns = list(rules().patterns)
    parts: dict[str, dict[str, float]] = {}
    for pattern in known_patterns:
        for local, share in _make_locals(pattern, first, last).items():
            parts.setdefault(local, {})[pattern] = learned.weights[pattern] * share * rules().has_address
    found: list[Guess] = []
    # rounded: sums in another order differ in the last digits and must not decide the rank
    for local, by_pattern in sorted(
        parts.items(),
        key=lambda item: (-round(sum(item[1].values()), 12), known_patterns.index(next(iter(item[1]))), item[0]),
    ):
        if len(found) >= limit:
            break
        check = check_address(f"{local}@{domain}")
        if check.normalised is None or check.status == "invalid" or check.is_role or check.normalised in unwanted:
            continue
        pattern = max(by_pattern, key=lambda name: by_pattern[name])
        evidence = learned.valid.get(pattern, 0)
        found.append(Guess(check.normalised, pattern, sum(by_pattern.values()), evidence))
    return found


def _explain(local: str, first: str, last: str) -> dict[str, float]:
    """Patterns that make the local part, with the share of the name's spellings that do; without its number if need be."""
    local = local.lower().partition("+")[0]
    if not _can_be_written(first, last):
        return {}
    # jdoe2 is the second J. Doe of a company that writes jdoe
    for text in (local, local.rstrip("0123456789")):
        found = {pattern: _make_locals(pattern, first, last).get(text, 0.0) for pattern in rules().patterns}
        found = {pattern: share for pattern, share in found.items() if share}
        if found:
            return found
    return {}


def _can_be_written(first: str, last: str) -> bool:
    """Whether there is a name, and no part of it that we cannot read."""
    firsts, lasts = spell_name(first, given=True), spell_name(last)
    return bool(firsts or lasts) and bool(firsts or not first.strip()) and bool(lasts or not last.strip())


@lru_cache(maxsize=_NAMES_KEPT)
def _make_locals(pattern: str, first: str, last: str) -> dict[str, float]:
    """Local parts the pattern makes of the name's spellings, with their shares; together at most 1."""
    firsts, lasts = spell_name(first, given=True), spell_name(last)
    if ("{f" in pattern and not firsts) or ("{l" in pattern and not lasts):
        return {}
    made: dict[str, float] = {}
    for given, first_share in (firsts or {"": 1.0}).items():
        for family, last_share in (lasts or {"": 1.0}).items():
            share = first_share * last_share
            for field, text in (("{first}", given), ("{last}", family)):
                if field in pattern and len(text) == 1:
                    share *= rules().odds.initial
            local = pattern.format(first=given, f=given[:1], last=family, l=family[:1])
            made[local] = made.get(local, 0.0) + share
    return made


@lru_cache(maxsize=_NAMES_KEPT)
def spell_name(name: str, given: bool = False) -> dict[str, float]:
    """How mail systems may write a name, with shares that make 1, likeliest first: ``Müller`` gives mueller 2/3, muller 1/3.

    ``given``: it is a first name: only its first word counts, and nicknames do. Empty for no name and for other scripts.
    """
    words = [
        word for word in map(_simplify, _drop_titles_and_degrees(re.sub(r"\(.*?\)|\".*?\"", " ", name).split())) if word
    ]
    if not given and len(words) == 1 and words[0] in rules().suffixes:
        return {}
    found: dict[str, float] = {}
    for form, odds in _form_given_names(words) if given else _form_family_names(words):
        for text, letter_odds in _write_in_latin(form):
            for written, hyphen_odds in _write_hyphens(text):
                if not _WRITTEN.fullmatch(written):
                    return {}
                found[written] = max(found.get(written, 0.0), odds * letter_odds * hyphen_odds)
    if given and found:
        nicknames = _find_nicknames(next(iter(found)))
        for nickname in nicknames:
            found.setdefault(nickname, rules().odds.nickname / len(nicknames))
    best = sorted(found.items(), key=lambda item: -item[1])[: rules().most_spellings]
    total = sum(odds for _, odds in best)
    return {text: odds / total for text, odds in best}


def _simplify(word: str) -> str:
    """The word in small letters without apostrophes and punctuation."""
    return re.sub(r"['’‘`´.,]", "", unicodedata.normalize("NFC", word).casefold()).strip("-")


def _drop_titles_and_degrees(words: list[str]) -> list[str]:
    """Words without titles before and degrees behind them; the last one that is left stays, it may be a name."""
    while len(words) > 1 and _simplify(words[0]) in rules().titles:
        words = words[1:]
    while len(words) > 1 and _simplify(words[-1]) in rules().suffixes:
        words = words[:-1]
    return [] if len(words) == 1 and _simplify(words[0]) in rules().titles else words


def _form_given_names(words: list[str]) -> list[tuple[str, float]]:
    """The first word, and the first two as one; an initial before a name is not what somebody is called by."""
    while len(words) > 1 and len(words[0]) == 1:
        words = words[1:]
    if not words:
        return []
    two = [("".join(words[:2]), rules().odds.two_given)] if len(words) > 1 and len(words[1]) > 1 else []
    return [(words[0], 1.0), *two]


def _form_family_names(words: list[str]) -> list[tuple[str, float]]:
    """All words as one, without the particles, and the first and the last of several."""
    if not words:
        return []
    main = [word for word in words if word not in rules().particles] or words
    forms = [("".join(words), 1.0)]
    if len(main) < len(words):
        forms.append(("".join(main), rules().odds.without_particle))
    if len(main) > 1:
        forms += [(word, rules().odds.part) for word in (main[0], main[-1]) if len(word) > 1]
    return forms


def _write_in_latin(word: str) -> list[tuple[str, float]]:
    """The word with each special letter in its first spelling, then in its last, both without other accents."""
    table = rules().letters
    first, last = (_drop_accents("".join(table.get(c, [c])[place] for c in word)) for place in (0, -1))
    return [(first, 1.0)] if first == last else [(first, 1.0), (last, rules().odds.letter)]


def _drop_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def _write_hyphens(text: str) -> list[tuple[str, float]]:
    """A double name joined, with its hyphen, and its first part alone."""
    if "-" not in text:
        return [(text, 1.0)]
    start = text.split("-")[0]
    return [
        (text.replace("-", ""), 1.0),
        (text, rules().odds.hyphen_kept),
        *([(start, rules().odds.part)] if len(start) > 1 else []),
    ]


def _find_nicknames(name: str) -> list[str]:
    """What bearers of the name are called, or the names that the nickname stands for."""
    table = rules().nicknames
    return table.get(name) or [formal for formal, short in table.items() if name in short]
