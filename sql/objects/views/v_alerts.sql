CREATE OR REPLACE VIEW marketing.v_alerts AS
SELECT
    a.id,
    a.rule,
    a.subject,
    a.severity,
    a.value,
    a.detail,
    a.created_at AS since,
    a.announced_at,
    a.checked_at,
    coalesce(array_agg(DISTINCT m.channel) FILTER (WHERE m.state = 'delivered'), '{}') AS delivered_to,
    coalesce(array_agg(DISTINCT m.channel) FILTER (WHERE m.state = 'pending'), '{}') AS pending_for
FROM marketing.alerts a
LEFT JOIN marketing.alert_messages m ON m.alert_ids @> ARRAY[a.id]
WHERE a.recovered_at IS NULL
GROUP BY a.id
ORDER BY a.severity = 'critical' DESC, a.created_at, a.id;
COMMENT ON VIEW marketing.v_alerts IS 'What fires now, worst first, and which channels have been told';
COMMENT ON COLUMN marketing.v_alerts.id IS 'Number of the incident';
COMMENT ON COLUMN marketing.v_alerts.rule IS 'Which rule of alerts.yaml';
COMMENT ON COLUMN marketing.v_alerts.subject IS
'What it is about: a phase, stage, batch, vendor budget, or the event queue';
COMMENT ON COLUMN marketing.v_alerts.severity IS 'warning or critical';
COMMENT ON COLUMN marketing.v_alerts.value IS 'Last measurement, in the unit of the rule';
COMMENT ON COLUMN marketing.v_alerts.detail IS 'Last measurement in words';
COMMENT ON COLUMN marketing.v_alerts.since IS 'When it began to fire';
COMMENT ON COLUMN marketing.v_alerts.announced_at IS 'When channels were last to be told';
COMMENT ON COLUMN marketing.v_alerts.checked_at IS 'When it was last measured';
COMMENT ON COLUMN marketing.v_alerts.delivered_to IS 'Channels that took a message about it';
COMMENT ON COLUMN marketing.v_alerts.pending_for IS 'Channels that are still to be told something about it';
