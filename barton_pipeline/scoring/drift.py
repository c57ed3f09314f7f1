"""Notices when today's companies are no longer like those of the day a model was trained."""

import math
from collections.abc import Sequence

from psycopg2.extensions import connection as Connection

from barton_pipeline import error_log
from barton_pipeline.postgres import sql
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.scoring import bit, models, ple, selection
from barton_pipeline.scoring.config import rules

# So many companies show the shares of a population well enough.
SAMPLE = 20_000


def stability_index(expected: Sequence[float], found: Sequence[float]) -> float:
    """Population stability index: sum of (found - expected) * ln(found / expected); an empty bin counts as one in a thousand."""
    pairs = [(max(e, 0.001), max(f, 0.001)) for e, f in zip(expected, found, strict=True)]
    return sum((f - e) * math.log(f / e) for e, f in pairs)


def measure_shares(connection: Connection, scorecard: models.Scores) -> list[float] | None:
    """Share of today's companies in each bin of the scorecard, in its order; None when there are no companies."""
    if selection.choose_sample(connection, SAMPLE) == 0:
        return None
    bit.score(connection)
    counts = ple.count_bins(connection, scorecard)
    size = sum(
        n
        for n, entry in zip(counts, scorecard["bins"], strict=True)
        if entry["feature"] == scorecard["bins"][0]["feature"]
    )
    return [n / max(size, 1) for n in counts]


def find_drifted(connection: Connection, scorecard: models.Scores) -> dict[str, float]:
    """Stability index of the features that are above the limit (learning.drift_psi)."""
    found = measure_shares(connection, scorecard)
    if found is None:
        return {}
    by_feature: dict[str, list[tuple[float, float]]] = {}
    for entry, share in zip(scorecard["bins"], found, strict=True):
        by_feature.setdefault(entry["feature"], []).append((entry["share"], share))
    indexes = {name: stability_index(*zip(*pairs, strict=True)) for name, pairs in by_feature.items()}
    return {name: round(index, 3) for name, index in indexes.items() if index > rules().learning.drift_psi}


def raise_alarm() -> dict[str, float]:
    """Log a warning when the champion's companies have changed, unless one is open; returns the features with their index."""
    with transaction() as connection:
        model = models.read_champion(connection)
        if model is None:
            return {}
        found = find_drifted(connection, model.scorecard)
        if found and not _is_told(connection, model.version):
            listed = ", ".join(f"{name} {index:.2f}" for name, index in found.items())
            error_log.log_error(
                connection,
                "ple_drift",
                f"Today's companies are not like those of the day model {model.version} was trained: {listed} (population "
                f"stability index above {rules().learning.drift_psi:g}). Its ranks and probabilities are less reliable: "
                "train again (barton learn), or go back to the rubric (barton learn --retire).",
                record_id=model.version,
                details={"stability_index": found},
                severity="warning",
            )
        return found


def _is_told(connection: Connection, version: str) -> bool:
    found: bool = sql.value(
        connection,
        """
        SELECT EXISTS (
            SELECT FROM marketing.pipeline_errors
            WHERE event_type = 'ple_drift' AND record_id = %(version)s AND NOT resolved)
        """,
        version=version,
    )
    return found
