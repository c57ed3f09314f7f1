-- Promotes the valid rows of the batch. Identity is registrable domain plus normalised name.
-- The verdict is read again here: a row that is not validated is not promoted, whatever started this stage.

-- The valid rows as companies; place orders the rows of one company, the fullest first.
DROP TABLE IF EXISTS pg_temp.candidates;
CREATE TEMP TABLE candidates ON COMMIT DROP AS
SELECT
    *,
    row_number() OVER (PARTITION BY domain, company_name_key ORDER BY filled DESC, id) AS place,
    min(id) OVER (PARTITION BY domain, company_name_key) AS first_id
FROM (
    SELECT
        id,
        domain,
        company_name_key,
        btrim(company) AS company_name,
        company_name_for_emails,
        website AS website_url,
        industry,
        employee_count,
        founded AS founded_year,
        phone,
        coalesce(
            company_address,
            nullif(
                concat_ws(
                    ', ',
                    company_street,
                    company_city,
                    coalesce(company_state, state_abbrev),
                    company_postal_code,
                    company_country
                ),
                ''
            )
        ) AS address,
        company_city AS city,
        coalesce(company_state, state_abbrev) AS state,
        company_postal_code AS postal_code,
        company_country AS country,
        linkedin_url,
        facebook_url,
        twitter_url,
        sic_codes,
        source_system,
        source_record_id,
        num_nonnulls(
            industry,
            employee_count,
            founded,
            phone,
            company_city,
            coalesce(company_state, state_abbrev),
            company_postal_code,
            company_country,
            linkedin_url,
            coalesce(company_street, company_address)
        ) AS filled
    FROM intake.companies_to_process
    WHERE import_batch_id = %(batch)s
        AND validated
        AND domain IS NOT NULL
        AND company_name_key IS NOT NULL
) AS valid_rows;
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
        import_batch_id,
        data_quality_score
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
        %(batch)s,
        filled * 10
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

-- Each candidate's company, and the rule that makes it so.
DROP TABLE IF EXISTS pg_temp.matches;
CREATE TEMP TABLE matches ON COMMIT DROP AS
SELECT
    c.id AS intake_id,
    m.company_unique_id,
    c.place,
    CASE
        WHEN n.company_unique_id IS NULL THEN 'existing_company'
        WHEN c.place = 1 THEN 'new_company'
        ELSE 'same_batch'
    END AS rule
FROM pg_temp.candidates c
JOIN marketing.company_master m USING (domain, company_name_key)
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

-- Further mentions fill gaps and never overwrite. The lock is the one an UPDATE takes: a stronger one would wait for
-- other batches that merely mention the same companies (foreign keys), and they for it.
WITH gaps AS (
    SELECT
        m.company_unique_id,
        (
            array_agg(c.company_name_for_emails ORDER BY c.place)
            FILTER (WHERE c.company_name_for_emails IS NOT NULL)
        )[1] AS company_name_for_emails,
        (array_agg(c.industry ORDER BY c.place) FILTER (WHERE c.industry IS NOT NULL))[1] AS industry,
        (array_agg(c.employee_count ORDER BY c.place) FILTER (WHERE c.employee_count IS NOT NULL))[1] AS employee_count,
        (array_agg(c.founded_year ORDER BY c.place) FILTER (WHERE c.founded_year IS NOT NULL))[1] AS founded_year,
        (array_agg(c.phone ORDER BY c.place) FILTER (WHERE c.phone IS NOT NULL))[1] AS phone,
        (array_agg(c.address ORDER BY c.place) FILTER (WHERE c.address IS NOT NULL))[1] AS address,
        (array_agg(c.city ORDER BY c.place) FILTER (WHERE c.city IS NOT NULL))[1] AS city,
        (array_agg(c.state ORDER BY c.place) FILTER (WHERE c.state IS NOT NULL))[1] AS state,
        (array_agg(c.postal_code ORDER BY c.place) FILTER (WHERE c.postal_code IS NOT NULL))[1] AS postal_code,
        (array_agg(c.country ORDER BY c.place) FILTER (WHERE c.country IS NOT NULL))[1] AS country,
        (array_agg(c.linkedin_url ORDER BY c.place) FILTER (WHERE c.linkedin_url IS NOT NULL))[1] AS linkedin_url,
        (array_agg(c.facebook_url ORDER BY c.place) FILTER (WHERE c.facebook_url IS NOT NULL))[1] AS facebook_url,
        (array_agg(c.twitter_url ORDER BY c.place) FILTER (WHERE c.twitter_url IS NOT NULL))[1] AS twitter_url,
        (array_agg(c.sic_codes ORDER BY c.place) FILTER (WHERE c.sic_codes IS NOT NULL))[1] AS sic_codes
    FROM pg_temp.matches m
    JOIN pg_temp.candidates c ON c.id = m.intake_id
    WHERE m.rule <> 'new_company'
    GROUP BY m.company_unique_id
),

filled AS (
    SELECT
        c.company_unique_id,
        coalesce(c.company_name_for_emails, g.company_name_for_emails) AS company_name_for_emails,
        coalesce(c.industry, g.industry) AS industry,
        coalesce(c.employee_count, g.employee_count) AS employee_count,
        coalesce(c.founded_year, g.founded_year) AS founded_year,
        coalesce(c.phone, g.phone) AS phone,
        coalesce(c.address, g.address) AS address,
        coalesce(c.city, g.city) AS city,
        coalesce(c.state, g.state) AS state,
        coalesce(c.postal_code, g.postal_code) AS postal_code,
        coalesce(c.country, g.country) AS country,
        coalesce(c.linkedin_url, g.linkedin_url) AS linkedin_url,
        coalesce(c.facebook_url, g.facebook_url) AS facebook_url,
        coalesce(c.twitter_url, g.twitter_url) AS twitter_url,
        coalesce(c.sic_codes, g.sic_codes) AS sic_codes
    FROM marketing.company_master c
    JOIN gaps g USING (company_unique_id)
    WHERE (c.company_name_for_emails IS NULL AND g.company_name_for_emails IS NOT NULL)
        OR (c.industry IS NULL AND g.industry IS NOT NULL)
        OR (c.employee_count IS NULL AND g.employee_count IS NOT NULL)
        OR (c.founded_year IS NULL AND g.founded_year IS NOT NULL)
        OR (c.phone IS NULL AND g.phone IS NOT NULL)
        OR (c.address IS NULL AND g.address IS NOT NULL)
        OR (c.city IS NULL AND g.city IS NOT NULL)
        OR (c.state IS NULL AND g.state IS NOT NULL)
        OR (c.postal_code IS NULL AND g.postal_code IS NOT NULL)
        OR (c.country IS NULL AND g.country IS NOT NULL)
        OR (c.linkedin_url IS NULL AND g.linkedin_url IS NOT NULL)
        OR (c.facebook_url IS NULL AND g.facebook_url IS NOT NULL)
        OR (c.twitter_url IS NULL AND g.twitter_url IS NOT NULL)
        OR (c.sic_codes IS NULL AND g.sic_codes IS NOT NULL)
    ORDER BY c.company_unique_id
    FOR NO KEY UPDATE OF c
)

UPDATE marketing.company_master c
SET
    company_name_for_emails = f.company_name_for_emails,
    industry = f.industry,
    employee_count = f.employee_count,
    founded_year = f.founded_year,
    phone = f.phone,
    address = f.address,
    city = f.city,
    state = f.state,
    postal_code = f.postal_code,
    country = f.country,
    linkedin_url = f.linkedin_url,
    facebook_url = f.facebook_url,
    twitter_url = f.twitter_url,
    sic_codes = f.sic_codes,
    data_quality_score = 10 * num_nonnulls(
        f.industry,
        f.employee_count,
        f.founded_year,
        f.phone,
        f.city,
        f.state,
        f.postal_code,
        f.country,
        f.linkedin_url,
        f.address
    )
FROM filled f
WHERE c.company_unique_id = f.company_unique_id;

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
