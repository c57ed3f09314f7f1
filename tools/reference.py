"""Write the generated pages of docs/reference.

Usage: python -m tools.reference   (after every change of config.VARIABLES)
"""

from collections.abc import Callable
from pathlib import Path

from barton_pipeline.config import VARIABLES

FOLDER = Path(__file__).parent.parent / "docs" / "reference"
ENVIRONMENT = """\
# Environment variables

Set them in the environment, or in a file `.env` in the folder where you run `barton` and `dagster dev`. Where both have a
value, the environment's counts. None of them is required. A process reads `.env` once: restart `dagster dev` after a change.

```
# .env
BARTON_DATABASE_URL=postgresql://barton:secret@db.example.com:5432/barton
```

`barton doctor` shows which database is used, whether vendors can be reached and where alerts go.

| Variable | What it does |
|---|---|
{rows}

Written by `python -m tools.reference` from `barton_pipeline/config.py`, never by hand.
"""


def environment() -> str:
    """The page of environment variables."""
    rows = [f"| `{name}` | {meaning[0].upper()}{meaning[1:]}. |" for name, meaning in VARIABLES.items()]
    return ENVIRONMENT.format(rows="\n".join(rows))


PAGES: dict[str, Callable[[], str]] = {"environment.md": environment}


if __name__ == "__main__":
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
        print(f"Written: docs/reference/{name}")
