-- Stages read the rows of this view, every column of the table. Rows that made their stage fail are set aside (docs/explanation/event-protocol.md, Poison).
CREATE OR REPLACE VIEW intake.companies_to_process AS
SELECT *
FROM intake.company_raw_intake
WHERE NOT 'processing_failed' = ANY(validation_reasons)
    AND id BETWEEN intake.first_row() AND intake.last_row();
COMMENT ON VIEW intake.companies_to_process IS 'Rows of company_raw_intake that no stage failed on';
SELECT marketing.copy_column_comments('intake.company_raw_intake', 'intake.companies_to_process');
