-- The score is computed where the facts stand, so that the same facts always give the same score. It was written by
-- promotion, which counted differently for a new company and for one whose gaps were filled, and nobody wrote it after
-- a match was undone.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute
                   WHERE attrelid = 'marketing.company_master'::regclass AND attname = 'data_quality_score'
                     AND attgenerated = 's') THEN
        ALTER TABLE marketing.company_master DROP COLUMN IF EXISTS data_quality_score;
        ALTER TABLE marketing.company_master ADD COLUMN data_quality_score smallint NOT NULL
            GENERATED ALWAYS AS (10 * num_nonnulls(
                industry, employee_count, founded_year, phone, address, city, state, postal_code, country, linkedin_url
            )) STORED;
    END IF;
END
$$;
COMMENT ON COLUMN marketing.company_master.data_quality_score IS
'0..100: 10 for each of the ten describing columns that is filled';
