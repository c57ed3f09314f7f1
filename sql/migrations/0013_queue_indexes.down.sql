DROP INDEX IF EXISTS marketing.pipeline_events_pending_type;
DROP INDEX IF EXISTS intake.signals_raw_intake_unjudged;
DROP INDEX IF EXISTS intake.people_raw_intake_unjudged;
DROP INDEX IF EXISTS intake.company_raw_intake_unjudged;
