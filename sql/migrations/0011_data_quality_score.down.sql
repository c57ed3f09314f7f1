-- A plain column again, with the scores as they are now; promotion of the older version writes it.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_attribute
               WHERE attrelid = 'marketing.company_master'::regclass AND attname = 'data_quality_score'
                 AND attgenerated = 's') THEN
        ALTER TABLE marketing.company_master ALTER COLUMN data_quality_score DROP EXPRESSION;
        ALTER TABLE marketing.company_master ADD CONSTRAINT company_master_data_quality_score_check
            CHECK (data_quality_score BETWEEN 0 AND 100);
    END IF;
END
$$;
COMMENT ON COLUMN marketing.company_master.data_quality_score IS
'0..100: share of the describing columns that are filled';
