"""Write sql/data/pipeline_stages.sql from the table of stages in barton_pipeline/pipeline.py.

Usage: python -m tools.pipeline_stages   (after every change of that table)
"""

from barton_pipeline.pipeline import STAGES, event_routes
from barton_pipeline.postgres.sql import sql_path

FILE = sql_path("data", "pipeline_stages.sql")
TEMPLATE = """\
-- The stages in run order, and for each type of event the first stage that it makes stale. Written by
-- python -m tools.pipeline_stages from barton_pipeline/pipeline.py, never by hand. What is not listed here is deleted.

-- Places are taken one by one, so the present ones make room first.
UPDATE marketing.pipeline_stages SET position = -position;
INSERT INTO marketing.pipeline_stages (stage, position, phase)
VALUES
{stages}
ON CONFLICT (stage) DO UPDATE SET position = excluded.position, phase = excluded.phase;

-- NULL: the event starts no run. A partial run by hand queues the rest with 'continue_at_<stage>'.
DELETE FROM marketing.event_routes;
INSERT INTO marketing.event_routes (event_type, entry_stage)
VALUES
{routes};
INSERT INTO marketing.event_routes (event_type, entry_stage)
SELECT
    'continue_at_' || stage,
    stage
FROM marketing.pipeline_stages
WHERE position > 0;

-- A stage that is gone takes its records along only by a migration: the foreign key of batch_stages says so.
DELETE FROM marketing.pipeline_stages WHERE position < 0;
"""


def text() -> str:
    """The text of the file."""
    stages = [f"('{stage.name}', {position}, '{stage.phase}')" for position, stage in enumerate(STAGES, 1)]
    routes = [f"('{event}', '{stage}')" if stage else f"('{event}', NULL)" for event, stage in event_routes().items()]
    return TEMPLATE.format(stages=",\n".join(stages), routes=",\n".join(routes))


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
    print(f"Written: {FILE.name}")
