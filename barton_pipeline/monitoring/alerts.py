"""Alerts: what ``alerts.yaml`` finds wrong, since when, and the messages to be sent about it; the hourly summary.

Belongs here: measuring in SQL, and the life of an alert (``marketing.alerts``). Not here: sending (``channels``).
A message is written in the transaction that changes the alert, so that neither is there without the other. No dagster here.
"""

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from barton_pipeline.config import Count, Positive, Whole, load
from barton_pipeline.monitoring import channels
from barton_pipeline.outbound import settings as outbound_settings
from barton_pipeline.postgres import sql
from barton_pipeline.postgres.connection import transaction

# Per rule: rows with subject and value; opens is false when there is too little to raise an alert from.
_MEASURES = {
    "phase_error_rate": """
        SELECT phase AS subject, coalesce(100.0 * errors / nullif(total_runs, 0), 0) AS value, errors, total_runs,
               total_runs >= %(least_executions)s AS opens
        FROM marketing.v_phase_stats
    """,
    "queue_age": """
        SELECT 'event queue' AS subject, extract(epoch FROM now() - min(oldest_pending)) / 60 AS value,
               sum(pending_count) AS pending FROM marketing.v_event_queue_status HAVING count(*) > 0
    """,
    "stage_seconds": """
        SELECT h.workflow_name AS subject, h.avg_duration_sec AS value, h.total_runs
        FROM marketing.v_workflow_health h JOIN marketing.pipeline_stages s ON s.stage = h.workflow_name
        WHERE h.avg_duration_sec IS NOT NULL
    """,
    "dead_letters": """
        SELECT coalesce(import_batch_id, 'no batch') AS subject, count(*) AS value
        FROM marketing.pipeline_events WHERE status = 'failed' GROUP BY 1
    """,
    # the first condition is the expression of the index pipeline_errors_worst_first
    "critical_errors": """
        SELECT event_type || coalesce(' of ' || import_batch_id, '') AS subject, count(*) AS value
        FROM marketing.pipeline_errors
        WHERE array_position(ARRAY['critical', 'error', 'warning'], severity) = 1 AND NOT resolved AND event_type <> 'dead_letter'
        GROUP BY 1
    """,
}
# Counts and names only: a message leaves the house, and the text of an error may name a person.
_WORDS = {
    "phase_error_rate": "{errors} of {total_runs} stage executions of phase {subject} failed or timed out in 24 hours "
    "({value:.1f} %). Look: barton errors",
    "queue_age": "the oldest of {pending} pending events waits for {value:.0f} minutes. Look: barton status, barton doctor",
    "stage_seconds": "{subject} took {value:.0f} s on average over {total_runs} execution(s) of the last hour. Look: barton status",
    "dead_letters": "{value:.0f} event(s) of {subject} were given up. Fix the cause (barton errors), then run: barton retry BATCH",
    "vendor_budget": "{subject}: ${used:.2f} of ${budget:.2f} used{exhausted}. Look: barton vendors",
    "critical_errors": "{value:.0f} open critical error(s) {subject}. Look: barton errors; close with --resolve",
    "not_measured": "the rule {subject} could not be judged ({reason}). Look: barton doctor",
}
_SEVERITIES = ("critical", "warning")  # worst first


@dataclass(frozen=True)
class Rule:
    """When a measurement is an alert: ``levels`` per severity, reached when above them (or at them, unless ``above``)."""

    levels: dict[str, float]
    above: bool
    over_at: float
    least_executions: int

    def severity(self, value: float) -> str | None:
        """The worst level that the value reaches; None when it reaches none."""
        for severity in _SEVERITIES:
            level = self.levels.get(severity)
            if level is not None and (value > level or (value == level and not self.above)):
                return severity
        return None


@dataclass(frozen=True)
class Measurement:
    """One subject of one rule, now."""

    value: float
    opens: bool
    detail: str


@dataclass(frozen=True)
class Change:
    """What is to be told about an alert: it is new, worse, still there, or over."""

    alert_id: int
    what: str
    rule: str
    subject: str
    severity: str
    detail: str
    since: datetime


@dataclass(frozen=True)
class Levels:
    """From which value on a measurement is an alert of a severity; None: never one."""

    warning: float | None = None
    critical: float | None = None


@dataclass(frozen=True)
class RuleSettings:
    """A rule as ``alerts.yaml`` has it: an alert is ``above`` a level, or counts ``from_`` it on; it is over at ``over_at``."""

    over_at: float
    above: Levels | None = None
    from_: Levels | None = None
    least_executions: Whole = 0

    def __post_init__(self) -> None:
        if (self.above is None) == (self.from_ is None):
            raise ValueError("above or from must be given, and not both")


@dataclass(frozen=True)
class RulesSettings:
    """The rules; what each measures is in ``alerts.yaml``."""

    phase_error_rate: RuleSettings
    queue_age: RuleSettings
    stage_seconds: RuleSettings
    dead_letters: RuleSettings
    vendor_budget: RuleSettings
    critical_errors: RuleSettings
    not_measured: RuleSettings


@dataclass(frozen=True)
class RepeatHours:
    """How long after an alert was last told it is told again, by severity."""

    warning: Positive
    critical: Positive


@dataclass(frozen=True)
class SummarySettings:
    """How often the summary is sent, and whether also when there is nothing to tell."""

    minutes: Count
    when_nothing_happened: bool


@dataclass(frozen=True)
class AlertSettings:
    """``alerts.yaml``, which explains its parts."""

    rules: RulesSettings
    watchdog_minutes: Count
    statement_seconds: Count
    repeat_hours: RepeatHours
    characters_per_message: Count
    summary: SummarySettings
    delivery: channels.DeliverySettings


@dataclass(frozen=True)
class Alert:
    """What fires now. ``value`` is in the unit of the rule, ``detail`` says it in words.

    ``id``, ``since``, ``announced_at`` and ``checked_at`` are None for what the next full round will open.
    ``delivered_to`` and ``pending_for`` are names of channels.
    """

    id: int | None
    rule: str
    subject: str
    severity: str
    value: float
    detail: str
    since: datetime | None
    announced_at: datetime | None
    checked_at: datetime | None
    delivered_to: tuple[str, ...]
    pending_for: tuple[str, ...]


@dataclass(frozen=True)
class Summary:
    """What happened from ``since`` until ``until``; the five last fields are how things stand now."""

    since: datetime
    until: datetime
    batches: int
    stage_executions: int
    failed_executions: int
    new_companies: int
    slots_filled: int
    addresses_verified: int
    new_targets: int
    errors: int
    critical_errors: int
    spent_usd: Decimal
    pending_events: int
    oldest_pending_minutes: Decimal
    dead_letters: int
    alerts_firing: int


@cache
def settings() -> AlertSettings:
    """The settings in force, read once per process."""
    return load(Path(__file__).with_name("alerts.yaml"), AlertSettings)


@cache
def rules() -> dict[str, Rule]:
    """The rules by name. The level at which a budget is a warning is the ledger's, stated in outbound.yaml."""
    found = {}
    for name, entry in vars(settings().rules).items():
        given = entry.above or entry.from_
        levels = {severity: level for severity, level in vars(given).items() if level is not None}
        if name == "vendor_budget":
            levels["warning"] = float(100 * outbound_settings.rules().warn_at)
        found[name] = Rule(levels, entry.above is not None, entry.over_at, entry.least_executions)
    return found


def watch() -> str:
    """One tick: judge the rules, write what is to be told, send what is pending; in words what was done.

    All rules are judged every ``watchdog_minutes``, by whichever tick comes first; in between only what is critical.
    """
    with _bounded_transaction() as connection:
        # asking for the beat locks its row, due or not: one watchdog at a time, and the next finds the work of the first done
        full = _take_beat(connection, "watchdog", settings().watchdog_minutes) is not None
        changes = evaluate(connection, critical_only=not full)
    try:
        with _bounded_transaction() as connection:
            hour = _take_beat(connection, "summary", settings().summary.minutes)
            if hour:
                _queue_summary(connection, hour)
    finally:  # a summary that cannot be made fails the tick, not the alerts
        sent = channels.deliver(settings().delivery)
    return f"{'All rules' if full else 'Critical rules'} judged: {len(changes)} change(s). {sent}"


@contextlib.contextmanager
def _bounded_transaction() -> Iterator[Connection]:
    """A transaction none of whose statements takes longer than ``statement_seconds``."""
    with transaction() as connection:
        limit = f"{settings().statement_seconds}s"
        sql.execute(connection, "SELECT set_config('statement_timeout', %(limit)s, true)", limit=limit)
        yield connection


def _take_beat(connection: Connection, name: str, minutes: int) -> datetime | None:
    """The beginning of the present stretch of ``minutes`` (UTC); None when somebody has taken it already.

    A beat in the future was taken before the server's clock jumped back, and does not count.
    """
    taken = sql.rows(
        connection,
        """
        INSERT INTO marketing.alert_beats AS b (name, beat_at)
        VALUES (%(name)s, date_bin(make_interval(mins => %(minutes)s), now(), 'epoch'))
        ON CONFLICT (name) DO UPDATE SET beat_at = excluded.beat_at
        WHERE b.beat_at < excluded.beat_at OR b.beat_at > now()
        RETURNING beat_at
        """,
        name=name,
        minutes=minutes,
    )
    return taken[0]["beat_at"] if taken else None


def evaluate(connection: Connection, critical_only: bool = False) -> list[Change]:
    """Judge the rules, bring ``marketing.alerts`` up to date and write the messages, in the caller's transaction.

    ``critical_only`` opens and worsens what is critical and leaves everything else to the next full round.
    """
    (clock,) = sql.rows(connection, "SELECT now() AS now")
    measured = measure(connection)
    known = {(row["rule"], row["subject"]): row for row in sql.rows(connection, _OPEN)}
    changes = []
    for key in sorted(measured.keys() | known.keys()):
        found, alert = measured.get(key), known.get(key)
        if ("not_measured", key[0]) in measured:
            continue
        change = (
            _judge_open(connection, alert, found, clock["now"], critical_only)
            if alert
            else _judge_new(connection, key, found, critical_only)
        )
        if change:
            changes.append(change)
    _queue_messages(connection, [change for change in changes if change.what != "over"], "alert")
    _queue_messages(connection, [change for change in changes if change.what == "over"], "recovery")
    return changes


_OPEN = "SELECT * FROM marketing.alerts WHERE recovered_at IS NULL FOR UPDATE"


def measure(connection: Connection) -> dict[tuple[str, str], Measurement]:
    """Every subject of every rule with its present value, by (rule, subject). A rule that fails is a finding, not an error."""
    found: dict[tuple[str, str], Measurement] = {}
    for name in [*_MEASURES, "vendor_budget"]:
        try:
            with sql.savepoint(connection):
                rows = _measure_rule(connection, name)
        except (psycopg2.Error, ArithmeticError) as error:
            reason = (isinstance(error, psycopg2.Error) and error.diag.message_primary) or type(error).__name__
            name, rows = "not_measured", [{"subject": name, "value": 1, "reason": reason[:200]}]
        for row in rows:
            row["subject"], row["value"] = _without_markup(row["subject"]), float(row["value"])
            key = (name, row["subject"])
            if key not in found or found[key].value < row["value"]:
                found[key] = Measurement(row["value"], row.get("opens", True), _WORDS[name].format(**row))
    return found


def _measure_rule(connection: Connection, name: str) -> list[dict[str, Any]]:
    if name == "vendor_budget":
        return _measure_budgets(connection)
    return sql.rows(connection, _MEASURES[name], least_executions=rules()[name].least_executions)


def _without_markup(subject: str) -> str:
    """The subject without what a channel would take for markup or a mention: names of batches are anybody's."""
    return re.sub(r"[^\w .:,/+-]", "?", subject)[:100]


def _measure_budgets(connection: Connection) -> list[dict[str, Any]]:
    """Used percent of each budget; 100 already when too little is left for the cheapest request: it cannot get fuller."""
    from barton_pipeline.reports import spending
    from barton_pipeline.vendors.settings import rules as vendor_rules

    rows = []
    for budget in spending.list_budgets(connection):
        used, of = budget.used_usd, budget.of_usd
        operations = vendor_rules().operations.values()
        cheapest = min(operation.estimate(1) for operation in operations if operation.vendor == budget.vendor)
        exhausted = of - used < cheapest
        rows.append(
            {
                "subject": f"{budget.vendor} per {budget.budget}",
                "value": max(100 * used / of, Decimal(100 if exhausted else 0)),
                "used": used,
                "budget": of,
                "exhausted": ", nothing more is bought until it is renewed or raised" if exhausted else "",
            }
        )
    return rows


def _judge_new(
    connection: Connection, key: tuple[str, str], found: Measurement | None, critical_only: bool
) -> Change | None:
    severity = rules()[key[0]].severity(found.value) if found and found.opens else None
    if found is None or severity is None or (critical_only and severity != "critical"):
        return None
    (alert,) = sql.rows(
        connection,
        """
        INSERT INTO marketing.alerts (rule, subject, severity, value, detail)
        VALUES (%(rule)s, %(subject)s, %(severity)s, %(value)s, %(detail)s) RETURNING *
        """,
        rule=key[0], subject=key[1], severity=severity, value=found.value, detail=found.detail,
    )  # fmt: skip
    return _make_change(alert, "new")


def _judge_open(
    connection: Connection, alert: dict[str, Any], found: Measurement | None, now: datetime, critical_only: bool
) -> Change | None:
    """A severity falls only when the alert is repeated: a value that swings around a level must not alarm each time."""
    rule = rules().get(alert["rule"])  # None: of a version that had other rules
    if rule is None or found is None or found.value <= rule.over_at:
        if critical_only:
            return None
        return _make_change(_update(connection, alert, found, over=True), "over")
    reached = rule.severity(found.value)
    if reached == "critical" and alert["severity"] == "warning":
        return _make_change(_update(connection, alert, found, severity="critical"), "worse")
    if critical_only:
        return None
    if now - alert["announced_at"] >= timedelta(hours=getattr(settings().repeat_hours, alert["severity"])):
        lowest = "warning" if "warning" in rule.levels else "critical"
        return _make_change(_update(connection, alert, found, severity=reached or lowest), "still")
    _update(connection, alert, found)
    return None


def _update(
    connection: Connection,
    alert: dict[str, Any],
    found: Measurement | None,
    severity: str | None = None,
    over: bool = False,
) -> dict[str, Any]:
    """Write the measurement; with a severity the alert is announced (again), over closes it."""
    (row,) = sql.rows(
        connection,
        """
        UPDATE marketing.alerts SET value = coalesce(%(value)s, value), detail = coalesce(%(detail)s, detail), checked_at = now(),
            severity = coalesce(%(severity)s, severity), recovered_at = CASE WHEN %(over)s THEN now() END,
            announced_at = CASE WHEN %(severity)s IS NULL AND NOT %(over)s THEN announced_at ELSE now() END
        WHERE id = %(id)s RETURNING *
        """,
        id=alert["id"],
        value=found.value if found else None,
        detail=found.detail if found else None,
        severity=severity,
        over=over,
    )
    return row


def _make_change(alert: dict[str, Any], what: str) -> Change:
    return Change(
        alert["id"], what, alert["rule"], alert["subject"], alert["severity"], alert["detail"], alert["created_at"]
    )


def _queue_messages(connection: Connection, changes: Sequence[Change], kind: str) -> None:
    """One message per channel about all of the changes, worst first."""
    if not changes:
        return
    changes = sorted(changes, key=lambda change: (_SEVERITIES.index(change.severity), change.rule, change.subject))
    lines: list[str] = []
    room = settings().characters_per_message
    for line in map(_word_change, changes):
        room -= len(line) + 1
        if lines and room < 0:
            break
        lines.append(line)
    if len(lines) < len(changes):
        lines.append(f"and {len(changes) - len(lines)} more: barton alerts")
    if kind == "recovery":
        severity, word = "info", "over"
    else:
        severity = word = changes[0].severity
    what = f"{changes[0].rule}, {changes[0].subject}" if len(changes) == 1 else f"{len(changes)} alerts"
    _queue(connection, kind, severity, f"{word}: {what}", lines, [change.alert_id for change in changes])


def _word_change(change: Change) -> str:
    since = f"since {change.since:%Y-%m-%d %H:%M %Z}"
    if change.what == "over":
        return f"over: {change.rule}, {change.subject} ({since}). Last measured: {change.detail}"
    word = {"new": "", "worse": " (was a warning)", "still": f" (still, {since})"}[change.what]
    return f"{change.severity}{word}: {change.detail}"


def _queue(
    connection: Connection, kind: str, severity: str, title: str, lines: Sequence[str], alert_ids: Sequence[int] = ()
) -> None:
    for channel in channels.configured_channels():
        sql.execute(
            connection,
            """
            INSERT INTO marketing.alert_messages (channel, kind, severity, title, body, alert_ids)
            VALUES (%(channel)s, %(kind)s, %(severity)s, 'Barton (' || current_database() || ') ' || %(title)s, %(body)s,
                %(alert_ids)s::bigint[])
            """,
            channel=channel.name,
            kind=kind,
            severity=severity,
            title=title,
            body="\n".join(lines),
            alert_ids=list(alert_ids),
        )


def list_firing(connection: Connection) -> list[Alert]:
    """What fires now, worst first: open alerts with the channels that know, and what the next full round will open."""
    alerts = [
        Alert(**{**row, "delivered_to": tuple(row["delivered_to"]), "pending_for": tuple(row["pending_for"])})
        for row in sql.rows(connection, "SELECT * FROM marketing.v_alerts")
    ]
    known = {(alert.rule, alert.subject) for alert in alerts}
    for (name, subject), found in measure(connection).items():
        severity = rules()[name].severity(found.value) if found.opens else None
        if severity and (name, subject) not in known:
            alerts.append(Alert(None, name, subject, severity, found.value, found.detail, None, None, None, (), ()))
    return sorted(alerts, key=lambda alert: _SEVERITIES.index(alert.severity))


def summarise(connection: Connection, until: datetime | None = None) -> Summary:
    """What happened in the hour (``summary.minutes``) that ends at ``until`` (None: now), and how things stand now."""
    return Summary(**sql.one(connection, _SUMMARY, until=until, minutes=settings().summary.minutes))


_SUMMARY = """
    WITH bounds AS (
        SELECT b.until, b.until - make_interval(mins => %(minutes)s) AS since
        FROM (SELECT coalesce(%(until)s::timestamptz, now()) AS until) AS b
    ), executions AS (
        SELECT count(*) AS stage_executions, count(*) FILTER (WHERE w.status IN ('error', 'timeout')) AS failed_executions,
               count(DISTINCT w.batch_id) AS batches
        FROM marketing.workflow_stats w, bounds WHERE w.created_at >= since AND w.created_at < until
    ), errors AS (
        SELECT count(*) AS errors, count(*) FILTER (WHERE e.severity = 'critical') AS critical_errors
        FROM marketing.pipeline_errors e, bounds WHERE e.created_at >= since AND e.created_at < until
    ), spent AS (
        SELECT coalesce(sum(coalesce(v.actual_usd, v.estimated_usd)), 0) AS spent_usd
        FROM marketing.vendor_requests v, bounds WHERE v.reserved_at >= since AND v.reserved_at < until AND v.state <> 'refused'
    ), waiting AS (
        SELECT coalesce(sum(pending_count), 0)::bigint AS pending_events,
               coalesce(max(oldest_age_minutes), 0) AS oldest_pending_minutes FROM marketing.v_event_queue_status
    )
    SELECT since, until, batches, stage_executions, failed_executions,
           (SELECT count(*) FROM marketing.company_master WHERE created_at >= since AND created_at < until) AS new_companies,
           (SELECT count(*) FROM marketing.company_slots WHERE filled_at >= since AND filled_at < until) AS slots_filled,
           (SELECT count(*) FROM marketing.email_verification
            WHERE status = 'valid' AND verified_at >= since AND verified_at < until) AS addresses_verified,
           (SELECT count(*) FROM marketing.sniper_targets WHERE entered_at >= since AND entered_at < until) AS new_targets,
           errors, critical_errors, spent_usd,
           pending_events, oldest_pending_minutes,
           (SELECT count(*) FROM marketing.pipeline_events WHERE status = 'failed') AS dead_letters,
           (SELECT count(*) FROM marketing.alerts WHERE recovered_at IS NULL) AS alerts_firing
    FROM bounds, executions, errors, spent, waiting
"""


def word_summary(counts: Summary) -> list[str]:
    """The summary in words, a line each."""
    return [
        f"{counts.batches} batch(es) worked on, {counts.stage_executions} stage executions, {counts.failed_executions} failed",
        f"{counts.new_companies} new companies, {counts.slots_filled} slots filled, {counts.addresses_verified} addresses "
        f"verified, {counts.new_targets} new targets",
        f"{counts.errors} errors ({counts.critical_errors} critical), ${counts.spent_usd:.2f} spent or reserved with vendors",
        f"now: {counts.pending_events} events pending (oldest {counts.oldest_pending_minutes} min), {counts.dead_letters} dead "
        f"letters, {counts.alerts_firing} alerts firing",
    ]


def _queue_summary(connection: Connection, until: datetime) -> None:
    counts = summarise(connection, until)
    happened = any(value for name, value in asdict(counts).items() if name not in ("since", "until"))
    if happened or settings().summary.when_nothing_happened:
        title = f"summary {counts.since:%Y-%m-%d %H:%M} to {counts.until:%H:%M %Z}"
        _queue(connection, "summary", "info", title, word_summary(counts))
