"""The Dagster instance of this folder, as ``dagster dev`` uses it, for commands that run without the daemon."""

from pathlib import Path

import dagster as dg
from dagster._core.instance.ref import InstanceRef

from barton_pipeline.config import environment, require_project
from barton_pipeline.postgres.embedded import home


def local_instance() -> dg.DagsterInstance:
    """DAGSTER_HOME's instance, else the one ``./dagster.yaml`` describes; use it as a context manager.

    Raises InputError outside a project's folder.
    """
    require_project()
    if environment("DAGSTER_HOME"):
        return dg.DagsterInstance.get()
    base = home() / "dagster"
    base.mkdir(parents=True, exist_ok=True)
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(base), config_dir=str(Path.cwd())))
