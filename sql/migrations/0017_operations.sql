-- What operators switch off, undo and take back: a record of it, and the parts that must happen in the database.
CREATE TABLE IF NOT EXISTS marketing.operations (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    action     text NOT NULL CHECK (action IN ('silence', 'trigger', 'pause', 'manual', 'undo_batch')),
    target     text NOT NULL DEFAULT '',
    details    jsonb NOT NULL DEFAULT '{}',
    started_at timestamptz NOT NULL DEFAULT now(),
    started_by text NOT NULL DEFAULT session_user,
    ended_at   timestamptz,
    ended_by   text
);
CREATE UNIQUE INDEX IF NOT EXISTS operations_active ON marketing.operations (action, target) WHERE ended_at IS NULL;
COMMENT ON TABLE marketing.operations IS 'Rollbacks in force (ended_at NULL) and past ones, and undone batches; nothing is ever deleted here';
COMMENT ON COLUMN marketing.operations.id IS 'Row number, given by the database';
COMMENT ON COLUMN marketing.operations.action IS 'silence: no notifications; trigger: one is dropped; pause: no events; manual: no runs by sensors; undo_batch';
COMMENT ON COLUMN marketing.operations.target IS 'Trigger or batch, if one';
COMMENT ON COLUMN marketing.operations.details IS 'What it did; since: from when changes have to be caught up';
COMMENT ON COLUMN marketing.operations.started_at IS 'When';
COMMENT ON COLUMN marketing.operations.started_by IS 'Database user';
COMMENT ON COLUMN marketing.operations.ended_at IS 'When it was reversed; NULL: in force';
COMMENT ON COLUMN marketing.operations.ended_by IS 'Database user';

-- Changes may be older than they look: a row bears the time its transaction began.
CREATE OR REPLACE FUNCTION marketing.begin_operation(action text, target text DEFAULT '') RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO marketing.operations (action, target, details)
    SELECT $1, $2, jsonb_build_object('since', least(now(), min(xact_start)) - interval '5 minutes') FROM pg_stat_activity
    RETURNING id
$$;
COMMENT ON FUNCTION marketing.begin_operation(text, text) IS 'Records that a rollback is in force; fails when it is already';

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
COMMENT ON FUNCTION marketing.end_operation(text, text) IS 'Records that a rollback was reversed; returns from when changes have to be caught up';

-- Too many batches rather than too few: stages work on what is undone, so a needless run changes nothing.
CREATE OR REPLACE FUNCTION marketing.catch_up(since timestamptz) RETURNS bigint LANGUAGE sql AS $$
    WITH changed AS (
        SELECT import_batch_id FROM intake.company_raw_intake WHERE updated_at >= since
        UNION SELECT import_batch_id FROM intake.people_raw_intake WHERE updated_at >= since AND vendor_call_id IS NULL
        UNION SELECT import_batch_id FROM intake.signals_raw_intake WHERE created_at >= since
        UNION SELECT import_batch_id FROM intake.outcomes_raw_intake WHERE created_at >= since
        UNION SELECT import_batch_id FROM marketing.company_master WHERE updated_at >= since
        UNION SELECT c.import_batch_id FROM marketing.company_slots s JOIN marketing.company_master c USING (company_unique_id)
              WHERE s.updated_at >= since
        UNION SELECT c.import_batch_id FROM marketing.email_verification v JOIN marketing.people_master p USING (email)
              JOIN marketing.company_master c USING (company_unique_id) WHERE v.verified_at >= since
        UNION SELECT c.import_batch_id FROM marketing.bit_signals s JOIN marketing.company_master c ON c.company_unique_id = s.company_id
              WHERE s.observed_at >= since
        UNION SELECT import_batch_id FROM marketing.companies_to_score
    )
    SELECT count(marketing.notify_pipeline_event('continue_at_raw_intake', '{"reason": "catching up"}', import_batch_id)) FROM changed
$$;
COMMENT ON FUNCTION marketing.catch_up(timestamptz) IS 'Queues every batch with changes since then, seen or not; returns how many';

-- What only this batch brought goes; companies that others mention too, or that were written to, stay and are run again.
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
COMMENT ON FUNCTION marketing.undo_batch(text, text) IS
    'Removes what only this batch brought; IDs stay retired, paid answers and the record of it stay; what was removed where';

-- Rows of the queue keep what they announced: a run may change their state and nothing else, and only the purge deletes.
CREATE OR REPLACE FUNCTION marketing.purge_events(before timestamptz, at_most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    deleted bigint;
BEGIN
    DELETE FROM marketing.pipeline_events WHERE id = ANY (ARRAY(
        SELECT id FROM marketing.pipeline_events
        -- nothing ends before it begins, so the index on created_at finds it
        WHERE created_at < before AND status = 'processed' AND processed_at < before
        ORDER BY created_at LIMIT at_most FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END
$$;
COMMENT ON FUNCTION marketing.purge_events(timestamptz, integer) IS 'Deletes up to so many events that were processed before then; how many';

CREATE OR REPLACE FUNCTION marketing.purge_errors(before timestamptz, at_most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    deleted bigint;
BEGIN
    DELETE FROM marketing.pipeline_errors WHERE id = ANY (ARRAY(
        SELECT id FROM marketing.pipeline_errors WHERE created_at < before AND resolved AND resolved_at < before
        ORDER BY created_at LIMIT at_most FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END
$$;
COMMENT ON FUNCTION marketing.purge_errors(timestamptz, integer) IS 'Deletes up to so many errors that were resolved before then; how many';

-- It removes a person from events and errors too, which nobody else may rewrite.
ALTER FUNCTION marketing.forget_person(text, text) SECURITY DEFINER SET search_path = pg_catalog, pg_temp;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'barton_app') THEN
        GRANT SELECT, INSERT ON marketing.operations TO barton_app;
        GRANT UPDATE (ended_at, ended_by, details) ON marketing.operations TO barton_app;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA marketing TO barton_app;
        GRANT EXECUTE ON FUNCTION marketing.begin_operation(text, text), marketing.end_operation(text, text), marketing.catch_up(timestamptz),
            marketing.undo_batch(text, text), marketing.purge_events(timestamptz, integer), marketing.purge_errors(timestamptz, integer)
            TO barton_app;
        REVOKE UPDATE, DELETE ON marketing.pipeline_events, marketing.pipeline_errors FROM barton_app;
        GRANT UPDATE (status, attempts, crashes, available_at, lease_token, lease_until, claimed_by, error_message, processed_at)
            ON marketing.pipeline_events TO barton_app;
        GRANT UPDATE (resolved, resolved_at, resolved_by, resolution_notes) ON marketing.pipeline_errors TO barton_app;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'barton_readonly') THEN
        GRANT SELECT ON marketing.operations TO barton_readonly;
    END IF;
    REVOKE EXECUTE ON FUNCTION marketing.begin_operation(text, text), marketing.end_operation(text, text), marketing.catch_up(timestamptz),
        marketing.undo_batch(text, text), marketing.purge_events(timestamptz, integer), marketing.purge_errors(timestamptz, integer)
        FROM PUBLIC;
END
$$;
