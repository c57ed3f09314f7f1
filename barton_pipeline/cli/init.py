"""``barton init``: makes a folder a project, from which ``barton`` and ``dagster dev`` work. No existing file is touched."""

import shlex
from dataclasses import dataclass
from pathlib import Path

import click

from barton_pipeline.cli.printing import as_json, print_json, say
from barton_pipeline.config import SHIPPED, VARIABLES
from barton_pipeline.errors import InputError
from barton_pipeline.scoring.config import PROFILE

GITIGNORE = """\
# local state and secrets of Barton Pipeline
.barton/
.env
.tmp_dagster_home*/
.venv/
"""
ENV_EXAMPLE = """\
# Settings of Barton Pipeline; none is needed for a first try. To set one, copy this file to .env and remove the # in front
# of its name. What the environment sets goes before what .env sets.
"""


@dataclass(frozen=True)
class ProjectFile:
    """A file of a project's folder, and in words what ``barton init`` did about it."""

    file: Path
    outcome: str


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@as_json
def init(folder: Path, json_output: bool) -> None:
    """Make FOLDER a project.

    It gets dagster.yaml, workspace.yaml, profile.yaml, .env.example and .gitignore; files that are there stay as they are. The
    folder you are in is called "." (barton init .).
    """
    files = project_files()
    done = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            done.append(ProjectFile(folder / name, _write(folder / name, text)))
            if not json_output:
                say(f"{done[-1].file}: {done[-1].outcome}")
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(
            f"{error.filename} cannot be made: something else is in the way. Move it or choose another folder."
        ) from error
    except OSError as error:
        raise InputError(
            f"{error.filename or folder} cannot be made: {error.strerror}. Choose another folder."
        ) from error
    if json_output:
        print_json(done)
        return
    say("\nNext:")
    if folder.resolve() != Path.cwd():
        say(f"  cd {shlex.quote(str(folder))}")
    say("  barton demo    runs the pipeline on a sample batch and shows it in the Dagster UI")
    say("  dagster dev    runs the pipeline on what you load; in a second terminal: barton load FILE")


def project_files() -> dict[str, str]:
    """What a project's folder needs: file name → text."""
    shipped = {name: (SHIPPED / name).read_text(encoding="utf-8") for name in ("dagster.yaml", "workspace.yaml")}
    shipped[PROFILE.name] = PROFILE.read_text(encoding="utf-8")
    settings = "".join(f"\n# {meaning}\n# {name}=\n" for name, meaning in VARIABLES.items())
    return {**shipped, ".env.example": ENV_EXAMPLE + settings, ".gitignore": GITIGNORE}


def _write(path: Path, text: str) -> str:
    """Write the file, and its folder, unless it is there; what was done, for the operator. Raises InputError when it cannot."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
        return "written"
    except (FileExistsError, NotADirectoryError) as error:
        if not path.is_file():
            raise InputError(
                f"{path} cannot be made: something else is in the way. Move it or choose another folder."
            ) from error
    except OSError as error:
        raise InputError(f"{path} cannot be made: {error.strerror}. Choose another folder.") from error
    return _kept(path, text)


def _kept(path: Path, text: str) -> str:
    try:
        present = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return f"kept as it is ({error.strerror})"
    return "is there already" if present == text else f"kept as it is{_advice(path.name, present)}"


def _advice(name: str, present: str) -> str:
    """What to do about a file of that name that is not the one we would have written."""
    if name == ".gitignore":
        listed = {line.strip().strip("/") for line in present.splitlines()}
        lacking = [entry for entry in (".barton", ".env") if entry not in listed]
        return f"; see that it covers {' and '.join(lacking)}" if lacking else ""
    if (SHIPPED / name).is_file():
        return f", and differs from what this version would write; compare it with {SHIPPED / name}"
    return ""
