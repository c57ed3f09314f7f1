-- Least privilege: barton_app works on rows and cannot change the schema; barton_readonly sees the views.
-- Functions are open to everybody by default, and some run with the owner's rights.
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA marketing FROM PUBLIC;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'barton_app') THEN
        GRANT USAGE ON SCHEMA intake, marketing TO barton_app;
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA intake, marketing TO barton_app;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA intake, marketing TO barton_app;
        GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA marketing TO barton_app;
        REVOKE EXECUTE ON FUNCTION marketing.raise_events(), marketing.record_id_history() FROM barton_app;
        REVOKE UPDATE, DELETE ON marketing.barton_id_history FROM barton_app;
        REVOKE INSERT, UPDATE, DELETE ON marketing.pipeline_stages, marketing.event_routes FROM barton_app;
        IF to_regclass('marketing.schema_migrations') IS NOT NULL THEN
            REVOKE INSERT, UPDATE, DELETE ON marketing.schema_migrations FROM barton_app;
        END IF;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'barton_readonly') THEN
        GRANT USAGE ON SCHEMA marketing TO barton_readonly;
        GRANT SELECT ON marketing.v_sniper_targets, marketing.v_event_queue_status, marketing.vw_unresolved_errors
            TO barton_readonly;
    END IF;
END
$$;
