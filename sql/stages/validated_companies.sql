-- Judges every intake row of the batch. The rules and lists are barton_pipeline/companies/validation.py and .yaml.
-- OFFSET 0 keeps the planner from merging a subquery into the next and computing its expressions once per use.

-- Only verdict columns are written, so the update trigger need not compare a million rows to find nothing.
SELECT set_config('barton.skip_update_events', 'on', true);

-- What is written in each row: trimmed, empty words as NULL, numbers read.
DROP TABLE IF EXISTS pg_temp.readings;
CREATE TEMP TABLE readings ON COMMIT DROP AS
SELECT
    id,
    company,
    name_key,
    website IS NOT NULL AS has_website,
    intake.website_host(website) AS host,
    num_employees IS NOT NULL AS has_employees,
    founded_year IS NOT NULL AS has_founded,
    phone IS NOT NULL AS has_phone,
    linkedin IS NOT NULL AS has_linkedin,
    -- "500", "500.0", "2,100,000", "10,001+", "51-200 employees" (the lower bound)
    CASE
        WHEN num_employees ~ '^[0-9]{1,9}$' THEN num_employees::bigint
        WHEN
            num_employees
            ~ '^([0-9]{1,3}([,. ][0-9]{3})+|[0-9]{1,9})(\.[0-9]{1,2})?'
            '( *([-–]|to) *[0-9][0-9,. ]*)?( *\+)?( *employees)?$'
            THEN
                left(
                    regexp_replace(
                        substring(num_employees FROM '^(?:[0-9]{1,3}(?:[,. ][0-9]{3})+|[0-9]+)'), '[^0-9]', '', 'g'
                    ),
                    12
                )::bigint
    END AS employees,
    CASE WHEN founded_year ~ '^[0-9]{4}(\.0+)?$' THEN left(founded_year, 4)::integer END AS founded,
    phone_number,
    phone_extension,
    split_part(linkedin, 'linkedin.com/', 1) AS linkedin_start,
    split_part(linkedin, 'linkedin.com/', 2) AS linkedin_path
FROM (
    SELECT
        id,
        company,
        intake.company_name_key(company) AS name_key,
        CASE WHEN lower(website) <> ALL(%(empty_values)s) THEN website END AS website,
        CASE WHEN num_employees <> ALL(%(empty_values)s) THEN num_employees END AS num_employees,
        CASE WHEN founded_year <> ALL(%(empty_values)s) THEN founded_year END AS founded_year,
        CASE WHEN phone <> ALL(%(empty_values)s) THEN phone END AS phone,
        phone_number,
        phone_extension,
        CASE
            WHEN linkedin <> ALL(%(empty_values)s) THEN replace(linkedin, 'linkedin.com/sales/', 'linkedin.com/')
        END AS linkedin
    FROM (
        SELECT
            id,
            nullif(btrim(company, %(blanks)s), '') AS company,
            btrim(website, %(blanks)s) AS website,
            lower(btrim(num_employees, %(blanks)s)) AS num_employees,
            lower(btrim(founded_year, %(blanks)s)) AS founded_year,
            lower(btrim(company_phone, %(blanks)s)) AS phone,
            lower(btrim(company_linkedin_url, %(blanks)s)) AS linkedin,
            p.number AS phone_number,
            p.extension AS phone_extension
        FROM intake.companies_to_process
        -- what the library made of each spelling (companies/phones.py)
        LEFT JOIN pg_temp.phones p
            ON p.phone = company_phone
            AND p.country = coalesce(company_country, '')
        WHERE import_batch_id = %(batch)s
        OFFSET 0
    ) AS trimmed
    OFFSET 0
) AS present;
ANALYZE pg_temp.readings (id, host);

-- The verdict on each row: what of it can be used, and the reasons against the rest.
WITH domains AS MATERIALIZED (
    SELECT
        host,
        domain,
        shared,
        owners
    FROM intake.domains_of_hosts(ARRAY(SELECT DISTINCT host FROM pg_temp.readings WHERE host IS NOT NULL))
),

parsed AS (
    SELECT
        r.*,
        d.domain,
        -- an undone match: the name stands apart on this domain
        CASE
            WHEN d.domain IN (SELECT domain FROM intake.separate_names)
                THEN (
                    SELECT name_words
                    FROM intake.separate_names apart
                    WHERE apart.domain = d.domain
                        AND apart.name_words = intake.words(r.company)
                )
        END AS own_key,
        -- the site's own company (Etsy on etsy.com) does have a website
        CASE WHEN NOT intake.owns_domain(name_key, d.domain, d.owners) THEN d.shared END AS shared,
        split_part(linkedin_path, '/', 1) AS page_kind,
        split_part(split_part(split_part(linkedin_path, '/', 2), '?', 1), '#', 1) AS page
    FROM pg_temp.readings r
    LEFT JOIN domains d USING (host)
    OFFSET 0
),

judged AS (
    SELECT
        id,
        coalesce(own_key, name_key) AS name_key,
        domain,
        CASE WHEN employees BETWEEN 1 AND %(employees_most)s THEN employees::integer END AS employee_count,
        CASE
            WHEN founded BETWEEN %(founded_earliest)s AND extract(YEAR FROM now())::integer + 1 THEN founded
        END AS founded,
        phone_number AS phone,
        phone_extension,
        CASE
            WHEN page <> '' AND page !~ '\s' AND linkedin_start ~ '^(https?://)?([a-z0-9-]+\.)?$'
                THEN
                    CASE
                        WHEN page_kind IN ('company', 'school', 'showcase')
                            THEN 'https://www.linkedin.com/' || page_kind || '/' || page
                        WHEN page_kind IN ('organization', 'company-beta')
                            THEN 'https://www.linkedin.com/company/' || page
                    END
        END AS linkedin_url,
        CASE
            WHEN company IS NULL THEN 'name_missing'
            WHEN length(company) < 2 THEN 'name_too_short'
            -- no letter and no digit of any script, or a word that is no name
            WHEN name_key !~ '[a-z0-9\u00c0-\u1fff\u2c00-\U0010ffff]'
                OR name_key = ANY(%(placeholders)s)
                OR lower(company) = ANY(%(empty_values)s)
                THEN 'name_placeholder'
        END AS name_reason,
        CASE
            WHEN NOT has_website OR shared IS NOT NULL THEN 'website_missing'
            WHEN domain IS NULL OR domain = ANY(%(reserved_domains)s) THEN 'website_invalid'
        END AS website_reason,
        shared,
        has_employees,
        has_founded,
        has_phone,
        has_linkedin
    FROM parsed
    OFFSET 0
),

verdicts AS (
    SELECT
        id,
        name_key,
        CASE WHEN website_reason IS NULL THEN domain END AS domain,
        employee_count,
        founded,
        phone,
        phone_extension,
        linkedin_url,
        array_remove(ARRAY[
            name_reason,
            website_reason,
            'website_is_' || shared,
            CASE WHEN has_employees AND employee_count IS NULL THEN 'employees_invalid' END,
            CASE WHEN has_founded AND founded IS NULL THEN 'founded_invalid' END,
            CASE WHEN has_phone AND phone IS NULL THEN 'phone_invalid' END,
            CASE WHEN has_linkedin AND linkedin_url IS NULL THEN 'linkedin_invalid' END
        ], NULL) AS reasons
    FROM judged
    OFFSET 0
),

explained AS (
    SELECT
        *,
        NOT reasons && %(errors)s::text[] AS valid,
        CASE
            WHEN reasons <> '{}' THEN (
                SELECT string_agg(%(notes)s::jsonb ->> code, '; ' ORDER BY place)
                FROM unnest(reasons) WITH ORDINALITY AS u (code, place)
            )
        END AS notes
    FROM verdicts
    OFFSET 0
)

UPDATE intake.company_raw_intake r
SET
    validated = v.valid,
    validation_reasons = v.reasons,
    validation_notes = v.notes,
    validated_at = now(),
    validated_by = %(version)s,
    domain = v.domain,
    company_name_key = v.name_key,
    employee_count = v.employee_count,
    founded = v.founded,
    phone = v.phone,
    phone_extension = v.phone_extension,
    linkedin_url = v.linkedin_url
FROM explained v
WHERE r.id = v.id
    AND (
        r.validated,
        r.validation_reasons,
        r.validation_notes,
        r.validated_by,
        r.domain,
        r.company_name_key,
        r.employee_count,
        r.founded,
        r.phone,
        r.phone_extension,
        r.linkedin_url
    )
    IS DISTINCT FROM (
        v.valid,
        v.reasons,
        v.notes,
        %(version)s,
        v.domain,
        v.name_key,
        v.employee_count,
        v.founded,
        v.phone,
        v.phone_extension,
        v.linkedin_url
    );

-- Events again.
SELECT set_config('barton.skip_update_events', '', true);

-- What the stage reports.
SELECT
    count(*) AS rows_in,
    count(*) FILTER (WHERE validated) AS rows_out,
    count(*) FILTER (WHERE NOT validated) AS rows_rejected,
    count(*) FILTER (WHERE validated AND validation_reasons <> '{}') AS valid_with_warnings,
    (
        SELECT coalesce(jsonb_object_agg(code, n), '{}')
        FROM (
            SELECT
                unnest(validation_reasons) AS code,
                count(*) AS n
            FROM intake.company_raw_intake
            WHERE import_batch_id = %(batch)s
                AND validation_reasons <> '{}'
            GROUP BY 1
        ) AS c
    ) AS reasons
FROM intake.company_raw_intake
WHERE import_batch_id = %(batch)s;
