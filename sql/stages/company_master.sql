-- Promotes the valid rows of the batch. Identity is registrable domain plus normalised name.
-- The verdict is read again here: a row that is not validated is not promoted, whatever started this stage.

-- The valid rows as companies; place orders the rows of one company, the fullest first.
DROP TABLE IF EXISTS pg_temp.candidates;
CREATE TEMP TABLE candidates ON COMMIT DROP AS
SELECT
    *,
    row_number() OVER (PARTITION BY domain, company_name_key ORDER BY filled DESC, intake_id) AS place,
    min(intake_id) OVER (PARTITION BY domain, company_name_key) AS first_id
FROM intake.company_facts
WHERE import_batch_id = %(batch)s
    AND validated
    AND domain IS NOT NULL
    AND company_name_key IS NOT NULL;
ANALYZE pg_temp.candidates;

-- Held, shared, until this transaction ends: numbers that nobody is using are given back (marketing.give_back_numbers).
SELECT pg_advisory_xact_lock_shared(hashtextextended('barton.numbers', 0));

-- Creates the companies that are new. Numbers are allotted in intake order, rows are inserted in identity order: two
-- batches that bring the same new companies at once wait for each other in one order and cannot deadlock.
DROP TABLE IF EXISTS pg_temp.created;
CREATE TEMP TABLE created (company_unique_id text, domain text, company_name_key text) ON COMMIT DROP;
WITH inserted AS (
    INSERT INTO marketing.company_master (
        company_unique_id,
        company_name,
        company_name_for_emails,
        website_url,
        domain,
        company_name_key,
        industry,
        employee_count,
        founded_year,
        phone,
        address,
        city,
        state,
        postal_code,
        country,
        linkedin_url,
        facebook_url,
        twitter_url,
        sic_codes,
        source_system,
        source_record_id,
        import_batch_id
    )
    SELECT
        new_id,
        company_name,
        company_name_for_emails,
        website_url,
        domain,
        company_name_key,
        industry,
        employee_count,
        founded_year,
        phone,
        address,
        city,
        state,
        postal_code,
        country,
        linkedin_url,
        facebook_url,
        twitter_url,
        sic_codes,
        source_system,
        source_record_id,
        import_batch_id
    FROM (
        SELECT
            *,
            marketing.known_or_new_id('company', domain, company_name_key) AS new_id
        FROM (
            SELECT *
            FROM pg_temp.candidates c
            WHERE place = 1
                AND NOT EXISTS (
                    SELECT
                    FROM marketing.company_master m
                    WHERE m.domain = c.domain
                        AND m.company_name_key = c.company_name_key
                )
            ORDER BY first_id
        ) AS in_intake_order
    ) AS numbered
    ORDER BY domain, company_name_key
    ON CONFLICT (domain, company_name_key) DO NOTHING
    RETURNING company_unique_id, domain, company_name_key
)

INSERT INTO pg_temp.created
SELECT * FROM inserted;
ANALYZE pg_temp.created;

-- A row that was edited until it is no longer valid belongs to no company; the company stays. One that is to be judged
-- again waits.
DELETE FROM marketing.company_matches m
USING intake.company_raw_intake r
WHERE r.id = m.intake_id
    AND r.import_batch_id = %(batch)s
    AND NOT r.validated;

-- Each candidate's company, looked up one by one (OFFSET 0 keeps it so), and the rule that makes it so.
DROP TABLE IF EXISTS pg_temp.matches;
CREATE TEMP TABLE matches ON COMMIT DROP AS
SELECT
    c.intake_id,
    m.company_unique_id,
    c.place,
    CASE
        WHEN n.company_unique_id IS NULL THEN 'existing_company'
        WHEN c.place = 1 THEN 'new_company'
        ELSE 'same_batch'
    END AS rule
FROM pg_temp.candidates c
CROSS JOIN
    LATERAL (
        SELECT company_unique_id
        FROM marketing.company_master
        WHERE domain = c.domain AND company_name_key = c.company_name_key
        OFFSET 0
    ) m
LEFT JOIN pg_temp.created n ON n.company_unique_id = m.company_unique_id;

-- The batch mentions these companies: the later stages work on them.
INSERT INTO marketing.company_batches (import_batch_id, company_unique_id, mentioned_by)
SELECT
    %(batch)s,
    company_unique_id,
    'companies'
FROM pg_temp.matches
WHERE place = 1
ON CONFLICT DO NOTHING;

-- A row that was matched before keeps its match and the rule that made it, unless it has become another company.
INSERT INTO marketing.company_matches AS existing (intake_id, company_unique_id, rule)
SELECT
    intake_id,
    company_unique_id,
    rule
FROM pg_temp.matches
ON CONFLICT (intake_id) DO UPDATE SET
    company_unique_id = excluded.company_unique_id,
    rule = excluded.rule,
    matched_at = now()
WHERE existing.company_unique_id <> excluded.company_unique_id;

-- Further mentions fill gaps and never overwrite.
SELECT marketing.fill_company_gaps(array_agg(company_unique_id ORDER BY place), array_agg(intake_id ORDER BY place))
FROM pg_temp.matches
WHERE rule <> 'new_company';

-- What the stage reports.
SELECT
    r.rows_in,
    m.rows_out,
    r.rows_rejected,
    m.rows_out - m.companies_joined AS companies_new,
    m.companies_joined,
    m.repeated_rows
FROM (
    SELECT
        count(*) AS rows_in,
        count(*) FILTER (WHERE validated IS NOT TRUE) AS rows_rejected
    FROM intake.company_raw_intake
    WHERE import_batch_id = %(batch)s
) AS r, (
    SELECT
        count(*) FILTER (WHERE place = 1) AS rows_out,
        count(*) FILTER (WHERE place = 1 AND rule = 'existing_company') AS companies_joined,
        count(*) FILTER (WHERE rule = 'same_batch') AS repeated_rows
    FROM pg_temp.matches
) AS m;
