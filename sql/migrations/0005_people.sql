-- The executive slots of companies, the people who may hold them, and their addresses.

CREATE TABLE IF NOT EXISTS marketing.company_slots (
    company_slot_unique_id text PRIMARY KEY
    CONSTRAINT company_slots_barton_id CHECK (company_slot_unique_id ~ '^04\.04\.05\.[0-9]{2}\.[0-9]{5}\.[0-9]{3}$'),
    company_unique_id text NOT NULL REFERENCES marketing.company_master ON DELETE CASCADE,
    slot_type text NOT NULL CHECK (slot_type IN ('CEO', 'CFO', 'HR')),
    slot_label text NOT NULL,
    is_filled boolean NOT NULL DEFAULT false,
    person_unique_id text,
    filled_at timestamptz,
    fill_confidence real CHECK (fill_confidence BETWEEN 0 AND 1),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    search_state text NOT NULL DEFAULT 'not_searched'
    CHECK (search_state IN ('filled', 'vacant', 'not_searched', 'ambiguous')),
    searched_at timestamptz,
    CONSTRAINT company_slots_one_of_each UNIQUE (company_unique_id, slot_type),
    CONSTRAINT company_slots_follows_company CHECK (
        company_slot_unique_id = '04.04.05' || substr(company_unique_id, 9, 9)
        || CASE slot_type WHEN 'CEO' THEN '.001' WHEN 'CFO' THEN '.002' ELSE '.003' END
    ),
    CONSTRAINT company_slots_filled CHECK (is_filled = (person_unique_id IS NOT NULL))
);
COMMENT ON TABLE marketing.company_slots IS 'Exactly three per company: CEO, CFO, HR';
COMMENT ON COLUMN marketing.company_slots.company_slot_unique_id IS
'Barton ID 04.04.05.SS.NNNNN.VVV: the company''s, with version 001 CEO, 002 CFO, 003 HR';
COMMENT ON COLUMN marketing.company_slots.company_unique_id IS 'Company of the slot; every company has exactly three';
COMMENT ON COLUMN marketing.company_slots.slot_type IS 'CEO, CFO or HR';
COMMENT ON COLUMN marketing.company_slots.slot_label IS
'Written-out role: Chief Executive Officer, Chief Financial Officer or HR Director';
COMMENT ON COLUMN marketing.company_slots.is_filled IS 'true exactly when person_unique_id is set';
COMMENT ON COLUMN marketing.company_slots.person_unique_id IS 'Who holds it; NULL when vacant';
COMMENT ON COLUMN marketing.company_slots.filled_at IS 'When the present holder took it; NULL when vacant';
COMMENT ON COLUMN marketing.company_slots.fill_confidence IS
'0..1: how surely the holder''s title qualifies; NULL when vacant';
COMMENT ON COLUMN marketing.company_slots.created_at IS 'When the slot was opened';
COMMENT ON COLUMN marketing.company_slots.updated_at IS 'Last change, whoever made it';
COMMENT ON COLUMN marketing.company_slots.search_state IS
'filled; ambiguous (filled, another candidate is as likely); vacant (searched, nobody found); not_searched';
COMMENT ON COLUMN marketing.company_slots.searched_at IS 'When a paid source last answered for the company';

CREATE INDEX IF NOT EXISTS company_slots_holder
ON marketing.company_slots (person_unique_id)
WHERE person_unique_id IS NOT NULL;

CREATE TABLE IF NOT EXISTS marketing.people_master (
    person_unique_id text PRIMARY KEY
    CONSTRAINT people_master_barton_id CHECK (person_unique_id ~ '^04\.04\.02\.[0-9]{2}\.[0-9]{5}\.[0-9]{3}$'),
    company_unique_id text NOT NULL REFERENCES marketing.company_master ON DELETE CASCADE,
    company_slot_unique_id text REFERENCES marketing.company_slots ON DELETE SET NULL,
    person_key text NOT NULL,
    first_name text,
    last_name text,
    full_name text NOT NULL,
    title text,
    slot_type text CHECK (slot_type IN ('CEO', 'CFO', 'HR')),
    slot_confidence real CHECK (slot_confidence BETWEEN 0 AND 1),
    slot_rule text,
    seniority text,
    department text,
    email text,
    email_source_status text,
    email_verified boolean NOT NULL DEFAULT false,
    phone text,
    linkedin_url text,
    source text NOT NULL,
    source_record_id text,
    import_batch_id text NOT NULL,
    observed_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    provenance jsonb NOT NULL DEFAULT '{}',
    left_at timestamptz,
    CONSTRAINT people_master_identity UNIQUE (company_unique_id, person_key)
);
COMMENT ON TABLE marketing.people_master IS
'People at our companies; every candidate is kept, at most one holds each slot';
COMMENT ON COLUMN marketing.people_master.person_unique_id IS 'Barton ID 04.04.02.SS.NNNNN.VVV; permanent';
COMMENT ON COLUMN marketing.people_master.company_unique_id IS 'Employer; somebody at two companies is two people here';
COMMENT ON COLUMN marketing.people_master.company_slot_unique_id IS
'Slot the person holds now; NULL holds none. Follows company_slots.person_unique_id';
COMMENT ON COLUMN marketing.people_master.person_key IS 'Normalised full name: the person within the company';
COMMENT ON COLUMN marketing.people_master.first_name IS 'First one told; later sightings only fill a NULL';
COMMENT ON COLUMN marketing.people_master.last_name IS 'First one told; later sightings only fill a NULL';
COMMENT ON COLUMN marketing.people_master.full_name IS
'As first imported, or first and last name joined; never changes';
COMMENT ON COLUMN marketing.people_master.title IS 'Newest title seen; NULL when no export told one';
COMMENT ON COLUMN marketing.people_master.slot_type IS
'Slot the title qualifies for, whether or not the person holds it';
COMMENT ON COLUMN marketing.people_master.slot_confidence IS
'0..1: how surely the title qualifies for slot_type; 0 when for none, NULL without a title';
COMMENT ON COLUMN marketing.people_master.slot_rule IS
'Rule of titles.yaml that decided, also when the title fits no slot; NULL without a title';
COMMENT ON COLUMN marketing.people_master.seniority IS
'The export''s own grading, not used by titles.yaml; first one told';
COMMENT ON COLUMN marketing.people_master.department IS
'The export''s own department list, not used by titles.yaml; first one told';
COMMENT ON COLUMN marketing.people_master.email IS
'Newest address seen, lower case; its verdict is in email_verification';
COMMENT ON COLUMN marketing.people_master.email_source_status IS
'What the export said of the address; a claim, not a verification';
COMMENT ON COLUMN marketing.people_master.email_verified IS
'true when email_verification.status is valid, which needs a vendor; not the same as ready for outreach';
COMMENT ON COLUMN marketing.people_master.phone IS
'First direct or company number told, else mobile; as the file had it, unchecked';
COMMENT ON COLUMN marketing.people_master.linkedin_url IS
'Personal profile, as the file had it, unchecked; first one told';
COMMENT ON COLUMN marketing.people_master.source IS
'Kind of export that first brought the person; import when the row gave none';
COMMENT ON COLUMN marketing.people_master.source_record_id IS
'The person''s identifier in source; NULL when the export has none';
COMMENT ON COLUMN marketing.people_master.import_batch_id IS 'Batch whose run made the person';
COMMENT ON COLUMN marketing.people_master.observed_at IS
'Arrival of the newest intake row about the person; a newer one replaces title and email';
COMMENT ON COLUMN marketing.people_master.created_at IS 'When the row was written';
COMMENT ON COLUMN marketing.people_master.updated_at IS 'Last change, whoever made it';
COMMENT ON COLUMN marketing.people_master.provenance IS
'Per value (title, email, …): source, observed_at, confidence, and call, the vendor_calls row it came from';
COMMENT ON COLUMN marketing.people_master.left_at IS
'When we saw that the person no longer works there; such a person holds no slot';

CREATE INDEX IF NOT EXISTS people_master_email ON marketing.people_master (lower(email));
-- Foreign keys without an index: each person or slot that is deleted had the whole other table read for it.
CREATE INDEX IF NOT EXISTS people_master_slot
ON marketing.people_master (company_slot_unique_id)
WHERE company_slot_unique_id IS NOT NULL;

-- A slot names its holder and a person the slot it holds: whoever writes both commits both.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_constraint
                   WHERE conname = 'company_slots_person' AND conrelid = 'marketing.company_slots'::regclass) THEN
        ALTER TABLE marketing.company_slots ADD CONSTRAINT company_slots_person
            FOREIGN KEY (person_unique_id) REFERENCES marketing.people_master DEFERRABLE INITIALLY DEFERRED;
    END IF;
END
$$;

CREATE TABLE IF NOT EXISTS marketing.contact_enrichment (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company_slot_unique_id text NOT NULL REFERENCES marketing.company_slots ON DELETE CASCADE,
    person_unique_id text NOT NULL REFERENCES marketing.people_master ON DELETE CASCADE,
    outcome text NOT NULL CHECK (outcome IN ('filled', 'replaced', 'runner_up', 'left')),
    title text,
    confidence real NOT NULL,
    rule text NOT NULL,
    source text NOT NULL,
    import_batch_id text NOT NULL,
    observed_at timestamptz NOT NULL DEFAULT now(),
    reason text
);
COMMENT ON TABLE marketing.contact_enrichment IS
'History of every candidate for a slot: who filled it, who lost it, who came close, and why';
COMMENT ON COLUMN marketing.contact_enrichment.id IS 'Order of writing';
COMMENT ON COLUMN marketing.contact_enrichment.company_slot_unique_id IS 'Slot the candidate was compared for';
COMMENT ON COLUMN marketing.contact_enrichment.person_unique_id IS
'Candidate the row is about, also when another one got the slot';
COMMENT ON COLUMN marketing.contact_enrichment.outcome IS
'filled (got the slot), replaced (lost it to another), runner_up (qualified, another was better)';
COMMENT ON COLUMN marketing.contact_enrichment.title IS 'The title at that moment';
COMMENT ON COLUMN marketing.contact_enrichment.confidence IS '0..1: how surely the title qualifies';
COMMENT ON COLUMN marketing.contact_enrichment.rule IS
'Rule of titles.yaml that classified the title; no title when there is none';
COMMENT ON COLUMN marketing.contact_enrichment.source IS 'people_master.source of the candidate';
COMMENT ON COLUMN marketing.contact_enrichment.import_batch_id IS 'Batch whose run decided';
COMMENT ON COLUMN marketing.contact_enrichment.observed_at IS 'Start of the stage that decided';
COMMENT ON COLUMN marketing.contact_enrichment.reason IS 'Why the candidate got, lost or missed the slot';

CREATE INDEX IF NOT EXISTS contact_enrichment_person ON marketing.contact_enrichment (person_unique_id);
CREATE INDEX IF NOT EXISTS contact_enrichment_slot
ON marketing.contact_enrichment (company_slot_unique_id, observed_at DESC);

CREATE TABLE IF NOT EXISTS marketing.email_verification (
    email text PRIMARY KEY,
    status text NOT NULL CHECK (status IN ('pending', 'valid', 'invalid', 'risky', 'unknown')),
    reason text,
    is_role boolean NOT NULL DEFAULT false,
    is_disposable boolean NOT NULL DEFAULT false,
    is_free_mail boolean NOT NULL DEFAULT false,
    mx text,
    source text NOT NULL,
    rules_version text,
    import_batch_id text,
    verified_at timestamptz NOT NULL DEFAULT now(),
    metadata jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE marketing.email_verification IS
'One row per address: the newest verdict; verified is not the same as ready for outreach';
COMMENT ON COLUMN marketing.email_verification.email IS
'Address in lower case, as in people_master; not tied to one person';
COMMENT ON COLUMN marketing.email_verification.status IS
'Local checks say invalid or unknown; valid, risky and pending are for a vendor to say';
COMMENT ON COLUMN marketing.email_verification.reason IS
'Local: syntax, disposable, no_domain, null_mx, no_mx, weak_mx, dns_unavailable or not_verified_by_vendor';
COMMENT ON COLUMN marketing.email_verification.is_role IS
'true for info@, sales@ and the like: a function, no person; never counts as a ready contact';
COMMENT ON COLUMN marketing.email_verification.is_disposable IS 'Domain of a throw-away mail service';
COMMENT ON COLUMN marketing.email_verification.is_free_mail IS
'Domain of a free mail provider: says nothing of the employer';
COMMENT ON COLUMN marketing.email_verification.mx IS
'ok, weak (address record only), null_mx, no_domain, no_mx, unavailable (no DNS; asked again); NULL not asked';
COMMENT ON COLUMN marketing.email_verification.source IS 'local, or the vendor that gave the verdict';
COMMENT ON COLUMN marketing.email_verification.rules_version IS
'Versions of lists and packages behind a local verdict, a change renews it; NULL for a vendor''s';
COMMENT ON COLUMN marketing.email_verification.import_batch_id IS
'Batch whose run last checked it; email events go to this batch';
COMMENT ON COLUMN marketing.email_verification.verified_at IS 'When the verdict was given; its age decides on renewal';
COMMENT ON COLUMN marketing.email_verification.metadata IS 'Free for a vendor''s answer; local checks leave it empty';

CREATE TABLE IF NOT EXISTS marketing.suppressed_people (
    identity_hash text PRIMARY KEY,
    reason text NOT NULL,
    created_by text NOT NULL DEFAULT session_user,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE marketing.suppressed_people IS
'People who asked to be forgotten, as hashes only: they never come back by another import';
COMMENT ON COLUMN marketing.suppressed_people.identity_hash IS
'SHA-256 of an address, a LinkedIn profile, or name and company domain (marketing.identity_hash)';
COMMENT ON COLUMN marketing.suppressed_people.reason IS 'Why; must not name the person';
COMMENT ON COLUMN marketing.suppressed_people.created_by IS 'Who entered it';
COMMENT ON COLUMN marketing.suppressed_people.created_at IS 'When it was entered';
