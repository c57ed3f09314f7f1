-- What only this batch brought goes; companies that others mention too, or that were written to, stay and run again.
CREATE OR REPLACE FUNCTION marketing.undo_batch(batch text, reason text) RETURNS TABLE (place text, n bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    operation bigint;
    done jsonb := '{}';
    others text[];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('barton.batch:' || batch, 0));
    IF EXISTS (SELECT FROM marketing.pipeline_events e WHERE e.import_batch_id = batch AND e.status = 'processing') THEN
        RAISE EXCEPTION 'A run is at work on batch %', batch
            USING HINT = 'Terminate it or wait for it, then undo.', ERRCODE = 'object_in_use';
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
           EXISTS (SELECT FROM marketing.company_batches o
                   WHERE o.company_unique_id = b.company_unique_id AND o.import_batch_id <> batch)
           OR EXISTS (SELECT FROM marketing.messages_outbound m WHERE m.company_id = b.company_unique_id)
    FROM marketing.company_batches b WHERE b.import_batch_id = batch;
    done := done || jsonb_build_object('company_ids', (SELECT coalesce(jsonb_agg(company_id ORDER BY company_id), '[]')
                                                       FROM undone_companies WHERE NOT stays));
    others := ARRAY(SELECT DISTINCT b.import_batch_id
                    FROM undone_companies u
                    JOIN marketing.company_batches b ON b.company_unique_id = u.company_id
                    WHERE u.stays AND b.import_batch_id <> batch);

    DELETE FROM marketing.bit_signals s USING intake.signals_raw_intake r
    WHERE r.import_batch_id = batch AND s.metadata ->> 'signals_raw_intake_id' = r.id::text;
    GET DIAGNOSTICS n = ROW_COUNT;
    place := 'signals';
    done := done || jsonb_build_object(place, n);
    RETURN NEXT;
    DELETE FROM marketing.outcomes o USING intake.outcomes_raw_intake r
    WHERE r.import_batch_id = batch AND o.metadata ->> 'outcomes_raw_intake_id' = r.id::text;
    GET DIAGNOSTICS n = ROW_COUNT;
    place := 'outcomes';
    done := done || jsonb_build_object(place, n);
    RETURN NEXT;

    -- people of companies that stay, whom no other batch's rows name
    CREATE TEMP TABLE IF NOT EXISTS undone_people (person_id text PRIMARY KEY) ON COMMIT DROP;
    TRUNCATE undone_people;
    INSERT INTO undone_people
    SELECT p.person_unique_id
    FROM marketing.people_master p
    JOIN undone_companies u ON u.company_id = p.company_unique_id AND u.stays
    JOIN marketing.company_master c ON c.company_unique_id = p.company_unique_id
    WHERE p.import_batch_id = batch
      AND NOT EXISTS (SELECT FROM intake.people_raw_intake r
                      WHERE r.import_batch_id <> batch
                        AND (r.domain = c.domain OR r.company_name_key = c.company_name_key)
                        AND (lower(btrim(r.email)) = lower(p.email)
                             OR lower(coalesce(r.full_name, concat_ws(' ', r.first_name, r.last_name)))
                                = lower(p.full_name)))
      AND NOT EXISTS (SELECT FROM marketing.messages_outbound m WHERE m.person_unique_id = p.person_unique_id);
    UPDATE marketing.company_slots s
    SET person_unique_id = NULL, is_filled = false, filled_at = NULL, fill_confidence = NULL,
        search_state = 'not_searched', searched_at = NULL
    FROM undone_people u WHERE s.person_unique_id = u.person_id;
    DELETE FROM marketing.people_master p USING undone_people u WHERE p.person_unique_id = u.person_id;
    GET DIAGNOSTICS n = ROW_COUNT;
    place := 'people of companies that stay';
    done := done || jsonb_build_object(place, n);
    RETURN NEXT;

    UPDATE marketing.company_slots s
    SET person_unique_id = NULL, is_filled = false, filled_at = NULL, fill_confidence = NULL
    FROM undone_companies u WHERE s.company_unique_id = u.company_id AND NOT u.stays AND s.is_filled;
    DELETE FROM marketing.company_master c USING undone_companies u
    WHERE c.company_unique_id = u.company_id AND NOT u.stays;
    GET DIAGNOSTICS n = ROW_COUNT;
    place := 'companies';
    done := done || jsonb_build_object(place, n);
    RETURN NEXT;
    DELETE FROM marketing.company_batches b
    WHERE b.import_batch_id = batch
      AND EXISTS (SELECT FROM marketing.company_batches o
                  WHERE o.company_unique_id = b.company_unique_id AND o.import_batch_id <> batch);
    UPDATE marketing.company_master c SET import_batch_id = (
        SELECT b.import_batch_id FROM marketing.company_batches b WHERE b.company_unique_id = c.company_unique_id
        ORDER BY b.first_seen_at, b.import_batch_id LIMIT 1)
    FROM undone_companies u
    WHERE c.company_unique_id = u.company_id AND c.import_batch_id = batch
      AND EXISTS (SELECT FROM marketing.company_batches b WHERE b.company_unique_id = c.company_unique_id);
    SELECT count(*) INTO n FROM undone_companies WHERE stays;
    place := 'companies that stay';
    done := done || jsonb_build_object(place, n);
    RETURN NEXT;
    DELETE FROM marketing.email_verification v
    WHERE v.import_batch_id = batch AND NOT EXISTS (SELECT FROM marketing.people_master p WHERE p.email = v.email);
    GET DIAGNOSTICS n = ROW_COUNT;
    place := 'addresses';
    done := done || jsonb_build_object(place, n);
    RETURN NEXT;

    DELETE FROM intake.company_raw_intake WHERE import_batch_id = batch;
    GET DIAGNOSTICS n = ROW_COUNT;
    place := 'company rows';
    done := done || jsonb_build_object(place, n);
    RETURN NEXT;
    DELETE FROM intake.people_raw_intake WHERE import_batch_id = batch;
    GET DIAGNOSTICS n = ROW_COUNT;
    place := 'people rows';
    done := done || jsonb_build_object(place, n);
    RETURN NEXT;
    DELETE FROM intake.signals_raw_intake WHERE import_batch_id = batch;
    GET DIAGNOSTICS n = ROW_COUNT;
    place := 'signal rows';
    done := done || jsonb_build_object(place, n);
    RETURN NEXT;
    DELETE FROM intake.outcomes_raw_intake WHERE import_batch_id = batch;
    GET DIAGNOSTICS n = ROW_COUNT;
    place := 'outcome rows';
    done := done || jsonb_build_object(place, n);
    RETURN NEXT;
    DELETE FROM intake.rejected_rows r USING intake.loaded_files f WHERE r.file_id = f.id AND f.import_batch_id = batch;
    DELETE FROM intake.loaded_files f WHERE f.import_batch_id = batch;
    DELETE FROM marketing.vendor_holds h WHERE h.import_batch_id = batch;
    DELETE FROM marketing.batch_stages s WHERE s.import_batch_id = batch;
    DELETE FROM marketing.companies_to_score t WHERE t.import_batch_id = batch;
    UPDATE marketing.pipeline_events e
    SET status = 'processed', processed_at = now(), error_message = 'The batch was undone'
    WHERE e.import_batch_id = batch AND e.status IN ('pending', 'failed');
    PERFORM marketing.notify_pipeline_event(
        'continue_at_company_master', jsonb_build_object('reason', 'batch ' || batch || ' was undone'), other)
    FROM unnest(others) AS other;
    UPDATE marketing.operations SET details = details || done || jsonb_build_object('run_again', to_jsonb(others))
    WHERE id = operation;
END
$$;
COMMENT ON FUNCTION marketing.undo_batch(text, text) IS
'Removes what only this batch brought; IDs stay retired, paid answers and the record of it stay; what was removed '
'where';
REVOKE EXECUTE ON FUNCTION marketing.undo_batch(text, text) FROM public;
