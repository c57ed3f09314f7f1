-- The companies of the batch, for the statements of a stage to begin with: pg_temp.companies.
-- Counted, so that the planner knows how many they are, whatever its statistics say of company_batches.
DROP TABLE IF EXISTS pg_temp.companies;
CREATE TEMP TABLE companies ON COMMIT DROP AS
SELECT company_unique_id
FROM marketing.company_batches
WHERE import_batch_id = %(batch)s;
ANALYZE pg_temp.companies;

-- How many they are.
SELECT count(*) AS companies
FROM pg_temp.companies;
