"""Guessing somebody's address from patterns learned on known addresses of the same domain. Pure; configuration beside it.

Belongs here: names as mail systems write them, what a known address says about a domain, ranking guesses. Not here: which
guesses are bought (``verification``), whether an address works (``email_checks``, the vendor).
"""

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from barton_pipeline.configuration import load_yaml

_LATIN = re.compile(r"[a-z]+")
_VARIANTS = 4


@dataclass(frozen=True)
class Example:
    """A known address of somebody; ``status`` as in email_verification. Only valid and invalid ones teach anything."""

    first: str
    last: str
    email: str
    status: str


@dataclass(frozen=True)
class DomainPatterns:
    """What is believed of a domain: the probability of each pattern, and how many addresses that rests on."""

    weights: dict[str, float]
    examples: int


@dataclass(frozen=True)
class Guess:
    """An address, and the probability that it is the person's: that of its pattern times ``has_address``."""

    email: str
    pattern: str
    probability: float
    evidence: int


@cache
def _rules() -> dict[str, Any]:
    return load_yaml(Path(__file__).with_name("email_patterns.yaml"))


def matching_patterns(local: str, first: str, last: str) -> list[str]:
    """The patterns that make ``local`` out of the name; several when the name is short, none when another rule was used."""
    return [pattern for pattern in _rules()["patterns"] if local.lower() in set(_locals(pattern, first, last))]


def learn(examples: Iterable[Example]) -> DomainPatterns:
    """Posterior over the patterns: the prior as pseudo-counts, valid addresses added, patterns of invalid ones made unlikely.

    A valid address that several patterns explain is shared among them by the prior. An invalid one takes the pattern down to
    the chance that the pattern is right and this person merely has no such address (Bayes' rule with 1 - has_address).
    """
    prior, strength = _rules()["patterns"], _rules()["prior_strength"]
    counts = {pattern: weight * strength for pattern, weight in prior.items()}
    failures: dict[str, int] = {}
    seen = 0
    for example in examples:
        if example.status not in ("valid", "invalid"):
            continue
        explained = matching_patterns(example.email.partition("@")[0], example.first, example.last)
        if not explained:
            continue
        if example.status == "invalid":
            for pattern in explained:
                failures[pattern] = failures.get(pattern, 0) + 1
            continue
        seen += 1
        total = sum(prior[pattern] for pattern in explained)
        for pattern in explained:
            counts[pattern] += prior[pattern] / total
    missing = 1 - _rules()["has_address"]
    weights = {pattern: count * missing ** failures.get(pattern, 0) for pattern, count in counts.items()}
    total = sum(weights.values())
    return DomainPatterns({pattern: weight / total for pattern, weight in weights.items()}, seen)


def guesses(
    first: str, last: str, domain: str, learned: DomainPatterns, limit: int, exclude: Iterable[str] = ()
) -> list[Guess]:
    """At most ``limit`` addresses, best first, without those to exclude. Names we cannot write in Latin letters give none.

    An alternative spelling has half the probability of the one before it. Deterministic: ties go by the order of patterns.
    """
    unwanted = {email.lower() for email in exclude}
    best: dict[str, Guess] = {}
    for pattern, weight in learned.weights.items():
        for place, local in enumerate(_locals(pattern, first, last)):
            email = f"{local}@{domain}"
            probability = weight * _rules()["has_address"] * 0.5**place
            if email not in unwanted and (email not in best or best[email].probability < probability):
                best[email] = Guess(email, pattern, probability, learned.examples)
    return sorted(best.values(), key=lambda guess: -guess.probability)[:limit]


def _locals(pattern: str, first: str, last: str) -> Iterator[str]:
    """Local parts of the pattern for each spelling of the name, likeliest first, without repetition."""
    firsts, lasts = spellings(first), spellings(last)
    if ("{f" in pattern and not firsts) or ("{l" in pattern and not lasts):
        return
    made = (
        pattern.format(first=given, f=given[:1], last=family, l=family[:1])
        for given, family in itertools.product(firsts or [""], lasts or [""])
    )
    yield from dict.fromkeys(made)


@cache
def spellings(name: str) -> tuple[str, ...]:
    """The name in a to z as mail systems write it, likeliest first: ``Müller-Lüdenscheidt`` gives mueller… before muller….

    Letters behind a name and suffixes are dropped; particles are joined, then dropped. Empty for other scripts.
    """
    words = [
        re.sub(r"['’`´.]", "", word) for word in re.split(r"[\s,]+", unicodedata.normalize("NFC", name).casefold())
    ]
    words = [word for word in words if word and word not in _rules()["suffixes"]]
    if not words:
        return ()
    main = [word for word in words if word not in _rules()["particles"]] or words
    forms = [
        "".join(words) if len(words) > len(main) else main[0],
        main[-1] if len(words) > len(main) else "".join(main),
    ]
    written = [text.replace("-", "") for form in forms for text in _in_latin(form)]
    written += [text.split("-")[0] for form in forms for text in _in_latin(form)]
    return tuple(dict.fromkeys(text for text in written if _LATIN.fullmatch(text)))[:_VARIANTS]


def _in_latin(word: str) -> list[str]:
    """The word with each special letter in its first spelling, then in its last, then without any accents."""
    table = _rules()["spellings"]
    forms = ["".join(table.get(letter, [letter])[place] for letter in word) for place in (0, -1)]
    return [_without_accents(form) for form in dict.fromkeys(forms)]


def _without_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))
