"""A PLE model is a scorecard: points by feature and bin, so SQL can score with it and each feature's contribution is exact.

Belongs here: binning, the two ways to learn the points, calibration and ranks (docs/explanation/learning.md). Not
here: testing models
(``learning``), scoring companies (``sql/scoring/scorecard.sql``, which computes the same). Imports scikit-learn: not on a run's
path.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from threadpoolctl import threadpool_limits

from barton_pipeline.scoring.config import Learning

METHODS = ("logistic", "boosting")
RANK_POINTS = 101
CALIBRATION_FOLDS = 3
_UNPENALISED = 1e6


@dataclass(frozen=True)
class Examples:
    """n leads.

    ``features``: n rows, columns of floats (NaN: not known) or of words (None: not known). ``rubric``: each feature's part of
    the rubric's score (no columns without a rubric). ``converted``: n booleans. ``company``: n names, the groups that are
    never split. ``as_of``: n moments in UTC, None without dates.
    """

    features: pd.DataFrame
    rubric: pd.DataFrame
    converted: np.ndarray
    company: np.ndarray
    as_of: np.ndarray | None

    def __len__(self) -> int:
        return len(self.converted)

    def take(self, rows: np.ndarray) -> "Examples":
        """The examples at these positions (or where a mask is true)."""
        return Examples(
            self.features.iloc[rows] if rows.dtype != bool else self.features[rows],
            self.rubric.iloc[rows] if rows.dtype != bool else self.rubric[rows],
            self.converted[rows],
            self.company[rows],
            None if self.as_of is None else self.as_of[rows],
        )


@dataclass(frozen=True)
class Bin:
    """Values of a feature that get the same points: lower <= number < upper, a word, any other word, or nothing known.

    ``share``: part of the training examples in it, to notice drift.
    """

    feature: str
    lower: float | None = None
    upper: float | None = None
    word: str | None = None
    otherwise: bool = False
    missing: bool = False
    points: float = 0.0
    share: float = 0.0


@dataclass(frozen=True)
class Scorecard:
    """Log-odds = intercept + sum over features of (points of its bin + rubric_slope * its part of the rubric).

    The average example's contribution of each feature is 0. p = 1 / (1 + exp(-(calibration_intercept + calibration_slope *
    log-odds))) (Platt 1999); ple_score is the rank of the log-odds among the training examples (``rank_logits``, ``ranks``).
    """

    bins: tuple[Bin, ...]
    intercept: float
    rubric_slope: float
    calibration_slope: float = 1.0
    calibration_intercept: float = 0.0
    rank_logits: tuple[float, ...] = (0.0,)
    ranks: tuple[float, ...] = (0.5,)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, as ``marketing.ple_models.scorecard`` has it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Scorecard":
        """The inverse of ``to_dict``, also after a way through JSON."""
        tuples = {name: tuple(values[name]) for name in ("rank_logits", "ranks")}
        return cls(**{**values, **tuples, "bins": tuple(Bin(**entry) for entry in values["bins"])})

    def contributions(self, examples: Examples) -> pd.DataFrame:
        """Log-odds by feature, n rows."""
        by_feature = _group_by_feature(self.bins)
        columns = {}
        for feature, bins in by_feature.items():
            values = examples.features[feature] if feature in examples.features else pd.Series([None] * len(examples))
            columns[feature] = np.array([entry.points for entry in bins])[assign(values, bins)]
            if feature in examples.rubric:
                columns[feature] = columns[feature] + self.rubric_slope * examples.rubric[feature].to_numpy()
        return pd.DataFrame(columns, index=examples.features.index)

    def logits(self, examples: Examples) -> np.ndarray:
        """Log-odds, n values, not calibrated."""
        return self.intercept + self.contributions(examples).to_numpy().sum(axis=1)

    def probabilities(self, examples: Examples) -> np.ndarray:
        """Calibrated probabilities of conversion, n values in 0..1."""
        return _sigmoid(self.calibration_intercept + self.calibration_slope * self.logits(examples))

    def scores(self, examples: Examples) -> np.ndarray:
        """ple_score, n values in 0..1."""
        return np.interp(self.logits(examples), self.rank_logits, self.ranks)


def fit(examples: Examples, method: str, rules: Learning) -> Scorecard:
    """Learn points, calibration and ranks. ``method`` is one of METHODS."""
    # scikit-learn's threads wait for each other: on two busy cores one thread was 20 times as fast at 4,000 examples
    with threadpool_limits(1):
        card = _learn_points(examples, method, rules)
        slope, intercept = _learn_calibration(examples, method, rules)
    logits = card.logits(examples)
    at = np.quantile(logits, np.linspace(0, 1, RANK_POINTS))
    places = np.unique(at)
    # companies that cannot be told apart share the middle of their ranks
    ranks = [float(np.flatnonzero(at == place).mean()) / (RANK_POINTS - 1) for place in places]
    return replace(
        card,
        calibration_slope=slope,
        calibration_intercept=intercept,
        rank_logits=tuple(map(float, places)),
        ranks=tuple(ranks),
    )


def make_bins(feature: str, values: pd.Series, at_most: int, least_share: float) -> list[Bin]:
    """Bins of equal size for numbers, the frequent words for words; the last one is always "not known"."""
    missing = Bin(feature, missing=True)
    if is_words(values):
        known = values.dropna()
        frequent = known.value_counts()
        # 250: the most categories HistGradientBoosting takes, less our own two
        words = sorted(frequent[frequent >= least_share * len(values)].index)[:250]
        return [*(Bin(feature, word=word) for word in words), Bin(feature, otherwise=True), missing]
    known = values.dropna().to_numpy(float)
    if not len(known):
        return [Bin(feature), missing]
    inner = np.quantile(known, np.linspace(0, 1, at_most + 1)[1:-1], method="higher")
    edges = [float(edge) for edge in np.unique(inner) if edge > known.min()]
    lowers: list[float | None] = [None, *edges]
    uppers: list[float | None] = [*edges, None]
    return [*(Bin(feature, lower, upper) for lower, upper in zip(lowers, uppers, strict=True)), missing]


def assign(values: pd.Series, bins: Sequence[Bin]) -> np.ndarray:
    """Position in ``bins`` (as ``make_bins`` orders them) of each value."""
    if any(entry.otherwise for entry in bins):
        places = {entry.word: place for place, entry in enumerate(bins) if entry.word is not None}
        found = values.map(lambda value: places.get(value, len(bins) - 2)).to_numpy(float)
        found[values.isna().to_numpy()] = len(bins) - 1
        return found.astype(int)
    numbers = values.to_numpy(float)
    edges = [entry.lower for entry in bins if entry.lower is not None]
    return np.where(np.isnan(numbers), len(bins) - 1, np.searchsorted(edges, numbers, side="right"))


def is_words(values: pd.Series) -> bool:
    """Whether a feature is words, not numbers."""
    return not pd.api.types.is_numeric_dtype(values)


def _group_by_feature(bins: Sequence[Bin]) -> dict[str, list[Bin]]:
    found: dict[str, list[Bin]] = {}
    for entry in bins:
        found.setdefault(entry.feature, []).append(entry)
    return found


def _learn_points(examples: Examples, method: str, rules: Learning) -> Scorecard:
    most = rules.bins if method == "logistic" else rules.boosting_bins
    bins = {
        name: make_bins(name, examples.features[name], most, rules.least_share_of_bin) for name in examples.features
    }
    codes = {name: assign(examples.features[name], bins[name]) for name in bins}
    learn = _learn_logistic if method == "logistic" else _learn_boosting
    intercept, slope, points = learn(examples, bins, codes, rules)
    finished = []
    for name, entries in bins.items():
        shares = np.bincount(codes[name], minlength=len(entries)) / len(examples)
        rubric = slope * examples.rubric[name].mean() if name in examples.rubric else 0.0
        mean = float(shares @ points[name]) + rubric
        intercept += mean
        finished += [
            replace(entry, points=float(value - mean), share=float(share))
            for entry, value, share in zip(entries, points[name], shares, strict=True)
        ]
    return Scorecard(tuple(finished), float(intercept), float(slope))


_Learned = tuple[float, float, dict[str, np.ndarray]]


def _learn_logistic(
    examples: Examples, bins: Mapping[str, list[Bin]], codes: Mapping[str, np.ndarray], rules: Learning
) -> _Learned:
    """L2 pulls every bin to 0 but hardly the rubric's column: what the examples do not show, the rubric decides."""
    n = len(examples)
    starts = np.cumsum([0, *(len(entries) for entries in bins.values())])
    cells = np.column_stack([codes[name] + start for name, start in zip(bins, starts, strict=False)])
    rows = np.repeat(np.arange(n), cells.shape[1])
    matrix = sparse.csr_matrix((np.ones(cells.size), (rows, cells.ravel())), shape=(n, starts[-1]))
    has_rubric = bool(len(examples.rubric.columns))
    if has_rubric:
        rubric = examples.rubric.to_numpy().sum(axis=1, keepdims=True) * rules.rubric_freedom
        matrix = sparse.hstack([matrix, sparse.csr_matrix(rubric)], format="csr")
    model = LogisticRegression(C=rules.regularisation, max_iter=2000).fit(matrix, examples.converted)
    weights = model.coef_[0]
    points = {name: weights[start : start + len(bins[name])] for name, start in zip(bins, starts, strict=False)}
    slope = weights[-1] * rules.rubric_freedom if has_rubric else 0.0
    return float(model.intercept_[0]), float(slope), points


def _learn_boosting(
    examples: Examples, bins: Mapping[str, list[Bin]], codes: Mapping[str, np.ndarray], rules: Learning
) -> _Learned:
    """Each tree sees one feature, so the sum of trees is a sum over features, and a feature's part is read off bin by bin."""
    names = list(bins)
    words = [is_words(examples.features[name]) for name in names]
    matrix = np.column_stack([codes[name] for name in names]).astype(float)
    for place, name in enumerate(names):
        missing = matrix[:, place] == len(bins[name]) - 1
        # a column that is missing throughout cannot be binned, and says nothing
        matrix[missing, place] = 0 if missing.all() else np.nan
    settings = rules.boosting
    model = HistGradientBoostingClassifier(
        interaction_cst="no_interactions",
        monotonic_cst=[rules.monotone.get(name, 0) for name in names],
        categorical_features=words,
        max_iter=settings.iterations,
        learning_rate=settings.learning_rate,
        min_samples_leaf=settings.least_examples_in_leaf,
        l2_regularization=settings.l2,
        early_stopping=False,
        random_state=0,
    ).fit(matrix, examples.converted)
    reference = matrix[:1]
    base = float(model.decision_function(reference)[0])
    points = {}
    for place, name in enumerate(names):
        probes = np.repeat(reference, len(bins[name]), axis=0)
        probes[:, place] = [*range(len(bins[name]) - 1), np.nan]
        points[name] = model.decision_function(probes) - base
    return base, 0.0, points


def _learn_calibration(examples: Examples, method: str, rules: Learning) -> tuple[float, float]:
    """Platt's sigmoid on log-odds of examples whose companies the points were not learned from: (slope, intercept)."""
    logits = np.empty(len(examples))
    for train, test in GroupKFold(CALIBRATION_FOLDS).split(logits, groups=examples.company):
        logits[test] = _learn_points(examples.take(train), method, rules).logits(examples.take(test))
    model = LogisticRegression(C=_UNPENALISED).fit(logits.reshape(-1, 1), examples.converted)
    slope = float(model.coef_[0, 0])
    if slope > 0:
        return slope, float(model.intercept_[0])
    rate = examples.converted.mean()
    return 0.0, float(np.log(rate / (1 - rate)))


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(logits, -700, 700)))
