"""What assets, checks and sensors are given. Thin Dagster resources over plain objects; no logic of their own."""

from contextlib import AbstractContextManager, closing
from functools import cache

import dagster as dg
from psycopg2.extensions import connection as Connection

from barton_pipeline.postgres import migrations
from barton_pipeline.postgres.connection import connect, database_url, transaction

# once per process: a tick every few seconds need not ask
_require_schema = cache(migrations.require_schema)


class Database(dg.ConfigurableResource):
    """The Postgres that holds the pipeline's tables: embedded, or BARTON_DATABASE_URL."""

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Called by Dagster before a tick or run: without the tables it would end in a traceback that names one of them."""
        _require_schema(database_url())

    def transaction(self) -> AbstractContextManager[Connection]:
        """A psycopg2 connection, committed at the end of the block, rolled back on an error, always closed."""
        return transaction()

    def connection(self) -> AbstractContextManager[Connection]:
        """A psycopg2 connection, closed at the end of the block; committing is the caller's business."""
        return closing(connect())
