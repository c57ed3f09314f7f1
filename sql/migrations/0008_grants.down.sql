DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['barton_app', 'barton_readonly'] LOOP
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA intake, marketing FROM %I', role_name);
            EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA marketing FROM %I', role_name);
            EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA intake, marketing FROM %I', role_name);
            EXECUTE format('REVOKE ALL ON SCHEMA intake, marketing FROM %I', role_name);
        END IF;
    END LOOP;
END
$$;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA marketing TO PUBLIC;
REVOKE EXECUTE ON FUNCTION marketing.raise_events(), marketing.record_id_history() FROM PUBLIC;
