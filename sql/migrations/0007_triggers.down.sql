DO $$
DECLARE
    event_trigger record;
BEGIN
    FOR event_trigger IN
        SELECT t.tgname, t.tgrelid::regclass AS table_name
        FROM pg_trigger t WHERE t.tgfoid = to_regprocedure('marketing.raise_events()')
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', event_trigger.tgname, event_trigger.table_name);
    END LOOP;
END
$$;
DROP FUNCTION IF EXISTS marketing.raise_events();
