-- An edited row is judged again; new and edited rows become events.

CREATE OR REPLACE TRIGGER company_raw_intake_touch
BEFORE UPDATE OF
company, company_name_for_emails, website, company_linkedin_url, industry, num_employees, company_street,
company_city, company_state, company_postal_code, company_country, company_address, company_phone, sic_codes,
founded_year, facebook_url, twitter_url, state_abbrev, import_batch_id
ON intake.company_raw_intake
FOR EACH ROW
WHEN (
    (
        old.company, old.company_name_for_emails, old.website, old.company_linkedin_url, old.industry,
        old.num_employees, old.company_street, old.company_city, old.company_state, old.company_postal_code,
        old.company_country, old.company_address, old.company_phone, old.sic_codes, old.founded_year,
        old.facebook_url, old.twitter_url, old.state_abbrev, old.import_batch_id
    ) IS DISTINCT FROM (
        new.company, new.company_name_for_emails, new.website, new.company_linkedin_url, new.industry,
        new.num_employees, new.company_street, new.company_city, new.company_state, new.company_postal_code,
        new.company_country, new.company_address, new.company_phone, new.sic_codes, new.founded_year,
        new.facebook_url, new.twitter_url, new.state_abbrev, new.import_batch_id
    )
)
EXECUTE FUNCTION intake.reopen_edited_row();

CREATE OR REPLACE TRIGGER company_raw_intake_insert_events
AFTER INSERT ON intake.company_raw_intake
REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT
EXECUTE FUNCTION marketing.raise_events(
    $$'company_created'$$,
    'n.id',
    'n.import_batch_id',
    $$jsonb_build_object('company', n.company, 'website', n.website)$$
);

CREATE OR REPLACE TRIGGER company_raw_intake_update_events
AFTER UPDATE ON intake.company_raw_intake
REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT
EXECUTE FUNCTION marketing.raise_events(
    $$'company_updated'$$,
    'n.id',
    'n.import_batch_id',
    $$jsonb_build_object('company', n.company, 'website', n.website)$$,
    'company, company_name_for_emails, website, company_linkedin_url, industry, num_employees, company_street, '
    'company_city, company_state, company_postal_code, company_country, company_address, company_phone, '
    'sic_codes, founded_year, facebook_url, twitter_url, state_abbrev, import_batch_id',
    'id'
);
