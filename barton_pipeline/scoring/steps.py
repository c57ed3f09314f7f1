"""Statements of several steps. A step is a file under ``sql/scoring`` with one whole SELECT; later steps read it by its name.

Belongs here: putting steps together. Not here: which steps make a score (``ple``) or an example (``training``).
"""

from barton_pipeline.postgres import sql


def statement(*steps: str) -> str:
    """One SELECT, of the rows of the last step: ``statement("features", "parts", "rubric")``. They come in no particular order."""
    selects = (f"{step} AS (\n{sql.read('scoring', f'{step}.sql').rstrip().removesuffix(';')}\n)" for step in steps)
    return f"WITH {', '.join(selects)} SELECT * FROM {steps[-1]}"
