"""The model card in Markdown, and its plots: what ``learning`` measured, in words and pictures. Imports matplotlib only to draw."""

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from barton_pipeline.scoring.learning import Outcome

FEATURES_SHOWN = 15


def write_card(version: str | None, outcome: "Outcome") -> str:
    """The card in Markdown; ``version`` is None for a training that came to no model, and the card says what was missing."""
    report = outcome.report
    lines = [f"# PLE model {version or '(none)'}", "", f"**{report['decision']}**", ""]
    lines += [
        f"{report['n']:,} leads of {report['companies']:,} companies, {report['positives']:,} positives "
        f"(base rate {report['base_rate']})"
        + (
            f", attempts from {report['from'][:10]} to {report['until'][:10]}."
            if "from" in report
            else ", without dates."
        ),
        "",
    ]
    if outcome.card is None:
        return "\n".join(lines)
    low, high = report["lift_at_10_interval"]
    lines += [
        "Measured on companies the model had not seen:",
        "",
        *_table(
            ["measure", "value"],
            [
                ["AUC", report["auc"]],
                ["AUC with labels shuffled (0.5 wanted)", report["shuffled_auc"]],
                ["average precision", report["average_precision"]],
                ["Brier skill against the base rate", report["brier_skill"]],
                ["calibration error (ECE)", report["ece"]],
                ["lift of the best tenth", f"{report['lift_at_10']} (95 %: {low} to {high})"],
                [f"leads above the cut {report['cut']}", report["above_cut"]],
                ["of these converted", report["precision_above_cut"]],
            ],
        ),
        "",
        "## In time order",
        "",
        "Each block by models of what was known when it began, without the block's companies. AUC / Brier / lift.",
        "",
        *_block_rows(report["blocks"]),
        "",
        "## What it looks at",
        "",
        "Mean absolute contribution in log-odds; drift is the stability index of the newer half of the leads against the older.",
        "",
        *_table(
            ["feature", "log-odds", "known", "drift"],
            [
                [
                    row["feature"],
                    row["mean_log_odds"],
                    report["known"].get(row["feature"]),
                    report["drift"].get(row["feature"], "–"),
                ]
                for row in report["features"][:FEATURES_SHOWN]
            ],
        ),
        "",
        "## Reliability",
        "",
        *_table(["n", "predicted", "happened"], [list(row.values()) for row in report["reliability"]]),
    ]
    return "\n".join(lines) + "\n"


def _block_rows(blocks: list[dict[str, Any]]) -> list[str]:
    rows = []
    for block in blocks:
        measured = [
            " / ".join(f"{value:g}" for value in block[name].values()) if name in block else "–"
            for name in ("logistic", "boosting", "rubric", "champion")
        ]
        note = block.get("skipped", "")
        rows.append([block["block"], block["from"][:10], block["trained_on"], block["n"], *measured, note])
    return _table(["block", "from", "trained on", "leads", "logistic", "boosting", "rubric", "champion", ""], rows)


def _table(header: list[str], rows: list[list[Any]]) -> list[str]:
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]


def draw_plots(outcome: "Outcome") -> dict[str, bytes]:
    """PNG pictures by name: reliability, gain curve, features; none when no model was learned."""
    if outcome.card is None:
        return {}
    import numpy as np
    from matplotlib.figure import Figure

    report = outcome.report
    found = {}

    figure = Figure(figsize=(4.2, 3.6), layout="constrained")
    axes = figure.subplots()
    predicted, happened = ([row[name] for row in report["reliability"]] for name in ("predicted", "happened"))
    top = max([*predicted, *happened]) * 1.1
    axes.plot([0, top], [0, top], color="grey", linewidth=1, label="perfect")
    axes.plot(predicted, happened, marker="o", label="this model")
    axes.set(xlabel="predicted probability", ylabel="share that converted", title=f"Reliability (ECE {report['ece']})")
    axes.legend()
    found["reliability"] = _png(figure)

    figure = Figure(figsize=(4.2, 3.6), layout="constrained")
    axes = figure.subplots()
    converted = outcome.curves["converted"][np.argsort(-outcome.curves["p"], kind="stable")]
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, label="chance")
    axes.plot(np.linspace(0, 1, len(converted)), np.cumsum(converted) / converted.sum(), label="this model")
    axes.set(
        xlabel="share of leads, best first", ylabel="share of positives found", title=f"Gain (AUC {report['auc']})"
    )
    axes.legend()
    found["gain"] = _png(figure)

    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    shown = report["features"][:FEATURES_SHOWN][::-1]
    axes.barh([row["feature"] for row in shown], [row["mean_log_odds"] for row in shown])
    axes.set(xlabel="mean absolute contribution (log-odds)", title="What the model looks at")
    found["features"] = _png(figure)
    return found


def _png(figure: Any) -> bytes:
    target = io.BytesIO()
    figure.savefig(target, format="png", dpi=90)
    return target.getvalue()
