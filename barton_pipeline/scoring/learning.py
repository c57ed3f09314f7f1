"""Tests models honestly and decides whether one may score: leak probes, time order, companies kept together.

Explained in docs/explanation/learning.md. Belongs here: what is measured and what a model has to pass. Not here: how points
are learned (``scorecards``), the database (``training``), words and pictures (``model_card``). Imports scikit-learn: never on
the path of a run.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import GroupKFold

from barton_pipeline.errors import BartonError
from barton_pipeline.scoring.config import Learning
from barton_pipeline.scoring.drift import stability_index
from barton_pipeline.scoring.scorecards import METHODS, Examples, Scorecard, assign, fit, is_words, make_bins

FOLDS = 5
SHUFFLES = 3
RESAMPLES = 200
RELIABILITY_BINS = 10
TOP = 0.1
# With fewer of either kind a block says nothing.
LEAST_OF_EACH = 50
# A word has to stand for so many expected positives (or negatives) before their absence is a finding.
LEAST_EXPECTED = 20


class LeakFound(BartonError):
    """The examples hold what could not have been known; ``findings`` is {feature: what was found}."""

    def __init__(self, findings: Mapping[str, str]) -> None:
        self.findings = dict(findings)
        listed = "; ".join(f"{feature}: {reason}" for feature, reason in findings.items())
        super().__init__(
            f"No model was built, because features know the outcome: {listed}. Remove them from the data, or clear a false "
            "alarm under learning.cleared in scoring.yaml."
        )


@dataclass
class Outcome:
    """What a training came to. ``card`` and ``method`` are None when no model could be learned; ``publish`` with its ``reason``."""

    report: dict[str, Any]
    publish: bool = False
    reason: str = ""
    method: str | None = None
    card: Scorecard | None = None
    curves: dict[str, Any] = field(default_factory=dict)


def learn(examples: Examples, rules: Learning, cut: float, champion: Scorecard | None = None) -> Outcome:
    """Probe, test and fit; decide whether the result may take the place of ``champion`` (None: the rubric).

    Raises LeakFound for a feature that knows the outcome, and BartonError when shuffled labels can be predicted.
    """
    report: dict[str, Any] = summarise(examples)
    n, positives = len(examples), int(examples.converted.sum())
    if n < rules.least_examples or positives < rules.least_positives:
        reason = (
            f"The rubric stays: {n:,} judged leads with {positives:,} positives, and {rules.least_examples:,} with "
            f"{rules.least_positives:,} are needed (learning in scoring.yaml)."
        )
        return Outcome({**report, "decision": reason}, reason=reason)
    if findings := find_leaks(examples, rules):
        raise LeakFound(findings)
    report["shuffled_auc"] = measure_shuffled_auc(examples, rules)
    if abs(report["shuffled_auc"] - 0.5) > rules.permutation_tolerance:
        raise BartonError(
            f"No model was built: with labels shuffled the AUC is {report['shuffled_auc']:.3f} instead of about 0.5, so the "
            "test itself leaks. Look for companies under several IDs."
        )
    blocks = measure_blocks(examples, rules, champion)
    report["blocks"] = blocks
    method = "boosting" if count_wins(blocks, "boosting", "logistic") >= rules.blocks_to_win else "logistic"
    held_out = predict_out_of_fold(examples, method, rules)
    card = fit(examples, method, rules)
    report |= {
        "method": method,
        **measure_quality(examples, held_out["p"]),
        **measure_at_cut(examples, held_out["score"], cut),
        "features": measure_importance(card, examples),
        "drift": measure_drift(examples, card),
    }
    incumbent = "champion" if champion else "rubric"
    publish, reason = _decide(blocks, method, incumbent, rules.blocks_to_win, examples)
    report["decision"] = reason
    return Outcome(report, publish, reason, method, card, {"p": held_out["p"], "converted": examples.converted})


def summarise(examples: Examples) -> dict[str, Any]:
    """Counts, base rate, time span, and how often each feature is known."""
    found: dict[str, Any] = {
        "n": len(examples),
        "positives": int(examples.converted.sum()),
        "companies": len(set(examples.company)),
        "base_rate": round(float(examples.converted.mean()), 4) if len(examples) else None,
        "known": {name: round(float(examples.features[name].notna().mean()), 3) for name in examples.features},
    }
    if examples.as_of is not None and len(examples):
        found["from"], found["until"] = str(examples.as_of.min()), str(examples.as_of.max())
    return found


def find_leaks(examples: Examples, rules: Learning) -> dict[str, str]:
    """Features that must not be learned from, with what was found: by name, by AUC of their own, by a word that decides."""
    found = {}
    for name in examples.features:
        if name not in rules.cleared and (reason := _find_leak(name, examples, rules)):
            found[name] = reason
    return found


def _find_leak(name: str, examples: Examples, rules: Learning) -> str:
    values = examples.features[name]
    auc = measure_feature_auc(values, examples)
    if auc >= rules.leak_auc:
        return f"alone it reaches an AUC of {auc:.2f}"
    words = " " + " ".join(re.findall("[a-z0-9]+", name.lower())) + " "
    if late := [word for word in rules.never if f" {word} " in words]:
        return f"its name says it is written later or because of the score ({late[0]})"
    if not is_words(values):
        return ""
    base = examples.converted.mean()
    for word, rows in values.groupby(values).groups.items():
        rate = examples.converted[values.index.get_indexer(rows)].mean()
        if len(rows) < rules.certain_share * len(examples):
            continue
        for kind, expected, part in (("positive", base, rate), ("negative", 1 - base, 1 - rate)):
            if len(rows) * expected >= LEAST_EXPECTED and part <= rules.certain_part * expected:
                return f"of {len(rows):,} with {word!r} {part:.1%} are {kind}, {expected:.1%} of all"
    return ""


def measure_feature_auc(values: pd.Series, examples: Examples) -> float:
    """AUC of one feature alone, at least 0.5; each bin is rated on other companies than the ones it is tested on."""
    bins = make_bins(str(values.name), values, 20, 0.005)
    codes = assign(values, bins)
    base = examples.converted.mean()
    rated = np.empty(len(examples))
    for train, test in GroupKFold(FOLDS).split(rated, groups=examples.company):
        n = np.bincount(codes[train], minlength=len(bins))
        positive = np.bincount(codes[train], weights=examples.converted[train], minlength=len(bins))
        rated[test] = ((positive + FOLDS * base) / (n + FOLDS))[codes[test]]
    auc = float(roc_auc_score(examples.converted, rated))
    return max(auc, 1 - auc)


def measure_shuffled_auc(examples: Examples, rules: Learning) -> float:
    """Mean AUC of logistic models whose labels were shuffled: 0.5, unless the test itself leaks."""
    chance = np.random.default_rng(0)
    found = []
    for _ in range(SHUFFLES):
        shuffled = Examples(
            examples.features, examples.rubric, chance.permutation(examples.converted), examples.company, None
        )
        found.append(roc_auc_score(shuffled.converted, predict_out_of_fold(shuffled, "logistic", rules)["p"]))
    return round(float(np.mean(found)), 3)


def predict_out_of_fold(examples: Examples, method: str, rules: Learning) -> dict[str, np.ndarray]:
    """Probability and score of each example by a model that has seen neither it nor its company."""
    p, score = np.empty(len(examples)), np.empty(len(examples))
    for train, test in GroupKFold(FOLDS).split(p, groups=examples.company):
        card = fit(examples.take(train), method, rules)
        tested = examples.take(test)
        p[test], score[test] = card.probabilities(tested), card.scores(tested)
    return {"p": p, "score": score}


def measure_blocks(examples: Examples, rules: Learning, champion: Scorecard | None) -> list[dict[str, Any]]:
    """Blocks of equal size in time order, each tested on models of what was known when it began.

    Trained on attempts whose horizon had ended by then, of companies that are not in the block. ``champion`` is None while the
    rubric scores. The champion has seen older blocks:
    that is to its advantage. Blocks without enough to train or test on say so under ``skipped``.
    """
    if examples.as_of is None:
        return []
    order = np.argsort(examples.as_of, kind="stable")
    horizon = np.timedelta64(rules.horizon_days, "D")
    found = []
    for number, rows in enumerate(np.array_split(order, rules.blocks)[1:], 2):
        start = examples.as_of[rows].min()
        train = (examples.as_of + horizon <= start) & ~np.isin(examples.company, examples.company[rows])
        block: dict[str, Any] = {"block": number, "from": str(start), "trained_on": int(train.sum())}
        tested, learned_from = examples.take(rows), examples.take(train)
        block |= {"n": len(rows), "positives": int(tested.converted.sum())}
        found.append(block)
        if min(_count_rarer_kind(tested), _count_rarer_kind(learned_from)) < LEAST_OF_EACH:
            block["skipped"] = f"fewer than {LEAST_OF_EACH} positives or negatives to train or test on"
            continue
        base = float(learned_from.converted.mean())
        block["rubric"] = _measure(tested, examples.rubric.iloc[rows].to_numpy().sum(axis=1), np.full(len(rows), base))
        for method in METHODS:
            card = fit(learned_from, method, rules)
            p = card.probabilities(tested)
            block[method] = _measure(tested, p, p)
        if champion is not None:
            p = champion.probabilities(tested)
            block["champion"] = _measure(tested, p, p)
    return found


def _count_rarer_kind(examples: Examples) -> int:
    positives = int(examples.converted.sum())
    return min(positives, len(examples) - positives)


def _measure(examples: Examples, order: np.ndarray, p: np.ndarray) -> dict[str, float]:
    return {
        "auc": round(float(roc_auc_score(examples.converted, order)), 4),
        "brier": round(float(np.mean((p - examples.converted) ** 2)), 5),
        "lift": round(measure_lift(examples.converted, order), 3),
    }


def count_wins(blocks: list[dict[str, Any]], challenger: str, incumbent: str) -> int:
    """Blocks in which the challenger is better in Brier score and in lift."""
    tested = [block for block in blocks if challenger in block and incumbent in block]
    return sum(
        block[challenger]["brier"] < block[incumbent]["brier"] and block[challenger]["lift"] > block[incumbent]["lift"]
        for block in tested
    )


def _decide(
    blocks: list[dict[str, Any]], method: str, incumbent: str, needed: int, examples: Examples
) -> tuple[bool, str]:
    if examples.as_of is None:
        return False, "Not published: without dates nothing can be tested in time order."
    tested = [block for block in blocks if method in block]
    if len(tested) < needed:
        return False, (
            f"Not published: only {len(tested)} of {len(blocks)} blocks could be tested in time order and {needed} are needed; the "
            f"attempts must reach further back than the horizon. The {incumbent} stays."
        )
    won = count_wins(blocks, method, incumbent)
    verdict = f"the {method} model beats the {incumbent} in {won} of {len(tested)} time blocks ({needed} are needed)"
    if won < needed:
        return False, f"Not published: {verdict}. The {incumbent} stays."
    return True, f"Published: {verdict}."


def measure_lift(converted: np.ndarray, order: np.ndarray, top: float = TOP) -> float:
    """Rate of positives among the top tenth over the base rate; equals at the edge count in part."""
    size = max(1, round(len(order) * top))
    edge = np.sort(order)[::-1][size - 1]
    above, level = order > edge, order == edge
    found = converted[above].sum() + converted[level].mean() * (size - above.sum())
    return float(found / size / converted.mean())


def measure_quality(examples: Examples, p: np.ndarray) -> dict[str, Any]:
    """AUC, average precision, Brier skill against the base rate, calibration error with its table, lift with its interval."""
    converted = examples.converted
    base = float(converted.mean())
    brier = float(np.mean((p - converted) ** 2))
    chance = np.random.default_rng(0)
    companies, codes = np.unique(examples.company, return_inverse=True)
    rows_of = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    lifts = []
    for _ in range(RESAMPLES):
        rows = np.concatenate([rows_of[place] for place in chance.integers(len(companies), size=len(companies))])
        lifts.append(measure_lift(converted[rows], p[rows]))
    table = []
    for rows in np.array_split(np.argsort(p, kind="stable"), RELIABILITY_BINS):
        table.append({"n": len(rows), "predicted": float(p[rows].mean()), "happened": float(converted[rows].mean())})
    ece = sum(row["n"] * abs(row["predicted"] - row["happened"]) for row in table) / len(p)
    return {
        "auc": round(float(roc_auc_score(converted, p)), 4),
        "average_precision": round(float(average_precision_score(converted, p)), 4),
        "brier": round(brier, 5),
        "brier_skill": round(1 - brier / (base * (1 - base)), 4),
        "ece": round(float(ece), 4),
        "reliability": [{name: round(value, 4) for name, value in row.items()} for row in table],
        "lift_at_10": round(measure_lift(converted, p), 3),
        "lift_at_10_interval": [round(float(edge), 3) for edge in np.quantile(lifts, [0.025, 0.975])],
    }


def measure_at_cut(examples: Examples, score: np.ndarray, cut: float) -> dict[str, Any]:
    """How many leads are above the sniper cut, and how many of them converted."""
    above = score > cut
    precision = round(float(examples.converted[above].mean()), 4) if above.any() else None
    return {"cut": cut, "above_cut": int(above.sum()), "precision_above_cut": precision}


def measure_importance(card: Scorecard, examples: Examples) -> list[dict[str, Any]]:
    """Mean absolute contribution in log-odds of each feature that has any, largest first."""
    mean = card.contributions(examples).abs().mean().sort_values(ascending=False)
    found = [{"feature": str(name), "mean_log_odds": round(float(value), 4)} for name, value in mean.items()]
    return [row for row in found if row["mean_log_odds"]]


def measure_drift(examples: Examples, card: Scorecard) -> dict[str, float]:
    """Population stability index of each feature, the newer half of the examples against the older."""
    if examples.as_of is None:
        return {}
    older, newer = np.array_split(np.argsort(examples.as_of, kind="stable"), 2)
    found = {}
    for name in examples.features:
        bins = [entry for entry in card.bins if entry.feature == name]
        codes = assign(examples.features[name], bins)
        before, after = (np.bincount(codes[rows], minlength=len(bins)) / len(rows) for rows in (older, newer))
        found[str(name)] = round(stability_index(list(before), list(after)), 4)
    return found
