"""``python -m benchmarks.replay [COMPANIES]``: what ``barton replay`` takes in time and memory, beside the stages themselves.

The companies come through the loader, every fifth with an imported person; 262 more get their people and addresses from the
sandbox. The replay is the command in a process of its own, so that its memory is its own.
"""

import json
import os
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil

from barton_pipeline.intake.loading import load_file
from barton_pipeline.postgres.connection import connect
from barton_pipeline.vendors import settings
from barton_pipeline.vendors.sandbox import running_sandbox
from benchmarks.system import PROJECT, system

TITLES = ["CEO", "Chief Financial Officer", "HR Director", "Sales Manager", "Vice President"]


def write_files(folder: Path, companies: int) -> tuple[Path, Path]:
    """(companies, people) as CSV."""
    names, people = folder / "companies.csv", folder / "people.csv"
    with names.open("w") as file:
        file.write("Company,Website,Industry,City\n")
        file.writelines(f"Company {n} Inc,https://www.replayed{n}.com,Steel,Town {n % 500}\n" for n in range(companies))
    with people.open("w") as file:
        file.write("First Name,Last Name,Title,Company,Website\n")
        file.writelines(
            f"Ann{n},Lee{n},{TITLES[n % 5]},Company {n} Inc,https://www.replayed{n}.com\n"
            for n in range(0, companies, 5)
        )
    return names, people


def replayed() -> tuple[float, float, dict[str, object]]:
    """(seconds, most memory in MB, what it says) of ``barton replay``."""
    started, most = time.monotonic(), 0
    with subprocess.Popen(
        [sys.executable, "-m", "barton_pipeline.cli.main", "replay", "--json"], cwd=PROJECT, stdout=subprocess.PIPE
    ) as process:
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                most = max(most, watched.memory_info().rss)
            except psutil.NoSuchProcess:
                break
            time.sleep(0.05)
        said = process.stdout.read() if process.stdout else b""
    return time.monotonic() - started, most / 2**20, json.loads(said)


def main() -> None:
    """Load, run the stages, replay, print."""
    companies = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with system() as running, running_sandbox(seed=1) as sandbox:
        from barton_pipeline_tests.builders import insert_companies, run_stages
        from benchmarks.vendor_rate import _Database

        with closing(connect(running.url)) as connection:
            for kind, file in zip(("companies", "people"), write_files(running.home, companies), strict=True):
                load_file(connection, file, kind=kind, batch="REPLAY-1")
        counts = run_stages("REPLAY-1")
        insert_companies(_Database(running.url), "REPLAY-2", 262)
        os.environ[settings.SANDBOX] = sandbox.url
        run_stages("REPLAY-2")
        before = sandbox.charges()
        seconds, megabytes, said = replayed()
        asked = sandbox.charges() != before
    stages = sum(stage["seconds"] for stage in counts.values())
    print({stage: stage_counts["seconds"] for stage, stage_counts in counts.items()})
    print(f"{companies:,} companies: the stages {stages:.1f} s, the replay {seconds:.1f} s ({seconds / stages:.2f} x)")
    print(f"most memory of the replay {megabytes:.0f} MB; rows {said['rows']}")
    print(f"differences {len(said['differences'])}; vendors were {'asked' if asked else 'not asked'}")  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
