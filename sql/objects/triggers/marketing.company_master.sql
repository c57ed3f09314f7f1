-- IDs are permanent and their history is kept; new and changed companies become events.

CREATE OR REPLACE TRIGGER company_master_id_permanent
BEFORE UPDATE OF company_unique_id ON marketing.company_master
FOR EACH ROW
WHEN (old.company_unique_id IS DISTINCT FROM new.company_unique_id)
EXECUTE FUNCTION marketing.refuse_id_change();

CREATE OR REPLACE TRIGGER company_master_id_given
AFTER INSERT ON marketing.company_master
REFERENCING NEW TABLE AS changed_rows
FOR EACH STATEMENT
EXECUTE FUNCTION marketing.record_id_history('company', 'company_unique_id', 'given');

CREATE OR REPLACE TRIGGER company_master_id_retired
AFTER DELETE ON marketing.company_master
REFERENCING OLD TABLE AS changed_rows
FOR EACH STATEMENT
EXECUTE FUNCTION marketing.record_id_history('company', 'company_unique_id', 'retired');

CREATE OR REPLACE TRIGGER company_master_touch
BEFORE UPDATE ON marketing.company_master
FOR EACH ROW
EXECUTE FUNCTION marketing.touch_updated_at();

CREATE OR REPLACE TRIGGER company_master_insert_events
AFTER INSERT ON marketing.company_master
REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT
EXECUTE FUNCTION marketing.raise_events(
    $$'company_promoted'$$,
    'n.company_unique_id',
    'n.import_batch_id',
    $$jsonb_build_object('company', n.company_name, 'website', n.website_url)$$
);

CREATE OR REPLACE TRIGGER company_master_update_events
AFTER UPDATE ON marketing.company_master
REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT
EXECUTE FUNCTION marketing.raise_events(
    $$'company_master_updated'$$,
    'n.company_unique_id',
    'n.import_batch_id',
    $$jsonb_build_object('company', n.company_name, 'website', n.website_url)$$,
    'company_name, company_name_for_emails, website_url, domain, industry, employee_count, founded_year, '
    'phone, address, city, state, postal_code, country, linkedin_url, facebook_url, twitter_url, sic_codes',
    'company_unique_id'
);
