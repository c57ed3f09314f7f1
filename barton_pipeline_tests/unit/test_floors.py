"""The floors of docs/explanation/architecture.md hold, and import-linter sees it when one is broken."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

from barton_pipeline_tests.conftest import PROJECT

LINTER = Path(sys.executable).with_name("lint-imports")


class Breach(NamedTuple):
    """A line too many in a module, the contract it breaks, and the import that the report must name."""

    module: str
    line: str
    contract: str
    named: str


BREACHES = {
    "upwards": Breach(
        "postgres/sql.py",
        "from barton_pipeline.cli import printing",
        "floors",
        "barton_pipeline.postgres.sql -> barton_pipeline.cli.printing",
    ),
    "in a circle": Breach(
        "stages/lease.py",
        "from barton_pipeline.stages import runner",
        "no-cycles",
        "No cycles are allowed in barton_pipeline.stages",
    ),
    "Dagster below its floor": Breach(
        "intake/mapping.py", "import dagster", "dagster", "barton_pipeline.intake.mapping -> dagster"
    ),
    "a heavy library where it is not used": Breach(
        "companies/matching.py", "import sklearn", "heavy", "barton_pipeline.companies.matching -> sklearn"
    ),
}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINTER, "--no-cache", "--no-logo"], cwd=folder, env={"COLUMNS": "200"}, capture_output=True, text=True
    )


def contract_name(contract_id: str) -> str:
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = {contract["id"]: contract["name"] for contract in settings["tool"]["importlinter"]["contracts"]}
    return contracts[contract_id]


def test_nothing_imports_what_it_may_not() -> None:
    found = lint_imports(PROJECT)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("name", BREACHES)
def test_an_import_is_found_that_goes(name: str, tmp_path: Path) -> None:
    breach = BREACHES[name]
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    shutil.copytree(PROJECT / "barton_pipeline", tmp_path / "barton_pipeline")
    with (tmp_path / "barton_pipeline" / breach.module).open("a", encoding="utf-8") as module:
        module.write(breach.line + "\n")
    found = lint_imports(tmp_path)
    assert found.returncode == 1, found.stdout + found.stderr
    assert f"{contract_name(breach.contract)} BROKEN" in found.stdout
    assert breach.named in found.stdout
