"""What assets, checks and sensors are given. Thin Dagster resources over plain objects; no logic of their own."""

from contextlib import AbstractContextManager, closing

import dagster as dg
from psycopg2.extensions import connection as Connection

from barton_pipeline import database


class Database(dg.ConfigurableResource):
    """The Postgres that holds the pipeline's tables: embedded, or BARTON_DATABASE_URL."""

    def transaction(self) -> AbstractContextManager[Connection]:
        """A psycopg2 connection, committed at the end of the block, rolled back on an error, always closed."""
        return database.transaction()

    def connection(self) -> AbstractContextManager[Connection]:
        """A psycopg2 connection, closed at the end of the block; committing is the caller's business."""
        return closing(database.connect())
