DROP VIEW IF EXISTS marketing.v_alerts;
DROP TABLE IF EXISTS marketing.alert_messages, marketing.alert_beats, marketing.alerts;
