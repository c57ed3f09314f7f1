"""Actions on the models of PLE: learn one, retire one (docs/explanation/learning.md)."""

from dataclasses import dataclass
from typing import Any

from psycopg2.extensions import connection as Connection

from barton_pipeline.actions.audit import Actor, carry_out
from barton_pipeline.scoring import models


@dataclass(frozen=True)
class Learned:
    """What a training came to. ``version`` is None when there was too little to learn from; ``card`` is Markdown."""

    version: str | None
    published: bool
    training_set: dict[str, Any]
    report: dict[str, Any]
    card: str


def learn(
    connection: Connection | None,
    actor: Actor,
    *,
    reason: str | None = None,
    shown_count: int | None = None,
    apply: bool = True,
) -> Learned:
    """Build the training set, learn a model from it, and publish it if it beats the present one.

    One transaction that is as long as the training; done are models published. Raises LeakFound and BartonError as
    ``scoring.learning`` does.
    """
    from barton_pipeline.scoring import training  # imports pandas when it learns

    with carry_out(connection, actor, "learn", {}, reason=reason, shown_count=shown_count, apply=apply) as work:
        training_set = training.build(work.connection)
        version, outcome, card = training.learn(work.connection)
        work.parameters |= {"version": version, "published": outcome.publish}
        work.done = int(outcome.publish)
        return Learned(version, outcome.publish, training_set, outcome.report, card)


@dataclass(frozen=True)
class Retired:
    """The version that was retired; None when the rubric scored anyway."""

    version: str | None


def retire_model(
    connection: Connection | None,
    actor: Actor,
    *,
    reason: str | None = None,
    shown_count: int | None = None,
    apply: bool = True,
) -> Retired:
    """Take the published model back; the rubric scores again. One transaction; done are models retired."""
    with carry_out(connection, actor, "retire_model", {}, reason=reason, shown_count=shown_count, apply=apply) as work:
        version = models.retire(work.connection)
        work.parameters["version"] = version
        work.done = int(version is not None)
        return Retired(version)
