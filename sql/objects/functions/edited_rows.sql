-- Who edits a row set aside wants it tried again: its dead letter and its error are settled. Owner's rights, because
-- who may edit rows need not have any on the queue.
CREATE OR REPLACE FUNCTION intake.settle_set_aside(place text, row_id bigint, batch text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE marketing.pipeline_events SET status = 'processed', processed_at = now(), error_message = NULL
    WHERE status = 'failed' AND import_batch_id = batch AND first_record_id = row_id::text
      AND payload ->> 'set_aside' = place;
    UPDATE marketing.pipeline_errors
    SET resolved = true, resolved_at = now(), resolved_by = marketing.actor(), resolution_notes = 'the row was edited'
    WHERE NOT resolved AND event_type = 'row_set_aside' AND import_batch_id = batch AND record_id = row_id::text
      AND error_details ->> 'table' = place;
END
$$;
COMMENT ON FUNCTION intake.settle_set_aside(text, bigint, text) IS
'Ends the dead letter and the error of a row that was set aside';

-- A row that was edited is no longer judged: promotion must not take its new website with its old domain.
CREATE OR REPLACE FUNCTION intake.reopen_edited_row() RETURNS trigger
LANGUAGE plpgsql AS $$
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
COMMENT ON FUNCTION intake.reopen_edited_row() IS 'Row trigger: an edited intake row has to be judged again';

CREATE OR REPLACE FUNCTION intake.reopen_edited_person() RETURNS trigger
LANGUAGE plpgsql AS $$
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
