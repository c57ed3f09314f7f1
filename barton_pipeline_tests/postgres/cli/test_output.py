"""What the commands that only ask print: on a terminal of 80 columns, into a pipe, and as JSON."""

import contextlib
import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len
from rich.console import Console

from barton_pipeline.cli import printing
from barton_pipeline.cli.main import barton as group
from barton_pipeline_tests.builders import insert_companies, run_stages
from barton_pipeline_tests.conftest import PROJECT
from barton_pipeline_tests.unit.cli.test_printing import HOSTILE, Terminal, acting

LONG = "20261125-" + "K" * 91
USUAL = "20261125-BREWERIES-B1"
QUERIES = (
    ["status"],
    ["status", USUAL],
    ["status", LONG],
    ["targets"],
    ["targets", "--batch", USUAL],
    ["explain", "company1.com"],
    ["errors"],
    ["errors", "--by-cause"],
    ["audit"],
    ["plan", USUAL],
    ["vendors"],
    ["alerts"],
    ["alerts", "--summary"],
    ["rollback"],
    ["replay"],
    ["purge", "--dry-run"],
    ["doctor"],
    ["listen", "--for", "0.2"],
)


@pytest.fixture
def hostile(db) -> Any:
    """Batches, targets, errors, alerts, a rollback and what waits for a vendor, with names that want to act on a terminal."""
    insert_companies(db, USUAL, 3)
    db.execute(
        """
        INSERT INTO intake.company_raw_intake (company, website, import_batch_id) VALUES
            ('[bold]Brauerei[/bold] 株式会社株式会社株式会社 👩‍👩‍👧‍👦 Consolidated International Brewing and Bottling Company of the Ohio Valley',
             'hostile.com', %s),
            (%s || ' without a site', NULL, %s)
        """,
        LONG, HOSTILE.replace("\x00", ""), LONG,
    )  # fmt: skip
    for batch, domain in ((USUAL, "company1.com"), (LONG, "hostile.com")):
        db.execute(
            """
            INSERT INTO intake.signals_raw_intake (website, signal_type, occurred_at, external_id, source_system, import_batch_id)
            SELECT %s, kind, now()::text, %s || kind, 'test', %s FROM unnest(ARRAY['demo_request', 'meeting_booked']) AS kind
            """,
            domain, domain, batch,
        )  # fmt: skip
    run_stages(LONG)
    run_stages(USUAL)
    for batch in (LONG, USUAL):
        db.execute(
            "INSERT INTO marketing.pipeline_errors (event_type, import_batch_id, error_message, severity) VALUES ('test', %s, %s, 'critical')",
            batch, f"Batch {batch} failed {HOSTILE.replace(chr(0), '')}: run barton retry {batch}",
        )  # fmt: skip
        db.execute(
            """
            INSERT INTO marketing.vendor_holds (import_batch_id, operation, reason, vendor, inputs, message, stage, retry_at)
            VALUES (%s, 'verify_email', 'budget', 'million_verifier', 12345, 'The budget of the day is used up.', 'verified_emails', now())
            """,
            batch,
        )
    return db


def asked(arguments: list[str]) -> Result:
    result = CliRunner().invoke(group, arguments)
    assert result.exit_code == 0, (arguments, result.output, result.exception)
    return result


def test_queries_into_a_pipe_have_the_same_fields_in_every_line(hostile) -> None:
    for arguments in QUERIES:
        lines = asked(arguments).stdout.splitlines()
        assert {line.count("\t") for line in lines} in ({lines[0].count("\t")},), arguments
        assert acting("".join(lines)) <= {"\t"}, arguments
        if arguments != ["alerts", "--summary"] and arguments[0] != "purge":
            assert lines[0].split("\t")[0].isidentifier() and "\t" in lines[0], arguments
    states = dict(line.split("\t")[:2] for line in asked(["status"]).stdout.splitlines()[1:])
    assert states.keys() == {USUAL, LONG}
    shown = [line.split("\t") for line in asked(["errors"]).stdout.splitlines()[1:]]
    assert {row[3] for row in shown} == {USUAL, LONG}


def test_queries_on_a_terminal_of_80_columns(hostile, monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments in QUERIES:
        terminal = Terminal()
        monkeypatch.setattr(printing, "console", Console(file=terminal, width=80, color_system=None))
        asked(arguments)
        output = terminal.getvalue()
        lines = output.splitlines()
        assert lines or arguments[0] == "listen", arguments
        assert acting(output) == set(), arguments
        too_long = [line for line in lines if cell_len(line) > 80 and len(line.split()) > 1]
        assert too_long == [], arguments
        if arguments[0] in ("status", "errors", "vendors") and len(arguments) == 1:
            assert any(USUAL in line for line in lines) and any(LONG in line for line in lines), arguments
        if arguments == ["targets"]:
            assert "[bold]Brauerei[/bold]" in output


def test_json_keeps_the_names_that_scripts_read(hostile) -> None:
    def fields(*arguments: str) -> Any:
        return json.loads(asked([*arguments, "--json"]).stdout)

    status = fields("status")
    assert status.keys() == {"batches", "queue", "queue_health", "open_errors"}
    assert status["batches"][0].keys() == {
        "batch", "state", "rows", "rejected", "companies", "slots", "targets", "last_stage", "last_completed_at",
        "pending_events", "processing_events", "failed_events",
    }  # fmt: skip
    assert status["queue_health"].keys() == {
        "pending", "retrying", "oldest_pending_minutes", "processing", "dead_letters", "created_last_hour", "of_these_processed",
        "mean_seconds_to_process",
    }  # fmt: skip
    batch = fields("status", LONG)
    assert batch.keys() == {"stages", "reasons", "waiting_people"}
    assert batch["stages"][0].keys() == {"stage", "rows_in", "rows_out", "rows_rejected", "completed_at", "seconds"}
    assert batch["reasons"][0].keys() == {"reason", "rows", "in_rejected_rows", "sample"}
    assert fields("targets")[0].keys() == {
        "company_id", "company_name", "website_url", "city", "state", "ple_score", "bit_intent_score", "p_convert", "ple_change",
        "bit_change", "days_since_signal", "contact_readiness", "contacts_ready", "contacts_held", "ceo", "ceo_email", "cfo",
        "cfo_email", "hr", "hr_email", "reasons", "last_signal_at", "entered_at", "import_batch_id",
    }  # fmt: skip
    explained = fields("explain", "company1.com")
    assert explained.keys() == {
        "company_id",
        "company_name",
        "domain",
        "as_of",
        "rules_version",
        "bit",
        "ple",
        "stored",
    }
    assert explained["bit"].keys() == {"score", "reasons"} and explained["stored"].keys() == {"bit", "ple"}
    assert explained["bit"]["reasons"][0].keys() == {"signal_type", "label", "n", "share", "last_at"}
    assert explained["ple"].keys() == {"score", "base", "p_convert", "method", "version", "reasons"}
    assert explained["ple"]["reasons"][0].keys() == {"feature", "label", "share"}
    assert explained["stored"]["bit"].keys() == {"score", "version", "calculated_at"}
    assert fields("errors")[0].keys() >= {
        "id", "event_type", "record_id", "import_batch_id", "error_message", "error_details", "severity", "created_at",
    }  # fmt: skip
    assert fields("plan", USUAL)[0].keys() == {"operation", "vendor", "to_buy", "known", "requests", "usd", "certainty"}
    assert fields("vendors").keys() == {"budgets", "spent", "yield", "waiting"}
    assert fields("alerts")[0].keys() == {
        "id", "rule", "subject", "severity", "value", "detail", "since", "announced_at", "checked_at", "delivered_to", "pending_for",
    }  # fmt: skip
    assert fields("replay").keys() == {"rows", "differences"}
    assert fields("doctor")[0].keys() == {"name", "state", "found", "remedy"}
    assert fields("rollback").keys() == {"in_force", "batches_queued"}


def test_commands_that_change_something_say_what_as_json(db, tmp_path) -> None:
    def said(*arguments: str) -> Any:
        return json.loads(asked([*arguments, "--json"]).stdout)

    insert_companies(db, "B1", 1)
    assert said("retry", "B1") == {"batch": "B1", "requeued": 0, "started_over": True, "batches": []}
    assert said("migrate") == {"applied": [], "undone": []}
    number = db.value("SELECT marketing.log_pipeline_error('t', '1', 'boom')")
    assert said("errors", "--resolve", str(number), "--notes", "done") == {"ids": [number]}
    file = tmp_path / "all data.dump"
    kept = said("backup", str(file))
    assert kept == {"file": str(file), "tables": kept["tables"], "bytes": file.stat().st_size} and kept["tables"] > 30
    removed = said("remove", "--export", str(tmp_path / "again.dump"), "--yes")
    assert removed["tables"] == kept["tables"]
    assert said("restore", str(file)) == {"file": str(file), "tables": kept["tables"], "applied": []}
    assert [path.split("/")[0] for path in said("migrate", "--down-to", "0", "--yes")["undone"]] != []


@pytest.mark.parametrize("columns", [80, 120])
def test_a_real_terminal_gets_a_table_with_whole_keys(db, columns: int) -> None:
    insert_companies(db, "20261125-BREWERIES-B1", 1)
    insert_companies(db, "20261125-BREWERIES-B2", 1)
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        [sys.executable, "-m", "barton_pipeline.cli.main", "status"],
        cwd=PROJECT, stdout=slave, stderr=slave, env={**environment, "TERM": "xterm-256color", "NO_COLOR": "1"},
    )  # fmt: skip
    os.close(slave)
    written = io.BytesIO()
    with contextlib.suppress(OSError):  # the terminal is gone when its last writer is
        while some := os.read(master, 65536):
            written.write(some)
    os.close(master)
    assert process.wait(60) == 0
    lines = re.sub(r"\x1b\[[0-9;]*m|\r", "", written.getvalue().decode()).splitlines()
    assert {line.split()[0] for line in lines if line.startswith("2026")} == {
        "20261125-BREWERIES-B1",
        "20261125-BREWERIES-B2",
    }
    assert any(set(line) == {"─"} for line in lines) and max(map(cell_len, lines)) <= columns


def test_an_error_with_hostile_data_is_one_harmless_line(db) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "barton_pipeline.cli.main", "status", "x\x1b[31m\nred"],
        cwd=PROJECT,
        text=True,
        capture_output=True,
    )
    assert result.returncode == 2 and acting(result.stderr) == set() and len(result.stderr.splitlines()) == 1
