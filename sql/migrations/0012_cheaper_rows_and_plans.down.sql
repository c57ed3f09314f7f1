ALTER TABLE intake.company_raw_intake
DROP CONSTRAINT IF EXISTS company_raw_intake_batch_key,
ADD CONSTRAINT company_raw_intake_batch_key
CHECK (import_batch_id ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$');
ALTER TABLE intake.people_raw_intake
DROP CONSTRAINT IF EXISTS people_raw_intake_batch_key,
ADD CONSTRAINT people_raw_intake_batch_key
CHECK (import_batch_id ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$');
ALTER TABLE intake.signals_raw_intake
DROP CONSTRAINT IF EXISTS signals_raw_intake_batch_key,
ADD CONSTRAINT signals_raw_intake_batch_key
CHECK (import_batch_id ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$');
ALTER TABLE intake.outcomes_raw_intake
DROP CONSTRAINT IF EXISTS outcomes_raw_intake_batch_key,
ADD CONSTRAINT outcomes_raw_intake_batch_key
CHECK (import_batch_id ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$');

DROP INDEX IF EXISTS marketing.pipeline_events_pending_type;
CREATE INDEX pipeline_events_pending_type
ON marketing.pipeline_events (event_type)
WHERE status = 'pending';
