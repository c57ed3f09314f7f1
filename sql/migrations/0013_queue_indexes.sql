-- Rows nobody has judged, for the reconciler (docs/event-protocol.md): nearly empty once the queue has done its work.
CREATE INDEX IF NOT EXISTS company_raw_intake_unjudged ON intake.company_raw_intake (import_batch_id) WHERE validated IS NULL;
CREATE INDEX IF NOT EXISTS people_raw_intake_unjudged ON intake.people_raw_intake (import_batch_id) WHERE outcome IS NULL;
CREATE INDEX IF NOT EXISTS signals_raw_intake_unjudged ON intake.signals_raw_intake (import_batch_id) WHERE outcome IS NULL;

-- Lets the sensor see which types are pending without reading every event.
CREATE INDEX IF NOT EXISTS pipeline_events_pending_type ON marketing.pipeline_events (event_type) WHERE status = 'pending';
