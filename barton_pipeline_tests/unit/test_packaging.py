"""What the wheel and the source distribution hold. Installing the wheel is .ci/wheel's business: it takes minutes."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from barton_pipeline_tests.conftest import PROJECT

SHIPPED = ("sql/", "samples/", "dagster.yaml", "workspace.yaml")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    build(PROJECT, folder, "sdist", "wheel")
    return folder


def build(source: Path, into: Path, *kinds: str) -> None:
    targets = [argument for kind in kinds for argument in ("-t", kind)]
    subprocess.run([sys.executable, "-m", "hatchling", "build", *targets, "-d", into], cwd=source, check=True)


def the_one(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


def python(site: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run Python with the package of that folder instead of the checkout's."""
    environment = {**os.environ, "PYTHONPATH": str(site)}
    return subprocess.run([sys.executable, *arguments], cwd=cwd, env=environment, text=True, capture_output=True)


def test_the_wheel_holds_the_package_and_what_it_reads(built: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "barton_pipeline", *SHIPPED],
        cwd=PROJECT, check=True, text=True, capture_output=True,
    ).stdout.splitlines()  # fmt: skip
    present = [name for name in listed if (PROJECT / name).is_file()]
    expected = {f"barton_pipeline/{name}" if name.startswith(SHIPPED) else name for name in present}
    held = {name for name in zipfile.ZipFile(the_one(built, "*.whl")).namelist() if ".dist-info/" not in name}
    assert held == expected
    assert {"barton_pipeline/py.typed", "barton_pipeline/dagster.yaml", "barton_pipeline/workspace.yaml"} < held


def test_the_licences_are_in_the_wheel(built: Path) -> None:
    names = zipfile.ZipFile(the_one(built, "*.whl")).namelist()
    assert {name.partition("/licenses/")[2] for name in names if "/licenses/" in name} == {
        "LICENSE",
        "samples/LICENSE.openbrewery",
    }


def test_the_source_distribution_builds_the_same_wheel(built: Path, tmp_path: Path) -> None:
    with tarfile.open(the_one(built, "*.tar.gz")) as archive:
        archive.extractall(tmp_path, filter="data")
    build(the_one(tmp_path, "barton_pipeline-*"), tmp_path / "dist", "wheel")
    assert the_one(tmp_path / "dist", "*.whl").read_bytes() == the_one(built, "*.whl").read_bytes()


def test_an_installed_package_reads_its_own_files_and_misses_them(built: Path, tmp_path: Path) -> None:
    site = tmp_path / "site-packages"
    zipfile.ZipFile(the_one(built, "*.whl")).extractall(site)
    (site / "sql" / "migrations").mkdir(parents=True)  # another package's
    where = python(site, "-c", "from barton_pipeline.postgres.sql import sql_path; print(sql_path())", cwd=tmp_path)
    assert where.stdout.strip() == str(site / "barton_pipeline" / "sql"), where.stderr
    (site / "barton_pipeline" / "sql").rename(tmp_path / "lost")
    migrate = python(site, "-m", "barton_pipeline.cli.main", "migrate", cwd=tmp_path)
    assert (migrate.returncode, migrate.stdout) == (1, ""), migrate.stderr
    assert "This installation is incomplete: there is no migration" in migrate.stderr
