-- People rows of the batch, and earlier rows that waited for one of its companies, become people:
-- these are the rows.

-- The rows to judge.
DROP TABLE IF EXISTS pg_temp.people_read;
CREATE TEMP TABLE people_read ON COMMIT DROP AS
WITH waiting AS (
    SELECT p.id
    FROM intake.people_to_process p
    JOIN marketing.company_master c ON c.domain = p.domain
    JOIN pg_temp.companies b USING (company_unique_id)
    WHERE p.outcome IN ('company_unknown', 'company_ambiguous')
    UNION
    SELECT p.id
    FROM intake.people_to_process p
    JOIN marketing.company_master c ON c.company_name_key = p.company_name_key
    JOIN pg_temp.companies b USING (company_unique_id)
    WHERE p.outcome IN ('company_unknown', 'company_ambiguous')
),

chosen AS (
    SELECT *
    FROM intake.people_to_process
    WHERE import_batch_id = %(batch)s
        -- what is left of somebody who asked to be forgotten stays judged as it is
        AND NOT ('suppressed' = ANY(outcome_reasons) AND num_nonnulls(first_name, last_name, full_name, email) = 0)
    UNION ALL
    SELECT p.*
    FROM intake.people_raw_intake p
    JOIN waiting USING (id)
    WHERE p.import_batch_id <> %(batch)s
)

SELECT
    id,
    coalesce(observed_at, created_at) AS seen_at,
    position_ended,
    vendor_call_id,
    nullif(btrim(coalesce(full_name, concat_ws(' ', first_name, last_name))), '') AS full_name,
    first_name,
    last_name,
    nullif(btrim(title), '') AS title,
    CASE WHEN btrim(email) !~* %(no_address)s THEN nullif(lower(btrim(email)), '') END AS email,
    email_status,
    linkedin_url,
    phone,
    mobile_phone,
    country,
    seniority,
    departments,
    source_system,
    source_record_id,
    import_batch_id,
    nullif(btrim(company), '') AS company,
    intake.website_host(website) AS host,
    CASE
        WHEN btrim(email) !~* %(no_address)s THEN nullif(lower(split_part(btrim(email), '@', 2)), '')
    END AS email_host,
    intake.company_name_key(company) AS own_key
FROM chosen;
ANALYZE pg_temp.people_read;

-- What the stage reports of them.
SELECT count(*) AS rows_in FROM pg_temp.people_read;
