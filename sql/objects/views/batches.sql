-- A batch begins with its first row of whatever kind. People whom a paid answer named came with no batch of their own.
CREATE OR REPLACE VIEW intake.batches AS
SELECT
    import_batch_id,
    min(created_at) AS arrived_at
FROM (
    SELECT
        import_batch_id,
        created_at
    FROM intake.company_raw_intake
    UNION ALL
    SELECT
        import_batch_id,
        created_at
    FROM intake.people_raw_intake
    WHERE vendor_call_id IS NULL
    UNION ALL
    SELECT
        import_batch_id,
        created_at
    FROM intake.signals_raw_intake
    UNION ALL
    SELECT
        import_batch_id,
        created_at
    FROM intake.outcomes_raw_intake
) AS intake_rows
GROUP BY import_batch_id;
COMMENT ON VIEW intake.batches IS 'Every batch of which rows came, and since when';
COMMENT ON COLUMN intake.batches.import_batch_id IS 'Batch the rows came with: the Dagster partition';
COMMENT ON COLUMN intake.batches.arrived_at IS 'When its first row arrived';
