"""Servers that are set up otherwise than Postgres is by default: locale C, other string syntax, two-phase commit."""

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

from barton_pipeline.postgres import migrations
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.postgres.sql import sql_path
from barton_pipeline_tests.builders import run_stages
from barton_pipeline_tests.conftest import new_database
from barton_pipeline_tests.postgres.intake.test_cases import load_and_run


@pytest.fixture
def locale_c(postgres_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A migrated database whose lower() knows ASCII only."""
    with new_database(postgres_server, "template0", "ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'") as database:
        monkeypatch.setenv("BARTON_DATABASE_URL", database.url)
        migrations.migrate(database.url)
        yield database


def test_capitals_of_every_script_are_one_company_with_small_letters_in_locale_c(locale_c: Any) -> None:
    assert locale_c.value("SELECT lower('Ж')") == "Ж", "the case is not that of the report"
    load_and_run(locale_c, "cyrillic-on-locale-c")
    for number, name in enumerate(["ΚΥΜΑΤΟΣ", "Κύματος", "ՀԱՅ ՊՈՄՊ", "Հայ պոմպ", "MÜLLER PUMPEN", "Müller Pumpen"]):
        locale_c.execute(
            "INSERT INTO intake.company_raw_intake (company, website, import_batch_id) VALUES (%s, %s, 'CASE')",
            name,
            f"more{number // 2}.com",
        )
    run_stages("CASE")
    assert locale_c.value("SELECT count(*) FROM marketing.company_master") == 2 + 3


def test_strings_are_read_as_written_where_a_backslash_escapes(db: Any) -> None:
    db.execute(f"ALTER DATABASE {db.name} SET standard_conforming_strings = off")
    assert db.value("SHOW standard_conforming_strings") == "on"
    load_and_run(db, "legal-forms-europe")
    migrations.migrate(db.url)
    assert db.value("SELECT intake.company_name_key('Acme  Works, Inc.')") == "acme works"


def test_two_phase_commit_is_possible_when_notifications_are_silenced(db: Any) -> None:
    """docs/how-to/operations: Postgres refuses to prepare a transaction that notifies."""

    def insert_and_prepare() -> None:
        with contextlib.closing(db.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO intake.company_raw_intake (company, website, import_batch_id) VALUES ('Acme', 'acme.com', 'B1')"
            )
            cursor.execute("PREPARE TRANSACTION 'elsewhere'")

    with pytest.raises(psycopg2.Error, match="cannot PREPARE a transaction that has executed"):
        insert_and_prepare()
    with transaction(db.url) as connection, connection.cursor() as cursor:
        cursor.execute(sql_path("ops", "silence_notifications.sql").read_text())
    insert_and_prepare()
    with contextlib.closing(db.connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("COMMIT PREPARED 'elsewhere'")
    assert db.value("SELECT count(*) FROM marketing.pipeline_events WHERE import_batch_id = 'B1'") == 1
