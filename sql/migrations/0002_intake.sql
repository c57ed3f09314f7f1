-- Intake: what came in, exactly as it came, and the verdict on each row. Text columns hold what the file said
-- (trimmed, empty is NULL); numbers are parsed by the stages, which keep the original in raw.
CREATE TABLE IF NOT EXISTS intake.loaded_files (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    import_batch_id text NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('companies', 'people', 'signals')),
    file_name      text NOT NULL,
    sha256         text NOT NULL,
    source         text NOT NULL,
    rows_read      bigint NOT NULL,
    rows_loaded    bigint NOT NULL,
    rows_rejected  bigint NOT NULL,
    rows_blank     bigint NOT NULL,
    column_mapping jsonb NOT NULL,
    loaded_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (import_batch_id, kind, sha256)
);
COMMENT ON TABLE intake.loaded_files IS 'One row per file and batch; loading the same content again is a no-op';

CREATE TABLE IF NOT EXISTS intake.rejected_rows (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file_id     bigint NOT NULL REFERENCES intake.loaded_files ON DELETE CASCADE,
    line_number bigint NOT NULL,
    reason      text NOT NULL,
    details     text,
    raw         text
);
CREATE INDEX IF NOT EXISTS rejected_rows_file ON intake.rejected_rows (file_id);
COMMENT ON TABLE intake.rejected_rows IS 'Lines of a file that could not become an intake row, with the reason';

CREATE TABLE IF NOT EXISTS intake.company_raw_intake (
    id                      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company                 text,
    company_name_for_emails text,
    website                 text,
    company_linkedin_url    text,
    industry                text,
    num_employees           text,
    company_street          text,
    company_city            text,
    company_state           text,
    company_postal_code     text,
    company_country         text,
    company_address         text,
    company_phone           text,
    sic_codes               text,
    founded_year            text,
    facebook_url            text,
    twitter_url             text,
    state_abbrev            text,
    import_batch_id         text NOT NULL
        CONSTRAINT company_raw_intake_batch_key CHECK (import_batch_id ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
    validated               boolean,
    validation_reasons      text[] NOT NULL DEFAULT '{}',
    validation_notes        text,
    validated_at            timestamptz,
    validated_by            text,
    domain                  text,
    company_name_key        text,
    employee_count          integer,
    founded                 integer,
    phone                   text,
    linkedin_url            text,
    source_system           text,
    source_record_id        text,
    source_file             text,
    source_row              bigint,
    raw                     jsonb,
    created_at              timestamptz NOT NULL DEFAULT now(),
    updated_at              timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT company_raw_intake_judged CHECK ((validated IS NULL) = (validated_at IS NULL))
);
CREATE INDEX IF NOT EXISTS company_raw_intake_batch ON intake.company_raw_intake (import_batch_id, id);
COMMENT ON TABLE intake.company_raw_intake IS 'Raw companies; only company, website and import_batch_id need be given';
COMMENT ON COLUMN intake.company_raw_intake.validated IS 'true valid, false invalid, NULL not yet judged';
COMMENT ON COLUMN intake.company_raw_intake.validation_reasons IS 'Reason codes; see docs/validation.md';
COMMENT ON COLUMN intake.company_raw_intake.domain IS 'Registrable domain of website, set by validated_companies';
COMMENT ON COLUMN intake.company_raw_intake.company_name_key IS 'Normalised name, half of the company identity';
COMMENT ON COLUMN intake.company_raw_intake.raw IS 'The row exactly as the file had it: {header: value}';

CREATE TABLE IF NOT EXISTS intake.people_raw_intake (
    id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    first_name           text,
    last_name            text,
    full_name            text,
    title                text,
    email                text,
    email_status         text,
    linkedin_url         text,
    phone                text,
    mobile_phone         text,
    seniority            text,
    departments          text,
    company              text,
    website              text,
    company_linkedin_url text,
    city                 text,
    state                text,
    country              text,
    source_system        text,
    source_record_id     text,
    import_batch_id      text NOT NULL
        CONSTRAINT people_raw_intake_batch_key CHECK (import_batch_id ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
    domain               text,
    company_name_key     text,
    judged_at            timestamptz,
    outcome              text CHECK (outcome IN ('matched', 'company_unknown', 'company_ambiguous', 'invalid')),
    outcome_reasons      text[] NOT NULL DEFAULT '{}',
    source_file          text,
    source_row           bigint,
    raw                  jsonb,
    created_at           timestamptz NOT NULL DEFAULT now(),
    updated_at           timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS people_raw_intake_batch ON intake.people_raw_intake (import_batch_id, id);
CREATE INDEX IF NOT EXISTS people_raw_intake_domain ON intake.people_raw_intake (domain) WHERE domain IS NOT NULL;
CREATE INDEX IF NOT EXISTS people_raw_intake_name ON intake.people_raw_intake (company_name_key)
    WHERE company_name_key IS NOT NULL;
COMMENT ON TABLE intake.people_raw_intake IS 'Raw people from imports, matched to companies by enriched_contacts';
COMMENT ON COLUMN intake.people_raw_intake.outcome IS 'What enriched_contacts made of the row; NULL not yet judged';

CREATE TABLE IF NOT EXISTS intake.signals_raw_intake (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company           text,
    website           text,
    company_unique_id text,
    signal_type       text,
    strength          text,
    occurred_at       text,
    source_system     text,
    external_id       text,
    import_batch_id   text NOT NULL
        CONSTRAINT signals_raw_intake_batch_key CHECK (import_batch_id ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
    judged_at         timestamptz,
    outcome           text CHECK (outcome IN ('recorded', 'duplicate', 'company_unknown', 'company_ambiguous', 'invalid')),
    outcome_reasons   text[] NOT NULL DEFAULT '{}',
    source_file       text,
    source_row        bigint,
    raw               jsonb,
    created_at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS signals_raw_intake_batch ON intake.signals_raw_intake (import_batch_id, id);
COMMENT ON TABLE intake.signals_raw_intake IS 'Raw buyer-intent signals, judged and recorded by bit_scores';

CREATE OR REPLACE TRIGGER company_raw_intake_touch
    BEFORE UPDATE OF company, website, import_batch_id ON intake.company_raw_intake
    FOR EACH ROW EXECUTE FUNCTION marketing.touch_updated_at();
CREATE OR REPLACE TRIGGER people_raw_intake_touch
    BEFORE UPDATE OF full_name, first_name, last_name, title, email, company, website ON intake.people_raw_intake
    FOR EACH ROW EXECUTE FUNCTION marketing.touch_updated_at();
