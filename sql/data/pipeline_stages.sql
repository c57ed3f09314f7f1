-- The stages in run order, and for each type of event the first stage that it makes stale. Written by
-- python -m tools.pipeline_stages from barton_pipeline/pipeline.py, never by hand. What is not listed here is deleted.

-- Places are taken one by one, so the present ones make room first.
UPDATE marketing.pipeline_stages SET position = -position;
INSERT INTO marketing.pipeline_stages (stage, position, phase)
VALUES
('raw_intake', 1, 'enrichment'),
('validated_companies', 2, 'enrichment'),
('company_master', 3, 'enrichment'),
('company_slots', 4, 'enrichment'),
('enriched_contacts', 5, 'enrichment'),
('verified_emails', 6, 'enrichment'),
('bit_scores', 7, 'intelligence'),
('ple_scores', 8, 'intelligence'),
('sniper_targets', 9, 'intelligence')
ON CONFLICT (stage) DO UPDATE SET position = excluded.position, phase = excluded.phase;

-- NULL: the event starts no run. A partial run by hand queues the rest with 'continue_at_<stage>'.
DELETE FROM marketing.event_routes;
INSERT INTO marketing.event_routes (event_type, entry_stage)
VALUES
('company_created', 'raw_intake'),
('company_updated', 'raw_intake'),
('company_promoted', 'company_slots'),
('company_master_updated', 'company_slots'),
('slot_created', 'enriched_contacts'),
('contact_created', 'enriched_contacts'),
('contact_updated', 'enriched_contacts'),
('slot_updated', 'verified_emails'),
('signal_received', 'bit_scores'),
('signal_recorded', 'bit_scores'),
('email_verified', 'ple_scores'),
('email_failed', 'ple_scores'),
('outcome_received', 'ple_scores'),
('message_sent', NULL),
('message_delivered', NULL),
('target_entered', NULL),
('target_left', NULL);
INSERT INTO marketing.event_routes (event_type, entry_stage)
SELECT
    'continue_at_' || stage,
    stage
FROM marketing.pipeline_stages
WHERE position > 0;

-- A stage that is gone takes its records along only by a migration: the foreign key of batch_stages says so.
DELETE FROM marketing.pipeline_stages WHERE position < 0;
