-- Stages read the rows of this view. Rows that made their stage fail are set aside (docs/explanation/event-protocol.md, Poison).
CREATE OR REPLACE VIEW intake.signals_to_process AS
SELECT *
FROM intake.signals_raw_intake
WHERE NOT 'processing_failed' = ANY(outcome_reasons)
    AND id BETWEEN intake.first_row() AND intake.last_row();
COMMENT ON VIEW intake.signals_to_process IS 'Rows of signals_raw_intake that no stage failed on';
SELECT marketing.copy_column_comments('intake.signals_raw_intake', 'intake.signals_to_process');
