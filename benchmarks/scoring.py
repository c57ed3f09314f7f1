"""``python -m benchmarks.scoring [COMPANIES [SIGNALS]]``: what scoring everybody costs, beside a plain pandas computation.

Default: 1,000,000 companies, 10,000,000 signals. Ours is the nightly round: BIT, PLE (rubric, then a scorecard) and targets, page
by page, stored. pandas reads the signals and computes BIT's decayed, capped noisy-or only: no duplicates, bots, discounts,
reasons, PLE, storing.
"""

import math
import resource
import sys
import threading
import time
from contextlib import closing, suppress

import pandas as pd
import psutil

from barton_pipeline.postgres.connection import connect, transaction
from barton_pipeline.scoring import models, rescoring
from barton_pipeline.scoring.config import rules
from benchmarks.__main__ import seconds
from benchmarks.system import System, system

FILL = """
    SET LOCAL synchronous_commit = off; SET LOCAL session_replication_role = replica;
    INSERT INTO marketing.company_master (company_unique_id, company_name, website_url, domain, company_name_key, industry,
        employee_count, founded_year, city, import_batch_id)
    SELECT marketing.barton_id('01', n), 'Company ' || n, 'https://c' || n || '.com', 'c' || n || '.com', 'company ' || n,
           (ARRAY['Construction', 'Retail', 'Law', 'Software', NULL])[1 + n %% 5], (ARRAY[5, 40, 120, 900, NULL])[1 + n / 5 %% 5],
           1950 + n %% 70, 'Town', 'B'
    FROM generate_series(1, %(companies)s) AS n;
    INSERT INTO marketing.company_slots (company_slot_unique_id, company_unique_id, slot_type, slot_label)
    SELECT '04.04.05' || substr(company_unique_id, 9, 9) || kind.version, company_unique_id, kind.slot_type, kind.slot_type
    FROM marketing.company_master CROSS JOIN (VALUES ('CEO', '.001'), ('CFO', '.002'), ('HR', '.003')) AS kind (slot_type, version);
    INSERT INTO marketing.bit_signals (company_id, signal_type, bit_intent_score, signal_timestamp, observed_at, source)
    SELECT marketing.barton_id('01', 1 + (n * 7919) %% %(companies)s), (%(types)s)[1 + n %% %(kinds)s], 0.5 + (n %% 5) / 10.0,
           now() - (n %% 8640000) * interval '1 second', now() - interval '99 days' * (n %% 2), 'crm'
    FROM generate_series(1::bigint, %(signals)s) AS n
"""
VIEWS = ("v_bit_surge", "v_sniper_targets", "v_sniper_target_details")
SCORECARD = {
    "intercept": -1.5,
    "rubric_slope": 2.0,
    "calibration_slope": 1.0,
    "calibration_intercept": 0.0,
    "rank_logits": [-3 + 0.06 * n for n in range(101)],
    "ranks": [n / 100 for n in range(101)],
    "bins": [
        {"feature": feature, "lower": lower, "upper": upper, "points": points, "share": 0.2,
         "missing": lower is None and upper is None}
        for feature in ("employees", "company_age", "engagement", "intent", "engaged_30_days", "days_since_engaged")
        for lower, upper, points in ((None, 1, -0.2), (1, 10, 0.1), (10, 50, 0.2), (50, None, 0.3), (None, None, -0.1))
    ],
}  # fmt: skip


def in_pandas(url: str) -> None:
    """BIT as an analyst would write it."""
    with closing(connect(url)) as connection, connection.cursor("all") as cursor:
        cursor.execute(
            "SELECT company_id, signal_type, bit_intent_score, extract(epoch FROM now() - signal_timestamp)::float8 / 86400 "
            "FROM marketing.bit_signals"
        )
        cursor.itersize = 100_000
        table = pd.DataFrame(cursor.fetchall(), columns=["company", "type", "strength", "age"])
    by_type = rules().bit.signals
    table = table[table.type.isin(by_type)]
    weight = table.type.map(lambda name: by_type[name].weight)
    half_life = table.type.map(lambda name: by_type[name].half_life_days)
    evidence = -(1 - weight * table.strength * 0.5 ** (table.age / half_life)).map(math.log)
    per_type = evidence.groupby([table.company, table.type]).sum()
    caps = per_type.index.get_level_values("type").map(lambda name: -math.log(1 - by_type[name].cap))
    1 - (-per_type.clip(upper=pd.Series(caps, per_type.index)).groupby("company").sum()).map(math.exp)


def read(url: str, view: str) -> float:
    """Seconds for what a salesperson sees first."""
    with transaction(url) as connection, connection.cursor() as cursor:
        return seconds(lambda: cursor.execute(f"SELECT * FROM marketing.{view} LIMIT 100"))


class PostgresPeak(threading.Thread):
    """Looks every 50 ms for the server process with the most private memory (shared buffers left out); ``peak`` is in MB."""

    def __init__(self, running: System) -> None:
        super().__init__(daemon=True)
        self.server = psutil.Process(int((running.data / "postmaster.pid").read_text().split()[0]))
        self.peak = 0.0

    def run(self) -> None:
        while self.server.is_running():
            for process in self.server.children():
                with suppress(psutil.Error):
                    info = process.memory_info()
                    self.peak = max(self.peak, (info.rss - info.shared) / 1e6)
            time.sleep(0.05)


def main() -> None:
    """Fill, score, print."""
    companies = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    signals = int(sys.argv[2]) if len(sys.argv) > 2 else 10 * companies
    types = list(rules().bit.signals)
    with system() as running:
        with closing(connect(running.url)) as connection:
            with connection, connection.cursor() as cursor:
                cursor.execute(FILL, {"companies": companies, "signals": signals, "types": types, "kinds": len(types)})
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("VACUUM ANALYZE")
        print(f"{companies:,} companies, {signals:,} signals")
        watcher = PostgresPeak(running)
        watcher.start()

        def round_(name: str) -> float:
            spent = seconds(lambda: rescoring.rescore("manual"))
            mine = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"{name:34} {spent:8.1f} s, {spent / companies * 1e6:6.1f} s a million; Python {mine:,.0f} MB, "
                f"a Postgres process {watcher.peak:,.0f} MB"
            )
            return spent

        first = round_("first round, rubric")
        print("; ".join(f"the first 100 rows of {view} {read(running.url, view):.2f} s" for view in VIEWS))
        round_("nothing changed, rubric")
        with transaction() as connection:
            models.keep(
                connection, version="benchmark", method="logistic", publish=True, reason="", scorecard=SCORECARD, report={},
                card="", trained_until="2026-01-01T00:00:00Z",
            )  # fmt: skip
        round_("new model, every score changes")
        baseline = seconds(lambda: in_pandas(running.url))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{'pandas, BIT only, nothing stored':34} {baseline:8.1f} s; Python {peak:,.0f} MB; "
            f"our first round is {first / baseline:.2f} x"
        )


if __name__ == "__main__":
    main()
