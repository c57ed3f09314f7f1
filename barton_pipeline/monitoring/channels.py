"""Sending messages to Slack, Discord, mailboxes and whatever else ``apprise`` reaches; URLs are BARTON_ALERT_URLS.

Belongs here: channels and delivery (``marketing.alert_messages``). Not here: what is told (``alerts``).

URLs are secret: they stay in this module. Tables, logs, errors and Dagster know a channel by its name (``slack-1``).
A message is claimed, sent and recorded in three steps; who is killed between the last two sends it once more.
"""

import logging
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg2
from psycopg2.extensions import connection as Connection

from barton_pipeline import error_log
from barton_pipeline.config import Count, Positive, environment
from barton_pipeline.errors import BartonError
from barton_pipeline.postgres import sql
from barton_pipeline.postgres.connection import transaction

VARIABLE = "BARTON_ALERT_URLS"
_KINDS = {"hooks.slack.com": "slack", "discord.com": "discord", "discordapp.com": "discord"}
NOT_UNDERSTOOD = f"its URL in {VARIABLE} is not one that apprise understands (docs/how-to/alerts.md)"


@dataclass(frozen=True)
class Channel:
    """Where messages go. The name is made of the URL's kind and its place among those of that kind."""

    name: str
    url: str = field(repr=False)


@dataclass(frozen=True)
class DeliverySettings:
    """How messages are delivered (``delivery`` in ``alerts.yaml``).

    ``seconds``: one tick spends at most this on sending. ``retry_seconds``: the wait after a failed attempt; it doubles
    each time, up to ``retry_at_most_seconds``. ``give_up_minutes``: older messages are not sent any more.
    """

    seconds: Positive
    retry_seconds: Positive
    retry_at_most_seconds: Positive
    give_up_minutes: Count


def configured_channels() -> list[Channel]:
    """The channels of BARTON_ALERT_URLS, in its order."""
    seen: Counter[str] = Counter()
    found = []
    for url in environment(VARIABLE).split():
        kind = _kind_of(url)
        seen[kind] += 1
        found.append(Channel(f"{kind}-{seen[kind]}", url))
    return found


def _kind_of(url: str) -> str:
    try:
        parts = urlsplit(url)
        kind = _KINDS.get(parts.hostname or "", parts.scheme)
    except ValueError:
        return "unreadable"
    # only a scheme that something precedes "://" is one; the rest might be a secret that lost its beginning
    return kind if f"{parts.scheme}://" in url.lower() and kind else "unreadable"


def is_understood(channel: Channel) -> bool:
    """Whether apprise can make something of the channel's URL. Nothing is sent."""
    return _plugin(channel) is not None


def send(channel: Channel, title: str, body: str, severity: str = "info") -> str:
    """Send now; empty when the channel took it, else why not, without secrets. Takes seconds when nobody answers."""
    plugin = _plugin(channel)
    if plugin is None:
        return NOT_UNDERSTOOD
    said = _Said()
    logger = logging.getLogger("apprise")
    logger.addHandler(said)
    try:
        if plugin.notify(body=body, title=title, notify_type=_TYPES[severity]):
            return ""
        return redact(" ".join(said.lines), channel.url) or "refused without a reason"
    except Exception as error:
        return redact(f"{type(error).__name__}: {error}", channel.url)
    finally:
        logger.removeHandler(said)


_TYPES = {"info": "info", "warning": "warning", "critical": "failure"}


class _Said(logging.Handler):
    """Keeps what apprise says in this thread: it returns false and logs the reason."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.lines.append(record.getMessage())


def _plugin(channel: Channel) -> Any:
    import apprise  # a quarter of a second, and only for who sends

    # their debug messages hold URLs and payloads; what apprise warns of is kept with the message
    logger = logging.getLogger("apprise")
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    if not any(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
        logger.addHandler(logging.NullHandler())
    asset = apprise.AppriseAsset(
        app_id="Barton", app_desc="Barton Pipeline", app_url="", image_url_mask="", image_url_logo="", async_mode=False
    )
    return apprise.Apprise.instantiate(channel.url, asset=asset, suppress_exceptions=True)


def redact(text: str, url: str) -> str:
    """The text, at most 500 characters, without the URL and its parts: tokens, password, user, host, parameters."""
    parts = [
        url,
        *url.replace("?", "/").replace("&", "/").replace("=", "/").replace("@", "/").replace(":", "/").split("/"),
    ]
    for part in sorted({*parts, *map(unquote, parts)}, key=len, reverse=True):
        if len(part) > 3:
            text = text.replace(part, "***")
    return " ".join(text.split())[:500]


def deliver(settings: DeliverySettings) -> str:
    """Send what is pending and due, all channels side by side, for at most ``seconds``; in words what came of it.

    A channel gets its messages in their order: while one fails, later ones wait. A channel that does not answer in time
    holds up nobody; its thread ends by itself, and the message is tried again later. Failures are kept with the message.
    """
    with transaction() as connection:
        _give_up(connection, settings.give_up_minutes)
        waiting = sql.rows(connection, "SELECT DISTINCT channel FROM marketing.alert_messages WHERE state = 'pending'")
    names = {row["channel"] for row in waiting}
    outcome: Counter[str] = Counter()
    deadline = time.monotonic() + settings.seconds
    threads = [
        threading.Thread(target=_drain, args=(channel, settings, deadline, outcome), daemon=True)
        for channel in configured_channels()
        if channel.name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    slow = sum(thread.is_alive() for thread in threads)
    return f"Messages: {outcome['sent']} sent, {outcome['failed']} failed, {slow} channel(s) did not answer in time."


def _drain(channel: Channel, settings: DeliverySettings, deadline: float, outcome: Counter[str]) -> None:
    while time.monotonic() < deadline:
        try:
            with transaction() as connection:
                message = _claim(connection, channel, settings)
            if message is None:
                return
            problem = send(channel, message["title"], message["body"], message["severity"])
            with transaction() as connection:
                _record(connection, message["id"], problem)
        except (psycopg2.Error, BartonError):  # it is claimed: the next tick after the delay tries again
            problem = "database"
        outcome["failed" if problem else "sent"] += 1
        if problem:
            return


def _claim(connection: Connection, channel: Channel, settings: DeliverySettings) -> dict[str, Any] | None:
    """The channel's oldest pending message, None when there is none or it is not due.

    When it is due next is moved on before the attempt: whoever is killed in between has not blocked the channel.
    """
    claimed = sql.rows(
        connection,
        """
        UPDATE marketing.alert_messages SET attempts = attempts + 1, next_attempt_at = now() + make_interval(secs =>
            least(%(retry)s * 2 ^ least(attempts, 30), %(most)s))
        WHERE state = 'pending' AND next_attempt_at <= now() AND id = (
            SELECT id FROM marketing.alert_messages
            WHERE channel = %(channel)s AND state = 'pending' ORDER BY id LIMIT 1 FOR UPDATE)
        RETURNING id, title, body, severity
        """,
        channel=channel.name,
        retry=settings.retry_seconds,
        most=settings.retry_at_most_seconds,
    )
    return claimed[0] if claimed else None


def _record(connection: Connection, message_id: int, problem: str) -> None:
    sql.execute(
        connection,
        """
        UPDATE marketing.alert_messages SET error = nullif(%(problem)s, ''),
            state = CASE WHEN %(problem)s = '' THEN 'delivered' ELSE state END,
            delivered_at = CASE WHEN %(problem)s = '' THEN now() END
        WHERE id = %(id)s AND state <> 'delivered'
        """,
        id=message_id,
        problem=problem,
    )


def _give_up(connection: Connection, minutes: int) -> None:
    """Close messages that are too old to be of use, with one error per channel."""
    old = sql.rows(
        connection,
        """
        WITH closed AS (
            UPDATE marketing.alert_messages SET state = 'given_up'
            WHERE state = 'pending' AND created_at < now() - make_interval(mins => %(minutes)s) RETURNING channel, error, id
        )
        SELECT channel, count(*) AS n, (array_agg(error ORDER BY id DESC) FILTER (WHERE error IS NOT NULL))[1] AS error
        FROM closed GROUP BY channel
        """,
        minutes=minutes,
    )
    for row in old:
        error_log.log_error(
            connection,
            "alert_delivery",
            f"{row['n']} message(s) for {row['channel']} were given up after {minutes} minutes. Last failure: "
            f"{row['error'] or 'none, nobody sent them'}. See barton alerts --test.",
            record_id=row["channel"],
        )
