-- Back to the database user as who, and no actions. The record of what was done is lost.
DROP INDEX IF EXISTS marketing.pipeline_errors_open_batch;
DROP INDEX IF EXISTS marketing.pipeline_errors_open_cause;
ALTER TABLE marketing.pipeline_errors DROP COLUMN IF EXISTS fingerprint;
DROP FUNCTION IF EXISTS marketing.error_fingerprint(text);
ALTER TABLE IF EXISTS marketing.vendor_switches ALTER COLUMN changed_by SET DEFAULT session_user;
ALTER TABLE IF EXISTS marketing.suppressed_people ALTER COLUMN created_by SET DEFAULT session_user;
ALTER TABLE IF EXISTS marketing.operations ALTER COLUMN started_by SET DEFAULT session_user;
ALTER TABLE IF EXISTS marketing.barton_id_history ALTER COLUMN changed_by SET DEFAULT session_user;
ALTER TABLE IF EXISTS intake.separate_names ALTER COLUMN created_by SET DEFAULT session_user;
DROP TABLE IF EXISTS marketing.actions;
DROP FUNCTION IF EXISTS marketing.actor();
