-- Back to the database user as who, and no actions. The record of what was done is lost.
DROP INDEX IF EXISTS marketing.pipeline_errors_open_batch;
DROP INDEX IF EXISTS marketing.pipeline_errors_open_cause;
ALTER TABLE marketing.pipeline_errors DROP COLUMN IF EXISTS fingerprint;
DROP FUNCTION IF EXISTS marketing.error_fingerprint(text);
DROP FUNCTION IF EXISTS marketing.events_of_error(jsonb, text);
CREATE OR REPLACE FUNCTION marketing.end_operation(action text, target text DEFAULT '') RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
    since timestamptz;
BEGIN
    UPDATE marketing.operations o SET ended_at = now(), ended_by = session_user
    WHERE o.action = end_operation.action AND o.target = end_operation.target AND o.ended_at IS NULL
    RETURNING (o.details ->> 'since')::timestamptz INTO since;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Rollback % % is not in force', action, target USING ERRCODE = 'no_data_found';
    END IF;
    RETURN since;
END
$$;

CREATE OR REPLACE FUNCTION marketing.undo_batch(batch text, reason text) RETURNS TABLE (place text, n bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    operation bigint;
    done jsonb := '{}';
    others text[];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('barton.batch:' || batch, 0));
    IF EXISTS (SELECT FROM marketing.pipeline_events e WHERE e.import_batch_id = batch AND e.status = 'processing') THEN
        RAISE EXCEPTION 'A run is at work on batch %', batch USING HINT = 'Terminate it or wait for it, then undo.', ERRCODE = 'object_in_use';
    END IF;
    IF NOT EXISTS (SELECT FROM marketing.company_batches b WHERE b.import_batch_id = batch)
       AND NOT EXISTS (SELECT FROM intake.loaded_files f WHERE f.import_batch_id = batch)
       AND NOT EXISTS (SELECT FROM intake.company_raw_intake r WHERE r.import_batch_id = batch)
       AND NOT EXISTS (SELECT FROM intake.people_raw_intake r WHERE r.import_batch_id = batch)
       AND NOT EXISTS (SELECT FROM intake.signals_raw_intake r WHERE r.import_batch_id = batch)
       AND NOT EXISTS (SELECT FROM intake.outcomes_raw_intake r WHERE r.import_batch_id = batch) THEN
        RAISE EXCEPTION 'Batch % has nothing to undo', batch USING ERRCODE = 'no_data_found';
    END IF;
    INSERT INTO marketing.operations (action, target, details, ended_at, ended_by)
    VALUES ('undo_batch', batch, jsonb_build_object('reason', reason), now(), session_user) RETURNING id INTO operation;
    PERFORM set_config('barton.skip_update_events', 'on', true);

    CREATE TEMP TABLE IF NOT EXISTS undone_companies (company_id text PRIMARY KEY, stays boolean) ON COMMIT DROP;
    TRUNCATE undone_companies;
    INSERT INTO undone_companies
    SELECT b.company_unique_id,
           EXISTS (SELECT FROM marketing.company_batches o WHERE o.company_unique_id = b.company_unique_id AND o.import_batch_id <> batch)
           OR EXISTS (SELECT FROM marketing.messages_outbound m WHERE m.company_id = b.company_unique_id)
    FROM marketing.company_batches b WHERE b.import_batch_id = batch;
    done := done || jsonb_build_object('company_ids', (SELECT coalesce(jsonb_agg(company_id ORDER BY company_id), '[]')
                                                       FROM undone_companies WHERE NOT stays));
    others := ARRAY(SELECT DISTINCT b.import_batch_id FROM undone_companies u JOIN marketing.company_batches b ON b.company_unique_id = u.company_id
                    WHERE u.stays AND b.import_batch_id <> batch);

    DELETE FROM marketing.bit_signals s USING intake.signals_raw_intake r
    WHERE r.import_batch_id = batch AND s.metadata ->> 'signals_raw_intake_id' = r.id::text;
    GET DIAGNOSTICS n = ROW_COUNT; place := 'signals'; done := done || jsonb_build_object(place, n); RETURN NEXT;
    DELETE FROM marketing.outcomes o USING intake.outcomes_raw_intake r
    WHERE r.import_batch_id = batch AND o.metadata ->> 'outcomes_raw_intake_id' = r.id::text;
    GET DIAGNOSTICS n = ROW_COUNT; place := 'outcomes'; done := done || jsonb_build_object(place, n); RETURN NEXT;

    -- people of companies that stay, whom no other batch's rows name
    CREATE TEMP TABLE IF NOT EXISTS undone_people (person_id text PRIMARY KEY) ON COMMIT DROP;
    TRUNCATE undone_people;
    INSERT INTO undone_people
    SELECT p.person_unique_id FROM marketing.people_master p JOIN undone_companies u ON u.company_id = p.company_unique_id AND u.stays
    JOIN marketing.company_master c ON c.company_unique_id = p.company_unique_id
    WHERE p.import_batch_id = batch
      AND NOT EXISTS (SELECT FROM intake.people_raw_intake r
                      WHERE r.import_batch_id <> batch AND (r.domain = c.domain OR r.company_name_key = c.company_name_key)
                        AND (lower(btrim(r.email)) = lower(p.email)
                             OR lower(coalesce(r.full_name, concat_ws(' ', r.first_name, r.last_name))) = lower(p.full_name)))
      AND NOT EXISTS (SELECT FROM marketing.messages_outbound m WHERE m.person_unique_id = p.person_unique_id);
    UPDATE marketing.company_slots s SET person_unique_id = NULL, is_filled = false, filled_at = NULL, fill_confidence = NULL,
        search_state = 'not_searched', searched_at = NULL
    FROM undone_people u WHERE s.person_unique_id = u.person_id;
    DELETE FROM marketing.people_master p USING undone_people u WHERE p.person_unique_id = u.person_id;
    GET DIAGNOSTICS n = ROW_COUNT; place := 'people of companies that stay'; done := done || jsonb_build_object(place, n); RETURN NEXT;

    UPDATE marketing.company_slots s SET person_unique_id = NULL, is_filled = false, filled_at = NULL, fill_confidence = NULL
    FROM undone_companies u WHERE s.company_unique_id = u.company_id AND NOT u.stays AND s.is_filled;
    DELETE FROM marketing.company_master c USING undone_companies u WHERE c.company_unique_id = u.company_id AND NOT u.stays;
    GET DIAGNOSTICS n = ROW_COUNT; place := 'companies'; done := done || jsonb_build_object(place, n); RETURN NEXT;
    DELETE FROM marketing.company_batches b WHERE b.import_batch_id = batch
      AND EXISTS (SELECT FROM marketing.company_batches o WHERE o.company_unique_id = b.company_unique_id AND o.import_batch_id <> batch);
    UPDATE marketing.company_master c SET import_batch_id = (
        SELECT b.import_batch_id FROM marketing.company_batches b WHERE b.company_unique_id = c.company_unique_id
        ORDER BY b.first_seen_at, b.import_batch_id LIMIT 1)
    FROM undone_companies u
    WHERE c.company_unique_id = u.company_id AND c.import_batch_id = batch
      AND EXISTS (SELECT FROM marketing.company_batches b WHERE b.company_unique_id = c.company_unique_id);
    SELECT count(*) INTO n FROM undone_companies WHERE stays;
    place := 'companies that stay'; done := done || jsonb_build_object(place, n); RETURN NEXT;
    DELETE FROM marketing.email_verification v
    WHERE v.import_batch_id = batch AND NOT EXISTS (SELECT FROM marketing.people_master p WHERE p.email = v.email);
    GET DIAGNOSTICS n = ROW_COUNT; place := 'addresses'; done := done || jsonb_build_object(place, n); RETURN NEXT;

    DELETE FROM intake.company_raw_intake WHERE import_batch_id = batch;
    GET DIAGNOSTICS n = ROW_COUNT; place := 'company rows'; done := done || jsonb_build_object(place, n); RETURN NEXT;
    DELETE FROM intake.people_raw_intake WHERE import_batch_id = batch;
    GET DIAGNOSTICS n = ROW_COUNT; place := 'people rows'; done := done || jsonb_build_object(place, n); RETURN NEXT;
    DELETE FROM intake.signals_raw_intake WHERE import_batch_id = batch;
    GET DIAGNOSTICS n = ROW_COUNT; place := 'signal rows'; done := done || jsonb_build_object(place, n); RETURN NEXT;
    DELETE FROM intake.outcomes_raw_intake WHERE import_batch_id = batch;
    GET DIAGNOSTICS n = ROW_COUNT; place := 'outcome rows'; done := done || jsonb_build_object(place, n); RETURN NEXT;
    DELETE FROM intake.rejected_rows r USING intake.loaded_files f WHERE r.file_id = f.id AND f.import_batch_id = batch;
    DELETE FROM intake.loaded_files f WHERE f.import_batch_id = batch;
    DELETE FROM marketing.vendor_holds h WHERE h.import_batch_id = batch;
    DELETE FROM marketing.batch_stages s WHERE s.import_batch_id = batch;
    DELETE FROM marketing.companies_to_score t WHERE t.import_batch_id = batch;
    UPDATE marketing.pipeline_events e SET status = 'processed', processed_at = now(), error_message = 'The batch was undone'
    WHERE e.import_batch_id = batch AND e.status IN ('pending', 'failed');
    PERFORM marketing.notify_pipeline_event('continue_at_company_master', jsonb_build_object('reason', 'batch ' || batch || ' was undone'), other)
    FROM unnest(others) AS other;
    UPDATE marketing.operations SET details = details || done || jsonb_build_object('run_again', to_jsonb(others)) WHERE id = operation;
END
$$;

CREATE OR REPLACE FUNCTION intake.settle_set_aside(place text, row_id bigint, batch text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE marketing.pipeline_events SET status = 'processed', processed_at = now(), error_message = NULL
    WHERE status = 'failed' AND import_batch_id = batch AND first_record_id = row_id::text AND payload ->> 'set_aside' = place;
    UPDATE marketing.pipeline_errors
    SET resolved = true, resolved_at = now(), resolved_by = session_user, resolution_notes = 'the row was edited'
    WHERE NOT resolved AND event_type = 'row_set_aside' AND import_batch_id = batch AND record_id = row_id::text
      AND error_details ->> 'table' = place;
END
$$;
COMMENT ON FUNCTION intake.settle_set_aside(text, bigint, text) IS 'Ends the dead letter and the error of a row that was set aside';

CREATE OR REPLACE FUNCTION marketing.unmatch_company(row_id bigint, by_whom text DEFAULT session_user, notes text DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    match record;
    separated bigint[];
BEGIN
    SELECT m.rule, r.company, r.domain, c.company_unique_id, c.company_name, intake.words(r.company) AS name_words
    INTO match
    FROM marketing.company_matches m JOIN intake.company_raw_intake r ON r.id = m.intake_id
    JOIN marketing.company_master c USING (company_unique_id) WHERE m.intake_id = row_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Intake row % is matched to no company', row_id
            USING HINT = 'See the matches in marketing.company_matches.', ERRCODE = 'no_data_found';
    ELSIF match.name_words = intake.words(match.company_name) THEN
        RAISE EXCEPTION 'Intake row % is written like company %: % on %', row_id, match.company_unique_id, match.company_name, match.domain
            USING HINT = 'Name and domain are all that tells companies apart: correct the name or the website of the row.',
                  ERRCODE = 'check_violation';
    END IF;
    INSERT INTO intake.separate_names (domain, name_words, notes, created_by)
    VALUES (match.domain, match.name_words, notes, by_whom) ON CONFLICT DO NOTHING;

    separated := ARRAY(SELECT r.id FROM marketing.company_matches m JOIN intake.company_raw_intake r ON r.id = m.intake_id
                       WHERE m.company_unique_id = match.company_unique_id AND intake.words(r.company) = match.name_words);
    -- what only the separated rows told of the company was not true of it
    WITH only_apart AS (
        SELECT told.field, told.value
        FROM marketing.company_matches m JOIN intake.company_raw_intake r ON r.id = m.intake_id
        CROSS JOIN LATERAL (VALUES
            ('company_name_for_emails', company_name_for_emails),
            ('industry', industry),
            ('employee_count', employee_count::text),
            ('founded_year', founded::text),
            ('phone', phone),
            ('address', coalesce(company_address, nullif(concat_ws(', ', company_street, company_city,
                coalesce(company_state, state_abbrev), company_postal_code, company_country), ''))),
            ('city', company_city),
            ('state', coalesce(company_state, state_abbrev)),
            ('postal_code', company_postal_code),
            ('country', company_country),
            ('linkedin_url', linkedin_url),
            ('facebook_url', facebook_url),
            ('twitter_url', twitter_url),
            ('sic_codes', sic_codes)
        ) AS told (field, value)
        WHERE m.company_unique_id = match.company_unique_id AND told.value IS NOT NULL
        GROUP BY told.field, told.value HAVING bool_and(r.id = ANY (separated))
    )
    UPDATE marketing.company_master c SET
        company_name_for_emails = CASE WHEN ('company_name_for_emails', c.company_name_for_emails) IN (TABLE only_apart) THEN NULL ELSE c.company_name_for_emails END,
        industry = CASE WHEN ('industry', c.industry) IN (TABLE only_apart) THEN NULL ELSE c.industry END,
        employee_count = CASE WHEN ('employee_count', c.employee_count::text) IN (TABLE only_apart) THEN NULL ELSE c.employee_count END,
        founded_year = CASE WHEN ('founded_year', c.founded_year::text) IN (TABLE only_apart) THEN NULL ELSE c.founded_year END,
        phone = CASE WHEN ('phone', c.phone) IN (TABLE only_apart) THEN NULL ELSE c.phone END,
        address = CASE WHEN ('address', c.address) IN (TABLE only_apart) THEN NULL ELSE c.address END,
        city = CASE WHEN ('city', c.city) IN (TABLE only_apart) THEN NULL ELSE c.city END,
        state = CASE WHEN ('state', c.state) IN (TABLE only_apart) THEN NULL ELSE c.state END,
        postal_code = CASE WHEN ('postal_code', c.postal_code) IN (TABLE only_apart) THEN NULL ELSE c.postal_code END,
        country = CASE WHEN ('country', c.country) IN (TABLE only_apart) THEN NULL ELSE c.country END,
        linkedin_url = CASE WHEN ('linkedin_url', c.linkedin_url) IN (TABLE only_apart) THEN NULL ELSE c.linkedin_url END,
        facebook_url = CASE WHEN ('facebook_url', c.facebook_url) IN (TABLE only_apart) THEN NULL ELSE c.facebook_url END,
        twitter_url = CASE WHEN ('twitter_url', c.twitter_url) IN (TABLE only_apart) THEN NULL ELSE c.twitter_url END,
        sic_codes = CASE WHEN ('sic_codes', c.sic_codes) IN (TABLE only_apart) THEN NULL ELSE c.sic_codes END
    WHERE c.company_unique_id = match.company_unique_id;

    UPDATE intake.company_raw_intake SET validated = NULL, validated_at = NULL WHERE id = ANY (separated);
    DELETE FROM marketing.company_batches b
    WHERE b.company_unique_id = match.company_unique_id AND b.mentioned_by = 'companies'
      AND EXISTS (SELECT FROM intake.company_raw_intake r WHERE r.import_batch_id = b.import_batch_id AND r.id = ANY (separated))
      AND NOT EXISTS (SELECT FROM marketing.company_matches m JOIN intake.company_raw_intake r ON r.id = m.intake_id
                      WHERE m.company_unique_id = b.company_unique_id AND r.import_batch_id = b.import_batch_id
                        AND r.id <> ALL (separated));
    PERFORM marketing.notify_pipeline_event('continue_at_validated_companies', jsonb_build_object('record_id', row_id), batch)
    FROM (SELECT DISTINCT import_batch_id AS batch FROM intake.company_raw_intake WHERE id = ANY (separated)) AS batches;
    RETURN cardinality(separated);
END
$$;
COMMENT ON FUNCTION marketing.unmatch_company(bigint, text, text) IS
    'Undoes the match of an intake row and of all rows written like it: they become a company of their own. Returns how many rows';

ALTER TABLE intake.separate_names ALTER COLUMN created_by SET DEFAULT session_user;
ALTER TABLE marketing.barton_id_history ALTER COLUMN changed_by SET DEFAULT session_user;
ALTER TABLE marketing.operations ALTER COLUMN started_by SET DEFAULT session_user;
ALTER TABLE marketing.suppressed_people ALTER COLUMN created_by SET DEFAULT session_user;
ALTER TABLE marketing.vendor_switches ALTER COLUMN changed_by SET DEFAULT session_user;
DROP TABLE IF EXISTS marketing.actions;
DROP FUNCTION IF EXISTS marketing.actor();
