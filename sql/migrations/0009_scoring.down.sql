DROP INDEX IF EXISTS marketing.messages_outbound_delivered;
DROP INDEX IF EXISTS intake.signals_raw_intake_waiting_id;
DROP INDEX IF EXISTS intake.signals_raw_intake_waiting_name;
DROP INDEX IF EXISTS intake.signals_raw_intake_waiting_domain;
ALTER TABLE IF EXISTS intake.signals_raw_intake DROP COLUMN IF EXISTS company_name_key;
ALTER TABLE IF EXISTS intake.signals_raw_intake DROP COLUMN IF EXISTS domain;
DROP FUNCTION IF EXISTS intake.iso_timestamp(text);
