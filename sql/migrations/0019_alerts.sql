-- Alerts (docs/alerts.md): what is wrong now and was, and the messages about it. State and delivery are separate: a message is
-- written in the transaction that changes the state, and sent by whoever comes to it, until the channel has taken it.
CREATE TABLE IF NOT EXISTS marketing.alerts (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule         text NOT NULL,
    subject      text NOT NULL,
    severity     text NOT NULL CHECK (severity IN ('warning', 'critical')),
    value        double precision NOT NULL,
    detail       text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    announced_at timestamptz NOT NULL DEFAULT now(),
    checked_at   timestamptz NOT NULL DEFAULT now(),
    recovered_at timestamptz
);
CREATE UNIQUE INDEX IF NOT EXISTS alerts_one_open ON marketing.alerts (rule, subject) WHERE recovered_at IS NULL;
CREATE INDEX IF NOT EXISTS alerts_created ON marketing.alerts (created_at);

CREATE TABLE IF NOT EXISTS marketing.alert_messages (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel         text NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('alert', 'recovery', 'summary')),
    severity        text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    title           text NOT NULL,
    body            text NOT NULL,
    alert_ids       bigint[] NOT NULL DEFAULT '{}',
    state           text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'given_up')),
    attempts        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    error           text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    delivered_at    timestamptz,
    CONSTRAINT alert_messages_delivered CHECK ((state = 'delivered') = (delivered_at IS NOT NULL))
);
CREATE INDEX IF NOT EXISTS alert_messages_pending ON marketing.alert_messages (channel, id) WHERE state = 'pending';
CREATE INDEX IF NOT EXISTS alert_messages_created ON marketing.alert_messages (created_at);
CREATE INDEX IF NOT EXISTS alert_messages_alerts ON marketing.alert_messages USING gin (alert_ids);

CREATE TABLE IF NOT EXISTS marketing.alert_beats (
    name    text PRIMARY KEY,
    beat_at timestamptz NOT NULL
);

CREATE OR REPLACE VIEW marketing.v_alerts AS
SELECT a.id, a.rule, a.subject, a.severity, a.value, a.detail, a.created_at AS since, a.announced_at, a.checked_at,
       coalesce(array_agg(DISTINCT m.channel) FILTER (WHERE m.state = 'delivered'), '{}') AS delivered_to,
       coalesce(array_agg(DISTINCT m.channel) FILTER (WHERE m.state = 'pending'), '{}') AS pending_for
FROM marketing.alerts a LEFT JOIN marketing.alert_messages m ON m.alert_ids @> ARRAY[a.id]
WHERE a.recovered_at IS NULL
GROUP BY a.id ORDER BY a.severity = 'critical' DESC, a.created_at, a.id;
COMMENT ON VIEW marketing.v_alerts IS 'What fires now, worst first, and which channels have been told';

DO $$
DECLARE
    described record;
BEGIN
    FOR described IN SELECT * FROM (VALUES
        ('alerts', NULL, 'What a rule of alerts.yaml found wrong, from its beginning to its end; one open row per rule and subject'),
        ('alerts', 'id', 'Number of the incident'),
        ('alerts', 'rule', 'Which rule of alerts.yaml'),
        ('alerts', 'subject', 'What it is about: a phase, stage, batch, vendor budget, or the event queue'),
        ('alerts', 'severity', 'warning or critical; never falls before the alert is repeated or over'),
        ('alerts', 'value', 'Last measurement, in the unit of the rule'),
        ('alerts', 'detail', 'Last measurement in words; counts and names of batches and stages only'),
        ('alerts', 'created_at', 'Since when it fires'),
        ('alerts', 'announced_at', 'When channels were last to be told'),
        ('alerts', 'checked_at', 'When it was last measured'),
        ('alerts', 'recovered_at', 'When it was over; NULL while it fires'),
        ('alert_messages', NULL, 'What is to be told to each channel, and whether it has been; one row per message and channel'),
        ('alert_messages', 'id', 'Order in which a channel gets them'),
        ('alert_messages', 'channel', 'Kind and place in BARTON_ALERT_URLS (slack-1); never the URL, which is secret'),
        ('alert_messages', 'kind', 'alert (new, worse, or still there), recovery (all of them are over), summary (of an hour)'),
        ('alert_messages', 'severity', 'The worst of what it tells; info for recoveries and summaries'),
        ('alert_messages', 'title', 'First line'),
        ('alert_messages', 'body', 'The rest, as plain text'),
        ('alert_messages', 'alert_ids', 'Rows of alerts it is about'),
        ('alert_messages', 'state', 'pending, delivered (the channel took it), given_up (too old)'),
        ('alert_messages', 'attempts', 'How often sending was begun'),
        ('alert_messages', 'next_attempt_at', 'Not before then; moved on before each attempt, so that a killed one is repeated'),
        ('alert_messages', 'error', 'Why the last attempt failed, without secrets'),
        ('alert_messages', 'created_at', 'When there was something to tell'),
        ('alert_messages', 'delivered_at', 'When the channel took it'),
        ('alert_beats', NULL, 'When each regular duty of the alerts was last done, so that two watchdogs do not do it twice'),
        ('alert_beats', 'name', 'watchdog or summary'),
        ('alert_beats', 'beat_at', 'Beginning of the quarter or hour it was done for'),
        ('v_alerts', 'id', 'Number of the incident'),
        ('v_alerts', 'rule', 'Which rule of alerts.yaml'),
        ('v_alerts', 'subject', 'What it is about: a phase, stage, batch, vendor budget, or the event queue'),
        ('v_alerts', 'severity', 'warning or critical'),
        ('v_alerts', 'value', 'Last measurement, in the unit of the rule'),
        ('v_alerts', 'detail', 'Last measurement in words'),
        ('v_alerts', 'since', 'When it began to fire'),
        ('v_alerts', 'announced_at', 'When channels were last to be told'),
        ('v_alerts', 'checked_at', 'When it was last measured'),
        ('v_alerts', 'delivered_to', 'Channels that took a message about it'),
        ('v_alerts', 'pending_for', 'Channels that are still to be told something about it')) AS texts (place, name, text)
    LOOP
        IF described.name IS NULL THEN
            EXECUTE format('COMMENT ON TABLE marketing.%I IS %L', described.place, described.text);
        ELSE
            EXECUTE format('COMMENT ON COLUMN marketing.%I.%I IS %L', described.place, described.name, described.text);
        END IF;
    END LOOP;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'barton_app') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON marketing.alerts, marketing.alert_messages, marketing.alert_beats TO barton_app;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA marketing TO barton_app;
        GRANT SELECT ON marketing.v_alerts TO barton_app;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'barton_readonly') THEN
        GRANT SELECT ON marketing.v_alerts TO barton_readonly;
    END IF;
END
$$;
