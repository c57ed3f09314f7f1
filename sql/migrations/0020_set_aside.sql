-- Rows that make their stage fail are set aside (docs/event-protocol.md, Poison): their verdict is 'processing_failed', and stages
-- read the rows of these views, which leave them out. While a failing row is looked for, the settings narrow them to a range.
CREATE OR REPLACE FUNCTION intake.first_row() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(nullif(current_setting('barton.first_row', true), '')::bigint, 0)
$$;
CREATE OR REPLACE FUNCTION intake.last_row() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(nullif(current_setting('barton.last_row', true), '')::bigint, 9223372036854775807)
$$;
COMMENT ON FUNCTION intake.first_row() IS 'Rows before this id are out of sight in this transaction';
COMMENT ON FUNCTION intake.last_row() IS 'Rows after this id are out of sight in this transaction';

-- A column that is added to a table later is in its view only when the view is created again.
CREATE OR REPLACE VIEW intake.companies_to_process AS
SELECT * FROM intake.company_raw_intake
WHERE NOT 'processing_failed' = ANY (validation_reasons) AND id BETWEEN intake.first_row() AND intake.last_row();
CREATE OR REPLACE VIEW intake.people_to_process AS
SELECT * FROM intake.people_raw_intake
WHERE NOT 'processing_failed' = ANY (outcome_reasons) AND id BETWEEN intake.first_row() AND intake.last_row();
CREATE OR REPLACE VIEW intake.signals_to_process AS
SELECT * FROM intake.signals_raw_intake
WHERE NOT 'processing_failed' = ANY (outcome_reasons) AND id BETWEEN intake.first_row() AND intake.last_row();
CREATE OR REPLACE VIEW intake.outcomes_to_process AS
SELECT * FROM intake.outcomes_raw_intake
WHERE NOT 'processing_failed' = ANY (outcome_reasons) AND id BETWEEN intake.first_row() AND intake.last_row();
COMMENT ON VIEW intake.companies_to_process IS 'Rows of company_raw_intake that no stage failed on';
COMMENT ON VIEW intake.people_to_process IS 'Rows of people_raw_intake that no stage failed on';
COMMENT ON VIEW intake.signals_to_process IS 'Rows of signals_raw_intake that no stage failed on';
COMMENT ON VIEW intake.outcomes_to_process IS 'Rows of outcomes_raw_intake that no stage failed on';

-- Who edits a row set aside wants it tried again: its dead letter and its error are settled. Owner's rights, because who may edit
-- rows need not have any on the queue.
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
CREATE OR REPLACE FUNCTION intake.reopen_edited_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    NEW.validated := NULL;
    NEW.validated_at := NULL;
    IF 'processing_failed' = ANY (OLD.validation_reasons) THEN
        NEW.validation_reasons := '{}';
        PERFORM intake.settle_set_aside('intake.company_raw_intake', OLD.id, OLD.import_batch_id);
    END IF;
    RETURN NEW;
END
$$;
CREATE OR REPLACE FUNCTION intake.reopen_edited_person() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    IF 'processing_failed' = ANY (OLD.outcome_reasons) THEN
        NEW.outcome := NULL;
        NEW.outcome_reasons := '{}';
        PERFORM intake.settle_set_aside('intake.people_raw_intake', OLD.id, OLD.import_batch_id);
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION intake.reopen_edited_person() IS 'Row trigger: an edited row that was set aside is tried again';
CREATE OR REPLACE TRIGGER people_raw_intake_touch
    BEFORE UPDATE OF full_name, first_name, last_name, title, email, company, website ON intake.people_raw_intake
    FOR EACH ROW EXECUTE FUNCTION intake.reopen_edited_person();

DO $$
DECLARE
    c record;
BEGIN
    FOR c IN SELECT v.place, a.attname, col_description(a.attrelid, a.attnum) AS text
             FROM (VALUES ('companies_to_process', 'company_raw_intake'), ('people_to_process', 'people_raw_intake'),
                          ('signals_to_process', 'signals_raw_intake'), ('outcomes_to_process', 'outcomes_raw_intake')) AS v (place, origin)
             JOIN pg_attribute a ON a.attrelid = ('intake.' || v.origin)::regclass AND a.attnum > 0 AND NOT a.attisdropped
    LOOP
        EXECUTE format('COMMENT ON COLUMN intake.%I.%I IS %L', c.place, c.attname, c.text);
    END LOOP;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'barton_app') THEN
        GRANT SELECT ON intake.companies_to_process, intake.people_to_process, intake.signals_to_process, intake.outcomes_to_process
            TO barton_app;
    END IF;
END
$$;
