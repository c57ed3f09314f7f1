"""The assets PLE learns with: ple_training_set and ple_model. They concern all batches: no partitions, and a job of their own."""

import base64
from typing import Any

import dagster as dg

from barton_pipeline import error_log
from barton_pipeline.errors import BartonError
from barton_pipeline.orchestration.assets.stages import OWNER
from barton_pipeline.orchestration.resources import Database

GROUP = "learning"


@dg.asset(
    group_name=GROUP,
    kinds={"postgres", "sql"},
    owners=[OWNER],
    metadata={"dagster/table_name": "marketing.ple_training_examples"},
)
def ple_training_set(database: Database) -> dg.MaterializeResult:
    """Every attempt that is old enough to judge, with what was known then of its company (docs/explanation/learning.md)."""
    from barton_pipeline.scoring import training

    with database.transaction() as connection:
        counts = training.build(connection)
    metadata: dict[str, Any] = {name: value if isinstance(value, int) else str(value) for name, value in counts.items()}
    return dg.MaterializeResult(metadata={**metadata, "dagster/row_count": counts["examples"]})


@dg.asset(
    group_name=GROUP,
    deps=[ple_training_set],
    kinds={"postgres", "scikitlearn"},
    owners=[OWNER],
    metadata={"dagster/table_name": "marketing.ple_models"},
)
def ple_model(context: dg.AssetExecutionContext, database: Database) -> dg.MaterializeResult:
    """A model learned from the training set, with its report; published only if it beats the present one in time order."""
    from barton_pipeline.scoring import model_card, training

    try:
        with database.transaction() as connection:
            version, outcome, card = training.learn(connection)
    except BartonError as error:
        with database.transaction() as connection:
            error_log.log_error(connection, "ple_model", str(error), record_id=context.run.run_id)
        raise dg.Failure(description=str(error), allow_retries=False) from error
    context.log.info(outcome.report["decision"])
    pictures = {
        name: dg.MetadataValue.md(f"![{name}](data:image/png;base64,{base64.b64encode(png).decode()})")
        for name, png in model_card.draw_plots(outcome).items()
    }
    numbers = {
        name: value for name, value in outcome.report.items() if isinstance(value, (int, float)) and name != "cut"
    }
    return dg.MaterializeResult(
        metadata={
            "version": version or "none",
            "published": outcome.publish,
            "decision": outcome.report["decision"],
            "model_card": dg.MetadataValue.md(card),
            **pictures,
            **numbers,
        }
    )


LEARNING_ASSETS = [ple_training_set, ple_model]
