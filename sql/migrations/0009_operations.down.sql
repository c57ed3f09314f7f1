DROP TABLE IF EXISTS marketing.alert_beats;
DROP TABLE IF EXISTS marketing.alert_messages;
DROP TABLE IF EXISTS marketing.alerts;
DROP TABLE IF EXISTS marketing.operations;
