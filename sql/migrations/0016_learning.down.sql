DROP VIEW IF EXISTS marketing.v_bit_surge;
DROP VIEW IF EXISTS marketing.v_sniper_target_details;
ALTER TABLE marketing.sniper_targets DROP COLUMN IF EXISTS p_convert, DROP COLUMN IF EXISTS previous_ple_score,
    DROP COLUMN IF EXISTS previous_bit_intent_score, DROP COLUMN IF EXISTS scores_changed_at;
DROP TRIGGER IF EXISTS bit_signals_companies_to_score ON marketing.bit_signals;
DROP FUNCTION IF EXISTS marketing.note_companies_to_score();
DROP FUNCTION IF EXISTS marketing.interpolate(double precision, double precision[], double precision[]);
DROP INDEX IF EXISTS marketing.bit_signals_recent;
DROP TABLE IF EXISTS marketing.companies_to_score, marketing.ple_models, marketing.ple_training_examples, marketing.outcomes,
    intake.outcomes_raw_intake;
DELETE FROM marketing.event_routes WHERE event_type IN ('outcome_received', 'target_entered', 'target_left');
ALTER TABLE intake.signals_raw_intake DROP COLUMN IF EXISTS observed_at;
DELETE FROM intake.rejected_rows WHERE file_id IN (SELECT id FROM intake.loaded_files WHERE kind = 'outcomes');
DELETE FROM intake.loaded_files WHERE kind = 'outcomes';
ALTER TABLE intake.loaded_files DROP CONSTRAINT IF EXISTS loaded_files_kind_check;
ALTER TABLE intake.loaded_files ADD CONSTRAINT loaded_files_kind_check CHECK (kind IN ('companies', 'people', 'signals'));
