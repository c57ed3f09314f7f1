-- Intake: what came in, exactly as it came, and the verdict on each row. Text columns hold what the file said (trimmed,
-- empty is NULL); numbers are parsed by the stages, which keep the original in raw.

CREATE TABLE IF NOT EXISTS intake.loaded_files (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    import_batch_id text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('companies', 'people', 'signals', 'outcomes')),
    file_name text NOT NULL,
    sha256 text NOT NULL,
    source text NOT NULL,
    rows_read bigint NOT NULL,
    rows_loaded bigint NOT NULL,
    rows_rejected bigint NOT NULL,
    rows_blank bigint NOT NULL,
    column_mapping jsonb NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (import_batch_id, kind, sha256)
);
COMMENT ON TABLE intake.loaded_files IS 'One row per file and batch; loading the same content again is a no-op';
COMMENT ON COLUMN intake.loaded_files.id IS 'Referenced by rejected_rows';
COMMENT ON COLUMN intake.loaded_files.import_batch_id IS 'Batch the file was loaded into';
COMMENT ON COLUMN intake.loaded_files.kind IS 'companies, people or signals';
COMMENT ON COLUMN intake.loaded_files.file_name IS 'Name without folder';
COMMENT ON COLUMN intake.loaded_files.sha256 IS 'Of the content; with batch and kind it makes loading again a no-op';
COMMENT ON COLUMN intake.loaded_files.source IS
'Kind of export the header was recognised as: apollo, hubspot, sales_navigator, linkedin, clay, hunter or plain';
COMMENT ON COLUMN intake.loaded_files.rows_read IS
'Records with a value = rows_loaded + rows_rejected; blank ones are counted apart';
COMMENT ON COLUMN intake.loaded_files.rows_loaded IS 'Rows that became intake rows';
COMMENT ON COLUMN intake.loaded_files.rows_rejected IS 'Rows kept in rejected_rows instead';
COMMENT ON COLUMN intake.loaded_files.rows_blank IS 'Records without any value; not part of rows_read';
COMMENT ON COLUMN intake.loaded_files.column_mapping IS
'{"columns": {field: [header, ...]}, "unused": [header, ...]}; values of unused headers are in raw only';
COMMENT ON COLUMN intake.loaded_files.loaded_at IS 'Start of the transaction that loaded the file';

CREATE TABLE IF NOT EXISTS intake.rejected_rows (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file_id bigint NOT NULL REFERENCES intake.loaded_files ON DELETE CASCADE,
    line_number bigint NOT NULL,
    reason text NOT NULL,
    details text,
    raw text
);
COMMENT ON TABLE intake.rejected_rows IS 'Lines of a file that could not become an intake row, with the reason';
COMMENT ON COLUMN intake.rejected_rows.id IS 'Order of rejection';
COMMENT ON COLUMN intake.rejected_rows.file_id IS 'loaded_files.id; deleting the file deletes its rejected rows';
COMMENT ON COLUMN intake.rejected_rows.line_number IS
'Line (XLSX: sheet row) on which the record begins, counted from 1 with the header';
COMMENT ON COLUMN intake.rejected_rows.reason IS 'too_many_values, unterminated_quote or malformed_quotes';
COMMENT ON COLUMN intake.rejected_rows.details IS 'What is wrong with the record, for the operator';
COMMENT ON COLUMN intake.rejected_rows.raw IS 'The record as it stands in the file, to be corrected and loaded again';

CREATE INDEX IF NOT EXISTS rejected_rows_file ON intake.rejected_rows (file_id);

CREATE TABLE IF NOT EXISTS intake.company_raw_intake (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company text,
    company_name_for_emails text,
    website text,
    company_linkedin_url text,
    industry text,
    num_employees text,
    company_street text,
    company_city text,
    company_state text,
    company_postal_code text,
    company_country text,
    company_address text,
    company_phone text,
    sic_codes text,
    founded_year text,
    facebook_url text,
    twitter_url text,
    state_abbrev text,
    import_batch_id text NOT NULL
    CONSTRAINT company_raw_intake_batch_key CHECK (import_batch_id ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
    validated boolean,
    validation_reasons text[] NOT NULL DEFAULT '{}',
    validation_notes text,
    validated_at timestamptz,
    validated_by text,
    domain text,
    company_name_key text,
    employee_count integer,
    founded integer,
    phone text,
    linkedin_url text,
    source_system text,
    source_record_id text,
    source_file text,
    source_row bigint,
    raw jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT company_raw_intake_judged CHECK ((validated IS NULL) = (validated_at IS NULL))
);
COMMENT ON TABLE intake.company_raw_intake IS 'Raw companies; only company, website and import_batch_id need be given';
COMMENT ON COLUMN intake.company_raw_intake.id IS
'Order of arrival; names the row in messages, matches and barton unmatch';
COMMENT ON COLUMN intake.company_raw_intake.company IS 'Name as the file had it';
COMMENT ON COLUMN intake.company_raw_intake.company_name_for_emails IS
'Short form for a salutation, where the export offers one';
COMMENT ON COLUMN intake.company_raw_intake.website IS
'As the file had it, scheme optional; judged by validated_companies';
COMMENT ON COLUMN intake.company_raw_intake.company_linkedin_url IS
'As the file had it; the usable form is linkedin_url';
COMMENT ON COLUMN intake.company_raw_intake.industry IS 'Free text of the export';
COMMENT ON COLUMN intake.company_raw_intake.num_employees IS
'Number or band as the file had it; parsed into employee_count';
COMMENT ON COLUMN intake.company_raw_intake.company_street IS 'Street and number, as the file had it';
COMMENT ON COLUMN intake.company_raw_intake.company_city IS 'Town of the head office, as the file had it';
COMMENT ON COLUMN intake.company_raw_intake.company_state IS
'State or region, written out or abbreviated as the export does';
COMMENT ON COLUMN intake.company_raw_intake.company_postal_code IS 'Postal code, as text';
COMMENT ON COLUMN intake.company_raw_intake.company_country IS 'Country, as the export names it';
COMMENT ON COLUMN intake.company_raw_intake.company_address IS
'The whole address in one line; where given it wins over the parts';
COMMENT ON COLUMN intake.company_raw_intake.company_phone IS 'As the file had it; parsed into phone';
COMMENT ON COLUMN intake.company_raw_intake.sic_codes IS 'Industry codes, as one text';
COMMENT ON COLUMN intake.company_raw_intake.founded_year IS 'As the file had it; parsed into founded';
COMMENT ON COLUMN intake.company_raw_intake.facebook_url IS 'Page of the company; never used as its website';
COMMENT ON COLUMN intake.company_raw_intake.twitter_url IS 'Page of the company; never used as its website';
COMMENT ON COLUMN intake.company_raw_intake.state_abbrev IS 'State code; used where company_state is NULL';
COMMENT ON COLUMN intake.company_raw_intake.import_batch_id IS
'Batch the row came with: the Dagster partition, e.g. 20251024-WV-B1';
COMMENT ON COLUMN intake.company_raw_intake.validated IS 'true valid, false invalid, NULL not yet judged';
COMMENT ON COLUMN intake.company_raw_intake.validation_reasons IS 'Reason codes; see docs/explanation/validation.md';
COMMENT ON COLUMN intake.company_raw_intake.validation_notes IS
'The reason codes as sentences, with what to do; NULL when there are none';
COMMENT ON COLUMN intake.company_raw_intake.validated_at IS
'When the present verdict was first given; NULL not yet judged, or edited since';
COMMENT ON COLUMN intake.company_raw_intake.validated_by IS 'Version of the rules that judged, e.g. rules 3';
COMMENT ON COLUMN intake.company_raw_intake.domain IS 'Registrable domain of website, set by validated_companies';
COMMENT ON COLUMN intake.company_raw_intake.company_name_key IS 'Normalised name, half of the company identity';
COMMENT ON COLUMN intake.company_raw_intake.employee_count IS
'Head count read from num_employees (lower bound of a band); NULL when unreadable';
COMMENT ON COLUMN intake.company_raw_intake.founded IS
'Year read from founded_year; NULL when unreadable, before 1000 or after next year';
COMMENT ON COLUMN intake.company_raw_intake.phone IS
'Read from company_phone: digits with leading + where given; NULL when not 7 to 15 digits';
COMMENT ON COLUMN intake.company_raw_intake.linkedin_url IS
'https://www.linkedin.com/(company|school|showcase)/name, read from company_linkedin_url; NULL when it is none';
COMMENT ON COLUMN intake.company_raw_intake.source_system IS
'The file''s own source system column, else apollo, hubspot, sales_navigator, linkedin, clay, hunter or plain; NULL '
'for SQL inserts that give none';
COMMENT ON COLUMN intake.company_raw_intake.source_record_id IS 'Identifier of the row in the system it came from';
COMMENT ON COLUMN intake.company_raw_intake.source_file IS 'Name of the loaded file; NULL for SQL inserts';
COMMENT ON COLUMN intake.company_raw_intake.source_row IS
'Line (XLSX: sheet row) of that file on which the row begins; NULL for SQL inserts';
COMMENT ON COLUMN intake.company_raw_intake.raw IS 'The row exactly as the file had it: {header: value}';
COMMENT ON COLUMN intake.company_raw_intake.created_at IS 'When the row arrived';
COMMENT ON COLUMN intake.company_raw_intake.updated_at IS 'Last edit of what the row says; verdicts do not count';

CREATE INDEX IF NOT EXISTS company_raw_intake_batch ON intake.company_raw_intake (import_batch_id, id);
-- Rows nobody has judged, for the reconciler (docs/explanation/event-protocol.md): nearly empty once the queue has
-- done its work.
CREATE INDEX IF NOT EXISTS company_raw_intake_unjudged
ON intake.company_raw_intake (import_batch_id)
WHERE validated IS NULL;

CREATE TABLE IF NOT EXISTS intake.people_raw_intake (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    first_name text,
    last_name text,
    full_name text,
    title text,
    email text,
    email_status text,
    linkedin_url text,
    phone text,
    mobile_phone text,
    seniority text,
    departments text,
    company text,
    website text,
    company_linkedin_url text,
    city text,
    state text,
    country text,
    source_system text,
    source_record_id text,
    import_batch_id text NOT NULL
    CONSTRAINT people_raw_intake_batch_key CHECK (import_batch_id ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
    domain text,
    company_name_key text,
    judged_at timestamptz,
    outcome text CHECK (outcome IN ('matched', 'company_unknown', 'company_ambiguous', 'invalid')),
    outcome_reasons text[] NOT NULL DEFAULT '{}',
    source_file text,
    source_row bigint,
    raw jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    vendor_call_id bigint,
    observed_at timestamptz,
    position_ended boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE intake.people_raw_intake IS 'Raw people from imports, matched to companies by enriched_contacts';
COMMENT ON COLUMN intake.people_raw_intake.id IS 'Order of arrival; names the row in messages';
COMMENT ON COLUMN intake.people_raw_intake.first_name IS 'As the file had it';
COMMENT ON COLUMN intake.people_raw_intake.last_name IS 'As the file had it';
COMMENT ON COLUMN intake.people_raw_intake.full_name IS
'As the file had it; when NULL enriched_contacts joins first and last name';
COMMENT ON COLUMN intake.people_raw_intake.title IS 'Job title as the file had it; titles.yaml decides the slot';
COMMENT ON COLUMN intake.people_raw_intake.email IS 'Address as the file had it';
COMMENT ON COLUMN intake.people_raw_intake.email_status IS
'The export''s claim about the address; never taken as a verification';
COMMENT ON COLUMN intake.people_raw_intake.linkedin_url IS 'Profile of the person';
COMMENT ON COLUMN intake.people_raw_intake.phone IS 'Direct or company number, as the file had it';
COMMENT ON COLUMN intake.people_raw_intake.mobile_phone IS 'Used when there is no phone';
COMMENT ON COLUMN intake.people_raw_intake.seniority IS 'The export''s own grading';
COMMENT ON COLUMN intake.people_raw_intake.departments IS 'The export''s own department list';
COMMENT ON COLUMN intake.people_raw_intake.company IS 'Employer as the file had it; with website it finds the company';
COMMENT ON COLUMN intake.people_raw_intake.website IS 'Employer''s site as the file had it';
COMMENT ON COLUMN intake.people_raw_intake.company_linkedin_url IS
'Employer''s page, as the file had it; kept, not used for matching';
COMMENT ON COLUMN intake.people_raw_intake.city IS 'Where the person is, not the company; kept, not used';
COMMENT ON COLUMN intake.people_raw_intake.state IS 'Where the person is, not the company; kept, not used';
COMMENT ON COLUMN intake.people_raw_intake.country IS 'Where the person is, not the company; kept, not used';
COMMENT ON COLUMN intake.people_raw_intake.source_system IS
'The file''s own source column, else apollo, hubspot, sales_navigator, linkedin, clay, hunter or plain; NULL for '
'SQL inserts that give none';
COMMENT ON COLUMN intake.people_raw_intake.source_record_id IS 'Identifier of the person in the system it came from';
COMMENT ON COLUMN intake.people_raw_intake.import_batch_id IS
'Batch the row came with; its run matches the row, or the run of the batch that brings the company';
COMMENT ON COLUMN intake.people_raw_intake.domain IS
'Registrable domain of website, else of an address that is not free mail; set by enriched_contacts';
COMMENT ON COLUMN intake.people_raw_intake.company_name_key IS
'Normalised employer name, by which the row waits for its company';
COMMENT ON COLUMN intake.people_raw_intake.judged_at IS
'When enriched_contacts last changed the outcome; NULL not yet judged';
COMMENT ON COLUMN intake.people_raw_intake.outcome IS 'What enriched_contacts made of the row; NULL not yet judged';
COMMENT ON COLUMN intake.people_raw_intake.outcome_reasons IS
'Rule that matched, or why nothing did; see docs/explanation/contacts.md';
COMMENT ON COLUMN intake.people_raw_intake.source_file IS 'Name of the loaded file; NULL for SQL inserts';
COMMENT ON COLUMN intake.people_raw_intake.source_row IS
'Line (XLSX: sheet row) of that file on which the row begins; NULL for SQL inserts';
COMMENT ON COLUMN intake.people_raw_intake.raw IS 'The row exactly as the file had it: {header: value}';
COMMENT ON COLUMN intake.people_raw_intake.created_at IS 'When the row arrived; the newer sighting of a person wins';
COMMENT ON COLUMN intake.people_raw_intake.updated_at IS 'Last edit of name, title, email, company or website';
COMMENT ON COLUMN intake.people_raw_intake.vendor_call_id IS 'The paid answer the row was read from; NULL for imports';
COMMENT ON COLUMN intake.people_raw_intake.observed_at IS 'When the source saw it; NULL means when the row arrived';
COMMENT ON COLUMN intake.people_raw_intake.position_ended IS 'The source says that the person no longer works there';

CREATE INDEX IF NOT EXISTS people_raw_intake_batch ON intake.people_raw_intake (import_batch_id, id);
CREATE INDEX IF NOT EXISTS people_raw_intake_domain ON intake.people_raw_intake (domain) WHERE domain IS NOT NULL;
CREATE INDEX IF NOT EXISTS people_raw_intake_name
ON intake.people_raw_intake (company_name_key)
WHERE company_name_key IS NOT NULL;
CREATE INDEX IF NOT EXISTS people_raw_intake_unjudged
ON intake.people_raw_intake (import_batch_id)
WHERE outcome IS NULL;
CREATE UNIQUE INDEX IF NOT EXISTS people_raw_intake_vendor_item
ON intake.people_raw_intake (vendor_call_id, source_record_id)
WHERE vendor_call_id IS NOT NULL;

CREATE TABLE IF NOT EXISTS intake.signals_raw_intake (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company text,
    website text,
    company_unique_id text,
    signal_type text,
    strength text,
    occurred_at text,
    source_system text,
    external_id text,
    import_batch_id text NOT NULL
    CONSTRAINT signals_raw_intake_batch_key CHECK (import_batch_id ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
    judged_at timestamptz,
    outcome text CHECK (outcome IN ('recorded', 'duplicate', 'company_unknown', 'company_ambiguous', 'invalid')),
    outcome_reasons text[] NOT NULL DEFAULT '{}',
    source_file text,
    source_row bigint,
    raw jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    domain text,
    company_name_key text,
    observed_at text
);
COMMENT ON TABLE intake.signals_raw_intake IS 'Raw buyer-intent signals, judged and recorded by bit_scores';
COMMENT ON COLUMN intake.signals_raw_intake.id IS 'Order of arrival; names the row in messages';
COMMENT ON COLUMN intake.signals_raw_intake.company IS 'Company name as given; with website it finds the company';
COMMENT ON COLUMN intake.signals_raw_intake.website IS 'Company site as given';
COMMENT ON COLUMN intake.signals_raw_intake.company_unique_id IS
'Barton ID, where the sender knows it; then name and site are not used';
COMMENT ON COLUMN intake.signals_raw_intake.signal_type IS 'One of the types in scoring.yaml; others are invalid';
COMMENT ON COLUMN intake.signals_raw_intake.strength IS '0..1 as text; NULL counts as 1';
COMMENT ON COLUMN intake.signals_raw_intake.occurred_at IS
'When it happened: ISO 8601 text, UTC unless it says otherwise; the loader has resolved offsets such as -3d';
COMMENT ON COLUMN intake.signals_raw_intake.source_system IS
'Where the signal comes from; scoring.yaml says how far it is believed; NULL counts as import';
COMMENT ON COLUMN intake.signals_raw_intake.external_id IS
'The source''s own identifier: the same one counts once; NULL: company, type and time identify it';
COMMENT ON COLUMN intake.signals_raw_intake.import_batch_id IS
'Batch the row came with; its run judges the row, or the run of the batch that brings the company';
COMMENT ON COLUMN intake.signals_raw_intake.judged_at IS
'When bit_scores last changed the outcome; NULL not yet judged';
COMMENT ON COLUMN intake.signals_raw_intake.outcome IS 'What bit_scores made of the row; NULL not yet judged';
COMMENT ON COLUMN intake.signals_raw_intake.outcome_reasons IS
'Why the row is invalid or waits for its company; empty when recorded';
COMMENT ON COLUMN intake.signals_raw_intake.source_file IS 'Name of the loaded file; NULL for SQL inserts';
COMMENT ON COLUMN intake.signals_raw_intake.source_row IS
'Line (XLSX: sheet row) of that file on which the row begins; NULL for SQL inserts';
COMMENT ON COLUMN intake.signals_raw_intake.raw IS 'The row exactly as the file had it: {header: value}';
COMMENT ON COLUMN intake.signals_raw_intake.created_at IS 'When the row arrived';
COMMENT ON COLUMN intake.signals_raw_intake.domain IS 'Registrable domain of website, set by bit_scores';
COMMENT ON COLUMN intake.signals_raw_intake.company_name_key IS 'Normalised name, set by bit_scores';
COMMENT ON COLUMN intake.signals_raw_intake.observed_at IS
'When it was learned, where that was not at loading; not before occurred_at';

CREATE INDEX IF NOT EXISTS signals_raw_intake_batch ON intake.signals_raw_intake (import_batch_id, id);
CREATE INDEX IF NOT EXISTS signals_raw_intake_unjudged
ON intake.signals_raw_intake (import_batch_id)
WHERE outcome IS NULL;
-- Rows without a company wait here until a batch brings it.
CREATE INDEX IF NOT EXISTS signals_raw_intake_waiting_domain
ON intake.signals_raw_intake (domain)
WHERE outcome IN ('company_unknown', 'company_ambiguous');
CREATE INDEX IF NOT EXISTS signals_raw_intake_waiting_id
ON intake.signals_raw_intake (company_unique_id)
WHERE outcome IN ('company_unknown', 'company_ambiguous');
CREATE INDEX IF NOT EXISTS signals_raw_intake_waiting_name
ON intake.signals_raw_intake (company_name_key)
WHERE outcome IN ('company_unknown', 'company_ambiguous');

CREATE TABLE IF NOT EXISTS intake.outcomes_raw_intake (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company text,
    website text,
    company_unique_id text,
    outcome_type text,
    lead_reference text,
    occurred_at text,
    source_system text,
    external_id text,
    domain text,
    company_name_key text,
    import_batch_id text NOT NULL
    CONSTRAINT outcomes_raw_intake_batch_key CHECK (import_batch_id ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
    judged_at timestamptz,
    outcome text CHECK (outcome IN ('recorded', 'duplicate', 'company_unknown', 'company_ambiguous', 'invalid')),
    outcome_reasons text[] NOT NULL DEFAULT '{}',
    source_file text,
    source_row bigint,
    raw jsonb,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE intake.outcomes_raw_intake IS 'Raw sales outcomes, judged and recorded by ple_scores';
COMMENT ON COLUMN intake.outcomes_raw_intake.id IS 'Row number, given by the database';
COMMENT ON COLUMN intake.outcomes_raw_intake.company IS 'Name as given';
COMMENT ON COLUMN intake.outcomes_raw_intake.website IS 'As given';
COMMENT ON COLUMN intake.outcomes_raw_intake.company_unique_id IS 'Barton ID, when the source knows it';
COMMENT ON COLUMN intake.outcomes_raw_intake.outcome_type IS
'attempt, positive_reply, meeting, opportunity, won, declined or lost';
COMMENT ON COLUMN intake.outcomes_raw_intake.lead_reference IS
'The source''s name for the lead, deal or thread; joins an attempt and what followed';
COMMENT ON COLUMN intake.outcomes_raw_intake.occurred_at IS 'When it happened, ISO 8601';
COMMENT ON COLUMN intake.outcomes_raw_intake.source_system IS 'Who says so';
COMMENT ON COLUMN intake.outcomes_raw_intake.external_id IS 'The source''s own number of the row';
COMMENT ON COLUMN intake.outcomes_raw_intake.domain IS 'Registrable domain of website, set by ple_scores';
COMMENT ON COLUMN intake.outcomes_raw_intake.company_name_key IS 'Normalised name, set by ple_scores';
COMMENT ON COLUMN intake.outcomes_raw_intake.import_batch_id IS 'Batch the row came with';
COMMENT ON COLUMN intake.outcomes_raw_intake.judged_at IS 'When ple_scores judged it';
COMMENT ON COLUMN intake.outcomes_raw_intake.outcome IS 'What ple_scores made of the row; NULL not yet judged';
COMMENT ON COLUMN intake.outcomes_raw_intake.outcome_reasons IS 'Reason codes';
COMMENT ON COLUMN intake.outcomes_raw_intake.source_file IS 'File it was loaded from';
COMMENT ON COLUMN intake.outcomes_raw_intake.source_row IS 'Line of that file';
COMMENT ON COLUMN intake.outcomes_raw_intake.raw IS 'The row exactly as the file had it';
COMMENT ON COLUMN intake.outcomes_raw_intake.created_at IS 'When it was loaded';

CREATE INDEX IF NOT EXISTS outcomes_raw_intake_batch ON intake.outcomes_raw_intake (import_batch_id, id);
CREATE INDEX IF NOT EXISTS outcomes_raw_intake_unjudged
ON intake.outcomes_raw_intake (import_batch_id)
WHERE outcome IS NULL;
-- Rows without a company wait here until a batch brings it.
CREATE INDEX IF NOT EXISTS outcomes_raw_intake_waiting_domain
ON intake.outcomes_raw_intake (domain)
WHERE outcome IN ('company_unknown', 'company_ambiguous');
CREATE INDEX IF NOT EXISTS outcomes_raw_intake_waiting_name
ON intake.outcomes_raw_intake (company_name_key)
WHERE outcome IN ('company_unknown', 'company_ambiguous');

CREATE TABLE IF NOT EXISTS intake.public_suffix (
    suffix text COLLATE "C" PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('rule', 'wildcard', 'exception'))
);
COMMENT ON TABLE intake.public_suffix IS 'Public suffix list, ICANN and private sections, for registrable domains';
COMMENT ON COLUMN intake.public_suffix.suffix IS 'Without the leading *. or !, in lower case';
COMMENT ON COLUMN intake.public_suffix.kind IS 'rule, wildcard (*.suffix) or exception (!suffix)';

CREATE TABLE IF NOT EXISTS intake.separate_names (
    domain text NOT NULL,
    name_words text NOT NULL,
    notes text,
    created_by text NOT NULL DEFAULT session_user,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (domain, name_words)
);
COMMENT ON TABLE intake.separate_names IS
'Names that are a company of their own although another one on the domain differs only by legal form (barton '
'unmatch)';
COMMENT ON COLUMN intake.separate_names.domain IS 'Registrable domain on which the name stands apart';
COMMENT ON COLUMN intake.separate_names.name_words IS
'The name as intake.words writes it, legal form included: the identity key of such rows';
COMMENT ON COLUMN intake.separate_names.notes IS 'Why, in the words of whoever undid the match';
COMMENT ON COLUMN intake.separate_names.created_by IS 'Who undid the match';
COMMENT ON COLUMN intake.separate_names.created_at IS 'When the match was undone; rows judged later follow it';
