-- Companies and their permanent Barton IDs.

-- Numbers of companies and people, from which IDs are made.
CREATE SEQUENCE IF NOT EXISTS marketing.company_number;
CREATE SEQUENCE IF NOT EXISTS marketing.person_number;

CREATE TABLE IF NOT EXISTS marketing.barton_id_history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    barton_id text NOT NULL,
    entity text NOT NULL CHECK (entity IN ('company', 'person', 'slot')),
    change text NOT NULL CHECK (change IN ('given', 'retired')),
    changed_at timestamptz NOT NULL DEFAULT now(),
    changed_by text NOT NULL DEFAULT session_user
);
COMMENT ON TABLE marketing.barton_id_history IS
'Append-only: when each company and person ID was given and retired. Slot IDs follow their company; only their '
'retirement is written';
COMMENT ON COLUMN marketing.barton_id_history.id IS 'Order of writing';
COMMENT ON COLUMN marketing.barton_id_history.barton_id IS
'Six segments 04.04.DD.SS.NNNNN.VVV; no foreign key, for retired ones stay here';
COMMENT ON COLUMN marketing.barton_id_history.entity IS 'company, person or slot (a slot only when retired)';
COMMENT ON COLUMN marketing.barton_id_history.change IS 'given or retired; a retired ID is never given again';
COMMENT ON COLUMN marketing.barton_id_history.changed_at IS 'Start of the transaction that gave or retired it';
COMMENT ON COLUMN marketing.barton_id_history.changed_by IS 'Database user of the session (session_user)';

CREATE INDEX IF NOT EXISTS barton_id_history_barton_id ON marketing.barton_id_history (barton_id);

CREATE TABLE IF NOT EXISTS marketing.known_ids (
    entity text NOT NULL CHECK (entity IN ('company', 'person')),
    parent text NOT NULL,
    identity text NOT NULL,
    barton_id text NOT NULL,
    PRIMARY KEY (entity, parent, identity)
);
COMMENT ON TABLE marketing.known_ids IS
'IDs that a replay hands out again to whom they belong; empty at any other time';
COMMENT ON COLUMN marketing.known_ids.entity IS 'company or person';
COMMENT ON COLUMN marketing.known_ids.parent IS 'Domain of a company; company ID of a person';
COMMENT ON COLUMN marketing.known_ids.identity IS 'company_name_key or person_key';
COMMENT ON COLUMN marketing.known_ids.barton_id IS 'The permanent ID';

CREATE TABLE IF NOT EXISTS marketing.company_master (
    company_unique_id text PRIMARY KEY
    CONSTRAINT company_master_barton_id CHECK (company_unique_id ~ '^04\.04\.01\.[0-9]{2}\.[0-9]{5}\.[0-9]{3}$'),
    company_name text NOT NULL,
    company_name_for_emails text,
    website_url text NOT NULL,
    domain text NOT NULL,
    company_name_key text NOT NULL,
    industry text,
    employee_count integer CHECK (employee_count > 0),
    founded_year integer,
    phone text,
    address text,
    city text,
    state text,
    postal_code text,
    country text,
    linkedin_url text,
    facebook_url text,
    twitter_url text,
    sic_codes text,
    source_system text,
    source_record_id text,
    import_batch_id text NOT NULL,
    promoted_from_intake_at timestamptz NOT NULL DEFAULT now(),
    data_quality_score smallint NOT NULL CHECK (data_quality_score BETWEEN 0 AND 100),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT company_master_identity UNIQUE (domain, company_name_key)
);
COMMENT ON TABLE marketing.company_master IS
'One row per real company; identity is registrable domain plus normalised name';
COMMENT ON COLUMN marketing.company_master.company_unique_id IS 'Barton ID 04.04.01.SS.NNNNN.VVV; permanent';
COMMENT ON COLUMN marketing.company_master.company_name IS
'As the fullest intake row of its first batch wrote it; later batches never change it';
COMMENT ON COLUMN marketing.company_master.company_name_for_emails IS
'Short form for a salutation; NULL when no export offered one';
COMMENT ON COLUMN marketing.company_master.website_url IS
'As the same intake row wrote it, scheme optional; domain is the form to join on';
COMMENT ON COLUMN marketing.company_master.domain IS 'Registrable domain, in Unicode; half of the identity';
COMMENT ON COLUMN marketing.company_master.company_name_key IS
'Normalised name, the other half of the identity; with legal form for names in intake.separate_names';
COMMENT ON COLUMN marketing.company_master.industry IS 'Free text; the first batch that told it wins';
COMMENT ON COLUMN marketing.company_master.employee_count IS 'Head count, or the lower bound of a band; NULL unknown';
COMMENT ON COLUMN marketing.company_master.founded_year IS 'Year from 1000 to next year; NULL unknown';
COMMENT ON COLUMN marketing.company_master.phone IS '7 to 15 digits with leading + where given; NULL unknown';
COMMENT ON COLUMN marketing.company_master.address IS
'One line: as given, else joined from street, town, state, postal code and country';
COMMENT ON COLUMN marketing.company_master.city IS 'Town of the head office, as the export names it; NULL unknown';
COMMENT ON COLUMN marketing.company_master.state IS
'State or region, written out or abbreviated as the export does; NULL unknown';
COMMENT ON COLUMN marketing.company_master.postal_code IS 'Text, so that leading zeros stay; NULL unknown';
COMMENT ON COLUMN marketing.company_master.country IS 'As the export names it, no code list; NULL unknown';
COMMENT ON COLUMN marketing.company_master.linkedin_url IS
'Company page, https://www.linkedin.com/company/name; NULL unknown';
COMMENT ON COLUMN marketing.company_master.facebook_url IS 'Page of the company, as the file had it, unchecked';
COMMENT ON COLUMN marketing.company_master.twitter_url IS 'Page of the company, as the file had it, unchecked';
COMMENT ON COLUMN marketing.company_master.sic_codes IS 'Industry codes, as one text';
COMMENT ON COLUMN marketing.company_master.source_system IS
'Kind of export that first brought it; NULL for SQL inserts that give none';
COMMENT ON COLUMN marketing.company_master.source_record_id IS
'Its identifier in source_system; NULL when the export has none';
COMMENT ON COLUMN marketing.company_master.import_batch_id IS 'The batch that first brought the company';
COMMENT ON COLUMN marketing.company_master.promoted_from_intake_at IS
'When company_master made it out of an intake row; never changes';
COMMENT ON COLUMN marketing.company_master.data_quality_score IS
'0..100: share of the describing columns that are filled';
COMMENT ON COLUMN marketing.company_master.created_at IS 'When the row was written';
COMMENT ON COLUMN marketing.company_master.updated_at IS 'Last change, whoever made it';

CREATE INDEX IF NOT EXISTS company_master_batch ON marketing.company_master (import_batch_id);
CREATE INDEX IF NOT EXISTS company_master_name_key ON marketing.company_master (company_name_key);

CREATE TABLE IF NOT EXISTS marketing.company_batches (
    import_batch_id text NOT NULL,
    company_unique_id text NOT NULL REFERENCES marketing.company_master ON DELETE CASCADE,
    mentioned_by text NOT NULL CHECK (mentioned_by IN ('companies', 'people', 'signals')),
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (import_batch_id, company_unique_id)
);
COMMENT ON TABLE marketing.company_batches IS
'Which batches mentioned which company: the companies a batch''s stages work on';
COMMENT ON COLUMN marketing.company_batches.import_batch_id IS 'Batch whose stages work on the company';
COMMENT ON COLUMN marketing.company_batches.company_unique_id IS
'Company mentioned; one that several batches mention has a row for each';
COMMENT ON COLUMN marketing.company_batches.mentioned_by IS
'What mentioned it first: companies, people or signals rows';
COMMENT ON COLUMN marketing.company_batches.first_seen_at IS 'Start of the stage that found the mention';

CREATE INDEX IF NOT EXISTS company_batches_company ON marketing.company_batches (company_unique_id);

CREATE TABLE IF NOT EXISTS marketing.company_matches (
    intake_id bigint PRIMARY KEY REFERENCES intake.company_raw_intake ON DELETE CASCADE,
    company_unique_id text NOT NULL REFERENCES marketing.company_master ON DELETE CASCADE,
    rule text NOT NULL CHECK (rule IN ('new_company', 'same_batch', 'existing_company')),
    matched_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE marketing.company_matches IS 'Which company each valid intake row became, and by which rule';
COMMENT ON COLUMN marketing.company_matches.intake_id IS 'company_raw_intake.id';
COMMENT ON COLUMN marketing.company_matches.company_unique_id IS
'Company the intake row was taken for; barton unmatch undoes it';
COMMENT ON COLUMN marketing.company_matches.rule IS
'new_company (the row made it), same_batch (it joined one its batch made), existing_company (it joined an older '
'one)';
COMMENT ON COLUMN marketing.company_matches.matched_at IS
'When the row was matched to this company; later runs that agree keep it';

CREATE INDEX IF NOT EXISTS company_matches_company ON marketing.company_matches (company_unique_id);
