CREATE OR REPLACE FUNCTION marketing.notify_pipeline_event(
    event_type text, payload jsonb DEFAULT '{}', import_batch_id text DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    batch text := coalesce(import_batch_id, payload->>'import_batch_id');
    event_id bigint;
BEGIN
    INSERT INTO marketing.pipeline_events
        (event_type, payload, import_batch_id, first_record_id, last_record_id, raised_by)
    VALUES (event_type, coalesce(payload, '{}'), batch, payload->>'record_id', payload->>'record_id',
            nullif(current_setting('barton.lease_token', true), '')::uuid)
    RETURNING id INTO event_id;
    PERFORM marketing.wake_listeners(event_type, batch, 1);
    RETURN event_id;
END
$$;
COMMENT ON FUNCTION marketing.notify_pipeline_event(text, jsonb, text) IS 'Queues one event by hand; returns its id';
REVOKE EXECUTE ON FUNCTION marketing.notify_pipeline_event(text, jsonb, text) FROM public;

CREATE OR REPLACE FUNCTION marketing.mark_event_processed(event_id bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE marketing.pipeline_events
    SET status = 'processed', processed_at = now(), lease_token = NULL, lease_until = NULL, error_message = NULL
    WHERE id = event_id AND status IN ('pending', 'processing');
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION marketing.mark_event_processed(bigint) IS
'Ends an open event as processed; false when it was not open';
REVOKE EXECUTE ON FUNCTION marketing.mark_event_processed(bigint) FROM public;

CREATE OR REPLACE FUNCTION marketing.mark_event_failed(event_id bigint, message text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    event marketing.pipeline_events;
BEGIN
    UPDATE marketing.pipeline_events
    SET status = 'failed', processed_at = now(), lease_token = NULL, lease_until = NULL, error_message = message
    WHERE id = event_id AND status IN ('pending', 'processing')
    RETURNING * INTO event;
    IF event.id IS NULL THEN
        RETURN false;
    END IF;
    PERFORM marketing.log_pipeline_error(event.event_type, event.first_record_id, message,
        jsonb_build_object('event_id', event.id, 'attempts', event.attempts), 'error', event.import_batch_id);
    RETURN true;
END
$$;
COMMENT ON FUNCTION marketing.mark_event_failed(bigint, text) IS 'Dead-letters an open event and logs the error';
REVOKE EXECUTE ON FUNCTION marketing.mark_event_failed(bigint, text) FROM public;

-- Rows of the queue keep what they announced: a run may change their state and nothing else; only the purge deletes.
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
COMMENT ON FUNCTION marketing.purge_events(timestamptz, integer) IS
'Deletes up to so many events that were processed before then; how many';
REVOKE EXECUTE ON FUNCTION marketing.purge_events(timestamptz, integer) FROM public;
