"""Dagster's storage in the Postgres that Barton uses, so that plain ``dagster dev`` needs no environment variable."""

import os
from collections.abc import Sequence
from itertools import groupby
from typing import Any, Self

import dagster as dg
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage
from sqlalchemy import create_engine

from barton_pipeline.postgres.connection import dagster_database_url, ensure_database


class _EventLog(PostgresEventLogStorage):
    """Writes together what a run over a range plans: an event for each asset and partition, of which the stock log writes one
    after the other, with five statements each.
    """

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Called by Dagster with many events of one kind, or with all that a run plans."""
        for asset, together in groupby(events, key=_planned_asset):
            group = list(together)
            if asset is None:
                super().store_event_batch(group)
                continue
            statement = self.prepare_insert_event_batch(group).returning(SqlEventLogStorageTable.c.id)
            with self._connect() as connection:
                last_id = max(row[0] for row in connection.execute(statement))
            with self.index_transaction() as connection:
                self._store_asset_event(connection, group[-1], last_id)


def _planned_asset(event: EventLogEntry) -> dg.AssetKey | None:
    planned = event.get_dagster_event()
    return planned.asset_key if planned.is_asset_materialization_planned else None


class BartonStorage(DagsterPostgresStorage):
    """DagsterPostgresStorage whose URL comes from ``connection.dagster_database_url``; takes no configuration.

    The stock storage opens a connection per operation, which is a third of a backfill's time and a second of every run
    (docs/reference/benchmarks.md), and asks before every event with tags whether a table exists. This one keeps two
    connections open per process (writing an asset event takes two at once), looks whether they are alive before each use,
    remembers tables it has seen, and has Dagster write the materializations of a backfill's stage together.
    """

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(postgres_url=postgres_url, inst_data=inst_data)
        self._event_log_storage = _EventLog(postgres_url, should_autocreate_tables=False)
        # read by Dagster at each event; only an environment variable can say it
        os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", "1000")
        engine = create_engine(
            postgres_url,
            isolation_level="AUTOCOMMIT",
            pool_size=2,
            max_overflow=20,
            pool_pre_ping=True,
            pool_recycle=300,
        )
        for part in (self._run_storage, self._event_log_storage, self._schedule_storage):
            part._engine = engine
        _remember_tables(self._event_log_storage)

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """No fields."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> Self:
        """Called by Dagster when it loads dagster.yaml."""
        url = dagster_database_url()
        ensure_database(url)
        return cls(postgres_url=url, inst_data=inst_data)


def _remember_tables(storage: Any) -> None:
    """Ask for each table until it is there; Dagster never drops one."""
    seen: set[str] = set()
    ask = storage.has_table

    def has_table(table_name: str) -> bool:
        if table_name not in seen and ask(table_name):
            seen.add(table_name)
        return table_name in seen

    storage.has_table = has_table
