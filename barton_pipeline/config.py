"""Reading the YAML file beside a module: rules, weights, caps and thresholds are data."""

from pathlib import Path
from typing import Any

import yaml

# libyaml where PyYAML was built with it: the parser written in Python takes a third of a second of every run.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_yaml(path: Path) -> dict[str, Any]:
    """The mapping a YAML file holds. Raises yaml.YAMLError for a file that is none, OSError for one that is not there."""
    return dict(yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader))
