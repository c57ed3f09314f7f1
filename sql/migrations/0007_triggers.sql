-- Statement-level triggers that turn changes of the pipeline tables into events.
-- Row-level triggers cost 6x a bare insert at a million rows, these 1.0-1.3x (docs/event-protocol.md).
--
-- TG_ARGV: 0 event type, 1 record id, 2 import batch, 3 payload (SQL expressions over the row n; a NULL event type
-- raises nothing); for updates also 4 the watched columns and 5 the key column, both plain column lists.
-- EXECUTE is revoked from PUBLIC below, so nobody else can attach this owner-rights function with SQL of their own.
CREATE OR REPLACE FUNCTION marketing.raise_events() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rows_in_statement bigint;
    source text;
    columns text := 'event_type, payload, import_batch_id, n_rows, first_record_id, last_record_id, raised_by';
    token text := quote_nullable(nullif(current_setting('barton.lease_token', true), ''));
    -- a stage's own writes belong to the batch it runs, whichever batch first brought the company
    batch text := coalesce(quote_literal(nullif(current_setting('barton.import_batch_id', true), '')), TG_ARGV[2]);
    inserted bigint;
BEGIN
    IF TG_OP = 'UPDATE' AND current_setting('barton.skip_update_events', true) = 'on' THEN
        RETURN NULL;  -- the stage changes verdict columns only; comparing a million rows would find nothing
    END IF;
    SELECT count(*) INTO rows_in_statement FROM (SELECT FROM new_rows LIMIT 101) AS counted;
    IF rows_in_statement = 0 THEN
        RETURN NULL;
    END IF;
    source := 'new_rows n';
    IF TG_OP = 'UPDATE' THEN
        source := format('new_rows n JOIN old_rows o ON o.%1$I = n.%1$I AND (%2$s) IS DISTINCT FROM (%3$s)', TG_ARGV[5],
            (SELECT string_agg('n.' || quote_ident(trim(name)), ', ') FROM regexp_split_to_table(TG_ARGV[4], ',') AS name),
            (SELECT string_agg('o.' || quote_ident(trim(name)), ', ') FROM regexp_split_to_table(TG_ARGV[4], ',') AS name));
    END IF;
    IF rows_in_statement <= 100 THEN
        EXECUTE format(
            'INSERT INTO marketing.pipeline_events (%s)
             SELECT e.event_type, jsonb_build_object(''record_id'', e.record_id, ''import_batch_id'', e.batch) || e.payload,
                    e.batch, 1, e.record_id::text, e.record_id::text, %s::uuid
             FROM (SELECT %s AS event_type, %s AS record_id, %s AS batch, %s AS payload FROM %s) AS e
             WHERE e.event_type IS NOT NULL', columns, token, TG_ARGV[0], TG_ARGV[1], batch, TG_ARGV[3], source);
    ELSE
        EXECUTE format(
            'INSERT INTO marketing.pipeline_events (%s)
             SELECT e.event_type, jsonb_build_object(''count'', count(*), ''first_record_id'', min(e.record_id),
                    ''last_record_id'', max(e.record_id), ''import_batch_id'', e.batch),
                    e.batch, count(*), min(e.record_id)::text, max(e.record_id)::text, %s::uuid
             FROM (SELECT %s AS event_type, %s AS record_id, %s AS batch, (row_number() OVER () - 1) / 10000 AS chunk
                   FROM %s) AS e
             WHERE e.event_type IS NOT NULL GROUP BY e.event_type, e.batch, e.chunk',
            columns, token, TG_ARGV[0], TG_ARGV[1], batch, source);
    END IF;
    GET DIAGNOSTICS inserted = ROW_COUNT;
    IF inserted > 0 THEN
        PERFORM marketing.wake_listeners(TG_TABLE_NAME || ' ' || lower(TG_OP), NULL, inserted);
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION marketing.raise_events() FROM PUBLIC;
COMMENT ON FUNCTION marketing.raise_events() IS 'Trigger: one event per row up to 100 rows a statement, else one per 10,000 rows and batch';

CREATE OR REPLACE TRIGGER company_raw_intake_insert_events
    AFTER INSERT ON intake.company_raw_intake REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION marketing.raise_events($$'company_created'$$, 'n.id', 'n.import_batch_id',
        $$jsonb_build_object('company', n.company, 'website', n.website)$$);
CREATE OR REPLACE TRIGGER company_raw_intake_update_events
    AFTER UPDATE ON intake.company_raw_intake REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION marketing.raise_events($$'company_updated'$$, 'n.id', 'n.import_batch_id',
        $$jsonb_build_object('company', n.company, 'website', n.website)$$,
        'company, company_name_for_emails, website, company_linkedin_url, industry, num_employees, company_street, company_city, company_state, company_postal_code, company_country, company_address, company_phone, sic_codes, founded_year, facebook_url, twitter_url, state_abbrev, import_batch_id',
        'id');

CREATE OR REPLACE TRIGGER people_raw_intake_insert_events
    AFTER INSERT ON intake.people_raw_intake REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION marketing.raise_events($$'contact_created'$$, 'n.id', 'n.import_batch_id',
        $$jsonb_build_object('company', n.company, 'website', n.website, 'title', n.title)$$);
CREATE OR REPLACE TRIGGER people_raw_intake_update_events
    AFTER UPDATE ON intake.people_raw_intake REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION marketing.raise_events($$'contact_updated'$$, 'n.id', 'n.import_batch_id',
        $$jsonb_build_object('company', n.company, 'website', n.website, 'title', n.title)$$,
        'first_name, last_name, full_name, title, email, email_status, linkedin_url, phone, mobile_phone, seniority, departments, company, website, company_linkedin_url, import_batch_id',
        'id');

CREATE OR REPLACE TRIGGER signals_raw_intake_insert_events
    AFTER INSERT ON intake.signals_raw_intake REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION marketing.raise_events($$'signal_received'$$, 'n.id', 'n.import_batch_id',
        $$jsonb_build_object('company', n.company, 'website', n.website, 'signal_type', n.signal_type)$$);

CREATE OR REPLACE TRIGGER company_master_insert_events
    AFTER INSERT ON marketing.company_master REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION marketing.raise_events($$'company_promoted'$$, 'n.company_unique_id', 'n.import_batch_id',
        $$jsonb_build_object('company', n.company_name, 'website', n.website_url)$$);
CREATE OR REPLACE TRIGGER company_master_update_events
    AFTER UPDATE ON marketing.company_master REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION marketing.raise_events($$'company_master_updated'$$, 'n.company_unique_id', 'n.import_batch_id',
        $$jsonb_build_object('company', n.company_name, 'website', n.website_url)$$,
        'company_name, company_name_for_emails, website_url, domain, industry, employee_count, founded_year, phone, address, city, state, postal_code, country, linkedin_url, facebook_url, twitter_url, sic_codes',
        'company_unique_id');

CREATE OR REPLACE TRIGGER company_slots_insert_events
    AFTER INSERT ON marketing.company_slots REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION marketing.raise_events($$'slot_created'$$, 'n.company_slot_unique_id',
        '(SELECT c.import_batch_id FROM marketing.company_master c WHERE c.company_unique_id = n.company_unique_id)',
        $$jsonb_build_object('company_unique_id', n.company_unique_id, 'slot_type', n.slot_type)$$);
CREATE OR REPLACE TRIGGER company_slots_update_events
    AFTER UPDATE ON marketing.company_slots REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION marketing.raise_events($$'slot_updated'$$, 'n.company_slot_unique_id',
        '(SELECT c.import_batch_id FROM marketing.company_master c WHERE c.company_unique_id = n.company_unique_id)',
        $$jsonb_build_object('company_unique_id', n.company_unique_id, 'slot_type', n.slot_type, 'is_filled', n.is_filled)$$,
        'slot_type, slot_label, is_filled, person_unique_id', 'company_slot_unique_id');

CREATE OR REPLACE TRIGGER email_verification_insert_events
    AFTER INSERT ON marketing.email_verification REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION marketing.raise_events(
        $$CASE n.status WHEN 'valid' THEN 'email_verified' WHEN 'invalid' THEN 'email_failed' END$$, 'n.email',
        'n.import_batch_id', $$jsonb_build_object('status', n.status, 'reason', n.reason)$$);
CREATE OR REPLACE TRIGGER email_verification_update_events
    AFTER UPDATE ON marketing.email_verification REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION marketing.raise_events(
        $$CASE n.status WHEN 'valid' THEN 'email_verified' WHEN 'invalid' THEN 'email_failed' END$$, 'n.email',
        'n.import_batch_id', $$jsonb_build_object('status', n.status, 'reason', n.reason)$$,
        'status', 'email');

CREATE OR REPLACE TRIGGER bit_signals_insert_events
    AFTER INSERT ON marketing.bit_signals REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION marketing.raise_events($$'signal_recorded'$$, 'n.id',
        '(SELECT c.import_batch_id FROM marketing.company_master c WHERE c.company_unique_id = n.company_id)',
        $$jsonb_build_object('company_id', n.company_id, 'signal_type', n.signal_type)$$);

CREATE OR REPLACE TRIGGER messages_outbound_insert_events
    AFTER INSERT ON marketing.messages_outbound REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION marketing.raise_events($$'message_sent'$$, 'n.id',
        '(SELECT c.import_batch_id FROM marketing.company_master c WHERE c.company_unique_id = n.company_id)',
        $$jsonb_build_object('company_id', n.company_id, 'channel', n.channel)$$);
CREATE OR REPLACE TRIGGER messages_outbound_update_events
    AFTER UPDATE ON marketing.messages_outbound REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION marketing.raise_events(
        $$CASE WHEN n.delivered_at IS NOT NULL THEN 'message_delivered' END$$, 'n.id',
        '(SELECT c.import_batch_id FROM marketing.company_master c WHERE c.company_unique_id = n.company_id)',
        $$jsonb_build_object('company_id', n.company_id, 'channel', n.channel)$$,
        'delivered_at', 'id');
