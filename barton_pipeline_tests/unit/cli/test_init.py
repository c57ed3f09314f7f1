"""``barton init``, and what every command says in a folder that is no project."""

import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from barton_pipeline.cli.main import barton
from barton_pipeline.config import VARIABLES
from barton_pipeline.errors import InputError
from barton_pipeline_tests.conftest import PROJECT

FILES = {"dagster.yaml", "workspace.yaml", "profile.yaml", ".env.example", ".gitignore"}
FILE = str(PROJECT / "samples" / "people.csv")
# What a command must be told before it looks for the project.
ARGUMENTS = {
    "backfill": ["--all"],
    "backup": ["x.dump"],
    "explain": ["04.04.01.00.00001.001"],
    "forget": ["nobody@example.com", "--yes"],
    "load": [FILE],
    "plan": ["B1"],
    "remove": ["--export", "x.dump", "--yes"],
    "restore": [FILE],
    "retry": ["B1"],
    "run": ["B1"],
    "undo": ["B1", "--yes"],
    "unmatch": ["1"],
}
# They need no project: init makes one, the sandbox keeps nothing, doctor reports what is missing as a finding.
NEED_NO_PROJECT = {"init", "sandbox", "doctor"}


def run(*arguments: str) -> str:
    """What the command prints. Its expected failures are raised, as they are before main() turns them into a line."""
    return CliRunner().invoke(barton, arguments, catch_exceptions=False, standalone_mode=False).output


@pytest.fixture
def no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: an empty folder, and an environment in which nothing of Barton is set."""
    for variable in ("BARTON_DATABASE_URL", "BARTON_DAGSTER_DATABASE_URL", "BARTON_HOME", "DAGSTER_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_empty_folder_becomes_a_project(no_project: Path) -> None:
    said = run("init", "my project/of mine")
    folder = no_project / "my project" / "of mine"
    assert {path.name for path in folder.iterdir()} == FILES
    for name in ("dagster.yaml", "workspace.yaml"):
        assert (folder / name).read_bytes() == (PROJECT / name).read_bytes()
    assert "cd 'my project/of mine'" in said and "barton demo" in said and "dagster dev" in said


def test_every_variable_is_explained_and_none_is_set(no_project: Path) -> None:
    run("init", ".")
    lines = (no_project / ".env.example").read_text().splitlines()
    for name, meaning in VARIABLES.items():
        assert lines[lines.index(f"# {name}=") - 1] == f"# {meaning}"
    assert all(line.startswith("#") for line in lines if line)


def test_this_folder_needs_no_cd(no_project: Path) -> None:
    assert "  cd " not in run("init", ".")


def test_a_second_time_changes_nothing(no_project: Path) -> None:
    run("init", ".")
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in no_project.iterdir()}
    said = run("init", str(no_project))
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in no_project.iterdir()} == before
    assert said.count("is there already") == len(FILES)


def test_files_of_others_stay_and_are_named(no_project: Path) -> None:
    (no_project / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    (no_project / ".gitignore").write_text("/.barton\n")
    said = run("init", ".").splitlines()
    assert (no_project / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"
    assert said[0].startswith("dagster.yaml: kept as it is") and str(PROJECT / "dagster.yaml") in said[0]
    assert said[1] == "workspace.yaml: written"
    assert said[4] == ".gitignore: kept as it is; see that it covers .env"


@pytest.mark.parametrize(
    ("way", "named"),
    [("file", "x"), ("folder instead of a file", "x/workspace.yaml"), ("link to nowhere", "x/workspace.yaml")],
)
def test_something_in_the_way(no_project: Path, way: str, named: str) -> None:
    if way == "file":
        (no_project / "x").write_text("mine")
    elif way == "folder instead of a file":
        (no_project / "x" / "workspace.yaml").mkdir(parents=True)
    else:
        (no_project / "x").mkdir()
        (no_project / "x" / "workspace.yaml").symlink_to("nowhere")
    with pytest.raises(InputError, match=rf"^{re.escape(named)} cannot be made: something else is in the way"):
        run("init", "x")


def test_a_folder_that_may_not_be_written(no_project: Path) -> None:
    # the kernel refuses this one even to root
    refusing = Path("/sys/kernel") if os.geteuid() == 0 else Path("/")
    with pytest.raises(InputError, match=r"cannot be made: (Operation not permitted|Permission denied)"):
        run("init", str(refusing / "barton-test"))


@pytest.mark.parametrize("command", sorted(barton.commands.keys() - NEED_NO_PROJECT))
def test_outside_a_project_every_command_says_so_and_leaves_nothing(no_project: Path, command: str) -> None:
    with pytest.raises(
        InputError, match=r"not a Barton project \(no dagster.yaml in .*Run: barton init \. , or change"
    ):
        run(command, *ARGUMENTS.get(command, []))
    assert list(no_project.iterdir()) == []
