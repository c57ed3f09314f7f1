-- What an intake row tells of a company, in the columns of marketing.company_master. Promotion reads it, and the undoing
-- of a match. filled orders the rows of one company: the fullest speaks first.
CREATE OR REPLACE VIEW intake.company_facts AS
SELECT
    id AS intake_id,
    import_batch_id,
    validated,
    domain,
    company_name_key,
    btrim(intake.unescaped(company)) AS company_name,
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
FROM intake.companies_to_process;
COMMENT ON VIEW intake.company_facts IS 'What each intake row tells of a company, in the columns of company_master';
SELECT marketing.copy_column_comments('marketing.company_master', 'intake.company_facts');
SELECT marketing.copy_column_comments('intake.company_raw_intake', 'intake.company_facts');
COMMENT ON COLUMN intake.company_facts.intake_id IS 'company_raw_intake.id';
COMMENT ON COLUMN intake.company_facts.filled IS
'How many of the ten describing facts it gives; a bare town is no address here';
