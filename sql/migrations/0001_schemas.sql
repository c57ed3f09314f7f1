-- The schemas, and the roles that work in them.
CREATE SCHEMA IF NOT EXISTS intake;
COMMENT ON SCHEMA intake IS 'Rows exactly as they came from exports and SQL inserts, with their verdicts';
CREATE SCHEMA IF NOT EXISTS marketing;
COMMENT ON SCHEMA marketing IS 'Companies, slots, people, scores, targets, the event queue and its logs';

-- Roles belong to the whole server, so several databases may share them. Where the deploying user may not create roles
-- (no CREATEROLE) they are skipped with a notice and everything runs as that user.
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['barton_owner', 'barton_app', 'barton_readonly'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
            EXCEPTION
                -- two databases of one server may be migrated at the same moment
                WHEN duplicate_object OR unique_violation THEN NULL;
                WHEN insufficient_privilege THEN
                    RAISE NOTICE 'role % not created: % may not create roles', role_name, current_user;
            END;
        END IF;
    END LOOP;
END
$$;
