-- What operators switch off and undo, and what is wrong now
-- (docs/how-to/operations/rollbacks.md, docs/how-to/alerts.md).

CREATE TABLE IF NOT EXISTS marketing.operations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    action text NOT NULL CHECK (action IN ('silence', 'trigger', 'pause', 'manual', 'undo_batch')),
    target text NOT NULL DEFAULT '',
    details jsonb NOT NULL DEFAULT '{}',
    started_at timestamptz NOT NULL DEFAULT now(),
    started_by text NOT NULL DEFAULT session_user,
    ended_at timestamptz,
    ended_by text
);
COMMENT ON TABLE marketing.operations IS
'Rollbacks in force (ended_at NULL) and past ones, and undone batches; nothing is ever deleted here';
COMMENT ON COLUMN marketing.operations.id IS 'Row number, given by the database';
COMMENT ON COLUMN marketing.operations.action IS
'silence: no notifications; trigger: one is dropped; pause: no events; manual: no runs by sensors; undo_batch';
COMMENT ON COLUMN marketing.operations.target IS 'Trigger or batch, if one';
COMMENT ON COLUMN marketing.operations.details IS 'What it did; since: from when changes have to be caught up';
COMMENT ON COLUMN marketing.operations.started_at IS 'When';
COMMENT ON COLUMN marketing.operations.started_by IS 'Database user';
COMMENT ON COLUMN marketing.operations.ended_at IS 'When it was reversed; NULL: in force';
COMMENT ON COLUMN marketing.operations.ended_by IS 'Database user';

CREATE UNIQUE INDEX IF NOT EXISTS operations_active ON marketing.operations (action, target) WHERE ended_at IS NULL;

CREATE TABLE IF NOT EXISTS marketing.alerts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule text NOT NULL,
    subject text NOT NULL,
    severity text NOT NULL CHECK (severity IN ('warning', 'critical')),
    value double precision NOT NULL,
    detail text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    announced_at timestamptz NOT NULL DEFAULT now(),
    checked_at timestamptz NOT NULL DEFAULT now(),
    recovered_at timestamptz
);
COMMENT ON TABLE marketing.alerts IS
'What a rule of alerts.yaml found wrong, from its beginning to its end; one open row per rule and subject';
COMMENT ON COLUMN marketing.alerts.id IS 'Number of the incident';
COMMENT ON COLUMN marketing.alerts.rule IS 'Which rule of alerts.yaml';
COMMENT ON COLUMN marketing.alerts.subject IS
'What it is about: a phase, stage, batch, vendor budget, or the event queue';
COMMENT ON COLUMN marketing.alerts.severity IS 'warning or critical; never falls before the alert is repeated or over';
COMMENT ON COLUMN marketing.alerts.value IS 'Last measurement, in the unit of the rule';
COMMENT ON COLUMN marketing.alerts.detail IS 'Last measurement in words; counts and names of batches and stages only';
COMMENT ON COLUMN marketing.alerts.created_at IS 'Since when it fires';
COMMENT ON COLUMN marketing.alerts.announced_at IS 'When channels were last to be told';
COMMENT ON COLUMN marketing.alerts.checked_at IS 'When it was last measured';
COMMENT ON COLUMN marketing.alerts.recovered_at IS 'When it was over; NULL while it fires';

CREATE INDEX IF NOT EXISTS alerts_created ON marketing.alerts (created_at);
CREATE UNIQUE INDEX IF NOT EXISTS alerts_one_open ON marketing.alerts (rule, subject) WHERE recovered_at IS NULL;

CREATE TABLE IF NOT EXISTS marketing.alert_messages (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('alert', 'recovery', 'summary')),
    severity text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    title text NOT NULL,
    body text NOT NULL,
    alert_ids bigint[] NOT NULL DEFAULT '{}',
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'given_up')),
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    delivered_at timestamptz,
    CONSTRAINT alert_messages_delivered CHECK ((state = 'delivered') = (delivered_at IS NOT NULL))
);
COMMENT ON TABLE marketing.alert_messages IS
'What is to be told to each channel, and whether it has been; one row per message and channel';
COMMENT ON COLUMN marketing.alert_messages.id IS 'Order in which a channel gets them';
COMMENT ON COLUMN marketing.alert_messages.channel IS
'Kind and place in BARTON_ALERT_URLS (slack-1); never the URL, which is secret';
COMMENT ON COLUMN marketing.alert_messages.kind IS
'alert (new, worse, or still there), recovery (all of them are over), summary (of an hour)';
COMMENT ON COLUMN marketing.alert_messages.severity IS 'The worst of what it tells; info for recoveries and summaries';
COMMENT ON COLUMN marketing.alert_messages.title IS 'First line';
COMMENT ON COLUMN marketing.alert_messages.body IS 'The rest, as plain text';
COMMENT ON COLUMN marketing.alert_messages.alert_ids IS 'Rows of alerts it is about';
COMMENT ON COLUMN marketing.alert_messages.state IS 'pending, delivered (the channel took it), given_up (too old)';
COMMENT ON COLUMN marketing.alert_messages.attempts IS 'How often sending was begun';
COMMENT ON COLUMN marketing.alert_messages.next_attempt_at IS
'Not before then; moved on before each attempt, so that a killed one is repeated';
COMMENT ON COLUMN marketing.alert_messages.error IS 'Why the last attempt failed, without secrets';
COMMENT ON COLUMN marketing.alert_messages.created_at IS 'When there was something to tell';
COMMENT ON COLUMN marketing.alert_messages.delivered_at IS 'When the channel took it';

CREATE INDEX IF NOT EXISTS alert_messages_alerts ON marketing.alert_messages USING gin (alert_ids);
CREATE INDEX IF NOT EXISTS alert_messages_created ON marketing.alert_messages (created_at);
CREATE INDEX IF NOT EXISTS alert_messages_pending ON marketing.alert_messages (channel, id) WHERE state = 'pending';

CREATE TABLE IF NOT EXISTS marketing.alert_beats (
    name text PRIMARY KEY,
    beat_at timestamptz NOT NULL
);
COMMENT ON TABLE marketing.alert_beats IS
'When each regular duty of the alerts was last done, so that two watchdogs do not do it twice';
COMMENT ON COLUMN marketing.alert_beats.name IS 'watchdog or summary';
COMMENT ON COLUMN marketing.alert_beats.beat_at IS 'Beginning of the quarter or hour it was done for';
