-- Promotes the valid rows of the batch. Identity is registrable domain plus normalised name.
-- The verdict is read again here: a row that is not validated is not promoted, whatever started this stage.

-- The valid rows, and the company that each is already: by its name, else by the name that it is looked for by on its
-- domain. Rows with one name have one alias, so that no company is made twice.
DROP TABLE IF EXISTS pg_temp.named;
CREATE TEMP TABLE named ON COMMIT DROP AS
SELECT
    *,
    marketing.company_named(domain, company_name_key, alias) AS known_id
FROM (
    SELECT
        f.*,
        min(intake.alias_key(domain, company_name)) OVER (PARTITION BY domain, company_name_key) AS alias
    FROM intake.company_facts f
    WHERE import_batch_id = %(batch)s
        AND validated
        AND domain IS NOT NULL
        AND company_name_key IS NOT NULL
) AS keyed;

-- The rows as companies; place orders the rows of one company, the fullest first.
DROP TABLE IF EXISTS pg_temp.candidates;
CREATE TEMP TABLE candidates ON COMMIT DROP AS
SELECT
    *,
    row_number() OVER (PARTITION BY domain, coalesce(known_id, alias) ORDER BY filled DESC, intake_id) AS place,
    min(intake_id) OVER (PARTITION BY domain, coalesce(known_id, alias)) AS first_id
FROM pg_temp.named;
ANALYZE pg_temp.candidates;

-- Held, shared, until this transaction ends: numbers that nobody is using are given back (marketing.give_back_numbers).
SELECT pg_advisory_xact_lock_shared(hashtextextended('barton.numbers', 0));

-- Creates the companies that are new. Numbers are allotted in intake order, aliases written in identity order: two
-- batches that bring the same new companies at once wait for each other in one order and cannot deadlock, and the
-- second finds what the first has made.
DROP TABLE IF EXISTS pg_temp.created;
CREATE TEMP TABLE created (company_unique_id text) ON COMMIT DROP;
WITH numbered AS MATERIALIZED (
    SELECT
        *,
        marketing.known_or_new_id('company', domain, company_name_key, alias) AS new_id
    FROM (
        SELECT *
        FROM pg_temp.candidates
        WHERE place = 1 AND known_id IS NULL
        ORDER BY first_id
    ) AS in_intake_order
),

named AS (
    INSERT INTO marketing.company_aliases (domain, name_key, company_unique_id)
    SELECT
        domain,
        alias,
        new_id
    FROM numbered
    ORDER BY domain, alias
    ON CONFLICT DO NOTHING
    RETURNING company_unique_id
),

inserted AS (
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
    FROM numbered
    JOIN named ON named.company_unique_id = numbered.new_id
    RETURNING company_unique_id
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
    c.intake_id,
    c.company_unique_id,
    c.place,
    CASE
        WHEN n.company_unique_id IS NULL THEN 'existing_company'
        WHEN c.place = 1 THEN 'new_company'
        ELSE 'same_batch'
    END AS rule
FROM (
    SELECT
        intake_id,
        place,
        coalesce(known_id, marketing.company_named(domain, company_name_key, alias)) AS company_unique_id
    FROM pg_temp.candidates
) AS c
LEFT JOIN pg_temp.created n USING (company_unique_id);

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
