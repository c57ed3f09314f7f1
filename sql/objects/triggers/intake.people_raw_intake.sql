-- An edited row that was set aside is tried again; new and edited rows become events.

CREATE OR REPLACE TRIGGER people_raw_intake_touch
BEFORE UPDATE OF full_name, first_name, last_name, title, email, company, website ON intake.people_raw_intake
FOR EACH ROW
EXECUTE FUNCTION intake.reopen_edited_person();

CREATE OR REPLACE TRIGGER people_raw_intake_insert_events
AFTER INSERT ON intake.people_raw_intake
REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT
EXECUTE FUNCTION marketing.raise_events(
    $$'contact_created'$$,
    'n.id',
    'n.import_batch_id',
    $$jsonb_build_object('company', n.company, 'website', n.website, 'title', n.title)$$
);

CREATE OR REPLACE TRIGGER people_raw_intake_update_events
AFTER UPDATE ON intake.people_raw_intake
REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT
EXECUTE FUNCTION marketing.raise_events(
    $$'contact_updated'$$,
    'n.id',
    'n.import_batch_id',
    $$jsonb_build_object('company', n.company, 'website', n.website, 'title', n.title)$$,
    'first_name, last_name, full_name, title, email, email_status, linkedin_url, phone, mobile_phone, '
    'seniority, departments, company, website, company_linkedin_url, import_batch_id',
    'id'
);
