DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'barton_app') THEN
        REVOKE UPDATE ON marketing.pipeline_events, marketing.pipeline_errors FROM barton_app;
        GRANT UPDATE, DELETE ON marketing.pipeline_events, marketing.pipeline_errors TO barton_app;
    END IF;
END
$$;
ALTER FUNCTION marketing.forget_person(text, text) SECURITY INVOKER RESET search_path;
DROP FUNCTION IF EXISTS marketing.purge_errors(timestamptz, integer);
DROP FUNCTION IF EXISTS marketing.purge_events(timestamptz, integer);
DROP FUNCTION IF EXISTS marketing.undo_batch(text, text);
DROP FUNCTION IF EXISTS marketing.catch_up(timestamptz);
DROP FUNCTION IF EXISTS marketing.end_operation(text, text);
DROP FUNCTION IF EXISTS marketing.begin_operation(text, text);
DROP TABLE IF EXISTS marketing.operations;
