-- The ledger of paid calls (docs/vendors.md), and what its answers add to people, slots and verdicts.
CREATE TABLE IF NOT EXISTS marketing.vendor_requests (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    vendor          text NOT NULL,
    operation       text NOT NULL,
    environment     text NOT NULL CHECK (environment IN ('real', 'sandbox')),
    state           text NOT NULL DEFAULT 'reserved' CHECK (state IN ('reserved', 'sent', 'settled', 'refused', 'unknown')),
    request_key     uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    body            jsonb NOT NULL DEFAULT '{}',
    reference       text,
    response        jsonb,
    inputs          integer NOT NULL CHECK (inputs > 0),
    estimated_usd   numeric(12, 6) NOT NULL CHECK (estimated_usd >= 0),
    actual_usd      numeric(12, 6) CHECK (actual_usd >= 0),
    import_batch_id text,
    run_id          text,
    holder          uuid NOT NULL,
    lease_until     timestamptz NOT NULL,
    error           text,
    reserved_at     timestamptz NOT NULL DEFAULT now(),
    sent_at         timestamptz,
    ended_at        timestamptz,
    CONSTRAINT vendor_requests_sent CHECK (sent_at IS NOT NULL OR state IN ('reserved', 'refused')),
    CONSTRAINT vendor_requests_ended CHECK ((ended_at IS NOT NULL) = (state IN ('settled', 'refused'))),
    CONSTRAINT vendor_requests_cost CHECK (state <> 'settled' OR actual_usd IS NOT NULL)
);
CREATE INDEX IF NOT EXISTS vendor_requests_spending ON marketing.vendor_requests (vendor, environment, reserved_at)
    INCLUDE (estimated_usd, actual_usd, state, run_id);
CREATE INDEX IF NOT EXISTS vendor_requests_batch ON marketing.vendor_requests (import_batch_id, vendor);
CREATE INDEX IF NOT EXISTS vendor_requests_open ON marketing.vendor_requests (vendor, lease_until)
    WHERE state IN ('reserved', 'sent', 'unknown');
COMMENT ON TABLE marketing.vendor_requests IS 'One row per billed request to a vendor: an actor run, a bulk file, a single verification';
COMMENT ON COLUMN marketing.vendor_requests.id IS 'Our number of the request';
COMMENT ON COLUMN marketing.vendor_requests.vendor IS 'apify or million_verifier';
COMMENT ON COLUMN marketing.vendor_requests.operation IS 'What was asked for; the operations are in vendors.yaml';
COMMENT ON COLUMN marketing.vendor_requests.environment IS 'real, or sandbox: an answer of the sandbox server';
COMMENT ON COLUMN marketing.vendor_requests.state IS 'reserved (not sent), sent, settled, refused (not charged), unknown (sent, outcome lost)';
COMMENT ON COLUMN marketing.vendor_requests.request_key IS 'Our name for the request; part of the name of a bulk file';
COMMENT ON COLUMN marketing.vendor_requests.body IS 'What is sent, without secrets';
COMMENT ON COLUMN marketing.vendor_requests.reference IS 'The vendor''s name for the request: run ID or file ID';
COMMENT ON COLUMN marketing.vendor_requests.response IS 'The vendor''s last word on the request as a whole';
COMMENT ON COLUMN marketing.vendor_requests.inputs IS 'How many rows of vendor_calls it covers';
COMMENT ON COLUMN marketing.vendor_requests.estimated_usd IS 'The most it may cost; counts against budgets until it is settled';
COMMENT ON COLUMN marketing.vendor_requests.actual_usd IS 'What the vendor charged; NULL while unknown';
COMMENT ON COLUMN marketing.vendor_requests.import_batch_id IS 'The batch that first asked';
COMMENT ON COLUMN marketing.vendor_requests.run_id IS 'The Dagster run that first asked';
COMMENT ON COLUMN marketing.vendor_requests.holder IS 'Token of the process that works on it: the fence';
COMMENT ON COLUMN marketing.vendor_requests.lease_until IS 'Until then nobody else takes it up';
COMMENT ON COLUMN marketing.vendor_requests.error IS 'Why it was refused or is unknown';
COMMENT ON COLUMN marketing.vendor_requests.reserved_at IS 'When the money was set aside; the same for all that were reserved together';
COMMENT ON COLUMN marketing.vendor_requests.sent_at IS 'Just before the first byte left';
COMMENT ON COLUMN marketing.vendor_requests.ended_at IS 'When it was settled or refused';

CREATE TABLE IF NOT EXISTS marketing.vendor_calls (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id    bigint NOT NULL REFERENCES marketing.vendor_requests,
    vendor        text NOT NULL,
    operation     text NOT NULL,
    environment   text NOT NULL CHECK (environment IN ('real', 'sandbox')),
    input_key     text NOT NULL,
    freshness_window integer NOT NULL DEFAULT 0,
    state         text NOT NULL DEFAULT 'reserved' CHECK (state IN ('reserved', 'sent', 'settled', 'refused', 'unknown')),
    input         jsonb NOT NULL DEFAULT '{}',
    response      jsonb,
    estimated_usd numeric(12, 6) NOT NULL,
    actual_usd    numeric(12, 6),
    answered_at   timestamptz,
    fresh_until   timestamptz,
    CONSTRAINT vendor_calls_once UNIQUE (vendor, operation, environment, input_key, freshness_window),
    CONSTRAINT vendor_calls_answered CHECK ((state = 'settled') = (answered_at IS NOT NULL AND response IS NOT NULL AND fresh_until IS NOT NULL))
);
CREATE INDEX IF NOT EXISTS vendor_calls_request ON marketing.vendor_calls (request_id);
COMMENT ON TABLE marketing.vendor_calls IS 'One row per paid input and freshness window, with its answer; what was answered is not bought again while fresh';
COMMENT ON COLUMN marketing.vendor_calls.id IS 'Our number of the answer; provenance names it as call';
COMMENT ON COLUMN marketing.vendor_calls.vendor IS 'As in vendor_requests';
COMMENT ON COLUMN marketing.vendor_calls.request_id IS 'The request that carries it; of a refused call the last one';
COMMENT ON COLUMN marketing.vendor_calls.operation IS 'As in vendor_requests';
COMMENT ON COLUMN marketing.vendor_calls.environment IS 'As in vendor_requests';
COMMENT ON COLUMN marketing.vendor_calls.input_key IS 'The normalised input: a domain, a LinkedIn company slug, an address';
COMMENT ON COLUMN marketing.vendor_calls.freshness_window IS 'Counts how often the input was asked for again after its answer had aged';
COMMENT ON COLUMN marketing.vendor_calls.state IS 'As in vendor_requests; an input the vendor left out of a settled request is refused';
COMMENT ON COLUMN marketing.vendor_calls.input IS 'What the input belongs to: company, person, how the address was found';
COMMENT ON COLUMN marketing.vendor_calls.response IS 'The vendor''s answer to this input, as it came';
COMMENT ON COLUMN marketing.vendor_calls.estimated_usd IS 'Its share of the request''s estimate';
COMMENT ON COLUMN marketing.vendor_calls.actual_usd IS 'Its share of what was charged';
COMMENT ON COLUMN marketing.vendor_calls.answered_at IS 'When the answer came: the observation time of everything derived from it';
COMMENT ON COLUMN marketing.vendor_calls.fresh_until IS 'From then on it may be asked for again';

CREATE TABLE IF NOT EXISTS marketing.vendor_holds (
    import_batch_id text NOT NULL,
    operation       text NOT NULL,
    reason          text NOT NULL CHECK (reason IN ('budget', 'switched_off', 'vendor_trouble', 'in_flight', 'recheck', 'refresh')),
    vendor          text NOT NULL,
    inputs          integer NOT NULL,
    message         text NOT NULL,
    stage           text NOT NULL,
    held_at         timestamptz NOT NULL DEFAULT now(),
    retry_at        timestamptz NOT NULL,
    PRIMARY KEY (import_batch_id, operation, reason)
);
CREATE INDEX IF NOT EXISTS vendor_holds_due ON marketing.vendor_holds (retry_at);
COMMENT ON TABLE marketing.vendor_holds IS 'What a batch still wants to buy and why it waits; the reconciler queues the batch again at retry_at';
COMMENT ON COLUMN marketing.vendor_holds.import_batch_id IS 'Who waits';
COMMENT ON COLUMN marketing.vendor_holds.vendor IS 'Whom it waits for';
COMMENT ON COLUMN marketing.vendor_holds.operation IS 'As in vendor_requests';
COMMENT ON COLUMN marketing.vendor_holds.reason IS 'budget, switched_off, vendor_trouble, in_flight (another batch has asked), recheck (an unknown address, once), refresh (an old answer)';
COMMENT ON COLUMN marketing.vendor_holds.inputs IS 'How many inputs wait';
COMMENT ON COLUMN marketing.vendor_holds.message IS 'What happened and what to do';
COMMENT ON COLUMN marketing.vendor_holds.stage IS 'The stage that buys: the batch is run again from there';
COMMENT ON COLUMN marketing.vendor_holds.held_at IS 'Since when it waits';
COMMENT ON COLUMN marketing.vendor_holds.retry_at IS 'When it is tried again';

CREATE TABLE IF NOT EXISTS marketing.vendor_switches (
    vendor     text PRIMARY KEY,
    enabled    boolean NOT NULL,
    reason     text,
    changed_by text NOT NULL DEFAULT session_user,
    changed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE marketing.vendor_switches IS 'Kill switches; a vendor without a row is on';
COMMENT ON COLUMN marketing.vendor_switches.vendor IS 'apify or million_verifier';
COMMENT ON COLUMN marketing.vendor_switches.enabled IS 'false: nothing is sent to the vendor';
COMMENT ON COLUMN marketing.vendor_switches.reason IS 'Why, in the words of whoever switched';
COMMENT ON COLUMN marketing.vendor_switches.changed_by IS 'Who switched last';
COMMENT ON COLUMN marketing.vendor_switches.changed_at IS 'When it was switched last';

CREATE TABLE IF NOT EXISTS marketing.suppressed_people (
    identity_hash text PRIMARY KEY,
    reason        text NOT NULL,
    created_by    text NOT NULL DEFAULT session_user,
    created_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE marketing.suppressed_people IS 'People who asked to be forgotten, as hashes only: they never come back by another import';
COMMENT ON COLUMN marketing.suppressed_people.identity_hash IS 'SHA-256 of an address, a LinkedIn profile, or name and company domain (marketing.identity_hash)';
COMMENT ON COLUMN marketing.suppressed_people.reason IS 'Why; must not name the person';
COMMENT ON COLUMN marketing.suppressed_people.created_by IS 'Who entered it';
COMMENT ON COLUMN marketing.suppressed_people.created_at IS 'When it was entered';

-- Filled only inside the transaction of a replay (barton replay): a rebuilt company or person keeps the ID it had.
CREATE TABLE IF NOT EXISTS marketing.known_ids (
    entity    text NOT NULL CHECK (entity IN ('company', 'person')),
    parent    text NOT NULL,
    identity  text NOT NULL,
    barton_id text NOT NULL,
    PRIMARY KEY (entity, parent, identity)
);
COMMENT ON TABLE marketing.known_ids IS 'IDs that a replay hands out again to whom they belong; empty at any other time';
COMMENT ON COLUMN marketing.known_ids.entity IS 'company or person';
COMMENT ON COLUMN marketing.known_ids.parent IS 'Domain of a company; company ID of a person';
COMMENT ON COLUMN marketing.known_ids.identity IS 'company_name_key or person_key';
COMMENT ON COLUMN marketing.known_ids.barton_id IS 'The permanent ID';

CREATE OR REPLACE FUNCTION marketing.known_or_new_id(entity_ text, parent_ text, identity_ text) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce((SELECT barton_id FROM marketing.known_ids WHERE (entity, parent, identity) = (entity_, parent_, identity_)),
                    CASE entity_ WHEN 'company' THEN marketing.barton_id('01', nextval('marketing.company_number'))
                                 ELSE marketing.barton_id('02', nextval('marketing.person_number')) END)
$$;
COMMENT ON FUNCTION marketing.known_or_new_id(text, text, text) IS 'The next free ID of a company or person, or in a replay the one it had';

-- As 0005 has it, but a replay by the owner neither gives nor retires IDs: it hands them back to whom they belong.
CREATE OR REPLACE FUNCTION marketing.record_id_history() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('barton.replay', true) = 'on' AND pg_has_role(session_user, current_user, 'MEMBER') THEN
        RETURN NULL;
    END IF;
    EXECUTE format('INSERT INTO marketing.barton_id_history (barton_id, entity, change) SELECT %I, %L, %L FROM changed_rows',
                   TG_ARGV[1], TG_ARGV[0], TG_ARGV[2]);
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION marketing.record_id_history() FROM PUBLIC;
ALTER TABLE marketing.messages_outbound ALTER CONSTRAINT messages_outbound_company_id_fkey DEFERRABLE INITIALLY IMMEDIATE;
ALTER TABLE marketing.messages_outbound ALTER CONSTRAINT messages_outbound_person_unique_id_fkey DEFERRABLE INITIALLY IMMEDIATE;

-- People: where each value comes from, and whether they are still there.
ALTER TABLE marketing.people_master ADD COLUMN IF NOT EXISTS provenance jsonb NOT NULL DEFAULT '{}';
ALTER TABLE marketing.people_master ADD COLUMN IF NOT EXISTS left_at timestamptz;
COMMENT ON COLUMN marketing.people_master.provenance IS 'Per value (title, email, …): source, observed_at, confidence, and call, the vendor_calls row it came from';
COMMENT ON COLUMN marketing.people_master.left_at IS 'When we saw that the person no longer works there; such a person holds no slot';
ALTER TABLE intake.people_raw_intake ADD COLUMN IF NOT EXISTS vendor_call_id bigint;
ALTER TABLE intake.people_raw_intake ADD COLUMN IF NOT EXISTS observed_at timestamptz;
ALTER TABLE intake.people_raw_intake ADD COLUMN IF NOT EXISTS position_ended boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN intake.people_raw_intake.vendor_call_id IS 'The paid answer the row was read from; NULL for imports';
COMMENT ON COLUMN intake.people_raw_intake.observed_at IS 'When the source saw it; NULL means when the row arrived';
COMMENT ON COLUMN intake.people_raw_intake.position_ended IS 'The source says that the person no longer works there';
CREATE UNIQUE INDEX IF NOT EXISTS people_raw_intake_vendor_item ON intake.people_raw_intake (vendor_call_id, source_record_id)
    WHERE vendor_call_id IS NOT NULL;

-- By what a person is recognised again; hashed, so that what is kept of a forgotten person says nothing.
CREATE OR REPLACE FUNCTION marketing.person_hashes(email text, linkedin_url text, full_name text, domain text)
RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_agg(encode(sha256(convert_to(identity, 'UTF8')), 'hex')) FROM (VALUES
        ('email:' || lower(btrim(email))),
        ('linkedin:' || lower((regexp_match(linkedin_url, 'linkedin\.com/in/([^/?#\s]+)', 'i'))[1])),
        ('name:' || nullif(intake.words(full_name), '') || '@' || lower(domain))) AS given (identity)
    WHERE identity IS NOT NULL
$$;
COMMENT ON FUNCTION marketing.person_hashes(text, text, text, text) IS
    'SHA-256 of the address, of the profile, and of name and company domain, as far as they are given; NULL without any';

CREATE OR REPLACE FUNCTION marketing.is_suppressed(email text, linkedin_url text, full_name text, domain text)
RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM marketing.suppressed_people s
                   WHERE s.identity_hash = ANY (marketing.person_hashes(email, linkedin_url, full_name, domain)))
$$;
COMMENT ON FUNCTION marketing.is_suppressed(text, text, text, text) IS 'Whether the person asked to be forgotten';

-- Takes people who asked to be forgotten out of the stored answers about a company domain, whoever bought them and when.
CREATE OR REPLACE FUNCTION marketing.scrub_answers(domains text[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    scrubbed bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM marketing.suppressed_people) THEN
        RETURN 0;
    END IF;
    UPDATE marketing.vendor_calls v
    SET response = jsonb_set(v.response, '{items}', (
            SELECT coalesce(jsonb_agg(i.item ORDER BY i.place) FILTER (WHERE NOT i.suppressed), '[]')
            FROM (SELECT item, place, marketing.is_suppressed(item ->> 'email', coalesce(item ->> 'linkedin', item ->> 'linkedinUrl'),
                             coalesce(item ->> 'full_name', concat_ws(' ', coalesce(item ->> 'first_name', item ->> 'firstName'),
                                                                      coalesce(item ->> 'last_name', item ->> 'lastName'))),
                             c.domain) AS suppressed
                  FROM jsonb_array_elements(v.response -> 'items') WITH ORDINALITY AS e (item, place)) AS i))
    FROM marketing.company_answers a JOIN marketing.company_master c USING (company_unique_id)
    WHERE c.domain = ANY (domains) AND v.id = a.call_id AND EXISTS (
        SELECT FROM jsonb_array_elements(v.response -> 'items') AS item
        WHERE marketing.is_suppressed(item ->> 'email', coalesce(item ->> 'linkedin', item ->> 'linkedinUrl'),
                  coalesce(item ->> 'full_name', concat_ws(' ', coalesce(item ->> 'first_name', item ->> 'firstName'),
                                                           coalesce(item ->> 'last_name', item ->> 'lastName'))), c.domain));
    GET DIAGNOSTICS scrubbed = ROW_COUNT;
    RETURN scrubbed;
END
$$;
COMMENT ON FUNCTION marketing.scrub_answers(text[]) IS 'Removes suppressed people from stored paid answers about these domains; returns how many changed';

-- wanted: a person ID, an address or the URL of a LinkedIn profile.
CREATE OR REPLACE FUNCTION marketing.forget_person(wanted text, reason text) RETURNS TABLE (place text, n bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    hashes text[];
    people text[];
    addresses text[];
    domains text[];
BEGIN
    CREATE TEMP TABLE IF NOT EXISTS forgotten_people (person_unique_id text, email text, linkedin_url text, full_name text, domain text) ON COMMIT DROP;
    TRUNCATE forgotten_people;
    INSERT INTO forgotten_people
    SELECT p.person_unique_id, p.email, p.linkedin_url, p.full_name, c.domain
    FROM marketing.people_master p JOIN marketing.company_master c USING (company_unique_id)
    WHERE p.person_unique_id = wanted OR lower(p.email) = lower(btrim(wanted))
       OR marketing.person_hashes(NULL, p.linkedin_url, NULL, NULL) = marketing.person_hashes(NULL, wanted, NULL, NULL);
    INSERT INTO forgotten_people
    SELECT NULL, r.email, r.linkedin_url, coalesce(r.full_name, concat_ws(' ', r.first_name, r.last_name)), r.domain
    FROM intake.people_raw_intake r
    WHERE lower(btrim(r.email)) = lower(btrim(wanted))
       OR marketing.person_hashes(NULL, r.linkedin_url, NULL, NULL) = marketing.person_hashes(NULL, wanted, NULL, NULL);
    hashes := ARRAY(SELECT DISTINCT h FROM forgotten_people f, unnest(marketing.person_hashes(f.email, f.linkedin_url, f.full_name, f.domain)) AS h
                    UNION SELECT unnest(marketing.person_hashes(CASE WHEN wanted LIKE '%@%' THEN wanted END, wanted, NULL, NULL)));
    IF cardinality(hashes) = 0 THEN
        RAISE EXCEPTION 'Nobody is known as %', wanted USING HINT = 'Give a person ID, an address, or the URL of a LinkedIn profile.',
            ERRCODE = 'no_data_found';
    END IF;
    INSERT INTO marketing.suppressed_people (identity_hash, reason) SELECT unnest(hashes), forget_person.reason ON CONFLICT DO NOTHING;

    -- everybody who is recognised by one of the hashes: the same person at another company too
    people := ARRAY(SELECT p.person_unique_id FROM marketing.people_master p JOIN marketing.company_master c USING (company_unique_id)
                    WHERE marketing.person_hashes(p.email, p.linkedin_url, p.full_name, c.domain) && hashes);
    addresses := ARRAY(SELECT lower(btrim(wanted)) WHERE wanted LIKE '%@%'
                       UNION SELECT lower(email) FROM forgotten_people WHERE email IS NOT NULL
                       UNION SELECT v.input_key FROM marketing.vendor_calls v WHERE v.input ->> 'guessed_for' = ANY (people)
                       UNION SELECT p.provenance #>> '{email,replaces}' FROM marketing.people_master p
                       WHERE p.person_unique_id = ANY (people) AND p.provenance #>> '{email,replaces}' IS NOT NULL);
    domains := ARRAY(SELECT DISTINCT c.domain FROM marketing.people_master p JOIN marketing.company_master c USING (company_unique_id)
                     WHERE p.person_unique_id = ANY (people)
                     UNION SELECT f.domain FROM forgotten_people f WHERE f.domain IS NOT NULL);

    DELETE FROM intake.people_raw_intake r
    WHERE marketing.person_hashes(r.email, r.linkedin_url, coalesce(r.full_name, concat_ws(' ', r.first_name, r.last_name)), r.domain) && hashes;
    GET DIAGNOSTICS n = ROW_COUNT; place := 'intake rows'; RETURN NEXT;
    UPDATE marketing.company_slots SET person_unique_id = NULL, is_filled = false, filled_at = NULL, fill_confidence = NULL,
        search_state = 'vacant' WHERE person_unique_id = ANY (people);
    UPDATE marketing.messages_outbound SET person_unique_id = NULL, recipient = 'forgotten', subject = NULL, metadata = '{}'
    WHERE person_unique_id = ANY (people) OR lower(recipient) = ANY (addresses);
    GET DIAGNOSTICS n = ROW_COUNT; place := 'messages made anonymous'; RETURN NEXT;
    UPDATE marketing.bit_signals SET metadata = metadata - 'person_unique_id' - 'title'
    WHERE metadata ->> 'person_unique_id' = ANY (people);
    DELETE FROM marketing.people_master WHERE person_unique_id = ANY (people);
    GET DIAGNOSTICS n = ROW_COUNT; place := 'people'; RETURN NEXT;
    DELETE FROM marketing.email_verification WHERE lower(email) = ANY (addresses);
    GET DIAGNOSTICS n = ROW_COUNT; place := 'addresses'; RETURN NEXT;
    UPDATE marketing.vendor_requests q SET response = '{}'
    FROM marketing.vendor_calls v WHERE v.request_id = q.id AND v.operation = 'verify_email' AND v.input_key = ANY (addresses);
    UPDATE marketing.vendor_calls SET input_key = 'forgotten:' || (marketing.person_hashes(input_key, NULL, NULL, NULL))[1], input = '{}',
        response = CASE WHEN response IS NOT NULL THEN jsonb_build_object('result', response -> 'result') END
    WHERE operation = 'verify_email' AND input_key = ANY (addresses);
    GET DIAGNOSTICS n = ROW_COUNT; place := 'paid verifications made anonymous'; RETURN NEXT;
    n := marketing.scrub_answers(domains); place := 'paid answers scrubbed'; RETURN NEXT;
    UPDATE marketing.pipeline_events SET first_record_id = 'forgotten', last_record_id = 'forgotten',
        payload = payload || '{"record_id": "forgotten"}'
    WHERE event_type IN ('email_verified', 'email_failed') AND lower(first_record_id) = ANY (addresses);
    UPDATE marketing.pipeline_errors SET error_message = 'removed on request', error_details = '{}', record_id = NULL
    WHERE lower(record_id) = ANY (addresses)
       OR EXISTS (SELECT FROM unnest(addresses) AS a WHERE position(a IN lower(error_message || error_details::text)) > 0);
    GET DIAGNOSTICS n = ROW_COUNT; place := 'error messages removed'; RETURN NEXT;
END
$$;
COMMENT ON FUNCTION marketing.forget_person(text, text) IS
    'Deletes what is known of a person everywhere and keeps hashes that stop a return; what was changed where';

CREATE OR REPLACE FUNCTION marketing.linkedin_slug(url text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT lower((regexp_match(url, 'linkedin\.com/(?:company|school|showcase)/([^/?#\s]+)', 'i'))[1])
$$;
COMMENT ON FUNCTION marketing.linkedin_slug(text) IS 'acme-corp of https://www.linkedin.com/company/acme-corp/; NULL for anything else';

CREATE INDEX IF NOT EXISTS vendor_calls_input ON marketing.vendor_calls (input_key, operation) WHERE state = 'settled';
CREATE INDEX IF NOT EXISTS vendor_calls_guessed_for ON marketing.vendor_calls ((input ->> 'guessed_for'))
    WHERE input ->> 'guessed_for' IS NOT NULL;
CREATE OR REPLACE VIEW marketing.company_answers AS
SELECT c.company_unique_id, v.id AS call_id, v.operation, v.environment, v.input_key, v.response, v.answered_at
FROM marketing.company_master c
JOIN marketing.vendor_calls v ON v.input_key = c.domain AND v.operation = 'leads_finder' AND v.state = 'settled'
UNION ALL
SELECT c.company_unique_id, v.id, v.operation, v.environment, v.input_key, v.response, v.answered_at
FROM marketing.company_master c
JOIN marketing.vendor_calls v ON v.input_key = marketing.linkedin_slug(c.linkedin_url) AND v.operation = 'linkedin_employees'
     AND v.state = 'settled';
COMMENT ON VIEW marketing.company_answers IS 'Every paid answer about the people of each company';
COMMENT ON COLUMN marketing.company_answers.company_unique_id IS 'Whom the answer is about; two companies may share a domain';
COMMENT ON COLUMN marketing.company_answers.call_id IS 'Row of vendor_calls';
COMMENT ON COLUMN marketing.company_answers.operation IS 'Paid source that answered';
COMMENT ON COLUMN marketing.company_answers.environment IS 'real or sandbox';
COMMENT ON COLUMN marketing.company_answers.input_key IS 'Domain or LinkedIn slug that was asked about';
COMMENT ON COLUMN marketing.company_answers.response IS 'Items of the vendor, as they came';
COMMENT ON COLUMN marketing.company_answers.answered_at IS 'When it was observed';

-- Slots: not filled has three meanings.
ALTER TABLE marketing.company_slots ADD COLUMN IF NOT EXISTS search_state text NOT NULL DEFAULT 'not_searched'
    CHECK (search_state IN ('filled', 'vacant', 'not_searched', 'ambiguous'));
ALTER TABLE marketing.company_slots ADD COLUMN IF NOT EXISTS searched_at timestamptz;
COMMENT ON COLUMN marketing.company_slots.search_state IS 'filled; ambiguous (filled, another candidate is as likely); vacant (searched, nobody found); not_searched';
COMMENT ON COLUMN marketing.company_slots.searched_at IS 'When a paid source last answered for the company';
UPDATE marketing.company_slots SET search_state = 'filled' WHERE is_filled AND search_state = 'not_searched';

ALTER TABLE marketing.contact_enrichment ADD COLUMN IF NOT EXISTS reason text;
ALTER TABLE marketing.contact_enrichment DROP CONSTRAINT IF EXISTS contact_enrichment_outcome_check;
ALTER TABLE marketing.contact_enrichment ADD CONSTRAINT contact_enrichment_outcome_check
    CHECK (outcome IN ('filled', 'replaced', 'runner_up', 'left'));
COMMENT ON COLUMN marketing.contact_enrichment.reason IS 'Why the candidate got, lost or missed the slot';

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'barton_app') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON marketing.vendor_requests, marketing.vendor_calls, marketing.vendor_holds,
            marketing.vendor_switches, marketing.suppressed_people, marketing.known_ids TO barton_app;
        REVOKE DELETE ON marketing.vendor_requests, marketing.vendor_calls, marketing.suppressed_people FROM barton_app;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA marketing TO barton_app;
        GRANT SELECT ON marketing.company_answers TO barton_app;
        GRANT EXECUTE ON FUNCTION marketing.linkedin_slug(text), marketing.known_or_new_id(text, text, text),
            marketing.person_hashes(text, text, text, text), marketing.is_suppressed(text, text, text, text),
            marketing.scrub_answers(text[]), marketing.forget_person(text, text) TO barton_app;
    END IF;
    REVOKE EXECUTE ON FUNCTION marketing.linkedin_slug(text), marketing.known_or_new_id(text, text, text),
            marketing.person_hashes(text, text, text, text), marketing.is_suppressed(text, text, text, text),
            marketing.scrub_answers(text[]), marketing.forget_person(text, text) FROM PUBLIC;
END
$$;
