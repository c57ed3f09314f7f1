-- Schemas, roles and helpers every later migration builds on.
-- Roles belong to the whole server, so several databases may share them; where the deploying user may not
-- create roles (no CREATEROLE) they are skipped with a notice and everything runs as that user.
CREATE SCHEMA IF NOT EXISTS intake;
CREATE SCHEMA IF NOT EXISTS marketing;
COMMENT ON SCHEMA intake IS 'Rows exactly as they came from exports and SQL inserts, with their verdicts';
COMMENT ON SCHEMA marketing IS 'Companies, slots, people, scores, targets, the event queue and its logs';

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

CREATE OR REPLACE FUNCTION marketing.touch_updated_at() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION marketing.touch_updated_at() IS 'Row trigger: stamps updated_at';
