-- Who did what through which door: marketing.actor() and the append-only table of actions (docs/actions.md); and errors by their cause.
-- The door sets barton.actor for its transaction; a session without it acts under its database user.
CREATE OR REPLACE FUNCTION marketing.actor() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(nullif(current_setting('barton.actor', true), ''), session_user::text)
$$;
COMMENT ON FUNCTION marketing.actor() IS 'Who acts in this transaction: the setting barton.actor, or else the database user of the session';

CREATE TABLE IF NOT EXISTS marketing.actions (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor         text NOT NULL DEFAULT marketing.actor(),
    role          text NOT NULL,
    door          text NOT NULL CHECK (door IN ('cli', 'web', 'assistant', 'sensor')),
    database_user text NOT NULL DEFAULT session_user,
    action        text NOT NULL,
    parameters    jsonb NOT NULL DEFAULT '{}',
    reason        text,
    shown_count   bigint,
    done_count    bigint,
    outcome       text NOT NULL CHECK (outcome IN ('started', 'done', 'failed', 'refused')),
    error         text,
    request_id    text,
    started_id    bigint REFERENCES marketing.actions,
    CONSTRAINT actions_error CHECK ((outcome IN ('failed', 'refused')) = (error IS NOT NULL)),
    CONSTRAINT actions_start CHECK (outcome <> 'started' OR started_id IS NULL)
);
CREATE INDEX IF NOT EXISTS actions_at ON marketing.actions (at);
CREATE INDEX IF NOT EXISTS actions_action ON marketing.actions (action, at);
CREATE UNIQUE INDEX IF NOT EXISTS actions_request ON marketing.actions (request_id) WHERE started_id IS NULL;
CREATE UNIQUE INDEX IF NOT EXISTS actions_end ON marketing.actions (started_id) WHERE started_id IS NOT NULL;
COMMENT ON TABLE marketing.actions IS
    'Append-only: what people and sensors did through the command line, the web or the assistant, and what came of it (docs/actions.md)';
COMMENT ON COLUMN marketing.actions.id IS 'Row number, given by the database';
COMMENT ON COLUMN marketing.actions.at IS 'When the row was written, which is the end of the action, or its beginning when the outcome is started';
COMMENT ON COLUMN marketing.actions.actor IS 'Who: login or name, as the door knows it';
COMMENT ON COLUMN marketing.actions.role IS 'With what rights, as the door knows them: viewer, operator, admin, system';
COMMENT ON COLUMN marketing.actions.door IS 'Where the wish came in: cli, web, assistant or sensor';
COMMENT ON COLUMN marketing.actions.database_user IS 'Login role of the session, which the actor cannot choose';
COMMENT ON COLUMN marketing.actions.action IS 'Name of the function in barton_pipeline.actions';
COMMENT ON COLUMN marketing.actions.parameters IS 'What it was asked to do; no secrets, and for forget only hashes or the ID';
COMMENT ON COLUMN marketing.actions.reason IS 'Why, in the words of the actor';
COMMENT ON COLUMN marketing.actions.shown_count IS 'How many things the preview had shown; NULL when nobody looked';
COMMENT ON COLUMN marketing.actions.done_count IS 'How many things were changed; NULL unless the outcome is done';
COMMENT ON COLUMN marketing.actions.outcome IS
    'done; failed; refused (the preview had shown another number); started: an action of several transactions that is at work or was killed, '
    'unless another row has its id as started_id';
COMMENT ON COLUMN marketing.actions.error IS 'First line of the error; NULL unless failed or refused';
COMMENT ON COLUMN marketing.actions.request_id IS 'Given by the door; the same request is carried out once';
COMMENT ON COLUMN marketing.actions.started_id IS 'The row with outcome started that this row ends; NULL for an action of one transaction';

CREATE OR REPLACE TRIGGER actions_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON marketing.actions
    FOR EACH STATEMENT EXECUTE FUNCTION marketing.refuse_history_change();

-- The columns that say who, and the functions that fill them.
ALTER TABLE marketing.vendor_switches ALTER COLUMN changed_by SET DEFAULT marketing.actor();
ALTER TABLE marketing.suppressed_people ALTER COLUMN created_by SET DEFAULT marketing.actor();
ALTER TABLE marketing.operations ALTER COLUMN started_by SET DEFAULT marketing.actor();
ALTER TABLE marketing.barton_id_history ALTER COLUMN changed_by SET DEFAULT marketing.actor();
ALTER TABLE intake.separate_names ALTER COLUMN created_by SET DEFAULT marketing.actor();
COMMENT ON COLUMN marketing.operations.started_by IS 'Who (marketing.actor)';
COMMENT ON COLUMN marketing.operations.ended_by IS 'Who (marketing.actor)';
COMMENT ON COLUMN marketing.barton_id_history.changed_by IS 'Who, as marketing.actor has it; the database user for what runs do by themselves';
COMMENT ON COLUMN marketing.pipeline_errors.resolved_by IS 'Who closed it (marketing.actor), or what resolve_pipeline_error was told; NULL while open';

CREATE OR REPLACE FUNCTION marketing.end_operation(action text, target text DEFAULT '') RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
    since timestamptz;
BEGIN
    UPDATE marketing.operations o SET ended_at = now(), ended_by = marketing.actor()
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
    VALUES ('undo_batch', batch, jsonb_build_object('reason', reason), now(), marketing.actor()) RETURNING id INTO operation;
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
    SET resolved = true, resolved_at = now(), resolved_by = marketing.actor(), resolution_notes = 'the row was edited'
    WHERE NOT resolved AND event_type = 'row_set_aside' AND import_batch_id = batch AND record_id = row_id::text
      AND error_details ->> 'table' = place;
END
$$;
COMMENT ON FUNCTION intake.settle_set_aside(text, bigint, text) IS 'Ends the dead letter and the error of a row that was set aside';

CREATE OR REPLACE FUNCTION marketing.unmatch_company(row_id bigint, by_whom text DEFAULT marketing.actor(), notes text DEFAULT NULL)
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

-- Errors by their cause. What varies from one occurrence to the next becomes '#'.
CREATE OR REPLACE FUNCTION marketing.error_fingerprint(message text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    cause text COLLATE "C" := message;  -- the same characters count as letters and blanks in every database
BEGIN
    -- quoted text; an apostrophe inside a word opens and closes nothing. Values as Postgres tells them: Key (domain)=(acme.com)
    cause := regexp_replace(cause, $re$"[^"]*"|“[^”]*”|«[^»]*»|`[^`]*`|(?<![[:alnum:]])'([^']|'(?=[[:alnum:]]))*'(?![[:alnum:]])|=\((\([^()]*\)|[^)])*\)$re$, '#', 'g');
    -- addresses, URLs and paths
    cause := regexp_replace(cause, $re$[^[:space:]<>(){},;:"'=|]+@[^[:space:]<>(){},;:"'=|]+$re$, '#', 'g');
    cause := regexp_replace(cause, $re$[^[:space:]<>(){},;"'=|]*[/\\][^[:space:]<>(){},;"'=|]*$re$, '#', 'g');
    -- a batch key may be a plain word: known by what stands before it
    cause := regexp_replace(cause, '(\m[Bb]atch(?:es)?|\mbarton (?:retry|run|status|undo|plan|backfill)|--batch) +[A-Za-z0-9][A-Za-z0-9._-]*', '\1 #', 'g');
    -- everything with a digit in it: numbers, moments, Barton IDs, UUIDs, batch keys; punctuation other than . _ - ends it
    cause := regexp_replace(cause, '[^[:space:]!-,/:-@[-^`{-~]*[0-9][^[:space:]!-,/:-@[-^`{-~]*', '#', 'g');
    -- a list of such things is one of them
    cause := regexp_replace(cause, '#([[:space:],:;+/-]*#)+', '#', 'g');
    cause := btrim(regexp_replace(cause, '[[:space:]]+', ' ', 'g'));
    RETURN left(encode(sha256(convert_to(cause, 'UTF8')), 'hex'), 12);
END
$$;
COMMENT ON FUNCTION marketing.error_fingerprint(text) IS
    'The cause of an error as 12 hexadecimal digits: the same for messages that differ only in numbers, IDs, batch keys, quoted text, addresses and paths';

ALTER TABLE marketing.pipeline_errors ADD COLUMN IF NOT EXISTS fingerprint text
    GENERATED ALWAYS AS (marketing.error_fingerprint(error_message)) STORED;
COMMENT ON COLUMN marketing.pipeline_errors.fingerprint IS 'The cause, marketing.error_fingerprint of the message; what errors are grouped by';
-- open errors are grouped from the index alone
CREATE INDEX IF NOT EXISTS pipeline_errors_open_cause ON marketing.pipeline_errors (fingerprint, created_at) INCLUDE (severity, import_batch_id)
    WHERE NOT resolved;
CREATE INDEX IF NOT EXISTS pipeline_errors_open_batch ON marketing.pipeline_errors (import_batch_id, created_at) WHERE NOT resolved;

-- Errors name the events they tell of: event_id, or event_ids, of which only the first hundred are listed when there are more.
CREATE OR REPLACE FUNCTION marketing.events_of_error(details jsonb, batch text) RETURNS SETOF bigint LANGUAGE sql STABLE AS $$
    SELECT e.id FROM marketing.pipeline_events e
    WHERE e.status = 'failed' AND e.id IN (
        SELECT jsonb_path_query(details, '$.event_id ? (@.type() == "number")')::bigint
        UNION SELECT jsonb_path_query(details, '$.event_ids[*] ? (@.type() == "number")')::bigint)
    UNION
    SELECT e.id FROM marketing.pipeline_events e
    WHERE e.status = 'failed' AND e.import_batch_id = batch AND jsonb_path_exists(details, '$ ? (@.events > @.event_ids.size())')
$$;
COMMENT ON FUNCTION marketing.events_of_error(jsonb, text) IS
    'The dead letters that an error tells of, by its details and batch; all of the batch when it tells of more than it lists';

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'barton_app') THEN
        GRANT SELECT, INSERT ON marketing.actions TO barton_app;
        GRANT EXECUTE ON FUNCTION marketing.actor(), marketing.error_fingerprint(text),
            marketing.events_of_error(jsonb, text) TO barton_app;
    END IF;
    REVOKE EXECUTE ON FUNCTION marketing.actor(), marketing.error_fingerprint(text),
        marketing.events_of_error(jsonb, text) FROM PUBLIC;
END
$$;
