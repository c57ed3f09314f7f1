"""``python -m benchmarks.backfill [BATCHES] [ROWS] [--profile FILE]``: what a batch costs in ``barton backfill``.

It loads batches (default 200 of 10 companies with 10 people), runs them once, and then measures the second time, as new rules
for old batches would cause it: beside the backfill, the bare SQL of the same stages on one connection, a transaction each.
"""

import argparse
import cProfile
import os
import time
from collections.abc import Callable
from contextlib import closing, nullcontext
from functools import partial

from barton_pipeline.pipeline import STAGES
from barton_pipeline.postgres.connection import connect, transaction
from benchmarks.system import system

WORK = [partial(stage.work, **stage.shared()) for stage in STAGES]
COMPANIES = """
    INSERT INTO intake.company_raw_intake (company, website, industry, import_batch_id)
    SELECT 'Company ' || b || ' ' || n, 'https://c' || b || 'x' || n || '.com', 'mining', 'FILL-' || b
    FROM generate_series(1, %(batches)s) AS b, generate_series(1, %(rows)s) AS n
"""
PEOPLE = """
    INSERT INTO intake.people_raw_intake (full_name, title, email, website, import_batch_id)
    SELECT 'Person Number' || n, 'Chief Executive Officer', 'p@c' || b || 'x' || n || '.com',
           'https://c' || b || 'x' || n || '.com', 'FILL-' || b
    FROM generate_series(1, %(batches)s) AS b, generate_series(1, %(rows)s) AS n
"""


def load(batches: int, rows: int) -> None:
    """Commit the rows of all batches; no daemon is there to process them."""
    with transaction() as connection, connection.cursor() as cursor:
        for statement in (COMPANIES, PEOPLE):
            cursor.execute(statement, {"batches": batches, "rows": rows})


def bare(batches: list[str]) -> None:
    """The work of every stage on every batch, and nothing else: no fence, no statistics, no Dagster."""
    with closing(connect()) as connection:
        for batch in batches:
            for work in WORK:
                with connection, connection.cursor() as cursor:
                    cursor.execute("SELECT set_config('barton.import_batch_id', %s, true)", (batch,))
                    work(connection, batch)


def backfill(batches: list[str]) -> None:
    """What ``barton backfill`` does, without its progress bar."""
    from barton_pipeline.definitions import defs
    from barton_pipeline.orchestration import batch_run

    problems = batch_run.backfill(defs, batches, lambda done: None)
    assert not problems, problems


def a_batch(work: Callable[[list[str]], None], batches: list[str]) -> float:
    """Seconds a batch."""
    started = time.perf_counter()
    work(batches)
    return (time.perf_counter() - started) / len(batches)


def main() -> None:
    """Load, run once, measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backfill", description=__doc__)
    parser.add_argument("batches", type=int, nargs="?", default=200)
    parser.add_argument("rows", type=int, nargs="?", default=10)
    parser.add_argument("--profile", help="write a cProfile of the backfill to this file")
    options = parser.parse_args()
    batches = [f"FILL-{number}" for number in range(1, options.batches + 1)]
    with system() as running:
        os.environ["DAGSTER_HOME"] = running.environment["DAGSTER_HOME"]
        load(options.batches, options.rows)
        first = a_batch(backfill, batches)
        baseline = a_batch(bare, batches)
        with cProfile.Profile(builtins=True) if options.profile else nullcontext() as profile:
            again = a_batch(backfill, batches)
        if profile:
            profile.dump_stats(options.profile)
    print(
        f"backfill: {options.batches:,} batches of {options.rows} companies: {again:.3f} s a batch ({first:.3f} the first time), "
        f"{again / baseline:.1f} x the bare SQL of the stages ({baseline:.3f})"
    )


if __name__ == "__main__":
    main()
