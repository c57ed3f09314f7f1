-- Companies, their permanent Barton IDs, slots and people.
CREATE SEQUENCE IF NOT EXISTS marketing.company_number;
CREATE SEQUENCE IF NOT EXISTS marketing.person_number;

-- 04.04.DD.SS.NNNNN.001: number 1 is 84.00001, number 100000 is 85.00001. Never truncates: past 99.99999 it refuses.
CREATE OR REPLACE FUNCTION marketing.barton_id(department text, number bigint) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF number NOT BETWEEN 1 AND 1599984 THEN
        RAISE EXCEPTION 'Barton IDs of department % are exhausted or out of range: number %', department, number
            USING HINT = 'Numbers run from 1 to 1599984 (subsections 84 to 99 of 99999 each).', ERRCODE = 'numeric_value_out_of_range';
    END IF;
    RETURN '04.04.' || department || '.' || (84 + (number - 1) / 99999)
           || '.' || lpad(((number - 1) % 99999 + 1)::text, 5, '0') || '.001';
END
$$;
COMMENT ON FUNCTION marketing.barton_id(text, bigint) IS 'The n-th ID of a department; raises when the grammar is exhausted';

-- An ID, once given, is permanent.
CREATE OR REPLACE FUNCTION marketing.refuse_id_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Barton IDs are permanent: % may not become %', OLD, NEW
        USING HINT = 'Delete the row (its ID is retired) and let the pipeline create a new one.', ERRCODE = 'integrity_constraint_violation';
END
$$;

CREATE TABLE IF NOT EXISTS marketing.barton_id_history (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    barton_id  text NOT NULL,
    entity     text NOT NULL CHECK (entity IN ('company', 'person', 'slot')),
    change     text NOT NULL CHECK (change IN ('given', 'retired')),
    changed_at timestamptz NOT NULL DEFAULT now(),
    changed_by text NOT NULL DEFAULT session_user
);
CREATE INDEX IF NOT EXISTS barton_id_history_barton_id ON marketing.barton_id_history (barton_id);
COMMENT ON TABLE marketing.barton_id_history IS
    'Append-only: when each company and person ID was given and retired. Slot IDs follow their company; only their retirement is written';

CREATE OR REPLACE FUNCTION marketing.refuse_history_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE OR REPLACE TRIGGER barton_id_history_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON marketing.barton_id_history
    FOR EACH STATEMENT EXECUTE FUNCTION marketing.refuse_history_change();

-- TG_ARGV: entity, ID column, change.
CREATE OR REPLACE FUNCTION marketing.record_id_history() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('INSERT INTO marketing.barton_id_history (barton_id, entity, change) SELECT %I, %L, %L FROM changed_rows',
                   TG_ARGV[1], TG_ARGV[0], TG_ARGV[2]);
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION marketing.record_id_history() FROM PUBLIC;

CREATE TABLE IF NOT EXISTS marketing.company_master (
    company_unique_id         text PRIMARY KEY
        CONSTRAINT company_master_barton_id CHECK (company_unique_id ~ '^04\.04\.01\.[0-9]{2}\.[0-9]{5}\.[0-9]{3}$'),
    company_name              text NOT NULL,
    company_name_for_emails   text,
    website_url               text NOT NULL,
    domain                    text NOT NULL,
    company_name_key          text NOT NULL,
    industry                  text,
    employee_count            integer CHECK (employee_count > 0),
    founded_year              integer,
    phone                     text,
    address                   text,
    city                      text,
    state                     text,
    postal_code               text,
    country                   text,
    linkedin_url              text,
    facebook_url              text,
    twitter_url               text,
    sic_codes                 text,
    source_system             text,
    source_record_id          text,
    import_batch_id           text NOT NULL,
    promoted_from_intake_at   timestamptz NOT NULL DEFAULT now(),
    data_quality_score        smallint NOT NULL CHECK (data_quality_score BETWEEN 0 AND 100),
    created_at                timestamptz NOT NULL DEFAULT now(),
    updated_at                timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT company_master_identity UNIQUE (domain, company_name_key)
);
CREATE INDEX IF NOT EXISTS company_master_name_key ON marketing.company_master (company_name_key);
CREATE INDEX IF NOT EXISTS company_master_batch ON marketing.company_master (import_batch_id);
COMMENT ON TABLE marketing.company_master IS 'One row per real company; identity is registrable domain plus normalised name';
COMMENT ON COLUMN marketing.company_master.import_batch_id IS 'The batch that first brought the company';
COMMENT ON COLUMN marketing.company_master.data_quality_score IS '0..100: share of the describing columns that are filled';

CREATE OR REPLACE TRIGGER company_master_id_permanent
    BEFORE UPDATE OF company_unique_id ON marketing.company_master FOR EACH ROW
    WHEN (OLD.company_unique_id IS DISTINCT FROM NEW.company_unique_id)
    EXECUTE FUNCTION marketing.refuse_id_change();
CREATE OR REPLACE TRIGGER company_master_id_given
    AFTER INSERT ON marketing.company_master REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION marketing.record_id_history('company', 'company_unique_id', 'given');
CREATE OR REPLACE TRIGGER company_master_id_retired
    AFTER DELETE ON marketing.company_master REFERENCING OLD TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION marketing.record_id_history('company', 'company_unique_id', 'retired');
CREATE OR REPLACE TRIGGER company_master_touch
    BEFORE UPDATE ON marketing.company_master
    FOR EACH ROW EXECUTE FUNCTION marketing.touch_updated_at();

CREATE TABLE IF NOT EXISTS marketing.company_batches (
    import_batch_id   text NOT NULL,
    company_unique_id text NOT NULL REFERENCES marketing.company_master ON DELETE CASCADE,
    mentioned_by      text NOT NULL CHECK (mentioned_by IN ('companies', 'people', 'signals')),
    first_seen_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (import_batch_id, company_unique_id)
);
CREATE INDEX IF NOT EXISTS company_batches_company ON marketing.company_batches (company_unique_id);
COMMENT ON TABLE marketing.company_batches IS 'Which batches mentioned which company: the companies a batch''s stages work on';

CREATE TABLE IF NOT EXISTS marketing.company_matches (
    intake_id         bigint PRIMARY KEY REFERENCES intake.company_raw_intake ON DELETE CASCADE,
    company_unique_id text NOT NULL REFERENCES marketing.company_master ON DELETE CASCADE,
    rule              text NOT NULL CHECK (rule IN ('new_company', 'same_batch', 'existing_company')),
    matched_at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS company_matches_company ON marketing.company_matches (company_unique_id);
COMMENT ON TABLE marketing.company_matches IS 'Which company each valid intake row became, and by which rule';

CREATE TABLE IF NOT EXISTS marketing.company_slots (
    company_slot_unique_id text PRIMARY KEY
        CONSTRAINT company_slots_barton_id CHECK (company_slot_unique_id ~ '^04\.04\.05\.[0-9]{2}\.[0-9]{5}\.[0-9]{3}$'),
    company_unique_id      text NOT NULL REFERENCES marketing.company_master ON DELETE CASCADE,
    slot_type              text NOT NULL CHECK (slot_type IN ('CEO', 'CFO', 'HR')),
    slot_label             text NOT NULL,
    is_filled              boolean NOT NULL DEFAULT false,
    person_unique_id       text,
    filled_at              timestamptz,
    fill_confidence        real CHECK (fill_confidence BETWEEN 0 AND 1),
    created_at             timestamptz NOT NULL DEFAULT now(),
    updated_at             timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT company_slots_one_of_each UNIQUE (company_unique_id, slot_type),
    CONSTRAINT company_slots_follows_company CHECK (company_slot_unique_id =
        '04.04.05' || substr(company_unique_id, 9, 9) || CASE slot_type WHEN 'CEO' THEN '.001' WHEN 'CFO' THEN '.002' ELSE '.003' END),
    CONSTRAINT company_slots_filled CHECK (is_filled = (person_unique_id IS NOT NULL))
);
COMMENT ON TABLE marketing.company_slots IS 'Exactly three per company: CEO, CFO, HR';

CREATE OR REPLACE FUNCTION marketing.refuse_missing_slot() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    orphan text;
BEGIN
    SELECT company_unique_id INTO orphan FROM deleted_rows JOIN marketing.company_master USING (company_unique_id) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'Company % must keep its three slots', orphan
            USING HINT = 'Delete the company; its slots go with it.', ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER company_slots_keep_three
    AFTER DELETE ON marketing.company_slots REFERENCING OLD TABLE AS deleted_rows
    FOR EACH STATEMENT EXECUTE FUNCTION marketing.refuse_missing_slot();
CREATE OR REPLACE TRIGGER company_slots_id_retired
    AFTER DELETE ON marketing.company_slots REFERENCING OLD TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION marketing.record_id_history('slot', 'company_slot_unique_id', 'retired');
CREATE OR REPLACE TRIGGER company_slots_id_permanent
    BEFORE UPDATE OF company_slot_unique_id, company_unique_id ON marketing.company_slots FOR EACH ROW
    WHEN ((OLD.company_slot_unique_id, OLD.company_unique_id) IS DISTINCT FROM (NEW.company_slot_unique_id, NEW.company_unique_id))
    EXECUTE FUNCTION marketing.refuse_id_change();
CREATE OR REPLACE TRIGGER company_slots_touch
    BEFORE UPDATE ON marketing.company_slots
    FOR EACH ROW EXECUTE FUNCTION marketing.touch_updated_at();

CREATE TABLE IF NOT EXISTS marketing.people_master (
    person_unique_id       text PRIMARY KEY
        CONSTRAINT people_master_barton_id CHECK (person_unique_id ~ '^04\.04\.02\.[0-9]{2}\.[0-9]{5}\.[0-9]{3}$'),
    company_unique_id      text NOT NULL REFERENCES marketing.company_master ON DELETE CASCADE,
    company_slot_unique_id text REFERENCES marketing.company_slots ON DELETE SET NULL,
    person_key             text NOT NULL,
    first_name             text,
    last_name              text,
    full_name              text NOT NULL,
    title                  text,
    slot_type              text CHECK (slot_type IN ('CEO', 'CFO', 'HR')),
    slot_confidence        real CHECK (slot_confidence BETWEEN 0 AND 1),
    slot_rule              text,
    seniority              text,
    department             text,
    email                  text,
    email_source_status    text,
    email_verified         boolean NOT NULL DEFAULT false,
    phone                  text,
    linkedin_url           text,
    source                 text NOT NULL,
    source_record_id       text,
    import_batch_id        text NOT NULL,
    observed_at            timestamptz NOT NULL DEFAULT now(),
    created_at             timestamptz NOT NULL DEFAULT now(),
    updated_at             timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT people_master_identity UNIQUE (company_unique_id, person_key)
);
CREATE INDEX IF NOT EXISTS people_master_email ON marketing.people_master (lower(email));
COMMENT ON TABLE marketing.people_master IS 'People at our companies; every candidate is kept, at most one holds each slot';
COMMENT ON COLUMN marketing.people_master.person_key IS 'Normalised full name: the person within the company';
COMMENT ON COLUMN marketing.people_master.slot_type IS 'Slot the title qualifies for, whether or not the person holds it';
COMMENT ON COLUMN marketing.people_master.email_source_status IS 'What the export said of the address; a claim, not a verification';

CREATE OR REPLACE TRIGGER people_master_id_permanent
    BEFORE UPDATE OF person_unique_id ON marketing.people_master FOR EACH ROW
    WHEN (OLD.person_unique_id IS DISTINCT FROM NEW.person_unique_id)
    EXECUTE FUNCTION marketing.refuse_id_change();
CREATE OR REPLACE TRIGGER people_master_id_given
    AFTER INSERT ON marketing.people_master REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION marketing.record_id_history('person', 'person_unique_id', 'given');
CREATE OR REPLACE TRIGGER people_master_id_retired
    AFTER DELETE ON marketing.people_master REFERENCING OLD TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION marketing.record_id_history('person', 'person_unique_id', 'retired');
CREATE OR REPLACE TRIGGER people_master_touch
    BEFORE UPDATE ON marketing.people_master
    FOR EACH ROW EXECUTE FUNCTION marketing.touch_updated_at();

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_constraint WHERE conname = 'company_slots_person') THEN
        ALTER TABLE marketing.company_slots ADD CONSTRAINT company_slots_person
            FOREIGN KEY (person_unique_id) REFERENCES marketing.people_master DEFERRABLE INITIALLY DEFERRED;
    END IF;
END
$$;

CREATE TABLE IF NOT EXISTS marketing.contact_enrichment (
    id                     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company_slot_unique_id text NOT NULL REFERENCES marketing.company_slots ON DELETE CASCADE,
    person_unique_id       text NOT NULL REFERENCES marketing.people_master ON DELETE CASCADE,
    outcome                text NOT NULL CHECK (outcome IN ('filled', 'replaced', 'runner_up')),
    title                  text,
    confidence             real NOT NULL,
    rule                   text NOT NULL,
    source                 text NOT NULL,
    import_batch_id        text NOT NULL,
    observed_at            timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS contact_enrichment_slot ON marketing.contact_enrichment (company_slot_unique_id, observed_at DESC);
COMMENT ON TABLE marketing.contact_enrichment IS 'History of every candidate for a slot: who filled it, who lost it, who came close, and why';
