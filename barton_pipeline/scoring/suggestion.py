"""``barton profile --suggest``: a profile from the companies that were won, compared with all companies.

Belongs here: counting and the choice of shares. What a profile is and does: ``config.Profile``, docs/explanation/scoring.md.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from psycopg2.extensions import connection as Connection

from barton_pipeline.errors import InputError
from barton_pipeline.postgres import sql
from barton_pipeline.scoring.config import Band, Preference, Profile, rules

SIZES = (1, 10, 50, 200, 500, 1000, 5000)
AGES = (0, 3, 10, 20)


@dataclass(frozen=True)
class Group:
    """Companies of one size, age, industry or place: how many there are, how many were won.

    ``lift`` is the chance to be won against that of all companies: 1 is the average, and few companies stay near it.
    """

    kind: str
    value: str
    companies: int
    won: int
    lift: float


@dataclass(frozen=True)
class Suggestion:
    """A profile, and the groups it comes from, the best of each kind first."""

    won: int
    companies: int
    profile: Profile
    groups: tuple[Group, ...]


def suggest(connection: Connection) -> Suggestion:
    """A profile by the companies with the outcome won; exclusions stay as they are.

    Raises InputError when too few companies were won (``suggestion.least_won`` in scoring.yaml).
    """
    counts = sql.rows(connection, sql.read("scoring", "won.sql"), sizes=list(SIZES), ages=list(AGES))
    totals = next((row for row in counts if row["kind"] == "all"), {"companies": 0, "won": 0})
    least = rules().suggestion.least_won
    if totals["won"] < least:
        raise InputError(
            f"{totals['won']:,} companies were won and {least:,} are needed to learn from (suggestion.least_won in "
            "scoring.yaml). Load outcomes: barton load FILE --kind outcomes. Until then write profile.yaml by hand."
        )
    groups = defaultdict(list)
    for row in counts:
        if row["kind"] != "all":
            groups[row["kind"]].append(_group(row, totals["won"] / totals["companies"]))
    profile = Profile(
        industries=_preference(groups["industry"]),
        sizes=_bands(groups["size"], SIZES),
        ages=_bands(groups["age"], AGES),
        places=_preference(groups["place"]),
        exclusions=rules().profile.exclusions,
    )
    best = (group for kind in groups.values() for group in sorted(kind, key=lambda group: -group.lift)[:10])
    return Suggestion(totals["won"], totals["companies"], profile, tuple(best))


def _group(row: dict[str, object], average: float) -> Group:
    """``average`` companies of the group are added ``suggestion.average_won`` times, so that chance does not speak."""
    added = rules().suggestion.average_won
    companies, won = int(str(row["companies"])), int(str(row["won"]))
    lift = (won + added) / (companies * average + added)
    return Group(str(row["kind"]), str(row["value"]), companies, won, round(lift, 3))


def _preference(groups: Sequence[Group]) -> Preference:
    """The groups that were won clearly more often than the average; nothing when none was."""
    limit = rules().suggestion.least_lift
    preferred = sorted((group for group in groups if group.lift >= limit), key=lambda group: (-group.lift, group.value))
    if not preferred:
        return Preference([], 1.0)
    others = [group for group in groups if group.lift < limit]
    return Preference([group.value for group in preferred], _share(_mean(others) / _mean(preferred)))


def _mean(groups: Sequence[Group]) -> float:
    """The mean lift of their companies; 0 without any."""
    companies = sum(group.companies for group in groups)
    return sum(group.lift * group.companies for group in groups) / companies if companies else 0.0


def _bands(groups: Sequence[Group], starts: Sequence[int]) -> list[Band]:
    """The share of each band by its lift; a band without companies is as good as the average."""
    lifts = {int(group.value): group.lift for group in groups}
    found = [lifts.get(start, 1.0) for start in starts]
    return [Band(start, _share(lift / max(found))) for start, lift in zip(starts, found, strict=True)]


def _share(value: float) -> float:
    """In steps of 0.05."""
    return round(min(1.0, max(0.0, value)) * 20) / 20
