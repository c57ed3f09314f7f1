"""The tasks, the checks before a commit and what CI runs name tools that exist, and the check for secrets finds one."""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from barton_pipeline_tests.conftest import PROJECT

TOOLS = Path(sys.executable).parent
TASKS = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["poe"]["tasks"]
HOOKS = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]


def commands(task: dict) -> list[str]:
    """The commands of a task; those that it names as other tasks are theirs."""
    steps = [step for step in task.get("sequence", [task]) if isinstance(step, dict)]
    return [step["cmd"] for step in steps if "cmd" in step]


@pytest.mark.parametrize("name", TASKS)
def test_a_task_says_what_it_is_for_and_calls_what_exists(name: str) -> None:
    task = TASKS[name]
    assert task["help"]
    assert {step for step in task.get("sequence", []) if isinstance(step, str)} <= TASKS.keys()
    for command in commands(task):
        program, *arguments = shlex.split(command)
        assert (TOOLS / program).exists(), f"{program} is not in the dev extra"
        for script in (argument for argument in arguments if argument.endswith(".py")):
            assert (PROJECT / script).is_file(), script


def test_the_hooks_are_valid_and_call_what_exists_here() -> None:
    subprocess.run([TOOLS / "pre-commit", "validate-config", PROJECT / ".pre-commit-config.yaml"], check=True)
    for repository in HOOKS:
        assert repository["repo"] == "local", "another repository would be fetched"
        for hook in repository["hooks"]:
            program, *arguments = shlex.split(hook["entry"])
            assert hook["language"] == "system", f"{hook['id']} would be installed from a registry"
            assert program.startswith(".venv/bin/") and (TOOLS / Path(program).name).exists(), program
            if Path(program).name == "poe":
                assert arguments[0] in TASKS


def test_ci_runs_the_command_of_the_readme_and_every_check() -> None:
    script = (PROJECT / ".ci" / "run").read_text(encoding="utf-8")
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    run_the_tests = re.search(r"\*\*Run the tests:\*\*\n\n```\n(.*)\n```", readme)
    assert run_the_tests and run_the_tests[1] in script.splitlines()
    assert ".venv/bin/poe check" in script.splitlines()


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_a_secret_is_found_and_the_password_of_an_example_is_not(tmp_path: Path) -> None:
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / "settings.py").write_text('URL = "postgresql://user:password@host/database"\n')

    def check() -> subprocess.CompletedProcess[str]:
        subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
        return subprocess.run(
            [TOOLS / "poe", "--executor", "simple", "secrets"],
            cwd=tmp_path,
            env={"PATH": f"{TOOLS}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
        )

    assert check().returncode == 0, check().stdout
    token = "apify_api_" + "hR7kQ2mX9vLpT4wZ" + "c8NbY6sJ3dGf1aKe"  # two halves: this file holds none
    (tmp_path / "settings.py").write_text(f'TOKEN = "{token}"\n')
    found = check()
    assert found.returncode != 0 and "settings.py:1" in found.stdout
