"""Commands about scores and targets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from barton_pipeline.batch_keys import check_batch_key
from barton_pipeline.cli.operator import operator
from barton_pipeline.cli.options import read_moment
from barton_pipeline.cli.printing import (
    Column,
    Importance,
    Kind,
    Table,
    as_json,
    console,
    is_terminal,
    print_json,
    print_table,
    say,
)
from barton_pipeline.config import require_project
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.reports.batches import check_known_batch
from barton_pipeline.reports.targets import NextBest, Target, list_next_best, list_targets, write_csv
from barton_pipeline.scoring.config import profile_as_yaml, profile_file, rules

if TYPE_CHECKING:
    from barton_pipeline.scoring.explain import Explanation

TARGETS = Table(
    "Sniper targets",
    (
        Column("company_id", "id", Kind.KEY, Importance.LOW),
        Column("company_name", "company", importance=Importance.HIGH),
        Column("place", "place", importance=Importance.LOW),
        Column("ple_score", "PLE", Kind.NUMBER, Importance.HIGH, decimals=2),
        Column("bit_intent_score", "BIT", Kind.NUMBER, Importance.HIGH, decimals=2),
        Column("contacts", "contacts"),
        Column("main_reasons", "why", importance=Importance.HIGH),
    ),
)
NEXT_BEST = Table(
    "Next best below the cut",
    (
        Column("company_id", "id", Kind.KEY, Importance.LOW),
        Column("company_name", "company", importance=Importance.HIGH),
        Column("place", "place", importance=Importance.LOW),
        Column("ple_score", "PLE", Kind.NUMBER, Importance.HIGH, decimals=2),
        Column("bit_intent_score", "BIT", Kind.NUMBER, Importance.HIGH, decimals=2),
        Column("short_by", "short by", Kind.NUMBER, decimals=2),
        Column("lacking", "lacks most", importance=Importance.HIGH),
    ),
)
WON = Table(
    "Where you win",
    (
        Column("kind", "kind", importance=Importance.HIGH),
        Column("value", "value", importance=Importance.HIGH),
        Column("companies", "companies", Kind.NUMBER),
        Column("won", "won", Kind.NUMBER, Importance.HIGH),
        Column("lift", "lift", Kind.NUMBER, Importance.HIGH, decimals=2),
    ),
)
SHARES = Table(
    "What the scores are made of",
    (
        Column("score", "score", Kind.KEY, Importance.HIGH),
        Column("share", "share", Kind.NUMBER, Importance.HIGH, decimals=3),
        Column("label", "reason", importance=Importance.HIGH),
        Column("n", "signals", Kind.NUMBER),
        Column("last_at", "last signal", Kind.MOMENT),
    ),
)
TARGETS_SHOWN = 40


@dataclass(frozen=True)
class Share:
    """What one reason gives to the score PLE or BIT; ``n`` signals, the newest at ``last_at``, are None for PLE."""

    score: str
    share: float
    label: str
    n: int | None = None
    last_at: datetime | None = None


@click.command()
@click.option("--batch", help="Only targets this batch mentions.")
@click.option("--limit", type=click.IntRange(min=1), help="At most this many.")
@click.option(
    "--csv",
    "csv_file",
    type=click.File("w", encoding="utf-8"),
    help="Write CSV to a file, or - for standard output.",
)
@as_json
def targets(batch: str | None, limit: int | None, csv_file: Any, json_output: bool) -> None:
    """Print the sniper targets, best first, then the next best."""
    with transaction() as connection:
        if batch:
            check_known_batch(connection, check_batch_key(batch))
        found = list_targets(connection, batch, limit)
        next_best = list_next_best(connection, batch)
    if csv_file:
        write_csv(found, csv_file)
    elif json_output:
        print_json(found)
    else:
        print_targets(found, next_best)


def print_targets(found: Sequence[Target], next_best: Sequence[NextBest]) -> None:
    """The targets with the reasons in words, the best on a terminal, else all; then who is nearest to the list."""
    shown = found[:TARGETS_SHOWN] if is_terminal() else found
    print_table(TARGETS, shown, title=f"Sniper targets: {len(found):,}" if found else None)
    if len(found) > len(shown):
        say(f"… and {len(found) - len(shown):,} more: barton targets --csv targets.csv", style="dim")
    if next_best:
        print_table(NEXT_BEST, next_best)
    elif not found:
        say(
            "No company has a score yet. Load a file (barton load FILE), or see what is waiting: barton status",
            aside=True,
        )


@click.command()
@click.option("--suggest", is_flag=True, help="Write a profile by the companies that were won instead.")
@as_json
def profile(suggest: bool, json_output: bool) -> None:
    """Show the ideal customer profile in force.

    It is profile.yaml in this folder, else the one that ships with Barton. To change it, edit that file; to begin with what your
    wins say: barton profile --suggest > profile.yaml
    """
    from barton_pipeline.scoring import suggestion

    require_project()
    if not suggest:
        file = profile_file()
        if json_output:
            print_json(rules().profile)
        else:
            say(f"# {file}", aside=True)
            click.echo(file.read_text(encoding="utf-8"), nl=False)
        return
    with transaction() as connection:
        found = suggestion.suggest(connection)
    if json_output:
        print_json(found)
        return
    if is_terminal():
        print_table(WON, found.groups)
    click.echo(
        f"# By {found.won:,} companies won among {found.companies:,}; barton profile shows what each part means."
    )
    click.echo(profile_as_yaml(found.profile), nl=False)


@click.command()
@click.argument("company")
@click.option("--as-of", "as_of", help="Moment, ISO 8601 with a time zone or a date (UTC) [default: now].")
@as_json
def explain(company: str, as_of: str | None, json_output: bool) -> None:
    """Show what the scores of COMPANY are made of.

    COMPANY is an ID, a domain or a name. The scores are computed as of any moment from what was known then.
    """
    from barton_pipeline.scoring import explain as explanation

    moment = read_moment("--as-of", as_of)
    with transaction() as connection:
        found = explanation.explain(connection, explanation.find_company(connection, company), moment)
    if json_output:
        print_json(found)
        return
    place = ", ".join(filter(None, (found.domain, found.company_id)))
    say(f"{found.company_name} ({place}) as of {found.as_of:%Y-%m-%d %H:%M %Z}", aside=True)
    chance = f", chance to convert {found.ple.p_convert:.1%}" if found.ple.p_convert is not None else ""
    say(f"PLE {found.ple.score:.4f} by {found.ple.version}{chance}", aside=True)
    say(f"BIT {found.bit.score:.4f} by {found.rules_version}", aside=True)
    print_table(SHARES, list(_shares(found)))
    for name, stored in (("BIT", found.stored.bit), ("PLE", found.stored.ple)):
        if stored:
            say(
                f"{name} kept {stored.calculated_at:%Y-%m-%d %H:%M}: {stored.score:.4f} ({stored.version})",
                aside=True,
                style="dim",
            )


def _shares(found: "Explanation") -> Iterator[Share]:
    if found.ple.base:
        yield Share("PLE", found.ple.base, "the average company")
    for feature in found.ple.reasons:
        yield Share("PLE", feature.share, feature.label)
    for signal in found.bit.reasons:
        yield Share("BIT", signal.share, signal.label, signal.n, signal.last_at)


@click.command()
@click.option("--retire", is_flag=True, help="Take the published model back; the rubric scores again.")
@click.option("--rescore", is_flag=True, help="Score every company again now instead of tonight.")
@as_json
def learn(retire: bool, rescore: bool, json_output: bool) -> None:
    """Learn PLE from recorded outcomes.

    The model is published if it beats the present one (docs/explanation/learning.md).
    """
    from barton_pipeline.actions import models
    from barton_pipeline.scoring import rescoring

    found: dict[str, Any] = {}
    if retire:
        found["retired"] = models.retire_model(None, operator()).version
    else:
        learned = models.learn(None, operator())
        found = {
            "training_set": learned.training_set,
            "version": learned.version,
            "published": learned.published,
            "report": learned.report,
        }
    if rescore:
        found["rescored"] = rescoring.rescore("manual")
    if json_output:
        print_json(found)
        return
    if retire:
        say(f"{found['retired'] or 'No model'} is retired; the rubric scores.")
    elif is_terminal():
        from rich.markdown import Markdown

        console.print(Markdown(learned.card))
    else:
        click.echo(learned.card)
    if rescore:
        say(f"{found['rescored']['companies']:,} companies scored again in {found['rescored']['seconds']:.1f} s.")
