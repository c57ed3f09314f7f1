"""Dagster's storage in the Postgres that Barton uses, so that plain ``dagster dev`` needs no environment variable."""

from typing import Any, Self

from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage

from barton_pipeline.database import dagster_database_url, ensure_database


class BartonStorage(DagsterPostgresStorage):
    """DagsterPostgresStorage whose URL comes from ``database.dagster_database_url``; takes no configuration."""

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
