-- Rollbacks (docs/how-to/operations/rollbacks.md): marketing.operations says what is in force, and these make it so.

-- Whoever makes functions or triggers anew calls this afterwards. It does nothing where all is as it should be, because
-- whoever works on rows only may switch sensors off (manual) but cannot change the schema.
CREATE OR REPLACE FUNCTION marketing.enforce_rollbacks() RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    event_trigger record;
BEGIN
    IF EXISTS (SELECT FROM marketing.operations WHERE action = 'silence' AND ended_at IS NULL)
       AND EXISTS (SELECT FROM pg_proc
                   WHERE oid = 'marketing.wake_listeners'::regproc AND prosrc LIKE '%pg_notify%') THEN
        CREATE OR REPLACE FUNCTION marketing.wake_listeners(event_type text, import_batch_id text, n_rows bigint)
        RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
        AS 'BEGIN NULL; END';
    END IF;
    FOR event_trigger IN
        SELECT t.tgrelid::regclass AS place, t.tgname AS name, bool_or(o.action = 'trigger') AS dropped
        FROM pg_trigger t
        JOIN marketing.operations o
          ON o.action = 'trigger' AND o.target = t.tgname OR o.action = 'pause' AND t.tgenabled <> 'D'
        WHERE t.tgfoid = 'marketing.raise_events'::regproc AND o.ended_at IS NULL
        GROUP BY t.tgrelid, t.tgname
        ORDER BY min(t.oid)
    LOOP
        IF event_trigger.dropped THEN
            EXECUTE format('DROP TRIGGER %I ON %s', event_trigger.name, event_trigger.place);
        ELSE
            EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', event_trigger.place, event_trigger.name);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION marketing.enforce_rollbacks() IS
'Silences, drops and disables what marketing.operations says is silenced, dropped and paused; needs the owner';
REVOKE EXECUTE ON FUNCTION marketing.enforce_rollbacks() FROM public;

-- Changes may be older than they look: a row bears the time its transaction began.
CREATE OR REPLACE FUNCTION marketing.begin_operation(action text, target text DEFAULT '') RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    operation bigint;
BEGIN
    INSERT INTO marketing.operations (action, target, details)
    SELECT $1, $2, jsonb_build_object('since', least(now(), min(xact_start)) - interval '5 minutes')
    FROM pg_stat_activity
    RETURNING id INTO operation;
    PERFORM marketing.enforce_rollbacks();
    RETURN operation;
END
$$;
COMMENT ON FUNCTION marketing.begin_operation(text, text) IS
'Puts a rollback in force and records it; fails when it is already';
REVOKE EXECUTE ON FUNCTION marketing.begin_operation(text, text) FROM public;

-- What the rollback had changed is made again before this is called (sql/ops/*.undo.sql).
CREATE OR REPLACE FUNCTION marketing.end_operation(action text, target text DEFAULT '') RETURNS timestamptz
LANGUAGE plpgsql AS $$
DECLARE
    since timestamptz;
BEGIN
    UPDATE marketing.operations o SET ended_at = now(), ended_by = marketing.actor()
    WHERE o.action = end_operation.action AND o.target = end_operation.target AND o.ended_at IS NULL
    RETURNING (o.details ->> 'since')::timestamptz INTO since;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Rollback % % is not in force', action, target USING ERRCODE = 'no_data_found';
    END IF;
    PERFORM marketing.enforce_rollbacks();
    RETURN since;
END
$$;
COMMENT ON FUNCTION marketing.end_operation(text, text) IS
'Records that a rollback was reversed; the others stay in force. Returns from when changes have to be caught up';
REVOKE EXECUTE ON FUNCTION marketing.end_operation(text, text) FROM public;

-- Too many batches rather than too few: stages work on what is undone, so a needless run changes nothing.
CREATE OR REPLACE FUNCTION marketing.catch_up(since timestamptz) RETURNS bigint LANGUAGE sql AS $$
    WITH changed AS (
        SELECT import_batch_id FROM intake.company_raw_intake WHERE updated_at >= since
        UNION SELECT import_batch_id FROM intake.people_raw_intake
              WHERE updated_at >= since AND vendor_call_id IS NULL
        UNION SELECT import_batch_id FROM intake.signals_raw_intake WHERE created_at >= since
        UNION SELECT import_batch_id FROM intake.outcomes_raw_intake WHERE created_at >= since
        UNION SELECT import_batch_id FROM marketing.company_master WHERE updated_at >= since
        UNION SELECT c.import_batch_id
              FROM marketing.company_slots s JOIN marketing.company_master c USING (company_unique_id)
              WHERE s.updated_at >= since
        UNION SELECT c.import_batch_id FROM marketing.email_verification v JOIN marketing.people_master p USING (email)
              JOIN marketing.company_master c USING (company_unique_id) WHERE v.verified_at >= since
        UNION SELECT c.import_batch_id
              FROM marketing.bit_signals s JOIN marketing.company_master c ON c.company_unique_id = s.company_id
              WHERE s.observed_at >= since
        UNION SELECT import_batch_id FROM marketing.companies_to_score
    )
    SELECT count(marketing.notify_pipeline_event(
        'continue_at_raw_intake', '{"reason": "catching up"}', import_batch_id))
    FROM changed
$$;
COMMENT ON FUNCTION marketing.catch_up(timestamptz) IS
'Queues every batch with changes since then, seen or not; returns how many';
REVOKE EXECUTE ON FUNCTION marketing.catch_up(timestamptz) FROM public;
