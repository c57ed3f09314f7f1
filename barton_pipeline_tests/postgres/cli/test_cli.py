"""The command line, used rightly and wrongly."""

import csv
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import fields, replace
from pathlib import Path

import pytest
from click import Option
from click.testing import CliRunner

from barton_pipeline.cli.main import barton as group
from barton_pipeline.reports.targets import Target, write_csv
from barton_pipeline_tests.builders import insert_companies, run_stages
from barton_pipeline_tests.conftest import PROJECT

# They serve until they are stopped, and have no result.
SERVERS = {"receive-signals", "sandbox"}


def barton(*arguments: str, cwd: Path = PROJECT, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "barton_pipeline.cli.main", *arguments], cwd=cwd, text=True,
                          capture_output=True, timeout=120, env={**os.environ, "COLUMNS": "200", **environment})  # fmt: skip


def test_the_help_lists_every_command_in_a_whole_sentence_at_80_columns() -> None:
    lines = barton("--help", COLUMNS="80").stdout.splitlines()
    assert [line for line in lines if len(line) > 80] == []
    listed = {line.split()[0]: line for line in lines[lines.index("Commands:") + 1 :]}
    assert listed.keys() == group.commands.keys()
    assert [line for line in listed.values() if not line.endswith((".", ")")) or line.endswith("...")] == []


@pytest.mark.parametrize("name", group.commands)
def test_every_command_has_help(name: str) -> None:
    result = CliRunner().invoke(group, [name, "--help"], terminal_width=80)
    assert result.exit_code == 0
    assert [line for line in result.output.splitlines() if len(line) > 80] == []
    undescribed = [
        option.name for option in group.commands[name].params if isinstance(option, Option) and not option.help
    ]
    assert undescribed == []


@pytest.mark.parametrize("name", sorted(group.commands.keys() - SERVERS))
def test_every_command_prints_json(name: str) -> None:
    assert "--json" in [option for parameter in group.commands[name].params for option in parameter.opts]


@pytest.mark.parametrize("command", ["status", "targets", "errors", "retry B1", "unmatch 1"])
def test_a_database_without_the_schema_is_explained(empty_db, command: str) -> None:
    result = barton(*command.split())
    assert (result.returncode, result.stdout) == (1, "")
    assert "Run: barton migrate" in result.stderr and "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["frobnicate"], 2, "No such command"),
        (["load", "/no/such/file.csv"], 2, "file.csv"),
        (["load", "samples/breweries.csv", "--batch", "not a key!"], 2, "is not a batch key"),
        (["run", "NOBODY"], 2, "holds no rows"),
        (["status", "NOBODY"], 2, "holds no rows"),
        (["targets", "--batch", "NOBODY"], 2, "holds no rows"),
        (["retry"], 2, "Name one batch"),
        (["backfill"], 2, "Name batches"),
        (["backfill", "--all", "--match", "x"], 2, "Name batches"),
        (["backfill", "--match", "x*"], 2, "No batch matches 'x*'"),
        (["backfill", "NOBODY"], 2, "holds no rows"),
        (["errors", "--resolve", "999"], 2, "is not open"),
        (["unmatch", "999"], 2, "Intake row 999 is matched to no company"),
        (["migrate", "--down-to", "99", "--yes"], 2, "no migration 99"),
    ],
)
def test_wrong_use_is_explained(db, arguments: list[str], code: int, said: str) -> None:
    result = barton(*arguments)
    assert (result.returncode, "Traceback" in result.stderr) == (code, False), result.stderr
    assert said in result.stderr


def test_a_wrong_database_url() -> None:
    result = barton("status", BARTON_DATABASE_URL="postgresql://u:secret@127.0.0.1:1/d")
    assert result.returncode == 1 and "cannot be used" in result.stderr and "secret" not in result.stderr
    assert barton("status", BARTON_DATABASE_URL="mysql://x").returncode == 2


def test_a_file_without_company_names(db, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("foo,bar\n1,2\n")
    result = barton("load", str(tmp_path / "x.csv"))
    assert result.returncode == 2 and "foo" in result.stderr
    assert db.value("SELECT count(*) FROM intake.loaded_files") == 0


def test_a_port_in_use(db) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = barton("demo", "--exit", "--port", port)
    assert result.returncode == 2 and f"Port {port} is in use" in result.stderr


def test_a_server_of_ones_own_is_reached_from_any_folder(db, tmp_path: Path) -> None:
    result = barton("status", cwd=tmp_path)
    assert result.returncode == 0 and "0 pending" in result.stderr, result.stderr
    assert list(tmp_path.iterdir()) == []


def test_demo_and_run_outside_a_project(db, tmp_path: Path) -> None:
    insert_companies(db, "B1", 1)
    for command in (["demo"], ["run", "B1"]):
        result = barton(*command, cwd=tmp_path)
        assert (result.returncode, "Traceback" in result.stderr) == (2, False)
        assert "not a Barton project" in result.stderr and "barton init ." in result.stderr
    (tmp_path / "dagster.yaml").write_bytes((PROJECT / "dagster.yaml").read_bytes())
    result = barton("demo", cwd=tmp_path)
    assert result.returncode == 2 and "There is no workspace.yaml" in result.stderr


@pytest.mark.slow
def test_load_run_status_targets_errors(db, tmp_path: Path) -> None:
    loaded = json.loads(barton("load", "samples/breweries.csv", "--batch", "B1", "--json").stdout)
    assert (loaded["loaded"], loaded["rejected"]) == (648, 0)
    assert "already loaded" in barton("load", "samples/breweries.csv", "--batch", "B1").stdout
    for kind in ("people", "signals"):
        assert barton("load", f"samples/{kind}.csv", "--kind", kind, "--batch", "B1").returncode == 0
    ran = barton("run", "B1", "--json")
    assert ran.returncode == 0, ran.stderr
    assert all(check["passed"] for check in json.loads(ran.stdout)["checks"])
    status = json.loads(barton("status", "--json").stdout)
    assert [(row["batch"], row["state"]) for row in status["batches"]] == [("B1", "done")]
    targets = json.loads(barton("targets", "--json").stdout)
    assert targets and all(row["reasons"] for row in targets)
    assert barton("targets", "--csv", str(tmp_path / "t.csv")).returncode == 0
    assert len((tmp_path / "t.csv").read_text().splitlines()) == len(targets) + 1
    assert barton("errors").returncode == 0
    assert "queued to run again" in barton("retry", "B1").stdout
    doctor = barton("doctor", "--json")
    assert doctor.returncode == 0, doctor.stdout
    assert {row["name"]: row["state"] for row in json.loads(doctor.stdout)}["schema"] == "ok"


def test_listen_prints_events(db) -> None:
    listener = subprocess.Popen([sys.executable, "-m", "barton_pipeline.cli.main", "listen", "--for", "8", "--json", "--batch", "B1"],
                                cwd=PROJECT, text=True, stdout=subprocess.PIPE)  # fmt: skip
    assert listener.stdout is not None
    insert_companies(db, "B0", 1)
    for number in range(1, 16):  # the listener takes a moment to start; later rows are heard for certain
        insert_companies(db, "B1", 1, first=number)
        time.sleep(0.4)
    out, _ = listener.communicate(timeout=30)
    heard = [json.loads(line) for line in out.splitlines()]
    assert heard and {event["import_batch_id"] for event in heard} == {"B1"}
    assert len({event["id"] for event in heard}) == len(heard)


def test_csv_is_safe_in_a_spreadsheet(tmp_path: Path) -> None:
    given = ("=1+1", "+1", "-1", "@x", "\tx", "plain", 'a"b,c')
    some = Target(*[None] * len(fields(Target)))  # type: ignore[arg-type]
    with (tmp_path / "x.csv").open("w") as stream:
        write_csv([replace(some, company_name=name, ple_change=-1.5, reasons=("=2", "b")) for name in given], stream)
    with (tmp_path / "x.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["company_name"] for row in rows] == ["'=1+1", "'+1", "'-1", "'@x", "'\tx", "plain", 'a"b,c']
    assert {(row["ple_change"], row["reasons"]) for row in rows} == {("-1.5", "'=2; b")}


def test_errors_are_closed_by_hand(db) -> None:
    insert_companies(db, "B1", 1)
    run_stages("B1")
    number = db.value("SELECT marketing.log_pipeline_error('t', '1', '[bold]boom[/bold]')")
    assert "[bold]boom[/bold]" in barton("errors").stdout
    assert barton("errors", "--resolve", str(number), "--notes", "fixed").returncode == 0
    assert db.value("SELECT resolution_notes FROM marketing.pipeline_errors WHERE id = %s", number) == "fixed"
