"""``python -m benchmarks.learning leadforge [SPREAD_DAYS]`` or ``… xeducation FILE``: model cards of PLE on trial data.

leadforge: first its own table with the planted leaks (refused), then without them, then through our intake, tables and SQL
features, with the accounts spread over SPREAD_DAYS (720) so that time order can be tested. xeducation: a table without dates.
"""

import sys
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from barton_pipeline.errors import InputError
from barton_pipeline.intake.loading import load_file
from barton_pipeline.postgres.connection import connect, transaction
from barton_pipeline.scoring import learning, model_card, training
from barton_pipeline.scoring.config import rules
from barton_pipeline.scoring.scorecards import Examples
from barton_pipeline_tests.builders import run_stages
from benchmarks import leadforge
from benchmarks.system import system


def examples_of(
    table: pd.DataFrame, label: str, company: str, as_of: str | None, unused: tuple[str, ...] = ()
) -> Examples:
    """A flat table as examples: numbers as numbers, everything else as words."""
    columns = {}
    for name in table.columns.difference([label, company, as_of, *unused], sort=False):
        values = table[name].reset_index(drop=True)
        if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
            columns[name] = values.astype(float)
        else:
            columns[name] = pd.Series([None if pd.isna(value) else str(value) for value in values], dtype=object)
    features = pd.DataFrame(columns)
    return Examples(
        features,
        pd.DataFrame(index=features.index),
        table[label].astype(bool).to_numpy(),
        table[company].astype(str).to_numpy(),
        None if as_of is None else pd.to_datetime(table[as_of]).to_numpy("datetime64[us]"),
    )


def without(examples: Examples, names: list[str]) -> Examples:
    """The examples without some features."""
    return Examples(
        examples.features.drop(columns=names), examples.rubric, examples.converted, examples.company, examples.as_of
    )


def report(title: str, examples: Examples) -> None:
    """Refuse the leaks, learn without them, print both."""
    print(f"\n##### {title}\n")
    try:
        learning.learn(examples, rules().learning, rules().targets.ple_cut)
        print("No leak was found.")
    except learning.LeakFound as leaks:
        print(leaks)
        examples = without(examples, list(leaks.findings))
    started = time.perf_counter()
    outcome = learning.learn(examples, rules().learning, rules().targets.ple_cut)
    print(f"\nWithout them, in {time.perf_counter() - started:.1f} s:\n\n{model_card.write_card(title, outcome)}")


def load(files: dict[str, Path]) -> None:
    """Load the files and run the stages of each, as events would."""
    for kind, file in files.items():
        batch = f"LF-{kind.upper()}"
        with closing(connect()) as connection:
            load_file(connection, file, kind=kind, batch=batch)
        run_stages(batch)


def through_the_database(folder: Path, spread_days: int) -> None:
    """leadforge's companies, people, signals and outcomes through our own intake and features."""
    with system(), TemporaryDirectory() as target:
        started = time.perf_counter()
        load(leadforge.write_files(folder, Path(target), spread_days))
        loaded = time.perf_counter()
        with transaction() as connection:
            counts = training.build(connection)
            built = time.perf_counter()
            _, _, card = training.learn(connection)
        print(
            f"\n##### leadforge through our tables, accounts spread over {spread_days} days\n\n{counts}\n"
            f"loaded in {loaded - started:.1f} s, training set in {built - loaded:.1f} s, learned in "
            f"{time.perf_counter() - built:.1f} s\n\n{card}"
        )


def main() -> None:
    """Print the model cards."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["xeducation"] and len(arguments) == 2:
        table = pd.read_csv(arguments[1]).replace("Select", np.nan)
        report("X-Education", examples_of(table, "Converted", "Prospect ID", None, ("Lead Number",)))
    elif arguments[:1] == ["leadforge"]:
        with TemporaryDirectory() as target:
            folder = Path(target) / "leadforge"
            leadforge.generate(folder)
            table = leadforge.task_table(folder)
            report(
                "leadforge's own table",
                examples_of(
                    table, "converted_within_90_days", "account_id", "lead_created_at", ("contact_id", "lead_id")
                ),
            )
            through_the_database(folder, int(arguments[1]) if len(arguments) > 1 else 720)
    else:
        raise InputError(__doc__ or "")


if __name__ == "__main__":
    main()
