CREATE OR REPLACE FUNCTION marketing.log_pipeline_error(
    event_type text, record_id text, error_message text, error_details jsonb DEFAULT '{}',
    severity text DEFAULT 'error', import_batch_id text DEFAULT NULL
) RETURNS bigint
LANGUAGE sql AS $$
    INSERT INTO marketing.pipeline_errors
        (event_type, record_id, error_message, error_details, severity, import_batch_id)
    VALUES ($1, $2, $3, coalesce($4, '{}'), $5, coalesce($6, $4->>'import_batch_id'))
    RETURNING id
$$;
COMMENT ON FUNCTION marketing.log_pipeline_error(text, text, text, jsonb, text, text) IS
'Adds to the error log; returns the id';
REVOKE EXECUTE ON FUNCTION marketing.log_pipeline_error(text, text, text, jsonb, text, text) FROM public;

CREATE OR REPLACE FUNCTION marketing.resolve_pipeline_error(error_id bigint, by_whom text, notes text DEFAULT NULL)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    UPDATE marketing.pipeline_errors
    SET resolved = true, resolved_at = now(), resolved_by = by_whom, resolution_notes = notes
    WHERE id = error_id AND NOT resolved;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION marketing.resolve_pipeline_error(bigint, text, text) IS
'Closes an open error; false when it was not open';
REVOKE EXECUTE ON FUNCTION marketing.resolve_pipeline_error(bigint, text, text) FROM public;

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
COMMENT ON FUNCTION marketing.purge_errors(timestamptz, integer) IS
'Deletes up to so many errors that were resolved before then; how many';
REVOKE EXECUTE ON FUNCTION marketing.purge_errors(timestamptz, integer) FROM public;

-- Errors name the events they tell of: event_id, or event_ids, of which only the first hundred are listed when there
-- are more.
CREATE OR REPLACE FUNCTION marketing.events_of_error(
    details jsonb, batch text
) RETURNS SETOF bigint LANGUAGE sql STABLE AS $$
    SELECT e.id FROM marketing.pipeline_events e
    WHERE e.status = 'failed' AND e.id IN (
        SELECT jsonb_path_query(details, '$.event_id ? (@.type() == "number")')::bigint
        UNION SELECT jsonb_path_query(details, '$.event_ids[*] ? (@.type() == "number")')::bigint)
    UNION
    SELECT e.id FROM marketing.pipeline_events e
    WHERE e.status = 'failed' AND e.import_batch_id = batch AND jsonb_path_exists(details, '$ ? (@.events > @.event_ids.size())')
$$;
COMMENT ON FUNCTION marketing.events_of_error(jsonb, text) IS
'The dead letters that an error tells of, by its details and batch; all of the batch when it tells of more than it '
'lists';
REVOKE EXECUTE ON FUNCTION marketing.events_of_error(jsonb, text) FROM public;
