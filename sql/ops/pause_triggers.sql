-- Rollback 3: no table raises events any more; rows still come in. psql -1 -f sql/ops/pause_triggers.sql, as the owner.
-- Waits for open transactions on these tables. Back, with everything caught up: pause_triggers.undo.sql.
SELECT marketing.begin_operation('pause');
DO $$
DECLARE
    event_trigger record;
BEGIN
    FOR event_trigger IN SELECT tgrelid::regclass AS place, tgname AS name FROM pg_trigger WHERE tgfoid = 'marketing.raise_events'::regproc LOOP
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', event_trigger.place, event_trigger.name);
    END LOOP;
END
$$;
