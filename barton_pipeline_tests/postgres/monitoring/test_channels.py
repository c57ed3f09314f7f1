"""Sending: what Slack, Discord and mail servers get; failing, slow and killed deliveries; secrets stay where they are."""

import email
import email.policy
import io
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import pytest
import requests.adapters
from aiosmtpd.controller import Controller

from barton_pipeline import doctor
from barton_pipeline.monitoring import alerts, channels
from barton_pipeline.monitoring.channels import VARIABLE, Channel, configured_channels, deliver, redact, send
from barton_pipeline_tests.postgres.cli.test_cli import barton
from barton_pipeline_tests.receivers import http_receiver

SLACK = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
DISCORD = "https://discord.com/api/webhooks/1234567890123456789/abcDEFghijklmnopqrSTUvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ01"
SECRETS = ["TIiajkdnlazkcOXrIdevi7FQ", "A1BRTD4JD", "abcDEFghijklmnopqrST", "pa55w0rd", "secretpath"]
LIMITS = alerts.settings().delivery


@pytest.fixture
def receiver():
    with http_receiver() as found:
        yield found


@pytest.fixture
def loopback(receiver, monkeypatch):
    """Requests to Slack and Discord go to the local server, by the wire: only the address is another one."""
    send_there = requests.adapters.HTTPAdapter.send

    def send_here(self: Any, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        parts = urlsplit(str(request.url))
        request.headers["X-Was-For"] = parts.netloc
        request.url = urlunsplit(parts._replace(scheme="http", netloc=f"127.0.0.1:{receiver.port}"))
        return send_there(self, request, *args, **options)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send_here)
    return receiver


def queue(db, channel: str, *messages: str, severity: str = "critical") -> None:
    for title in messages:
        db.execute(
            "INSERT INTO marketing.alert_messages (channel, kind, severity, title, body) VALUES (%s, 'alert', %s, %s, 'two\nlines')",
            channel, severity, title,
        )  # fmt: skip


def due_again(db) -> None:
    db.execute("UPDATE marketing.alert_messages SET next_attempt_at = now()")


def states(db) -> list[tuple[Any, ...]]:
    return db.query("SELECT title, state, attempts FROM marketing.alert_messages ORDER BY id")


@pytest.mark.parametrize("severity, colour", [("info", "#3AA3E3"), ("warning", "#CACF29"), ("critical", "#A32037")])
def test_what_slack_gets(loopback, severity, colour) -> None:
    assert send(Channel("slack-1", SLACK), "Barton: critical", "first <line>\nsecond & last", severity) == ""
    (request,) = loopback.requests
    assert (request.method, request.headers["X-Was-For"]) == ("POST", "hooks.slack.com")
    assert request.path == urlsplit(SLACK).path
    assert request.headers["Content-Type"].startswith("application/json")
    payload = json.loads(request.body)
    (attachment,) = payload["attachments"]
    assert "icon_url" not in payload and attachment["footer"] == "Barton"
    assert (attachment["title"], attachment["color"]) == ("Barton: critical", colour)
    assert attachment["text"] == "first &lt;line&gt;\nsecond &amp; last"


def test_what_discord_gets(loopback) -> None:
    loopback.status = 204
    assert send(Channel("discord-1", DISCORD), "Barton: critical", "first line\nsecond line", "critical") == ""
    (request,) = loopback.requests
    assert (request.method, request.headers["X-Was-For"]) == ("POST", "discord.com")
    assert request.path.split("?")[0] == DISCORD.removeprefix("https://discord.com")
    assert request.headers["Content-Type"].startswith("application/json")
    payload = json.loads(request.body)
    assert payload["content"] == "Barton: critical\r\nfirst line\nsecond line"
    assert "avatar_url" not in payload and "embeds" not in payload


@pytest.mark.parametrize("url", [SLACK, DISCORD])
def test_a_refusal_says_why_and_names_no_secret(loopback, url) -> None:
    loopback.status = 404
    problem = send(Channel("x", url), "title", "body")
    assert "404" in problem and not any(secret in problem for secret in SECRETS)


class Mailbox:
    """Keeps what a mail server is given, or refuses it."""

    def __init__(self) -> None:
        self.envelopes: list[Any] = []
        self.answer = "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.envelopes.append(envelope)
        return self.answer


def test_what_a_mail_server_gets() -> None:
    mailbox = Mailbox()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        url = f"mailto://127.0.0.1:{port}?from=barton@example.org&to=ops@example.org&mode=insecure"
        assert send(Channel("mailto-1", url), "Barton: critical", "first line\nsecond line", "critical") == ""
        mailbox.answer = "554 no room"
        assert send(Channel("mailto-1", url), "again", "body") != ""
    finally:
        controller.stop()
    envelope = mailbox.envelopes[0]
    assert (envelope.mail_from, envelope.rcpt_tos) == ("barton@example.org", ["ops@example.org"])
    message = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert message["Subject"] == "Barton: critical" and "ops@example.org" in message["To"]
    body = message.get_body(("plain", "html"))
    assert body is not None
    text = body.get_content()
    assert "first line" in text and "second line" in text


def test_channels_are_named_by_kind_and_place(monkeypatch) -> None:
    monkeypatch.setenv(
        VARIABLE, f"{SLACK}\n {DISCORD} slack://a/b/c\tmailtos://u:pa55w0rd@host  xoxb-pa55w0rd:1 http://[pa55w0rd"
    )
    names = [channel.name for channel in configured_channels()]
    assert names == ["slack-1", "discord-1", "slack-2", "mailtos-1", "unreadable-1", "unreadable-2"]
    assert not any(secret in repr(configured_channels()) for secret in SECRETS)


def test_a_dotenv_file_is_read(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / ".env").write_text(f"{VARIABLE}={SLACK}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE)
    assert [channel.name for channel in configured_channels()] == ["slack-1"]


def test_a_failing_channel_is_tried_again_in_order_and_later_each_time(db, receiver, monkeypatch) -> None:
    with http_receiver() as broken:
        monkeypatch.setenv(VARIABLE, f"{receiver.url('json')} {broken.url('json')}")
        broken.status = 500
        queue(db, "json-1", "a")
        queue(db, "json-2", "b", "c")
        assert deliver(LIMITS).startswith("Messages: 1 sent, 1 failed")
        assert states(db) == [("a", "delivered", 1), ("b", "pending", 1), ("c", "pending", 0)]
        assert deliver(LIMITS).startswith("Messages: 0 sent, 0 failed"), "b is not due, and c waits for b"
        delays = [delay(db, "b")]
        for _ in range(5):
            due_again(db)
            deliver(LIMITS)
            delays.append(delay(db, "b"))
        assert delays == [60, 120, 240, 480, 900, 900]
        broken.status = 200
        due_again(db)
        assert deliver(LIMITS).startswith("Messages: 2 sent")
        assert states(db) == [("a", "delivered", 1), ("b", "delivered", 7), ("c", "delivered", 1)]
        assert [json.loads(request.body)["title"] for request in broken.requests] == [*["b"] * 7, "c"]
    assert len(receiver.requests) == 1


def delay(db, title: str) -> int:
    """Seconds to the next attempt, from the last one on."""
    return round(
        db.value(
            "SELECT extract(epoch FROM next_attempt_at - now()) FROM marketing.alert_messages WHERE title = %s", title
        )
    )


def test_a_channel_that_does_not_answer_holds_up_nobody(db, receiver, monkeypatch) -> None:
    released = threading.Event()
    with http_receiver() as silent:
        silent.before_answer = lambda: released.wait(30)
        monkeypatch.setenv(VARIABLE, f"{silent.url('json')}?rto=60 {receiver.url('json')}")
        queue(db, "json-1", "a")
        queue(db, "json-2", "b")
        outcome = deliver(replace(LIMITS, seconds=2))
        assert outcome == "Messages: 1 sent, 0 failed, 1 channel(s) did not answer in time."
        assert states(db) == [("a", "pending", 1), ("b", "delivered", 1)]
        released.set()
        for thread in [thread for thread in threading.enumerate() if "_drain" in thread.name]:
            thread.join(20)
        assert states(db)[0] == ("a", "delivered", 1), "who gets through late still records it"


def test_who_is_killed_after_sending_repeats_that_message_and_no_other(db, receiver, monkeypatch) -> None:
    monkeypatch.setenv(VARIABLE, receiver.url("json"))
    queue(db, "json-1", "a", "b", "c")
    sender = subprocess.Popen(
        [sys.executable, "-c", "from barton_pipeline.monitoring import alerts; from barton_pipeline.monitoring.channels import deliver; "
         "deliver(alerts.settings().delivery)"], env=dict(os.environ),
    )  # fmt: skip

    def kill_at_the_second() -> None:
        if len(receiver.requests) == 2:
            sender.send_signal(signal.SIGKILL)
            sender.wait()

    receiver.before_answer = kill_at_the_second
    assert sender.wait(60) == -signal.SIGKILL
    assert states(db) == [("a", "delivered", 1), ("b", "pending", 1), ("c", "pending", 0)]
    deliver(LIMITS)
    assert len(receiver.requests) == 2, "it is left alone until the time of the next attempt"
    due_again(db)
    deliver(LIMITS)
    assert [json.loads(request.body)["title"] for request in receiver.requests] == ["a", "b", "b", "c"]


def test_old_messages_are_given_up_and_that_is_an_error(db, receiver, monkeypatch) -> None:
    monkeypatch.setenv(VARIABLE, receiver.url("json"))
    queue(db, "json-1", "young", "old")
    queue(db, "slack-1", "for a channel that is gone")
    age = "UPDATE marketing.alert_messages SET created_at = now() - make_interval(mins => %s) WHERE title = ANY (%s)"
    db.execute(age, 119, ["young"])
    db.execute(age, 121, ["old", "for a channel that is gone"])
    deliver(LIMITS)
    assert [state for _, state, _ in states(db)] == ["delivered", "given_up", "given_up"]
    assert len(receiver.requests) == 1
    errors = db.query(
        "SELECT record_id, severity FROM marketing.pipeline_errors WHERE event_type = 'alert_delivery' ORDER BY 1"
    )
    assert errors == [("json-1", "error"), ("slack-1", "error")]


def test_a_lost_database_does_not_stop_the_tick(db, receiver, monkeypatch) -> None:
    monkeypatch.setenv(VARIABLE, receiver.url("json"))
    queue(db, "json-1", "a")
    receiver.before_answer = lambda: db.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert deliver(LIMITS).startswith("Messages: 1 sent"), "no connection is held while a message is under way"
    db.execute("ALTER TABLE marketing.alert_messages RENAME TO elsewhere")
    with pytest.raises(psycopg2.errors.UndefinedTable, match="alert_messages"):
        deliver(LIMITS)


def test_secrets_are_nowhere(db, receiver, monkeypatch, capfd) -> None:
    """Unreachable, refused and malformed channels with everything logged: tables, logs, output, doctor, commands."""
    receiver.status = 500
    urls = [
        receiver.url("json"),
        "json://user:pa55w0rd@127.0.0.1:1/secretpath?+key=pa55w0rd",
        "mailto://user:pa55w0rd@127.0.0.1:1?from=a@example.org&to=b@example.org",
        "slack://T1JJ3T3L2/A1BRTD4JD/pa55w0rd",  # malformed
        "mailto://pa55w0rd",
        "nonsense://pa55w0rd/secretpath",
        SLACK, DISCORD,
    ]  # fmt: skip

    send_there = requests.adapters.HTTPAdapter.send

    def unreachable(self: Any, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        if "127.0.0.1" in str(request.url):
            return send_there(self, request, *args, **options)
        raise requests.ConnectionError(f"cannot reach {request.url} {request.headers}")

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", unreachable)
    monkeypatch.setenv(VARIABLE, " ".join(urls))
    db.execute(
        "INSERT INTO marketing.pipeline_errors (event_type, error_message, severity) VALUES ('x', 'y', 'critical')"
    )
    log = io.StringIO()
    handler = logging.StreamHandler(log)  # not caplog, which also listens where nobody else would
    logging.getLogger().addHandler(handler)
    for logger in (None, "apprise", "urllib3", "requests"):
        logging.getLogger(logger).setLevel(logging.DEBUG)
    try:
        said = [alerts.watch(), *(str(finding) for finding in doctor.examine() if finding.name == "alerts")]
    finally:
        logging.getLogger().removeHandler(handler)
        logging.getLogger().setLevel(logging.WARNING)
    failed = db.query("SELECT channel, error FROM marketing.alert_messages WHERE kind = 'alert' ORDER BY id")
    assert len(failed) == len(urls) and all(error for _, error in failed)
    db.execute("UPDATE marketing.alert_messages SET created_at = now() - interval '1 day'")
    alerts.watch()
    tables = [
        name
        for (name,) in db.query(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'marketing'::regnamespace"
        )
    ]
    rows = [row for table in tables for (row,) in db.query(f"SELECT t::text FROM {table} t")]
    assert any("given up" in row for row in rows)
    commands = [barton("alerts"), barton("alerts", "--json"), barton("doctor")]
    output = [text for command in commands for text in (command.stdout, command.stderr)]
    everything = "\n".join([*said, *rows, *output, log.getvalue(), *capfd.readouterr()])
    assert [secret for secret in SECRETS if secret in everything] == []


def test_redacting() -> None:
    url = "mailto://user%40host:pa55%20w0rd@mail.example.org?to=boss@example.com"
    text = redact(f"{url}: user@host pa55 w0rd pa55%20w0rd at mail.example.org, boss 554", url)
    assert not re.search("pa55|user|mail.example", text) and text.endswith("554")
    assert len(redact("x" * 10_000, url)) == 500


def test_importing_the_rules_does_not_import_the_library() -> None:
    code = "import sys, barton_pipeline.monitoring.alerts, barton_pipeline.definitions; print('apprise' in sys.modules)"
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_the_command_tests_channels(db, receiver) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: refused
        urls = f"{receiver.url('json')} json://127.0.0.1:{taken.getsockname()[1]}/secretpath nonsense://secretpath"
        run = barton("alerts", "--test", BARTON_ALERT_URLS=urls)
        as_json = barton("alerts", "--test", "--json", BARTON_ALERT_URLS=urls)
    assert run.returncode == 1 == as_json.returncode
    assert "json-1\ttaken" in run.stdout and "json-2\tA Connection error" in run.stdout
    assert f"nonsense-1\t{channels.NOT_UNDERSTOOD}" in run.stdout
    assert [entry["ok"] for entry in json.loads(as_json.stdout)] == [True, False, False]
    assert "secretpath" not in run.stdout + run.stderr + as_json.stdout + as_json.stderr
    assert barton("alerts", "--test", BARTON_ALERT_URLS=receiver.url("json")).returncode == 0
    assert json.loads(receiver.requests[0].body)["title"] == "Barton: test"
    without = barton("alerts", "--test", BARTON_ALERT_URLS="")
    assert without.returncode == 2 and VARIABLE in without.stderr


def test_the_command_shows_what_fires_and_the_summary(db, receiver, monkeypatch) -> None:
    monkeypatch.setenv(VARIABLE, receiver.url("json"))
    db.execute(
        "INSERT INTO marketing.pipeline_events (event_type, status, import_batch_id, processed_at) VALUES ('x', 'failed', 'B-9', now())"
    )
    alerts.watch()
    text = barton("alerts").stdout
    assert "dead_letters" in text and "B-9" in text and "json-1" in text
    (found,) = json.loads(barton("alerts", "--json").stdout)
    assert (found["subject"], found["delivered_to"], found["severity"]) == ("B-9", ["json-1"], "critical")
    assert "1 dead letters, 1 alerts firing" in barton("alerts", "--summary").stdout
    assert json.loads(barton("alerts", "--summary", "--json").stdout)["dead_letters"] == 1
    finding = next(finding for finding in doctor.examine() if finding.name == "alerts")
    assert (finding.state, finding.found) == ("ok", "1 channel(s): json-1; 1 alert(s) firing")
    monkeypatch.setenv(VARIABLE, "")
    assert next(finding for finding in doctor.examine() if finding.name == "alerts").state == "warning"
