"""Loads ``scoring.yaml``, the one file of weights, half-lives, points and cuts, and refuses one that cannot be right.

Belongs here: reading and checking numbers. Not here: what is computed from them (``sql/scoring``).
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from barton_pipeline.config import load_yaml
from barton_pipeline.errors import InputError

FILE = Path(__file__).with_name("scoring.yaml")
FEATURES = frozenset(
    {"employees", "industry", "website", "company_age", "location", "linkedin", "phone", "engagement", "intent"}
    | {"engaged_30_days", "days_since_engaged"}
    | {f"{kind}_{slot}" for kind in ("slot", "address") for slot in ("ceo", "cfo", "hr")}
)
# What may be recorded of the work on a company; "attempt" begins it.
OUTCOMES = ("attempt", "positive_reply", "meeting", "opportunity", "won", "declined", "lost")
STATUSES = frozenset({"valid", "unknown", "risky", "pending", "invalid"})
TOTAL_POINTS = 100


@dataclass(frozen=True)
class Scoring:
    """The checked rules, completed with defaults, as the SQL receives them.

    ``version`` is the file's version number and a hash of its content, such as ``1-3fa9c2d1``.
    """

    version: str
    bit: dict[str, Any]
    ple: dict[str, Any]
    learning: dict[str, Any]
    targets: dict[str, Any]

    def parameters(self) -> dict[str, Any]:
        """The named parameters that every scoring statement may use."""
        return {
            "bit_rules": json.dumps(self.bit),
            "ple_rules": json.dumps(self.ple),
            "target_rules": json.dumps(self.targets),
            "version": self.version,
        }


@cache
def rules() -> Scoring:
    """The rules of ``scoring.yaml``, read once per process. Raises InputError as ``load`` does."""
    return load(FILE)


def load(path: Path) -> Scoring:
    """Read and check a rules file. Raises InputError naming the file and the key that is wrong."""
    try:
        content = load_yaml(path)
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} is not readable YAML: {' '.join(str(error).split())}") from error
    return _Reader(path.name).scoring(content)


def moment(as_of: datetime | None, *, may_be_future: bool = False) -> datetime | None:
    """Return as_of, checked; None means now, by the database's clock.

    Raises InputError for a moment without time zone, or one still to come where scores would be stored.
    """
    if as_of is None:
        return None
    if as_of.tzinfo is None:
        raise InputError(f"as_of {as_of.isoformat()} has no time zone; add one, for example +00:00.")
    if not may_be_future and as_of > datetime.now(UTC):
        raise InputError(f"Scores of {as_of.isoformat()} cannot be stored: that moment is still to come.")
    return as_of


class _Reader:
    """Checks one parsed file; every error names it and the key."""

    def __init__(self, name: str) -> None:
        self.name = name

    def scoring(self, content: Any) -> Scoring:
        self.keys(content, "the file", {"version", "bit", "ple", "learning", "targets"})
        version = content["version"]
        if isinstance(version, bool) or not isinstance(version, (int, str)) or not str(version).strip():
            raise self.error("version", "a number or word", version)
        digest = hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:8]
        return Scoring(
            version=f"{version}-{digest}",
            bit=self.bit(content["bit"]),
            ple=self.ple(content["ple"]),
            learning=self.learning(content["learning"]),
            targets=self.targets(content["targets"]),
        )

    def bit(self, bit: Any) -> dict[str, Any]:
        self.keys(
            bit,
            "bit",
            {
                "history_epsilon",
                "duplicate_window_days",
                "future_tolerance_minutes",
                "earliest",
                "default_confidence",
                "confidence",
                "signals",
                "negative_signals",
            },
        )
        if type(bit["earliest"]) is not date:
            raise self.error("bit.earliest", "a date such as 2000-01-01", bit["earliest"])
        window = self.number(bit["duplicate_window_days"], "bit.duplicate_window_days", above=0)
        confidence = self.mapping(bit["confidence"], "bit.confidence")
        for source, value in confidence.items():
            if source != str(source).strip().lower():
                raise self.error(f"bit.confidence.{source}", "a source in lower case", source)
            self.share(value, f"bit.confidence.{source}")
        positive = self.mapping(bit["signals"], "bit.signals")
        negative = self.mapping(bit["negative_signals"], "bit.negative_signals")
        both = sorted(set(positive) & set(negative))
        if both:
            raise self.error(f"bit.negative_signals.{both[0]}", "a type that is not in bit.signals too", both[0])
        return {
            "history_epsilon": self.share(bit["history_epsilon"], "bit.history_epsilon"),
            "future_tolerance_minutes": self.number(
                bit["future_tolerance_minutes"], "bit.future_tolerance_minutes", least=0
            ),
            "earliest": bit["earliest"].isoformat(),
            "default_confidence": self.share(bit["default_confidence"], "bit.default_confidence"),
            "confidence": [{"source": source, "confidence": value} for source, value in confidence.items()],
            "signals": [self.signal(name, rule, window) for name, rule in positive.items()],
            "negative_signals": [self.negative_signal(name, rule, window) for name, rule in negative.items()],
        }

    def signal(self, name: Any, rule: Any, window: float) -> dict[str, Any]:
        key = self.signal_name(name, "bit.signals")
        optional = {"first_party", "bot_seconds", "duplicate_window_days"}
        self.keys(rule, key, {"weight", "half_life_days", "cap", "label"}, optional)
        first_party = rule.get("first_party", False)
        if not isinstance(first_party, bool):
            raise self.error(f"{key}.first_party", "true or false", first_party)
        return {
            **self.weight_and_cap(name, rule, key, window),
            "half_life_days": self.number(rule["half_life_days"], f"{key}.half_life_days", above=0),
            "first_party": first_party,
            "bot_seconds": self.number(rule["bot_seconds"], f"{key}.bot_seconds", least=0)
            if "bot_seconds" in rule
            else None,
        }

    def negative_signal(self, name: Any, rule: Any, window: float) -> dict[str, Any]:
        key = self.signal_name(name, "bit.negative_signals")
        self.keys(rule, key, {"weight", "cap", "lasts_days", "label"}, {"duplicate_window_days"})
        return {
            **self.weight_and_cap(name, rule, key, window),
            "lasts_days": self.number(rule["lasts_days"], f"{key}.lasts_days", least=0),
        }

    def signal_name(self, name: Any, where: str) -> str:
        if not isinstance(name, str) or not name.replace("_", "").isalnum() or name != name.lower():
            raise self.error(f"{where}.{name}", "a name of lower-case letters, digits and _", name)
        return f"{where}.{name}"

    def weight_and_cap(self, name: str, rule: Mapping[str, Any], key: str, window: float) -> dict[str, Any]:
        weight = self.number(rule["weight"], f"{key}.weight", above=0, below=1)
        cap = self.number(rule["cap"], f"{key}.cap", least=weight, below=1)
        own_window = rule.get("duplicate_window_days", window)
        return {
            "signal_type": name,
            "weight": weight,
            "cap": cap,
            "label": self.text(rule["label"], f"{key}.label"),
            "window_days": self.number(own_window, f"{key}.duplicate_window_days", above=0),
        }

    def ple(self, ple: Any) -> dict[str, Any]:
        self.keys(
            ple,
            "ple",
            {
                "history_epsilon",
                "points",
                "employee_bands",
                "preferred_industries",
                "other_industry_share",
                "age_bands",
                "one_of_city_and_state_share",
                "unknown_slot_confidence",
                "address_status",
                "engagement_full_at",
            },
        )
        self.keys(ple["points"], "ple.points", FEATURES)
        points = []
        for feature, rule in ple["points"].items():
            key = f"ple.points.{feature}"
            self.keys(rule, key, {"points", "label"})
            maximum = self.number(rule["points"], f"{key}.points", least=0)
            points.append({"feature": feature, "points": maximum, "label": self.text(rule["label"], f"{key}.label")})
        total = sum(rule["points"] for rule in points)
        if abs(total - TOTAL_POINTS) > 1e-9:
            raise self.error("ple.points", f"points that add up to {TOTAL_POINTS}", f"a sum of {total:g}")
        self.keys(ple["address_status"], "ple.address_status", STATUSES)
        industries = ple["preferred_industries"]
        if not isinstance(industries, list):
            raise self.error("ple.preferred_industries", "a list of words", industries)
        return {
            "history_epsilon": self.share(ple["history_epsilon"], "ple.history_epsilon"),
            "points": points,
            "employee_bands": self.bands(ple["employee_bands"], "ple.employee_bands"),
            "age_bands": self.bands(ple["age_bands"], "ple.age_bands"),
            "preferred_industries": [self.text(word, "ple.preferred_industries").lower() for word in industries],
            **{
                key: self.share(ple[key], f"ple.{key}")
                for key in ("other_industry_share", "one_of_city_and_state_share", "unknown_slot_confidence")
            },
            "address_status": [
                {"status": status, "share": self.share(value, f"ple.address_status.{status}")}
                for status, value in ple["address_status"].items()
            ],
            "engagement_full_at": self.number(ple["engagement_full_at"], "ple.engagement_full_at", above=0, most=1),
        }

    def learning(self, learning: Any) -> dict[str, Any]:
        shares = {
            "least_share_of_bin",
            "leak_auc",
            "certain_share",
            "certain_part",
            "permutation_tolerance",
            "drift_psi",
        }
        counts = {"horizon_days", "least_examples", "least_positives", "most_examples", "bins", "boosting_bins"}
        counts |= {"blocks", "blocks_to_win"}
        amounts = {"regularisation", "rubric_freedom"}
        others = {"positive_outcomes", "monotone", "boosting", "never", "cleared"}
        self.keys(learning, "learning", shares | counts | amounts | others)
        for name in shares:
            self.share(learning[name], f"learning.{name}")
        for name in counts:
            self.number(learning[name], f"learning.{name}", least=1)
        for name in amounts:
            self.number(learning[name], f"learning.{name}", above=0)
        boosting = {"iterations", "learning_rate", "least_examples_in_leaf", "l2"}
        self.keys(learning["boosting"], "learning.boosting", boosting)
        for name in boosting:
            self.number(learning["boosting"][name], f"learning.boosting.{name}", least=0)
        for feature, direction in self.mapping(learning["monotone"], "learning.monotone").items():
            if feature not in FEATURES or direction not in (1, -1):
                raise self.error(f"learning.monotone.{feature}", "a known feature with 1 or -1", direction)
        positive = learning["positive_outcomes"]
        if not isinstance(positive, list) or not positive or not set(positive) <= set(OUTCOMES) - {"attempt"}:
            raise self.error("learning.positive_outcomes", f"a list of {', '.join(OUTCOMES[1:])}", positive)
        for name in ("never", "cleared"):
            if not isinstance(learning[name], list):
                raise self.error(f"learning.{name}", "a list of words", learning[name])
        return {**learning, "never": [self.text(word, "learning.never").lower() for word in learning["never"]]}

    def bands(self, bands: Any, key: str) -> list[dict[str, float | None]]:
        if not isinstance(bands, list) or not bands:
            raise self.error(key, "a list of {from, share}", bands)
        for place, band in enumerate(bands):
            self.keys(band, f"{key}[{place}]", {"from", "share"})
            self.number(band["from"], f"{key}[{place}].from", least=0)
            self.share(band["share"], f"{key}[{place}].share")
        starts = [band["from"] for band in bands]
        if starts != sorted(set(starts)):
            raise self.error(key, "bands in rising order of from", starts)
        ends = [*starts[1:], None]
        return [
            {"lower": band["from"], "upper": end, "share": band["share"]} for band, end in zip(bands, ends, strict=True)
        ]

    def targets(self, targets: Any) -> dict[str, Any]:
        self.keys(targets, "targets", {"ple_cut", "bit_cut", "yield_curve_cuts", "reasons_per_score"})
        cuts = targets["yield_curve_cuts"]
        if not isinstance(cuts, list) or not cuts:
            raise self.error("targets.yield_curve_cuts", "a list of cuts", cuts)
        return {
            "ple_cut": self.share(targets["ple_cut"], "targets.ple_cut"),
            "bit_cut": self.share(targets["bit_cut"], "targets.bit_cut"),
            "yield_curve_cuts": sorted(self.share(cut, "targets.yield_curve_cuts") for cut in cuts),
            "reasons_per_score": self.number(targets["reasons_per_score"], "targets.reasons_per_score", least=1),
        }

    def keys(self, value: Any, where: str, required: Collection[str], optional: Collection[str] = frozenset()) -> None:
        found = self.mapping(value, where)
        missing = sorted(set(required) - set(found))
        unknown = sorted(map(str, set(found) - set(required) - set(optional)))
        if missing:
            raise InputError(f"{self.name}: {where} lacks the key {missing[0]!r}.")
        if unknown:
            raise InputError(
                f"{self.name}: {where} has the unknown key {unknown[0]!r}; it may have "
                f"{', '.join(sorted([*required, *optional]))}."
            )

    def mapping(self, value: Any, where: str) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise self.error(where, "a mapping", value)
        return value

    def text(self, value: Any, where: str) -> str:
        if not isinstance(value, str) or not value.strip():
            raise self.error(where, "a word or sentence", value)
        return value

    def share(self, value: Any, where: str) -> float:
        return self.number(value, where, least=0, most=1)

    def number(
        self,
        value: Any,
        where: str,
        *,
        least: float | None = None,
        above: float | None = None,
        most: float | None = None,
        below: float | None = None,
    ) -> float:
        limits = [
            ("at least", least, lambda number, limit: number >= limit),
            ("above", above, lambda number, limit: number > limit),
            ("at most", most, lambda number, limit: number <= limit),
            ("below", below, lambda number, limit: number < limit),
        ]
        set_limits = [(word, limit, holds) for word, limit, holds in limits if limit is not None]
        # not-a-number fails every comparison, and every caller sets a limit
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float))
            or abs(value) == float("inf")
            or not all(holds(value, limit) for _, limit, holds in set_limits)
        ):
            wanted = " and ".join(f"{word} {limit:g}" for word, limit, _ in set_limits)
            raise self.error(where, f"a number {wanted}", value)
        return value

    def error(self, where: str, wanted: str, found: Any) -> InputError:
        return InputError(f"{self.name}: {where} should be {wanted}, not {str(found)[:80]!r}.")
