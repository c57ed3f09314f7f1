"""The rules of ``scoring.yaml`` (weights, points, cuts) and ``profile.yaml`` (which companies fit), checked when they are read.

Belongs here: the shape of the files, and the rules as SQL receives them. Not here: what is computed from them (``sql/scoring``).
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml

from barton_pipeline import config
from barton_pipeline.config import Check, Count, NotNegative, Positive, Share, Text, Whole
from barton_pipeline.errors import InputError

FILE = Path(__file__).with_name("scoring.yaml")
PROFILE = Path(__file__).with_name("profile.yaml")
TOTAL_POINTS = 100
OutcomeType = Literal["positive_reply", "meeting", "opportunity", "won", "declined", "lost"]
# What may be recorded of the work on a company; "attempt" begins it.
OUTCOMES = ("attempt", *get_args(OutcomeType))

BelowOne = Annotated[float, Check("a number above 0 and below 1", lambda value: 0 < value < 1)]
AtMostOne = Annotated[float, Check("a number above 0 and at most 1", lambda value: 0 < value <= 1)]
LowerCase = Annotated[str, Check("words in lower case", lambda text: bool(text) and text == text.strip().lower())]
SignalType = Annotated[
    str, Check("a name of lower-case letters, digits and _", lambda text: bool(re.fullmatch("[a-z0-9_]+", text)))
]
Feature = Annotated[
    str, Check("a feature of ple.points", lambda name: name in {field.name for field in fields(Points)})
]


@dataclass(frozen=True)
class SignalRule:
    """A positive signal type; docs/explanation/scoring.md says what the numbers do.

    ``bot_seconds`` None: mail scanners do not send it. ``duplicate_window_days`` None: as for all (``Bit``).
    """

    weight: BelowOne
    half_life_days: Positive
    cap: BelowOne
    label: Text
    first_party: bool = False
    bot_seconds: NotNegative | None = None
    duplicate_window_days: Positive | None = None

    def __post_init__(self) -> None:
        _check_cap(self)


@dataclass(frozen=True)
class NegativeSignalRule:
    """A signal type that takes evidence away; ``duplicate_window_days`` None: as for all (``Bit``)."""

    weight: BelowOne
    cap: BelowOne
    lasts_days: NotNegative
    label: Text
    duplicate_window_days: Positive | None = None

    def __post_init__(self) -> None:
        _check_cap(self)


def _check_cap(rule: SignalRule | NegativeSignalRule) -> None:
    if rule.cap < rule.weight:
        raise ValueError(f"cap must be at least the weight ({rule.weight:g}), not {rule.cap:g}")


@dataclass(frozen=True)
class Bit:
    """The rules of BIT. ``confidence`` is by source; signals dated before ``earliest`` are rejected."""

    history_epsilon: Share
    duplicate_window_days: Positive
    future_tolerance_minutes: Whole
    earliest: date
    default_confidence: Share
    confidence: dict[LowerCase, Share]
    signals: dict[SignalType, SignalRule]
    negative_signals: dict[SignalType, NegativeSignalRule]

    def __post_init__(self) -> None:
        for name in sorted(self.signals.keys() & self.negative_signals.keys()):
            raise ValueError(f"negative_signals.{name} is in signals too; one of the two must go")

    def labels(self) -> dict[str, str]:
        """The words for each signal type, negative ones included."""
        rules: dict[str, SignalRule | NegativeSignalRule] = {**self.signals, **self.negative_signals}
        return {name: rule.label for name, rule in rules.items()}

    def for_sql(self) -> dict[str, Any]:
        """The rules as ``sql/scoring/bit.sql`` reads them from JSON."""
        return {
            "default_confidence": self.default_confidence,
            "confidence": [{"source": name, "confidence": value} for name, value in self.confidence.items()],
            "signals": [self._signal_for_sql(name, rule) for name, rule in self.signals.items()],
            "negative_signals": [self._signal_for_sql(name, rule) for name, rule in self.negative_signals.items()],
        }

    def _signal_for_sql(self, name: str, rule: SignalRule | NegativeSignalRule) -> dict[str, Any]:
        window_days = rule.duplicate_window_days or self.duplicate_window_days
        return {**asdict(rule), "signal_type": name, "window_days": window_days}


@dataclass(frozen=True)
class PointsRule:
    """The points of a feature at its best; ``label`` words it, with ``{value}`` for the value."""

    points: NotNegative
    label: Text


@dataclass(frozen=True)
class Points:
    """Every feature that PLE knows; those of all but engagement make at most TOTAL_POINTS."""

    employees: PointsRule
    industry: PointsRule
    website: PointsRule
    company_age: PointsRule
    location: PointsRule
    slot_ceo: PointsRule
    slot_cfo: PointsRule
    slot_hr: PointsRule
    address_ceo: PointsRule
    address_cfo: PointsRule
    address_hr: PointsRule
    linkedin: PointsRule
    phone: PointsRule
    engagement: PointsRule
    intent: PointsRule
    engaged_30_days: PointsRule
    days_since_engaged: PointsRule


@dataclass(frozen=True)
class Band:
    """The share of a feature's points from a number on, up to where the next band begins."""

    from_: NotNegative
    share: Share


Bands = Annotated[list[Band], Check("a list of {from, share}", bool)]


@dataclass(frozen=True)
class AddressShares:
    """The share of an address's points by its verdict."""

    valid: Share
    unknown: Share
    risky: Share
    pending: Share
    invalid: Share


@dataclass(frozen=True)
class Ple:
    """The rubric of PLE (docs/explanation/scoring.md)."""

    history_epsilon: Share
    points: Points
    one_of_city_and_state_share: Share
    unknown_slot_confidence: Share
    address_status: AddressShares
    engagement_full_at: AtMostOne

    def __post_init__(self) -> None:
        if not 0 < self.cold_points <= TOTAL_POINTS:
            raise ValueError(
                f"points of all but engagement must add up to at most {TOTAL_POINTS}, not {self.cold_points:g}"
            )

    @property
    def cold_points(self) -> float:
        """What a company of the ideal profile with three verified contacts has without any signal."""
        return sum(rule.points for name, rule in vars(self.points).items() if name != "engagement")

    def for_sql(self) -> dict[str, Any]:
        """The rules as ``sql/scoring/features.sql`` and its followers read them from JSON."""
        return {
            **asdict(self),
            "points": [{"feature": name, **asdict(rule)} for name, rule in vars(self.points).items()],
            "address_status": [{"status": name, "share": share} for name, share in vars(self.address_status).items()],
        }


@dataclass(frozen=True)
class Preference:
    """What is preferred, and the share that something else gets."""

    preferred: list[LowerCase]
    other_share: Share


@dataclass(frozen=True)
class Exclusions:
    """What keeps a company off the list: whole domains, words of an industry, whole cities, states or countries."""

    domains: list[LowerCase]
    industries: list[LowerCase]
    places: list[LowerCase]


@dataclass(frozen=True)
class Profile:
    """The ideal customer profile (``profile.yaml``)."""

    industries: Preference
    sizes: Bands
    ages: Bands
    places: Preference
    exclusions: Exclusions

    def __post_init__(self) -> None:
        for name in ("sizes", "ages"):
            if any(after.from_ <= before.from_ for before, after in pairwise(getattr(self, name))):
                raise ValueError(f"{name} must be in rising order of from")

    def for_sql(self) -> dict[str, Any]:
        """The profile as ``sql/scoring/features.sql`` and ``exclusions.sql`` read it from JSON."""
        return {**asdict(self), "sizes": _bands_for_sql(self.sizes), "ages": _bands_for_sql(self.ages)}


def _bands_for_sql(bands: list[Band]) -> list[dict[str, float | None]]:
    """Each band with both its ends; the last one has no upper end."""
    ends = [*(band.from_ for band in bands[1:]), None]
    return [{"lower": band.from_, "upper": end, "share": band.share} for band, end in zip(bands, ends, strict=True)]


@dataclass(frozen=True)
class Boosting:
    """Settings of scikit-learn's HistGradientBoostingClassifier."""

    iterations: Count
    learning_rate: Positive
    least_examples_in_leaf: Count
    l2: NotNegative


@dataclass(frozen=True)
class Learning:
    """How PLE learns (docs/explanation/learning.md). ``cleared`` are features that may be learned from in spite of a finding."""

    positive_outcomes: Annotated[list[OutcomeType], Check("a list of outcomes", bool)]
    horizon_days: Count
    least_examples: Count
    least_positives: Count
    most_examples: Count
    monotone: dict[Feature, Literal[1, -1]]
    bins: Count
    boosting_bins: Count
    least_share_of_bin: Share
    regularisation: Positive
    rubric_freedom: Positive
    boosting: Boosting
    blocks: Count
    blocks_to_win: Count
    leak_auc: Share
    certain_share: Share
    certain_part: Share
    never: list[LowerCase]
    cleared: list[str]
    permutation_tolerance: Share
    drift_psi: Share


@dataclass(frozen=True)
class Targets:
    """The cuts of the sniper list: a company is on it when one of its scores is strictly above its cut."""

    ple_cut: Share
    bit_cut: Share
    yield_curve_cuts: Annotated[list[Share], Check("a list of cuts", bool)]
    reasons_per_score: Count
    next_best: Count


@dataclass(frozen=True)
class SuggestionRules:
    """How ``barton profile --suggest`` reads the companies that were won."""

    least_won: Count
    average_won: Positive
    least_lift: Positive


@dataclass(frozen=True)
class Scoring:
    """The rules of ``scoring.yaml``."""

    version: int | Text
    bit: Bit
    ple: Ple
    learning: Learning
    targets: Targets
    suggestion: SuggestionRules

    def __post_init__(self) -> None:
        if self.ple.cold_points <= TOTAL_POINTS * self.targets.ple_cut:
            raise ValueError(
                f"targets.ple_cut must be below what can be had without any signal ({self.ple.cold_points:g} of "
                f"{TOTAL_POINTS} points), not {self.targets.ple_cut:g}: a cold list would give no target"
            )


@dataclass(frozen=True)
class Rules(Scoring):
    """The rules in force; ``version`` is the file's version and a hash of both files' content, such as ``1-3fa9c2d1``."""

    profile: Profile

    def parameters(self) -> dict[str, Any]:
        """The named parameters that every scoring statement may use."""
        return {
            "bit_rules": json.dumps(self.bit.for_sql()),
            "ple_rules": json.dumps(self.ple.for_sql()),
            "profile": json.dumps(self.profile.for_sql()),
            "version": self.version,
        }


@cache
def rules() -> Rules:
    """The rules in force, read once per process. Raises InputError as ``read_rules`` does."""
    return read_rules(FILE, profile_file())


def profile_file() -> Path:
    """The profile in force: profile.yaml in the working directory, else the one that ships with the package."""
    own = Path.cwd() / PROFILE.name
    return own if own.is_file() else PROFILE


def profile_as_yaml(profile: Profile) -> str:
    """The text of a profile.yaml that says the same."""
    content = asdict(profile)
    for name in ("sizes", "ages"):
        content[name] = [{"from": band["from_"], "share": band["share"]} for band in content[name]]
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=128)


def read_rules(path: Path, profile: Path = PROFILE) -> Rules:
    """Read and check both files. Raises InputError naming the file and the key that is wrong."""
    contents = [config.load_yaml(path), config.load_yaml(profile)]
    scoring = config.build(Scoring, contents[0], path.name)
    digest = hashlib.sha256(json.dumps(contents, sort_keys=True, default=str).encode()).hexdigest()[:8]
    return Rules(
        **{**vars(scoring), "version": f"{scoring.version}-{digest}"},
        profile=config.build(Profile, contents[1], profile.name),
    )


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
